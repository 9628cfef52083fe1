"""The ways to compute a Work, a column each. Building one may raise; that is its cell, then.

What building does, compiling, capturing, recording, is not in the times of the rounds. It is a figure of its own in each
cell (`setup_s`, the first run included), and table `startup` measures it for itself.
"""

import torch

import gpuos


class Absent(Exception):
    """There is no such thing here; the message says why."""


# What compiles all units at once does so for no more than these: its compile time grows with them.
MOST_COMPILED = 64


class Column:
    """How a column is shown, and how it is built.

    `build(work)` returns a function that starts all units, and returns the results, or None where they are
    in `work.each`. A second value is the number of units, where it is not all.
    """

    def __init__(self, name, title, what, leaves_out, build):
        self.name = name
        self.title = title
        self.what = what
        self.leaves_out = leaves_out
        self.build = build

    def describe(self):
        return {
            "name": self.name,
            "title": self.title,
            "what": self.what,
            "leaves_out": self.leaves_out,
        }


def each(step, into, ys, operands, start):
    """Runs the units one after the other."""
    if step.chained:
        last = start
        for y, given in zip(ys, operands):
            into(y, last, *given)
            last = y
    else:
        for y, given in zip(ys, operands):
            into(y, *given)


def eager(work):
    operands = work.inputs
    return lambda: each(work.step, work.step.into, work.each, operands, work.start)


def graph(work):
    require_gpu(work.device, "CUDA graphs need a GPU")
    run = eager(work)
    return capture(run).replay


def require_gpu(device, reason):
    if device.type != "cuda":
        raise Absent(reason)


def capture(run):
    """A CUDA graph of what `run` starts, after three runs on a stream of their own, as PyTorch advises."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(aside)
    torch.cuda.synchronize()
    captured = torch.cuda.CUDAGraph()
    # Threads of GPUOS call the driver meanwhile; their calls are none of this capture's.
    with torch.cuda.graph(captured, capture_error_mode="thread_local"):
        run()
    return captured


def compiled(work):
    into = torch.compile(work.step.into, dynamic=False)
    operands = work.inputs
    return lambda: each(work.step, into, work.each, operands, work.start)


def reduce_overhead(work):
    require_gpu(work.device, "without a GPU it is torch.compile")
    value = torch.compile(work.step.value, mode="reduce-overhead", dynamic=False)
    operands = work.inputs

    def into(y, *given):
        y.copy_(value(*given))

    return lambda: each(work.step, into, work.each, operands, work.start)


def compiled_whole(work):
    units = min(work.units, MOST_COMPILED)
    step = work.step

    def whole(start, *slabs):
        results, last = [], start
        for given in zip(*[slab.unbind(0) for slab in slabs]):
            last = step.value(last, *given) if step.chained else step.value(*given)
            results.append(last)
        return results

    run = torch.compile(whole, dynamic=False)
    slabs = [slab[:units].clone() for slab in work.slabs]

    def start():
        return run(work.start, *slabs)

    def load():
        for mine, slab in zip(slabs, work.slabs):
            mine.copy_(slab[:units])

    start.load = load
    return start, units


def fused(work):
    if work.step.fused is None:
        raise Absent(work.step.unfused)
    return lambda: work.step.fused(work)


def dispatch(work):
    if not hasattr(gpuos, "dispatch"):
        raise Absent("not in this version")
    run, scope = eager(work), gpuos.dispatch()

    def start():
        with scope:
            run()

    start.note = lambda: batched(scope)
    return start


def batched(scope):
    """What a scope says of its last calls; where nothing was batched it was eager under another name."""
    return scope.explain().split("\n")[0].split(": ", 1)[-1]


def gpuos_call(work):
    into = gpuos.compile(work.step.into)
    operands = work.inputs
    ys = work.each
    first = (work.start,) if work.step.chained else ()
    require_native(into, ys[0], *first, *operands[0])
    return lambda: each(work.step, into, ys, operands, work.start)


def gpuos_program(work):
    step = work.step

    def whole(results, start, *slabs):
        units = zip(*[slab.unbind(0) for slab in slabs])
        each(step, step.into, results.unbind(0), units, start)

    run = gpuos.compile(whole)
    require_native(run, work.results, work.start, *work.slabs)

    def start():
        run(work.results, work.start, *work.slabs)
        return work.results

    return start


def require_native(function, *arguments):
    """Records, and refuses a column that would be PyTorch under another name."""
    report = gpuos.explain(function, *arguments)
    lines = report.split("\n")
    if any(line.startswith("PyTorch, ") for line in lines) or ": recorded" not in lines[0]:
        where = [line.strip() for line in lines if line.startswith(("PyTorch", "  aten"))]
        raise Absent(f"not native here: {lines[0]}; {'; '.join(where[:4])}")


COLUMNS = [
    Column("eager", "eager", "PyTorch, operation by operation", "nothing", eager),
    Column(
        "graph",
        "CUDA graph",
        "all units captured by hand into one graph, which is replayed",
        "capture, and copies of inputs to the graph's addresses: the operands lie there already",
        graph,
    ),
    Column(
        "compile",
        "torch.compile",
        "a unit compiled, and called for each",
        "compilation",
        compiled,
    ),
    Column(
        "reduce-overhead",
        "compile, reduce-overhead",
        "a unit compiled with CUDA graphs, and called for each; the copy of its result out of the graph's"
        " memory is in the time",
        "compilation and capture",
        reduce_overhead,
    ),
    Column(
        "compile-whole",
        "compile, one function",
        f"all units, at most {MOST_COMPILED} of them, compiled as one function; results are new tensors",
        "compilation",
        compiled_whole,
    ),
    Column(
        "fused",
        "fused, foreach or SDPA",
        "foreach for adds and the chain, scaled_dot_product_attention for each token; results are new"
        " tensors",
        "nothing",
        fused,
    ),
    Column(
        "gpuos-dispatch",
        "GPUOS dispatch",
        "the eager code, unchanged, within gpuos.dispatch()",
        "compilation of operators",
        dispatch,
    ),
    Column(
        "gpuos-call",
        "GPUOS, a call a unit",
        "a unit under gpuos.compile, called for each",
        "recording and compilation",
        gpuos_call,
    ),
    Column(
        "gpuos-program",
        "GPUOS, one program",
        "all units in one function under gpuos.compile, on operands that are rows of slabs",
        "recording and compilation",
        gpuos_program,
    ),
    Column(
        "java",
        "GPUOS from Java",
        "one program of all units, recorded and replayed by ./gpuos bench paper, before these rounds: its"
        " ratios are of medians",
        "recording and compilation",
        None,
    ),
]
NAMES = [column.name for column in COLUMNS]
