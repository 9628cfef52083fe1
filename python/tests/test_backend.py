"""torch.compile(backend="gpuos"): results and gradients are those of eager PyTorch."""

import copy
import os
import pathlib
import subprocess
import sys

import pytest
import torch

import gpuos
from gpuos import backend

SOURCES = pathlib.Path(__file__).resolve().parents[1] / "src"


@pytest.fixture(autouse=True)
def graphs(monkeypatch):
    """The graphs that were made in a test."""
    torch._dynamo.reset()
    made = []
    start = backend.Graph.__init__

    def init(self, *args):
        start(self, *args)
        made.append(self)

    monkeypatch.setattr(backend.Graph, "__init__", init)
    return made


def close(got, wanted):
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def is_native(graph):
    lines = [line for line in graph.explain().splitlines() if not line.startswith(" ")]
    return bool(lines) and all(line.startswith(("recorded", "native")) for line in lines)


def test_runs_inference_natively(graphs):
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.LayerNorm(8))
    compiled = torch.compile(model, backend="gpuos")
    with torch.no_grad():
        for _ in range(4):
            x = torch.randn(3, 4)
            close(compiled(x), model(x))
    assert len(graphs) == 1 and is_native(graphs[0])


MODELS = {
    "mlp": (
        lambda: torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 6)),
        (4, 6),
    ),
    "normalisation": (
        lambda: torch.nn.Sequential(torch.nn.LayerNorm(6), torch.nn.SiLU(), torch.nn.Softmax(-1)),
        (4, 6),
    ),
    "batch": (lambda: torch.nn.Sequential(torch.nn.BatchNorm1d(6), torch.nn.ReLU()), (4, 6)),
    "attention": (lambda: torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), (2, 5, 8)),
    "convolution": (lambda: torch.nn.Sequential(torch.nn.Conv1d(3, 4, 2), torch.nn.ReLU()), (2, 3, 5)),
}


@pytest.mark.parametrize("name", MODELS)
def test_trains(name, graphs):
    make, shape = MODELS[name]
    torch.manual_seed(5)
    ours = make()
    theirs = copy.deepcopy(ours)
    compiled = torch.compile(ours, backend="gpuos")
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.05) for m in (ours, theirs)]
    for _ in range(4):
        x = torch.randn(shape)
        one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
        for optimizer, model, given in zip(optimizers, (compiled, theirs), (one, other)):
            optimizer.zero_grad()
            model(given).square().mean().backward()
            optimizer.step()
        close(one.grad, other.grad)
        for p, q in zip(ours.parameters(), theirs.parameters()):
            close(p.grad, q.grad)
            close(p.detach(), q.detach())
        for b, c in zip(ours.buffers(), theirs.buffers()):
            close(b, c)
    assert len(graphs) == 2
    assert all("recorded" in graph.explain() for graph in graphs)


def test_writes_arguments(graphs):
    def fn(x, y):
        x.add_(1)
        y[0] = x.sum()
        return x.t(), x * y

    compiled = torch.compile(fn, backend="gpuos")
    for _ in range(3):
        x, y = torch.randn(2, 2), torch.randn(2)
        a, b = x.clone(), y.clone()
        version = x._version
        for got, wanted in zip(compiled(x, y), fn(a, b)):
            close(got, wanted)
        close(x, a)
        close(y, b)
        assert x._version > version


def test_random_operators_run_in_pytorch(graphs):
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.ReLU())
    compiled = torch.compile(model, backend="gpuos")
    x = torch.ones(8, 4)
    results = []
    for _ in range(3):
        y = compiled(x)
        y.sum().backward()
        results.append(y.detach().clone())
    assert not torch.equal(results[0], results[1]) or not torch.equal(results[1], results[2])


def test_other_sizes_and_strides(graphs):
    fn = lambda x: (x * 2 + 1).sum(-1)
    for dynamic in (None, True):
        compiled = torch.compile(fn, backend="gpuos", dynamic=dynamic)
        for shape in ((3, 4), (5, 4), (7, 2), (3, 4), (0, 4)):
            x = torch.randn(shape)
            close(compiled(x), fn(x))
            x = torch.randn(*reversed(shape)).t()
            close(compiled(x), fn(x))


def test_graph_breaks_and_reads_on_the_host(graphs):
    def fn(x):
        y = x * 2
        if y.sum() > 0:
            return y + 1
        return y - y.max().item()

    compiled = torch.compile(fn, backend="gpuos")
    for sign in (1, -1, 1):
        x = torch.full((3,), float(sign))
        close(compiled(x), fn(x))


def test_shared_memory_is_not_mixed_up():
    # Through torch.compile AOTAutograd decides, which takes arguments met apart to stay apart.
    whole = bytearray(20)
    graph = torch.fx.symbolic_trace(lambda a, b: (torch.ops.aten.add_.Tensor(a, 1), a * b)[1])
    replayed = backend.Graph(graph)
    for _ in range(2):
        one, other = (torch.frombuffer(whole, dtype=torch.float32, count=4, offset=4 * k) for k in (0, 1))
        one.zero_(), other.zero_()
        assert replayed(torch.zeros(4), torch.zeros(4)).tolist() == [0] * 4
        assert replayed(one, other).tolist() == [1, 1, 1, 0]


def test_takes_a_mode():
    x = torch.randn(3)
    fn = lambda x: x * 2 + 1
    close(torch.compile(fn, backend="gpuos", options={"mode": "resident"})(x), fn(x))
    with pytest.raises(Exception, match="backend gpuos: mode=quick"):
        torch.compile(fn, backend="gpuos", options={"mode": "quick"})(x)


@pytest.mark.parametrize("first", ["import gpuos", "import torch._dynamo.backends.registry; import gpuos"])
def test_is_found_by_name(first):
    program = f"""
import torch
{first}
import sys
assert {'True' if '_dynamo' in first else 'False'} == ('torch._dynamo' in sys.modules)
assert "gpuos" in torch._dynamo.list_backends()
assert torch.compile(lambda x: x + 1, backend="gpuos")(torch.ones(2)).tolist() == [2, 2]
import gpuos.backend
from torch._dynamo.backends.registry import lookup_backend
assert lookup_backend("gpuos") is gpuos.backend.backend
"""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
