"""Where GPUOS wins, where it is equal and where it loses: additions over number, size and depth."""

import math

from gpuos.bench import document, measure
from gpuos.bench.work import Add

_COLUMNS = ["eager", "graph", "gpuos-dispatch", "gpuos-call", "gpuos-program"]
_SIZE = 256
# What would take longer by its figures in the row before is not begun: building by a share of the patience, a
# run by seconds.
_PATIENCE_SHARE, _RUN_S = 0.5, 10
# Rows of fewer units say little: starting is most of their figures.
_TOLD_FROM = 1000
_last = {}


def _measure(context, name, what, x, step, units):
    """A row, without the columns that would not be built, or not run, in time."""
    over = {}
    for column, (setup, run, of) in _last.items():
        if of < _TOLD_FROM:
            continue
        setup = 0 if column in ("eager", "gpuos-call") else setup
        limit = context.settings["patience_s"] * _PATIENCE_SHARE
        kind, seconds, limit = max(
            (("building", setup * units / of, limit), ("a run", run * units / of, _RUN_S)),
            key=lambda one: one[1] / one[2],
        )
        if seconds > limit and units > of:
            over[column] = document.missing(
                "failed",
                f"{kind} would take about {seconds:.0f} s, by its figure for {of:,}; the limit is {limit:.0f} s",
            )
    names = [one for one in _COLUMNS if one not in over]
    cells, units = context.timed(step, names, units)
    for column, cell in cells.items():
        if cell["status"] == "measured":
            _last[column] = cell["setup_s"], cell["median"] * units / 1e6, units
    cells.update(over)
    cells = {one: cells[one] for one in _COLUMNS if one in cells}
    return measure.row(name, what, units, cells, context.device, x=x)


def _operations(settings):
    counts = [1, 10, 100] if settings["quick"] else [1, 10, 100, 1000, 10_000, 100_000]
    return [
        (
            f"{count:,}",
            lambda context, count=count: _measure(
                context, f"{count:,}", f"{count:,} independent additions of {_SIZE}", count, Add(_SIZE), count
            ),
        )
        for count in counts
    ]


def _elements(settings):
    most = 1 << 16 if settings["quick"] else 1 << 24
    sizes = [16 * 4**k for k in range(int(math.log(most / 16, 4)) + 1)]
    return [
        (
            f"{size:,}",
            lambda context, size=size: _measure(
                context, f"{size:,}", f"independent additions of {size:,}", size, Add(size),
                context.units(8 * size),
            ),
        )
        for size in sizes
    ]


def _depth(settings):
    depths = [1, 10, 30] if settings["quick"] else [1, 3, 10, 30, 100, 300, 1000]
    return [
        (
            f"{depth:,}",
            lambda context, depth=depth: _measure(
                context, f"{depth:,}", f"{depth:,} additions of {_SIZE}, each of the last one's result", depth,
                Add(_SIZE, chained=True), depth,
            ),
        )
        for depth in depths
    ]


def crossovers(rows, column, base):
    """Where a column stops or begins to be faster than the base: pairs of x and `wins` or `loses`.

    Between two rows the factor is taken as a line in logarithms of both.
    """
    points = [
        (row["x"], row["cells"][column][f"over_{base}"]["median"])
        for row in rows
        if f"over_{base}" in row["cells"].get(column, {})
    ]
    found = []
    for (x, y), (x2, y2) in zip(points, points[1:]):
        if (y >= 1) != (y2 >= 1):
            share = math.log(y) / (math.log(y) - math.log(y2))
            at = math.exp(math.log(x) + share * (math.log(x2) - math.log(x)))
            found.append((at, "loses" if y >= 1 else "wins"))
    return found, points


def verdict(rows, column, base):
    """The crossover in words, or None without figures."""
    found, points = crossovers(rows, column, base)
    if not points:
        return None
    if not found:
        kind = "faster" if points[0][1] >= 1 else "slower"
        return f"{kind} everywhere from {points[0][0]:,} to {points[-1][0]:,}"
    words = [f"{kind} from about {round_two(at):,}" for at, kind in found]
    begin = "wins" if points[0][1] >= 1 else "loses"
    return f"{begin} at {points[0][0]:,}, " + ", ".join(words)


def round_two(number):
    """To two digits; a crossover is known no better."""
    if number <= 0:
        return 0
    digits = max(0, int(math.floor(math.log10(number))) - 1)
    return int(round(number, -digits))


def _tables():
    from gpuos.bench.tables import Table

    what = "float32 additions, each on operands of its own"
    return [
        Table(
            "scale-operations", "Scaling: operations a call", "us an operation", what + ".", _operations,
            plot="operations",
        ),
        Table(
            "scale-elements", "Scaling: elements", "us an operation", what + ".", _elements, plot="elements"
        ),
        Table(
            "scale-depth", "Scaling: depth", "us an operation",
            "float32 additions of 256 elements, each of the last one's result.", _depth, plot="depth",
        ),
        # Measured by Java, which chooses the number of workers.
        Table(
            "scale-workers",
            "Scaling: workers",
            "us an operation",
            "One program from Java by ever more workers.",
            lambda settings: [],
            own=[
                {"name": name, "title": title, "what": "one program", "leaves_out": "recording"}
                for name, title in (("adds", "additions of 256"), ("mixed", "mixed chain of 2048"))
            ],
            base="one",
            plot="workers",
        ),
    ]


TABLES = _tables()
