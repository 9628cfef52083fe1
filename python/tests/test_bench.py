"""python -m gpuos.bench on the CPU: what is wrong is never timed, what fails is shown, and the page is whole."""

import html.parser
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from gpuos.bench import columns, document, measure, options, page, scaling, suite, svg, tables, text, work

SOURCES = pathlib.Path(__file__).resolve().parents[1] / "src"
SETTINGS = {
    "device": "cpu", "quick": True, "seed": 1, "rounds": 3, "units": 4, "warm_up_s": 0.0, "row_bytes": 1 << 20,
    "energy_s": 1, "processes": 2, "patience_s": 240, "time_limit": None, "deadline": None, "threads": 1,
}


class Plan:
    rounds, warm_up_s, lateness = 3, 0.0, "late"
    random = random.Random(1)

    def late(self):
        return False


def column(name, build):
    return columns.Column(name, name, "", "", build)


def cells(step, *chosen, units=4):
    made = work.Work(step, units, 1, torch.device("cpu"))
    return measure.measure(chosen, made, Plan(), lambda *_: None)


EAGER = column("eager", columns.eager)


def test_measures_what_is_right():
    for step in (work.Add(5), work.Mixed(7), work.Mixed(7, True), work.Decode(9), work.Sum(2, 11), work.Add(3, True)):
        found = cells(step, EAGER)["eager"]
        assert found["status"] == "measured", found
        assert len(found["samples"]) == 3 and min(found["samples"]) > 0
        assert 0 <= found["worst_error"] <= work.TOLERANCE


@pytest.mark.parametrize(
    "build",
    [
        lambda w: lambda: None,
        lambda w: lambda: [torch.add(a, b) * 1.001 for a, b in w.inputs],
        lambda w: lambda: [torch.add(a, b) for a, b in w.inputs][:-1],
        lambda w: lambda results=[torch.add(a, b) for a, b in w.inputs]: results,
        lambda w: lambda: [y.copy_(w.inputs[0][0] + w.inputs[0][1]) for y in w.each],
    ],
    ids=["nothing computed", "a little off", "one left out", "computed once for all", "one for all"],
)
def test_never_times_what_is_wrong(build):
    found = cells(work.Add(64), EAGER, column("cheat", build))
    assert found["cheat"]["status"] == "wrong" and "samples" not in found["cheat"]
    assert found["eager"]["status"] == "measured"
    # Nor where it is the first, when operands have the values they were made with.
    assert cells(work.Add(64), column("cheat", build))["cheat"]["status"] == "wrong"


def test_results_are_poisoned_before_each_run():
    seen = []

    def build(w):
        run = columns.eager(w)

        def start():
            seen.append(all(torch.isnan(y).all() for y in w.each) and bool(torch.isnan(w.results).all()))
            run()

        return start

    # Once built, twice checked, twice warmed up; then two runs a sample, each after poison.
    assert cells(work.Add(64), column("eager", build))["eager"]["status"] == "measured"
    assert seen[:3] == [True] * 3 and seen[5:] == [True] * 6


def test_a_column_that_fails_later_stops_no_other():
    def build(w):
        calls = []
        run = columns.eager(w)

        def start():
            calls.append(1)
            if len(calls) > 7:
                raise RuntimeError("no more\nof that")
            run()

        return start

    found = cells(work.Add(64), column("tired", build), EAGER)
    assert found["tired"]["status"] == "failed"
    assert found["tired"]["reason"] == "RuntimeError: no more of that"
    assert len(found["eager"]["samples"]) == 3


def test_a_column_that_ends_the_gpu_is_named(monkeypatch):
    monkeypatch.setattr(measure, "is_broken", lambda device: True)

    def build(w):
        raise RuntimeError("illegal address")

    with pytest.raises(measure.Broken) as broken:
        cells(work.Add(64), EAGER, column("bad", build))
    assert broken.value.column == "bad" and "illegal address" in broken.value.cell["reason"]


def test_suite_goes_on_without_what_ended_the_gpu(monkeypatch):
    requests = []

    class Child:
        def __init__(self, request):
            requests.append(json.loads(json.dumps(request["excluded"])))
            cell = document.missing("failed", "illegal address")
            row = {"name": "1", "what": "", "cells": {"eager": cell}}
            self.events = [{"at": "row", "row": "1"}]
            if request["excluded"]:
                self.events += [{"at": "done", "row": row}, {"at": "end"}]
            else:
                self.events += [{"at": "broken", "column": "bad", "cell": cell}]

        def next(self, patience):
            return self.events.pop(0)

        def close(self):
            pass

    monkeypatch.setattr(suite, "_Child", Child)
    run = suite.Suite(SETTINGS, {"commit": "a"}, None, lambda *_: None)
    run.document["java"] = {"reason": "none", "tables": []}
    made = run.run([tables.Table("scale-depth", "t", "u", "w", lambda settings: [("1", None)])])
    assert requests == [{}, {"bad": {"1": document.missing("failed", "illegal address")}}]
    assert made["complete"]


def test_every_column_has_a_cell_with_a_reason():
    chosen = [one for one in columns.COLUMNS if one.name in ("eager", "graph", "reduce-overhead", "fused")]
    found = cells(work.Sum(2, 8), *chosen)
    assert found["graph"] == document.missing("absent", "CUDA graphs need a GPU")
    assert found["fused"]["status"] == "absent"


def test_ratios_are_taken_inside_rounds():
    made = {"eager": document.measured([10.0, 40.0, 20.0]), "one": document.measured([5.0, 10.0, 10.0])}
    made["other"] = {**document.measured([2.0] * 9), "apart": True}
    document.ratios(made, "eager")
    assert made["one"]["over_eager"] == {"median": 2.0, "p25": 2.0, "p75": 4.0}
    assert made["other"]["over_eager"] == {"median": 10.0, "p25": None, "p75": None}


def test_documents_are_strict_json():
    encoded = document.encode({"a": float("nan"), "b": [float("inf"), 1 / 3], "c": "\u00e9"})
    assert json.loads(encoded) == {"a": None, "b": [None, 0.333333333], "c": "\u00e9"}
    assert encoded.isascii()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "gpuos-bench-paper", "version": 2}'])
def test_refuses_other_files(tmp_path, content):
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(ValueError, match="x.json"):
        document.load(file)


def test_crossovers_lie_between_rows():
    rows = [
        {"x": x, "cells": {"gpuos-call": {"status": "measured", "over_eager": {"median": y}}}}
        for x, y in ((1, 0.25), (100, 4.0), (10_000, 0.25))
    ]
    found, _ = scaling.crossovers(rows, "gpuos-call", "eager")
    assert [(round(at), kind) for at, kind in found] == [(10, "wins"), (1000, "loses")]
    assert scaling.verdict(rows, "gpuos-call", "eager") == "loses at 1, wins from about 10, loses from about 1,000"
    assert scaling.verdict(rows[:1], "gpuos-call", "eager") == "slower everywhere from 1 to 1"
    assert scaling.verdict(rows, "gpuos-call", "graph") is None


def test_rows_that_would_take_too_long_are_not_begun(monkeypatch):
    class Context:
        settings, device = SETTINGS, torch.device("cpu")

        def timed(self, step, names, units):
            return {name: document.measured([1.0], setup_s=70.0) for name in names}, units

    monkeypatch.setattr(scaling, "_last", {})
    for units in (100, 1000, 2000):
        row = scaling._measure(Context(), "a", "a", units, work.Add(4), units)
    assert row["cells"]["gpuos-call"]["status"] == row["cells"]["eager"]["status"] == "measured"
    failed = row["cells"]["gpuos-program"]
    assert failed["status"] == "failed" and "about 140 s" in failed["reason"]


def test_numbers_are_short():
    shown = [text.number(x) for x in (0.00123, 0.5, 1, 12.34, 999.6, 123456, 1e9, None, float("nan"))]
    assert shown == ["0.00123", "0.500", "1.00", "12.3", "1,000", "123,456", "1.00e+09", "?", "?"]


def run(arguments, **more):
    environment = {k: v for k, v in os.environ.items() if k != "GPUOS_JAVA_OPTIONS"}
    environment.update(PYTHONPATH=str(SOURCES), OMP_NUM_THREADS="1", **more)
    return subprocess.Popen(
        [sys.executable, "-m", "gpuos.bench", "--device", "cpu", "--quick", "--no-java", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


def done(arguments, **more):
    process = run(arguments, **more)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_a_run_ends_in_a_document_and_a_page(tmp_path):
    code, out, err = done(
        ["--only", "scale-depth", "--rounds", "2", f"--json={tmp_path}/a.json", f"--html={tmp_path}/a.html"]
    )
    assert code == 0, out + err
    made = document.load(tmp_path / "a.json")
    assert made["complete"] and made["interrupted"] is None
    (table,) = made["tables"]
    assert [row["x"] for row in table["rows"]] == [1, 10, 30]
    for row in table["rows"]:
        assert row["cells"]["gpuos-program"]["status"] == "measured", row
        assert "over_eager" in row["cells"]["gpuos-program"]
        assert row["cells"]["graph"]["reason"] == "CUDA graphs need a GPU"
    assert "Scaling: depth" in out and "gpuos bench: scale-depth (1 of 1): 30" in err
    assert "<svg" in (tmp_path / "a.html").read_text()


def test_a_crash_costs_a_cell_and_the_rest_goes_on(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'gpuos.bench.child' in sys.orig_argv:\n"
        "    from gpuos.bench import columns\n"
        "    next(c for c in columns.COLUMNS if c.name == 'gpuos-call').build = lambda work: os.abort()\n"
    )
    process = subprocess.run(
        [sys.executable, "-m", "gpuos.bench", "--device=cpu", "--quick", "--no-java", "--only=scale-depth", "--json"],
        env={**os.environ, "PYTHONPATH": f"{SOURCES}:{tmp_path}", "OMP_NUM_THREADS": "1", "GPUOS_JAVA_OPTIONS": ""},
        capture_output=True, text=True, timeout=300,
    )
    assert process.returncode == 1, process.stderr
    for row in json.loads(process.stdout)["tables"][0]["rows"]:
        assert row["cells"]["gpuos-call"]["status"] == "failed"
        assert "ended by signal 6" in row["cells"]["gpuos-call"]["reason"]
        assert row["cells"]["eager"]["status"] == "measured"
        assert row["cells"]["gpuos-program"]["status"] == "measured"


def test_an_interrupted_run_keeps_its_rows_and_goes_on(tmp_path):
    file = tmp_path / "a.json"
    arguments = ["--only=scale-elements", "--rounds=2", f"--json={file}"]
    process = run(arguments)
    end = time.monotonic() + 200
    while not (file.exists() and document.load(file)["tables"][0]["rows"]) and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted: Ctrl-C; what was done is in" in err and "Traceback" not in err
    first = document.load(file)
    rows = first["tables"][0]["rows"]
    assert not first["complete"] and rows
    code, out, err = done(arguments)
    assert code == 0, out + err
    second = document.load(file)
    assert second["complete"] and second["tables"][0]["rows"][: len(rows)] == rows
    assert f"goes on with {file}: {len(rows)} rows are done" in err


def test_rows_after_the_time_limit_are_pending():
    code, out, err = done(["--only=scale-depth", "--time-limit=0.01", "--json"])
    made = json.loads(out)
    assert code == 0 and not made["complete"]
    statuses = {cell["status"] for *_, cell in document.cells_of(made)}
    assert statuses == {"pending"}
    assert "the time limit of 0.01 s" in err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--only=nothing"], "unknown table: only=nothing, expected=one of adds, mixed"),
        (["--device=cuda:9"], "no such device: device=cuda:9"),
        (["--device=tpu"], "unknown device: device=tpu"),
        (["--rounds=0"], "number of rounds: value=0"),
        (["--time-limit=-1"], "time limit: value=-1"),
        (["--html=/no/such/place/a.html"], "cannot write: file=/no/such/place/a.html"),
        (["--java=/no/such/file"], "not a document of Java columns"),
    ],
)
def test_refuses_before_the_work(arguments, message):
    code, out, err = done(arguments)
    assert code == 2 and out == "" and message in err


def test_a_run_is_gone_on_with_only_where_it_is_the_same():
    old = {"complete": False, "environment": {"commit": "a"}, "settings": dict(SETTINGS)}
    assert options.resumable(old, SETTINGS, "a") is None
    assert options.resumable(old, SETTINGS, "b") == "it is of commit a"
    assert options.resumable(old, {**SETTINGS, "rounds": 4}, "a") == "its rounds is 3"
    assert options.resumable({**old, "complete": True}, SETTINGS, "a") == "it is complete"


def test_tables_have_names_of_their_own():
    names = [table.name for table in tables.all_tables()]
    assert len(set(names)) == len(names)
    for table in tables.all_tables():
        rows = [name for name, _ in table.rows({**SETTINGS, "quick": False})]
        assert len(set(rows)) == len(rows)


# ---- the page


def sample():
    hostile = '<script>alert("1")</script>&'
    eager, ours = document.measured([4.0, 5.0, 6.0], units=4), document.measured([2.0, 2.5, 3.0], units=4)
    found = {
        "eager": eager, "graph": document.missing("failed", hostile), "gpuos-program": ours,
        "compile": document.missing("wrong", "far off"), "java": document.missing("absent", "no launcher"),
    }
    document.ratios(found, "eager")
    row = {"name": hostile, "what": hostile, "units": 4, "paper": 15.4, "goal": 200, "cells": found}
    made = {
        "format": document.FORMAT, "version": 1, "complete": False, "interrupted": hostile,
        "environment": {
            "device": "cuda:0", "device_description": hostile, "date": "now", "commit": "abc", "torch": "2",
            "gpu_state": {"sm_mhz": 1980, "processes": 1}, "command_line": ["a", hostile],
        },
        "settings": SETTINGS, "columns": [one.describe() for one in columns.COLUMNS],
        "java": {"reason": hostile, "tables": []}, "seconds": 3.0,
    }
    flat = {**tables.by_name("adds").describe(), "rows": [row]}
    scaled = {
        **tables.by_name("scale-depth").describe(),
        "rows": [{**row, "name": str(x), "x": x, "cells": cells} for x, cells in _scaled()],
    }
    return {**made, "tables": [flat, scaled]}


def _scaled():
    for x, factor in ((1, 0.5), (10, 1.5), (1000, 40.0)):
        made = {"eager": document.measured([factor] * 3), "gpuos-call": document.measured([1.0] * 3)}
        document.ratios(made, "eager")
        yield x, made


class Balance(html.parser.HTMLParser):
    """Opens and closes every element that has to be closed."""

    VOID = {"meta", "br", "line", "rect", "circle", "polyline"}

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.addresses = [], set(), []

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_beside_it():
    rendered = page.render(sample())
    parser = Balance()
    parser.feed(rendered)
    assert parser.open == [] and parser.addresses == []
    assert not parser.seen & {"script", "link", "img", "iframe"}
    assert "http" not in rendered.replace("http://www.w3.org/2000/svg", "")
    for words in ("far off", "2 cells are wrong or failed", "2.00x", "missed", "wins from about 4", "1980"):
        assert words in rendered, words
    assert "prefers-color-scheme:dark" in rendered and "@media print" in rendered


def test_pictures_without_figures_are_left_out():
    assert svg.bars("t", [("a", None, "base", "not here")]) == ""
    assert svg.lines("t", "x", [("a", "c1", [])], []) == ""
    assert "<svg" in svg.lines("t", "x", [("a", "c1", [(1, 2.0)])], [])


CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


def chromium(*arguments):
    return subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *map(str, arguments)],
        capture_output=True, text=True, timeout=120,
    )


@pytest.mark.skipif(CHROMIUM is None, reason="no browser: searched=chromium, google-chrome on the path")
@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_fits_a_screen(tmp_path, width):
    (tmp_path / "report.html").write_text(page.render(sample()))
    (tmp_path / "frame.html").write_text(
        f'<iframe src="report.html" style="width:{width}px;height:900px;border:0" onload="'
        "const d=this.contentDocument.documentElement,s=[...d.querySelectorAll('svg')].map(e=>e.clientHeight);"
        "document.title='fits '+(d.scrollWidth<=d.clientWidth)+' pictures '+s.every(h=>h>60)\"></iframe>"
    )
    shown = chromium("--allow-file-access-from-files", "--dump-dom", f"file://{tmp_path}/frame.html").stdout
    assert "<title>fits true pictures true</title>" in shown


@pytest.mark.skipif(CHROMIUM is None, reason="no browser: searched=chromium, google-chrome on the path")
def test_the_page_prints(tmp_path):
    (tmp_path / "report.html").write_text(page.render(sample()))
    chromium(f"--print-to-pdf={tmp_path}/report.pdf", f"file://{tmp_path}/report.html")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


# ---- the examples

EXAMPLES = """
import random, sys, torch
from gpuos.bench import example, models
class Context:
    device, rounds, warm_up_s, random, lateness = torch.device("cpu"), 1, 0.0, random.Random(1), ""
    excluded = {c.name: {"status": "absent", "reason": ""} for c in example.COLUMNS
                if c.name not in ("eager", "gpuos-call")}
    late = lambda self: False
    say = lambda self, *_: None
for name in models.NAMES:
    row = example.measure_row(models.load(name), Context())
    cell = row["cells"]["gpuos-call"]
    print(name, cell["status"], cell.get("note") or cell.get("reason"))
"""


def test_examples_compute_the_same_natively():
    environment = {k: v for k, v in os.environ.items() if k != "GPUOS_JAVA_OPTIONS"}
    environment.update(PYTHONPATH=str(SOURCES), OMP_NUM_THREADS="1")
    process = subprocess.run(
        [sys.executable, "-c", EXAMPLES], env=environment, capture_output=True, text=True, timeout=600
    )
    lines = process.stdout.splitlines()
    assert process.returncode == 0 and len(lines) == 9, process.stdout + process.stderr
    assert all(line.split()[1] == "measured" for line in lines), process.stdout


def test_suite_gives_up_a_row_that_always_crashes(monkeypatch):
    class Dead:
        def __init__(self, request):
            self.events = [{"at": "row", "row": "1"}]

        def next(self, patience):
            return self.events.pop(0) if self.events else None

        def verdict(self, patience):
            return "the process ended by signal 9: "

        def close(self):
            pass

    monkeypatch.setattr(suite, "_Child", Dead)
    run = suite.Suite(SETTINGS, {"commit": "a"}, None, lambda *_: None)
    run.document["java"] = {"reason": "none", "tables": []}
    one = tables.Table("scale-depth", "t", "u", "w", lambda settings: [("1", None)])
    made = run.run([one])
    assert made["tables"][0]["rows"][0]["cells"]["eager"]["status"] == "failed"
