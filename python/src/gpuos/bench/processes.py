"""Eight processes on one device: one after the other, all at once, and with GPUOS in each.

Each process computes the mixed chain on operands of its own and has been checked before the first round. All stay alive
for all rounds; a word on its standard input makes one compute. As a program this module is one of them.
"""

import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from gpuos.bench import document

_OWN = [
    ("sequential", "one after the other", "eager, one process at a time", "eager", False),
    ("concurrent", "all at once", "eager, all processes at a time", "eager", False),
    (
        "gpuos-dispatch",
        "GPUOS dispatch each",
        "all at a time, each under gpuos.dispatch()",
        "gpuos-dispatch",
        False,
    ),
    ("gpuos-program", "GPUOS program each", "all at a time, each one program", "gpuos-program", False),
    ("mps-concurrent", "all at once, MPS", "as `all at once`, under NVIDIA MPS", "eager", True),
    ("mps-gpuos-program", "GPUOS program each, MPS", "the same under MPS", "gpuos-program", True),
]


def _describe():
    return [
        {"name": name, "title": title, "what": what, "leaves_out": "start, compilation, recording"}
        for name, title, what, _, _ in _OWN
    ]


def _rows(settings):
    count = settings["processes"]
    return [(f"{count} processes", lambda context: _measure(context, count))]


class Group:
    """Processes that compute one column."""

    def __init__(self, column, count, settings, environment):
        request = {"column": column, "settings": settings}
        self.members = [_Member(request, environment) for _ in range(count)]

    def wait_ready(self, seconds):
        end = time.monotonic() + seconds
        for member in self.members:
            member.answer(max(0.1, end - time.monotonic()))

    def together(self, seconds):
        """Seconds until all have computed, started at once."""
        begin = time.perf_counter()
        for member in self.members:
            member.go()
        for member in self.members:
            member.answer(seconds)
        return time.perf_counter() - begin

    def in_turn(self, seconds):
        begin = time.perf_counter()
        for member in self.members:
            member.go()
            member.answer(seconds)
        return time.perf_counter() - begin

    def check(self, seconds):
        for member in self.members:
            member.go("check")
            member.answer(seconds)

    def close(self):
        for member in self.members:
            member.close()


class _Member:
    def __init__(self, request, environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gpuos.bench.processes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.answers = queue.Queue()
        self.words = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()
        self.go(json.dumps(request))

    def _read(self):
        for line in self.process.stdout:
            self.answers.put(line.strip())
        self.answers.put(None)

    def _listen(self):
        for line in self.process.stderr:
            self.words = [*self.words[-9:], line.rstrip()]

    def go(self, word="go"):
        try:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it has ended, and answer says so

    def answer(self, seconds):
        try:
            answer = self.answers.get(timeout=seconds)
        except queue.Empty:
            raise RuntimeError(f"a process gave no answer within {seconds:.0f} s") from None
        if answer is None:
            code = self.process.wait()
            words = next((line for line in reversed(self.words) if line), "")
            raise RuntimeError(f"a process ended: code={code}, last words={words}")
        if answer.startswith("no: "):
            raise _refusal(json.loads(answer[4:]))

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _refusal(cell):
    from gpuos.bench.columns import Absent
    from gpuos.bench.measure import Wrong

    kind = {"absent": Absent, "wrong": Wrong}.get(cell["status"], RuntimeError)
    return kind(cell["reason"])


class Mps:
    """A control daemon of NVIDIA MPS with directories of its own, while it is entered."""

    def __enter__(self):
        from gpuos.bench.columns import Absent

        self.control = shutil.which("nvidia-cuda-mps-control")
        if self.control is None:
            raise Absent("no MPS: searched=nvidia-cuda-mps-control on the path")
        self.directory = tempfile.mkdtemp(prefix="gpuos-mps-")
        self.environment = {
            **os.environ,
            "CUDA_MPS_PIPE_DIRECTORY": self.directory,
            "CUDA_MPS_LOG_DIRECTORY": self.directory,
        }
        done = subprocess.run(
            [self.control, "-d"], env=self.environment, capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode != 0:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise Absent(f"MPS does not start: {(done.stderr or done.stdout).strip()}")
        return self

    def __exit__(self, *_):
        subprocess.run(
            [self.control], input="quit\n", env=self.environment, capture_output=True, text=True,
            timeout=60, check=False,
        )
        shutil.rmtree(self.directory, ignore_errors=True)


def _measure(context, count):
    import torch

    from gpuos.bench import measure

    cells, groups, mps = {}, {}, None
    patience = context.settings["patience_s"]
    settings = {**context.settings, "units": max(1, context.settings["units"])}
    try:
        for name, _, _, column, under_mps in _OWN:
            if name in context.excluded:
                cells[name] = context.excluded[name]
                continue
            if context.late():
                cells[name] = document.missing("pending", context.lateness)
                continue
            context.say(name, "starting")
            try:
                if under_mps and context.device.type != "cuda":
                    raise measure.Absent("MPS serves GPUs only")
                if under_mps and mps is None:
                    mps = Mps().__enter__()
                environment = mps.environment if under_mps else dict(os.environ)
                if name == "concurrent" and "sequential" in groups:
                    groups[name] = groups["sequential"]
                    continue
                groups[name] = Group(column, count, settings, environment)
                groups[name].wait_ready(patience * 0.9)
            except Exception as error:
                cells[name] = measure.cell_of(error, name, torch.device("cpu"))
                if name in groups:
                    groups.pop(name).close()
        _rounds(context, groups, cells)
    finally:
        for group in set(groups.values()):
            group.close()
        if mps is not None:
            mps.__exit__()
    document.ratios(cells, "sequential")
    cells = {name: cells[name] for name, *_ in _OWN}
    made = {
        "name": f"{count} processes",
        "what": f"each {settings['units']} iterations of the mixed chain, 2048 elements",
        "units": count,
        "paper": 2.3,
        "goal": 4,
        "cells": cells,
    }
    return made


def _rounds(context, groups, cells):
    import torch

    from gpuos.bench import measure

    samples = {name: [] for name in groups}
    rounds = max(3, context.rounds // 3)
    names = list(groups)
    # One round more, the first, is not counted.
    for number in range(rounds + 1):
        turn = number % max(len(names), 1)
        for name in names[turn:] + names[:turn]:
            if name in cells:
                continue
            context.say(name, "timing")
            try:
                group = groups[name]
                run = group.in_turn if name == "sequential" else group.together
                taken = run(context.settings["patience_s"] * 0.9)
                if number > 0:
                    samples[name].append(taken * 1e3)
                if number == rounds:
                    group.check(context.settings["patience_s"] * 0.9)
            except Exception as error:
                cells[name] = measure.cell_of(error, name, torch.device("cpu"))
    for name in groups:
        if name not in cells:
            cells[name] = document.measured(samples[name])


def _member():
    """A process of a group: answers `ready`, then `done` to every word; `no: CELL` is the end."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(text):
        answers.write(text + "\n")
        answers.flush()

    request = json.loads(sys.stdin.readline())
    import torch

    from gpuos.bench import columns, measure
    from gpuos.bench.work import Mixed, Work

    try:
        torch.set_num_threads(1)
        settings = request["settings"]
        column = next(one for one in columns.COLUMNS if one.name == request["column"])
        device = torch.device(settings["device"])
        measure.use(device)
        work = Work(Mixed(2048), settings["units"], settings["seed"] + os.getpid() % 97, device)
        with torch.no_grad():
            subject = measure.Subject(column, work)
            subject.check(0)
            subject.warm_up(settings["warm_up_s"])
            answer("ready")
            for number, word in enumerate(sys.stdin):
                if word.strip() == "check":
                    subject.check(number % 2)
                else:
                    subject.start()
                    measure.finish(device)
                answer("done")
    except Exception as error:
        # Whether the GPU is lost to this process is nobody else's concern.
        cell = measure.cell_of(error, request["column"], torch.device("cpu"))
        answer("no: " + json.dumps(cell))


def end_group(process):
    """Ends a process that leads a group, and all that it has started."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
        if kind == signal.SIGTERM and _group_is_empty(process.pid):
            break
    process.wait()


def _group_is_empty(group):
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if fields[2] == str(group) and fields[0] != "Z":
            return False
    return True


def _table():
    from gpuos.bench.tables import Table

    return Table(
        "processes",
        "Eight processes",
        "ms until all are done",
        "Processes that compute at the same time on one device; one thread of the processor each.",
        _rows,
        own=_describe(),
        base="sequential",
    )


if __name__ == "__main__":
    _member()
else:
    TABLE = _table()
