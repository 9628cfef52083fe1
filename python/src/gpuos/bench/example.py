"""The harness of python/examples: checks a model's columns against float64 and times them in rounds.

An example is a class. `Example(device, dtype, capturable)` makes the model with the same random weights every time;
`step(*inputs)` is what is compiled; `inputs(k)` are the tensors of call k, of the same shapes; `drive(step, k)` calls
it, once or as often as `calls` says, and returns the results; `state()` are tensors that calls change.
"""

import argparse
import os
import random
import signal
import sys
import time

import torch

import gpuos
from gpuos.bench import document, measure, text
from gpuos.bench.columns import Absent, Column, batched, require_gpu

# Steps that are compared, the first half of them eager where a graph is captured.
_CHECKED = 8
# Different inputs that the timed steps take in turn.
_POOL = 16
# A column may be so many times as far from float64 as eager PyTorch is, or this far if that is more.
_TIMES, _LEAST = 20, 1e-4


class Example:
    """What a model does unless it says otherwise."""

    calls = 1
    training = False

    def __init__(self, device, dtype, capturable=False):
        raise NotImplementedError

    def step(self, *inputs):
        raise NotImplementedError

    def inputs(self, k):
        raise NotImplementedError

    def arguments(self, k):
        """Those of one call of the step."""
        return self.inputs(k)

    def drive(self, step, k):
        """One sample of the model's work."""
        return step(*self.inputs(k))

    def state(self):
        return []


def values(k, shape, device, dtype, scale=1.0):
    """Normal numbers that depend on k alone, the same in every dtype."""
    generator = torch.Generator().manual_seed(1000 + k)
    return (torch.randn(shape, generator=generator) * scale).to(device, dtype)


def weights(seed, module, device, dtype):
    """Gives a module the same random weights in every dtype."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan = parameter.shape[-1] if parameter.dim() > 1 else 16
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan**0.5)
    return module.to(device, dtype)


class Graph:
    """A step as a CUDA graph: its inputs are copied in, its results overwritten by the next call."""

    def __init__(self, step):
        self.step = step
        self.calls = 0
        self.captured = None

    def __call__(self, *inputs):
        if self.calls < _CHECKED // 2:
            self.calls += 1
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                results = self.step(*inputs)
            torch.cuda.current_stream().wait_stream(aside)
            return results
        if self.captured is None:
            torch.cuda.synchronize()
            self.given = [one.clone() for one in inputs]
            self.captured = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.captured, capture_error_mode="thread_local"):
                self.results = self.step(*self.given)
        for mine, one in zip(self.given, inputs):
            if mine is not one:
                mine.copy_(one)
        self.captured.replay()
        return self.results


def _eager(model):
    return model.step


def _graph(model):
    require_gpu(model.device, "CUDA graphs need a GPU")
    return Graph(model.step)


def _compile(model):
    return torch.compile(model.step, dynamic=False)


def _reduce_overhead(model):
    require_gpu(model.device, "without a GPU it is torch.compile")
    compiled = torch.compile(model.step, mode="reduce-overhead", dynamic=False)

    def step(*inputs):
        torch.compiler.cudagraph_mark_step_begin()
        results = compiled(*inputs)
        # The next call overwrites them.
        if isinstance(results, torch.Tensor):
            return results.clone()
        return tuple(one.clone() for one in results)

    return step


def _dispatch(model):
    if not hasattr(gpuos, "dispatch"):
        raise Absent("not in this version")

    scope = gpuos.dispatch()

    def step(*inputs):
        with scope:
            return model.step(*inputs)

    step.note = lambda: batched(scope)
    return step


def _gpuos(model):
    return gpuos.compile(model.step)


COLUMNS = [
    Column("eager", "eager", "PyTorch, operation by operation", "nothing", _eager),
    Column("graph", "CUDA graph", "a step captured, inputs copied in", "capture", _graph),
    Column("compile", "torch.compile", "a step compiled", "compilation", _compile),
    Column(
        "reduce-overhead",
        "compile, reduce-overhead",
        "the same with CUDA graphs, results copied out",
        "compilation and capture",
        _reduce_overhead,
    ),
    Column(
        "gpuos-dispatch", "GPUOS dispatch", "a step within gpuos.dispatch()", "compilation", _dispatch
    ),
    Column("gpuos-call", "GPUOS", "a step under gpuos.compile", "recording and compilation", _gpuos),
]


class _Subject:
    """A column of an example, with a model of its own."""

    def __init__(self, column, kind, device):
        begin = time.perf_counter()
        self.name = column.name
        self.model = kind(device, torch.float32, capturable=device.type == "cuda")
        self.model.device = device
        self.step = column.build(self.model)
        self.results = [_copies(self.model.drive(self.step, k)) for k in range(_CHECKED)]
        measure.finish(device)
        self.state = _copies(self.model.state())
        self.setup = time.perf_counter() - begin
        self.note = None
        self.samples = []

    def error(self, wanted):
        pairs = [pair for mine, other in zip([*self.results, self.state], wanted) for pair in zip(mine, other)]
        worst = 0.0
        for got, exact in pairs:
            if not got.is_floating_point():
                worst = max(worst, 0.0 if torch.equal(got.cpu(), exact.cpu()) else float("inf"))
                continue
            off = (got.double().cpu() - exact.cpu()).abs() / (1 + exact.cpu().abs())
            if off.numel():
                worst = max(worst, torch.nan_to_num(off, nan=float("inf")).max().item())
        return worst

    def sample(self, first, drives):
        """Microseconds a call of the step, several drives in a row."""
        device = self.model.device
        measure.settle(device)
        begin = time.perf_counter()
        for k in range(first, first + drives):
            self.model.drive(self.step, k % _POOL)
        measure.finish(device)
        return (time.perf_counter() - begin) * 1e6 / drives / self.model.calls


def _copies(results):
    if isinstance(results, torch.Tensor):
        results = [results]
    return [one.detach().clone() for one in results if isinstance(one, torch.Tensor)]


# Inputs by model and call. Not in the model: what a recorded function can reach must not change.
_pool = {}


def _pooled(kind):
    """The class, with the inputs of its calls made once."""

    class Pooled(kind):
        def inputs(self, k):
            key = id(self), k
            if key not in _pool:
                _pool[key] = super().inputs(k)
            return _pool[key]

    Pooled.__name__ = kind.__name__
    # Objects of this package are taken as fixed by gpuos.compile; the model is the example's.
    Pooled.__module__ = kind.__module__
    return Pooled


def measure_row(kind, context):
    """A row of the document for an example."""
    kind = _pooled(kind)
    _pool.clear()
    measure.forget_compiled()
    with torch.set_grad_enabled(kind.training):
        exact = kind(torch.device("cpu"), torch.float64)
        exact.device = torch.device("cpu")
        wanted = [_copies(exact.drive(exact.step, k)) for k in range(_CHECKED)]
        wanted.append(_copies(exact.state()))
        cells = _cells(kind, context, wanted)
    return measure.row(kind.name, kind.what, kind.calls, cells, context.device)


def _cells(kind, context, wanted):
    cells, subjects, eager_error = {}, [], 0.0
    for column in COLUMNS:
        if column.name in context.excluded:
            cells[column.name] = context.excluded[column.name]
            continue
        if context.late():
            cells[column.name] = document.missing("pending", context.lateness)
            continue
        context.say(column.name, "building")
        try:
            subject = _Subject(column, kind, context.device)
            error = subject.error(wanted)
            if column.name == "eager":
                eager_error = error
            bound = max(_LEAST, _TIMES * eager_error)
            if not error <= bound:
                raise measure.Wrong(
                    f"wrong result: largest error={error:.3g} of 1 + magnitude, expected=at most {bound:.3g},"
                    f" eager has {eager_error:.3g}"
                )
            subject.worst = error
            if column.name == "gpuos-call":
                subject.note = _recorded(subject)
            subjects.append(subject)
        except Exception as error:
            cells[column.name] = measure.cell_of(error, column.name, context.device)
    _rounds(subjects, cells, context)
    for subject in subjects:
        if subject.name not in cells:
            if hasattr(subject.step, "note"):
                subject.note = subject.step.note()
            cells[subject.name] = document.measured(
                subject.samples, worst_error=subject.worst, setup_s=subject.setup, note=subject.note
            )
    return {column.name: cells[column.name] for column in COLUMNS}


def _recorded(subject):
    """What of a step runs natively; a step that is not recorded at all would be eager under another name."""
    report = gpuos.explain(subject.step, *subject.model.arguments(0)).split("\n")
    if ": recorded" not in report[0]:
        raise RuntimeError(f"not recorded: {report[0].split(': ', 1)[-1]}")
    native = sum(_calls(line) for line in report if line.startswith("native, "))
    other = sum(_calls(line) for line in report if line.startswith("PyTorch, "))
    return f"{native} of {native + other} calls native"


def _calls(line):
    return int(line.split()[1])


def _rounds(subjects, cells, context):
    drives = max(1, 16 // subjects[0].model.calls) if subjects else 1
    for subject in subjects:
        context.say(subject.name, "warming up")
        try:
            end = time.perf_counter() + context.warm_up_s
            while time.perf_counter() < end:
                subject.sample(0, drives)
        except Exception as error:
            cells[subject.name] = measure.cell_of(error, subject.name, context.device)
    for number in range(context.rounds):
        turn = number % max(len(subjects), 1)
        for subject in subjects[turn:] + subjects[:turn]:
            if subject.name in cells:
                continue
            context.say(subject.name, "timing")
            try:
                subject.samples.append(subject.sample(number * drives, drives))
            except Exception as error:
                cells[subject.name] = measure.cell_of(error, subject.name, context.device)


def main(kind):
    """The command of an example: measures it in this process and prints the table."""
    from gpuos.bench import options

    parser = argparse.ArgumentParser(description=kind.what)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda[:N]")
    parser.add_argument("--json", action="store_true", help="print the row as JSON")
    parser.add_argument("--rounds", type=int, default=11, help="11 by default")
    names = [column.name for column in COLUMNS]
    parser.add_argument("--columns", default=",".join(names), help="some of " + ",".join(names))
    given = parser.parse_args()
    chosen = given.columns.split(",")
    if not set(chosen) <= set(names):
        parser.error(f"unknown column: columns={given.columns}, expected=some of {','.join(names)}")
    context = _Context(options.device(parser, given.device), max(1, given.rounds), chosen)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        row = measure_row(kind, context)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.stderr.flush()
        os._exit(130)
    if given.json:
        sys.stdout.write(document.encode(row))
    else:
        from gpuos.bench import models

        table = {**models.TABLE.describe(), "rows": [row]}
        print(f"{kind.what}; {context.device}")
        print(text.detail(table, row))
    wrong = any(cell["status"] in ("wrong", "failed") for cell in row["cells"].values())
    sys.exit(1 if wrong else 0)


class _Context:
    lateness = ""

    def __init__(self, device, rounds, chosen):
        left_out = document.missing("absent", "left out by --columns")
        self.excluded = {column.name: left_out for column in COLUMNS if column.name not in chosen}
        self.device = device
        measure.use(device)
        self.rounds = rounds
        self.warm_up_s = 0.5
        self.random = random.Random(1)

    def late(self):
        return False

    def say(self, column, phase):
        if phase == "building" and sys.stderr.isatty():
            print(f"{column} ..", file=sys.stderr)


