"""The tables, in the order of the report, and the rows of those whose columns are timed in rounds.

A row of a table is a pair of its name and a function that measures it; `Context` is what the function needs.
`paper` and `goal` in a row are factors over eager: what the paper on GPUOS (arXiv 2604.17861) claims, and what this
project aims at on an H200.
"""

import random
import time

import torch

from gpuos.bench import columns, document, measure
from gpuos.bench.work import Add, Decode, Mixed, Sum, Work

ADDS = {
    256: (15.4, 200),
    512: (None, 200),
    1024: (None, 200),
    2048: (None, 200),
    4096: (12.0, 200),
    8192: (None, 30),
    16384: (6.8, 30),
}
SUMS = [(8, 256), (16, 256), (32, 512), (64, 512), (128, 1024)]
MIXED = 2048


class Table:
    """`rows(settings)` are pairs of name and function.

    `columns` are descriptions of the table's own columns, or None where they are those of all; factors are
    over the column `base`. `plot` names the axis, where the rows' `x` are a scale.
    """

    def __init__(self, name, title, unit, what, rows, own=None, base="eager", plot=None):
        self.name = name
        self.title = title
        self.unit = unit
        self.what = what
        self.rows = rows
        self.own = own
        self.base = base
        self.plot = plot

    def describe(self):
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "what": self.what,
            "columns": self.own,
            "base": self.base,
            "plot": self.plot,
            "rows": [],
        }


class Context:
    """What measuring a row needs.

    Args:
        settings: of the run
        excluded: cells of columns that are not to be tried again, by column
        say: is told column and phase before anything that may not come back
    """

    def __init__(self, settings, excluded, say):
        self.settings = settings
        self.excluded = excluded
        self.say = say
        self.device = torch.device(settings["device"])
        measure.use(self.device)
        self.rounds = settings["rounds"]
        self.warm_up_s = settings["warm_up_s"]
        self.random = random.Random(settings["seed"])

    @property
    def lateness(self):
        return f"the time limit of {self.settings['time_limit']:g} s was reached before it"

    def late(self):
        deadline = self.settings["deadline"]
        return deadline is not None and time.time() > deadline

    def units(self, bytes_each):
        """Units of a row, of which each needs so much memory."""
        most = self.settings["units"]
        return max(1, min(most, self.settings["row_bytes"] // bytes_each))

    def timed(self, step, names=columns.NAMES, units=None):
        """Cells of columns for a step; Java's are added by the parent."""
        units = units or self.units(4 * sum(_count(shape) for shape, _ in step.operands))
        chosen = [
            column for column in columns.COLUMNS
            if column.build and column.name in names and column.name not in self.excluded
        ]
        work = Work(step, units, self.settings["seed"], self.device)
        cells = measure.measure(chosen, work, self, self.say)
        cells.update({k: v for k, v in self.excluded.items() if k in names})
        return {name: cells[name] for name in columns.NAMES if name in cells}, units


def _count(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def row_of(context, name, what, step, **more):
    cells, units = context.timed(step)
    return measure.row(name, what, units, cells, context.device, **more)


def _adds(settings):
    sizes = [256, 4096, 16384] if settings["quick"] else ADDS

    def one(size):
        paper, goal = ADDS[size]
        return str(size), lambda context: row_of(
            context, str(size), f"{size} elements", Add(size), paper=paper, goal=goal
        )

    return [one(size) for size in sizes]


_FUSES = "fuses always: see the next row"


def _unfused(context):
    """Columns that would fuse have nothing to show here."""
    fusing = {"compile", "reduce-overhead", "compile-whole", "gpuos-call", "gpuos-program"}
    names = [name for name in columns.NAMES if name not in fusing]
    cells, units = context.timed(Mixed(MIXED), names)
    cells.update({name: document.missing("absent", _FUSES) for name in fusing})
    cells = {name: cells[name] for name in columns.NAMES if name in cells}
    what = f"{MIXED} elements, each operation by itself"
    return measure.row("no fusion", what, units, cells, context.device, paper=23.1, goal=None)


def _mixed(settings):
    return [
        ("no fusion", _unfused),
        (
            "fusion",
            lambda context: row_of(
                context, "fusion", f"{MIXED} elements", Mixed(MIXED), paper=31.5, goal=300
            ),
        ),
        (
            "fusion, dependent",
            lambda context: row_of(
                context,
                "fusion, dependent",
                f"{MIXED} elements, each iteration feeding the next",
                Mixed(MIXED, chained=True),
                paper=None,
                goal=None,
            ),
        ),
    ]


def _decode(settings):
    def one(keys):
        return f"{keys} keys", lambda context: row_of(
            context, f"{keys} keys", f"1 x 64 over {keys} keys", Decode(keys), paper=8.7, goal=100
        )

    return [one(keys) for keys in (128, 512)]


def _sums(settings):
    shapes = [SUMS[0], SUMS[-1]] if settings["quick"] else SUMS

    def one(rows, width):
        name = f"({rows}, {width})"
        paper = {SUMS[0]: 6.6, SUMS[-1]: 4.0}.get((rows, width))
        return name, lambda context: row_of(
            context, name, f"{rows} sums of {width}", Sum(rows, width), paper=paper, goal=40
        )

    return [one(*shape) for shape in shapes]


def all_tables():
    """Every table; those with methods of their own come from their modules."""
    from gpuos.bench import energy, models, processes, scaling, startup

    return [
        Table(
            "adds",
            "Micro-batch adds",
            "us an operation",
            "Independent float32 additions, each on operands of its own.",
            _adds,
        ),
        Table(
            "mixed",
            "Mixed operations",
            "us an iteration",
            "a + b; * c; relu; sigmoid; / d in float32, iterations on operands of their own.",
            _mixed,
        ),
        Table(
            "decode",
            "Attention decode",
            "us a token",
            "softmax(q k' / 8) v in float32, one query of 64; tokens on operands of their own.",
            _decode,
        ),
        Table(
            "sums",
            "Sums over the last axis",
            "us an operation",
            "float32, each on operands of its own.",
            _sums,
        ),
        processes.TABLE,
        startup.TABLE,
        energy.TABLE,
        models.TABLE,
        *scaling.TABLES,
    ]


def by_name(name):
    return next(table for table in all_tables() if table.name == name)
