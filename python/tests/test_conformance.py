"""A sample of PyTorch's operator database in float32; `python -m gpuos.conformance` checks all."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
OPERATORS = (
    "add nn.functional.relu where sum var softmax matmul nn.functional.layer_norm cat expand gather scatter_add"
    " index_put cumsum sort tril nn.functional.nll_loss nn.functional.group_norm cauchy sgn"
).split()


def run(arguments, tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "GPUOS_JAVA_OPTIONS"}
    environment["PYTHONPATH"] = str(TESTS.parent / "src")
    file = tmp_path / "found.json"
    command = [sys.executable, "-m", "gpuos.conformance", *arguments, "--json", str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    return done, json.loads(file.read_text())


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    patterns = [word for name in OPERATORS for word in ("--op", name)]
    arguments = ["--dtype", "float32", "--samples", "2", "--jobs", "2", *patterns]
    return run(arguments, tmp_path_factory.mktemp("conformance"))


def test_nothing_is_wrong(sample):
    done, document = sample
    assert done.returncode == 0, done.stdout
    assert document["summary"]["float32"]["wrong"] == 0
    assert len(document["operators"]) == len(OPERATORS)


@pytest.mark.parametrize("name", ["add", "matmul", "sum", "cat", "expand", "scatter_add", "tril"])
def test_is_native(sample, name):
    finding = sample[1]["operators"][f"{name} float32"]
    assert finding["verdict"] == "native", finding


def test_tells_what_falls_back(sample):
    finding = sample[1]["operators"]["cauchy float32"]
    assert finding["verdict"] == "fell back"
    assert any("random numbers" in reason for reason in finding["reasons"])


def test_finds_what_is_wrong():
    import torch

    from gpuos.conformance.cases import Case
    from gpuos.conformance.check import Judge

    class Op:
        name = "op"
        decorators = ()

    x = torch.rand(4)
    judge = Judge(Op, Case("function", torch.sin, [x]), [x], 1, False)
    judge.compare(torch.sin(x), torch.sin(x), [x])
    for wrong in (torch.sin(x) + 1e-3, torch.sin(x)[:3], torch.sin(x).double()):
        with pytest.raises(AssertionError):
            judge.compare(wrong, torch.sin(x), [x])
    judge = Judge(Op, Case("function", torch.sin, [x + 1]), [x], 1, False)
    with pytest.raises(AssertionError):
        judge.compare(torch.sin(x), torch.sin(x), [x])


def test_a_lost_worker_is_a_line_of_the_report(monkeypatch):
    from gpuos.conformance import runner

    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    task = {"name": "add", "dtype": "float32", "device": "cpu", "seed": 1, "variants": ["function"], "samples": 1}
    with runner._Worker() as worker:
        assert "took longer" in worker.ask(task, 0.001)["failure"]
        worker._start()
        worker._process.kill()
        assert "ended" in worker.ask(task, 60)["failure"]
