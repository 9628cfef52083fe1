"""Checks and times the columns of one row, all in the same rounds.

Before a sample: the end of all that is in flight, new values, one run that is not timed, and poison. A sample is
from before the first start until the host knows the last result complete, by the number of units.
"""

import gc
import time

import torch

from gpuos.bench import document, machine
from gpuos.bench.columns import Absent
from gpuos.bench.work import SETS, TOLERANCE


# The rounds of a row take about so long at most, but there are as many as this.
_ROW_S, _FEWEST = 120, 3


class Wrong(Exception):
    """A result was off."""


class Broken(Exception):
    """The process cannot use its GPU any more; `column` did that, and `cell` is what it gets."""

    def __init__(self, column, cell):
        super().__init__(cell["reason"])
        self.column = column
        self.cell = cell


def forget_compiled():
    """Before a row: what torch.compile has made for others counts against its limit of versions."""
    torch._dynamo.reset()


def use(device):
    """Makes a GPU the current one of this process, which captures and streams go by."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def settle(device):
    """Waits for everything in flight on a device, resident workers included."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def finish(device):
    """Waits for the results of what was started in the current stream."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()


class Subject:
    """A built column of a work."""

    def __init__(self, column, work):
        begin = time.perf_counter()
        built = column.build(work)
        self.run, self.units = built if isinstance(built, tuple) else (built, work.units)
        self.name = column.name
        self.work = work
        self.worst = 0.0
        self.samples = []
        self.prepare(0)
        self.start()
        finish(work.device)
        self.setup = time.perf_counter() - begin

    def prepare(self, number):
        """Loads values, and poisons."""
        self.work.load(number)
        if hasattr(self.run, "load"):
            self.run.load()
        self.work.poison()

    def start(self):
        return self.run()

    def check(self, number):
        """Runs on a set of values and compares every result."""
        self.prepare(number)
        self.compare(number, self.start())

    def compare(self, number, results):
        finish(self.work.device)
        found = self.work.each if results is None else results
        error = self.work.error(number, found)
        if len(found) != self.units or not error <= TOLERANCE:
            raise Wrong(
                f"wrong result: largest error={error:.3g} of 1 + magnitude, expected=at most {TOLERANCE:g};"
                f" results={len(found)} of {self.units}"
            )
        self.worst = max(self.worst, error)

    def warm_up(self, seconds):
        end = time.perf_counter() + seconds
        runs = 0
        while runs < 2 or (time.perf_counter() < end and runs < 1000):
            begin = time.perf_counter()
            self.start()
            finish(self.work.device)
            self.run_s = time.perf_counter() - begin
            runs += 1

    def sample(self, number, checks):
        """Microseconds a unit."""
        settle(self.work.device)
        self.prepare(number)
        results = self.start()
        del results
        self.work.poison()
        finish(self.work.device)
        begin = time.perf_counter()
        results = self.start()
        finish(self.work.device)
        taken = (time.perf_counter() - begin) * 1e6 / self.units
        if checks:
            self.compare(number, results)
        return taken


def measure(columns, work, plan, say):
    """Cells by column.

    Args:
        columns: those to build
        work: what they compute
        plan: has `rounds`, `warm_up_s`, `late()`, whether time is up, and `random`
        say: told what happens next, column and phase, before anything that may not come back
    """
    cells, subjects = {}, []
    forget_compiled()
    with torch.no_grad():
        for column in columns:
            if plan.late():
                cells[column.name] = document.missing("pending", plan.lateness)
                continue
            say(column.name, "building")
            try:
                subject = Subject(column, work)
                for number in range(SETS):
                    subject.check(number)
                say(column.name, "warming up")
                subject.warm_up(plan.warm_up_s)
                subjects.append(subject)
            except Exception as error:
                cells[column.name] = cell_of(error, column.name, work.device)
        _rounds(subjects, cells, plan, say)
    for subject in subjects:
        if subject.name not in cells:
            cells[subject.name] = document.measured(
                subject.samples,
                units=subject.units,
                worst_error=subject.worst,
                setup_s=subject.setup,
                note=subject.run.note() if hasattr(subject.run, "note") else None,
            )
    return {column.name: cells[column.name] for column in columns}


def cell_of(error, column, device):
    """What an exception means for a cell; Broken, if it means that no other can be measured here."""
    if isinstance(error, Absent):
        return document.missing("absent", error)
    cell = document.missing("wrong", error) if isinstance(error, Wrong) else document.failure(error)
    if is_broken(device):
        raise Broken(column, cell) from error
    return cell


def is_broken(device):
    """Whether an error has ended what this process can do on a GPU."""
    if device.type != "cuda":
        return False
    try:
        torch.cuda.synchronize(device)
        torch.ones(1, device=device).item()
    except Exception:
        return True
    return False


def _rounds(subjects, cells, plan, say):
    # A sample is two runs. Rows of slow columns get fewer rounds.
    seconds = 2 * sum(subject.run_s for subject in subjects)
    rounds = min(plan.rounds, max(_FEWEST, int(_ROW_S / max(seconds, 1e-9))))
    chosen = {0, rounds - 1, plan.random.randrange(rounds)}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            # Each begins once after every other, so that no one always follows the same.
            turn = number % max(len(subjects), 1)
            for subject in subjects[turn:] + subjects[:turn]:
                if subject.name in cells:
                    continue
                say(subject.name, "timing")
                try:
                    subject.samples.append(subject.sample(number % SETS, number in chosen))
                except Exception as error:
                    cells[subject.name] = cell_of(error, subject.name, subject.work.device)
    finally:
        gc.enable()


def row(name, what, units, cells, device, **more):
    """A row of the document, with ratios and the GPU's clocks after it."""
    for base in ("eager", "graph"):
        document.ratios(cells, base)
    made = {"name": name, "what": what, "units": units, **more, "cells": cells}
    if device.type == "cuda":
        made["gpu_state"] = machine.gpu_state(device)
    return made
