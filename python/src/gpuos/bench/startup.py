"""What starting costs, and the first use of a function; and after how many calls that is earned back.

Every sample comes from a process of its own, with empty caches on disk; another one after it finds them filled. As a program
this module is such a process.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from gpuos.bench import document

_COLUMNS = ["eager", "graph", "compile", "reduce-overhead", "gpuos-dispatch", "gpuos-call"]
_NEW = 5
_STEADY = 200
_ELEMENTS = 2048


def functions():
    """Different functions of three tensors; the first is the one a process starts with."""
    import torch

    return [
        lambda a, b, c: torch.relu(a + b) * c,
        lambda a, b, c: torch.sigmoid(a * b) - c,
        lambda a, b, c: torch.tanh(a - b) / (c * c + 1),
        lambda a, b, c: torch.exp(-(a * a)) * b + c,
        lambda a, b, c: torch.sqrt(torch.abs(a) + b * b) - c,
        lambda a, b, c: torch.maximum(a * c, torch.minimum(b, c)) * 0.5,
    ]


_runs = {}


def _run(context):
    """Figures of all columns: lists by column, or a cell without samples."""
    key = json.dumps(context.settings, sort_keys=True)
    if key not in _runs:
        _runs[key] = {name: _column(context, name) for name in _COLUMNS}
    return _runs[key]


def _column(context, name):
    if name in context.excluded:
        return context.excluded[name]
    found = []
    for number in range(1 if context.settings["quick"] else 3):
        if context.late():
            return document.missing("pending", context.lateness)
        context.say(name, f"starting processes, {number + 1}")
        with tempfile.TemporaryDirectory(prefix="gpuos-startup-") as caches:
            cold = _process(context, name, caches)
            if "status" in cold:
                return cold
            warm = _process(context, name, caches)
            if "status" in warm:
                return warm
            found.append({**cold, "warm_ms": warm["new_ms"]})
    return found


def _process(context, name, caches):
    environment = {
        **os.environ,
        "TORCHINDUCTOR_CACHE_DIR": caches + "/inductor",
        "TRITON_CACHE_DIR": caches + "/triton",
        "CUDA_CACHE_PATH": caches + "/cuda",
        "GPUOS_CACHE": caches + "/gpuos",
    }
    command = [sys.executable, "-m", "gpuos.bench.startup", name, context.settings["device"]]
    patience = context.settings["patience_s"] * 0.9
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        return document.missing("failed", f"no answer within {patience:g} s")
    lines = done.stdout.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        words = done.stderr.strip().splitlines()
        return document.missing(
            "failed", f"the process ended with code {done.returncode}: {words[-1] if words else ''}"
        )


def _row(context, name, what, unit, samples_of, **more):
    cells = {}
    for column, found in _run(context).items():
        cells[column] = found if isinstance(found, dict) else document.measured(samples_of(found))
    document.ratios(cells, "eager")
    return {"name": name, "what": what, "unit": unit, "units": 1, **more, "cells": cells}


def _flat(key):
    return lambda found: [sample for one in found for sample in one[key]]


def _break_even(context):
    """Calls after which first use and calls together are below eager's."""
    runs = _run(context)
    cells = {}
    for column, found in runs.items():
        if isinstance(found, dict):
            cells[column] = found
        elif column == "eager" or isinstance(runs["eager"], dict):
            cells[column] = document.missing("absent", "it is what the others are compared with")
        else:
            base = runs["eager"]
            pairs = zip(_flat("new_ms")(found), _flat("new_ms")(base))
            saved = _median(base, "steady_us") - _median(found, "steady_us")
            if saved <= 0:
                cells[column] = document.missing("absent", "never: a call costs no less than eager's")
            else:
                cells[column] = document.measured(
                    [max(0.0, (one - other) * 1e3 / saved) for one, other in pairs]
                )
    what = "calls after which a new function has cost less than in eager PyTorch"
    return {"name": "break-even", "what": what, "unit": "calls", "units": 1, "cells": cells}


def _median(found, key):
    return document.percentile(_flat(key)(found), 50)


def _rows(settings):
    rows = [
        (
            "first result",
            "of a process, PyTorch imported; the device is opened in it, and the JVM started",
            "ms",
            _flat("first_ms"),
        ),
        ("new function", f"until its first result, {_NEW} of them, nothing cached", "ms", _flat("new_ms")),
        ("new function, cached", "the same, with the caches on disk of the first process", "ms", _flat("warm_ms")),
        ("a call", "of one of these functions after that, host and device", "us", _flat("steady_us")),
    ]

    def one(name, what, unit, samples_of):
        more = {"paper": None, "goal_ms": 2} if name == "new function" else {}
        return name, lambda context: _row(context, name, what, unit, samples_of, **more)

    return [one(*row) for row in rows] + [("break-even", _break_even)]


def _measure(column, device):
    """In the process: builds each function, and takes the times."""
    import torch

    from gpuos.bench import measure

    device = torch.device(device)
    torch.set_num_threads(1)
    begin = time.perf_counter()
    measure.use(device)
    operands = [torch.linspace(-1, 1, _ELEMENTS).roll(k * 700).to(device) for k in range(3)]
    try:
        calls, taken = [], []
        with torch.no_grad():
            for function in functions():
                call, results = _first(column, function, operands, device)
                taken.append((time.perf_counter() - begin) * 1e3)
                _require(function, operands, results)
                calls.append(call)
                begin = time.perf_counter()
            steady = []
            for call in calls[1:]:
                for _ in range(20):
                    call()
                measure.finish(device)
                begin = time.perf_counter()
                for _ in range(_STEADY):
                    call()
                measure.finish(device)
                steady.append((time.perf_counter() - begin) * 1e6 / _STEADY)
        found = {"first_ms": taken[:1], "new_ms": taken[1:], "steady_us": steady}
    except Exception as error:
        found = measure.cell_of(error, column, torch.device("cpu"))
    print(json.dumps(found))


def _first(column, function, operands, device):
    """What calls a function in a column's way, and its first result."""
    import torch

    from gpuos.bench import columns, measure

    y = torch.empty(_ELEMENTS, device=device)
    if column == "graph":
        columns.require_gpu(device, "CUDA graphs need a GPU")
        results = {}

        def run():
            results["y"] = function(*operands)

        call = columns.capture(run).replay
        call()
        measure.finish(device)
        return call, results["y"]
    if column == "reduce-overhead":
        columns.require_gpu(device, "without a GPU it is torch.compile")
        function = torch.compile(function, mode="reduce-overhead", dynamic=False)
        # The first calls compile and record, the third replays.
        for _ in range(2):
            function(*operands)
    elif column == "compile":
        function = torch.compile(function, dynamic=False)
    elif column == "gpuos-call":
        import gpuos

        function = gpuos.compile(function)
    elif column == "gpuos-dispatch":
        import gpuos

        if not hasattr(gpuos, "dispatch"):
            raise columns.Absent("not in this version")
        eager = function

        def function(*given):
            with gpuos.dispatch():
                return eager(*given)

    def call():
        return function(*operands)

    result = y.copy_(call())
    measure.finish(device)
    return call, result


def _require(function, operands, result):
    from gpuos.bench.measure import Wrong

    wanted = function(*[one.cpu().double() for one in operands])
    error = (result.cpu().double() - wanted).abs().max().item()
    if not error <= 1e-5:
        raise Wrong(f"wrong result: largest error={error:.3g}, expected=at most 1e-05")


def _table():
    from gpuos.bench.tables import Table

    return Table(
        "startup",
        "Start-up and first use",
        "ms",
        "Functions of three tensors of 2048 elements; every sample from a process of its own.",
        _rows,
    )


if __name__ == "__main__":
    _measure(sys.argv[1], sys.argv[2])
else:
    TABLE = _table()
