"""Energy of one operation, by the GPU's own counter, over at least ten seconds a case."""

import time

from gpuos.bench import columns, document, nvml
from gpuos.bench.work import Add, Decode, Mixed, Work

_CASES = {
    "adds, 256": Add(256),
    "mixed, fusion": Mixed(2048),
    "decode, 128 keys": Decode(128),
}
_COLUMNS = [
    "eager", "graph", "compile", "reduce-overhead", "fused", "gpuos-dispatch", "gpuos-call", "gpuos-program",
]
_PARTS = 5


def _rows(settings):
    return [(name, lambda context, name=name: _measure(context, name)) for name in _CASES]


def _measure(context, name):
    from gpuos.bench import measure

    seconds = context.settings["energy_s"]
    row = {
        "name": name,
        "what": f"{seconds:g} s a column in {_PARTS} parts, idle power in it",
        "paper": 1.28,
        "goal": 10,
    }
    try:
        gpu = nvml.of_torch(context.device)
        idle = _watts(gpu, min(3, seconds), lambda: time.sleep(0.01))[0]
    except nvml.Unavailable as reason:
        cells = {column: document.missing("absent", reason) for column in _COLUMNS}
        return {**row, "units": 1, "cells": cells}
    import torch

    step = _CASES[name]
    work = Work(step, context.units(4096 * 16), context.settings["seed"], context.device)
    cells, subjects = {}, {}
    with torch.no_grad():
        for column in columns.COLUMNS:
            if column.name not in _COLUMNS:
                continue
            if column.name in context.excluded:
                cells[column.name] = context.excluded[column.name]
            elif context.late():
                cells[column.name] = document.missing("pending", context.lateness)
            else:
                context.say(column.name, "building")
                try:
                    subjects[column.name] = measure.Subject(column, work)
                    subjects[column.name].check(0)
                    subjects[column.name].check(1)
                except Exception as error:
                    subjects.pop(column.name, None)
                    cells[column.name] = measure.cell_of(error, column.name, context.device)
        _parts(context, gpu, subjects, cells, seconds / _PARTS)
    cells = {column: cells[column] for column in _COLUMNS}
    return measure.row(units=work.units, cells=cells, device=context.device, idle_w=idle, **row)


def _parts(context, gpu, subjects, cells, seconds):
    from gpuos.bench import measure

    samples = {name: ([], []) for name in subjects}
    for _ in range(_PARTS):
        for name, subject in subjects.items():
            if name in cells:
                continue
            context.say(name, "taking energy")
            try:
                measure.settle(context.device)

                def run(subject=subject):
                    subject.start()
                    measure.finish(context.device)

                watts, joules, runs = _watts(gpu, seconds, run)
                samples[name][0].append(joules * 1e6 / runs / subject.units)
                samples[name][1].append(watts)
            except Exception as error:
                cells[name] = measure.cell_of(error, name, context.device)
    for name, (microjoules, watts) in samples.items():
        if name not in cells:
            cells[name] = document.measured(microjoules, watts=document.percentile(watts, 50))


def _watts(gpu, seconds, run):
    """Mean power, energy in joules, and number of runs, over a time."""
    begin_energy, begin = gpu.energy_millijoules(), time.perf_counter()
    runs = 0
    while time.perf_counter() - begin < seconds:
        run()
        runs += 1
    taken = time.perf_counter() - begin
    joules = (gpu.energy_millijoules() - begin_energy) / 1e3
    return joules / taken, joules, runs


def _table():
    from gpuos.bench.tables import Table

    return Table(
        "energy",
        "Energy",
        "uJ an operation",
        "The GPU's energy counter over whole runs, host and idle power included in what the GPU draws.",
        _rows,
    )


TABLE = _table()
