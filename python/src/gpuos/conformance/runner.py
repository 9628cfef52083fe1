"""The command: shares operators out to workers, and reports."""

import argparse
import contextlib
import datetime
import fnmatch
import json
import os
import pathlib
import queue
import selectors
import subprocess
import sys
import threading
import time

import torch

from gpuos.conformance import database, report
from gpuos.conformance.cases import VARIANTS

# Tasks after which a worker is replaced: what PyTorch and the JVM keep for each case adds up.
_MOST_TASKS = 60


def _arguments(argv):
    parser = argparse.ArgumentParser(
        prog="python -m gpuos.conformance",
        description="Checks gpuos.compile by PyTorch's operator database; fails if anything is wrong.",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--dtype", action="append", choices=list(database.DTYPES), help="default: all")
    parser.add_argument("--op", action="append", help="pattern of names, as *norm*; default: all")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="default: all")
    parser.add_argument("--samples", type=int, default=0, help="most samples of an operator; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard", default="1/1", help="i/n: the i-th of n parts, from 1")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--limit", type=float, default=300, help="seconds for an operator and dtype")
    parser.add_argument("--json", metavar="FILE", help="where to write all findings")
    parser.add_argument("--resume", action="store_true", help="keep what FILE.part has already")
    return parser.parse_args(argv)


def main(argv):
    """Runs the command; returns its exit status."""
    options = _arguments(argv)
    tasks = _tasks(options)
    done = _earlier(options)
    findings = {_key(task): done[_key(task)] for task in tasks if _key(task) in done}
    remaining = [task for task in tasks if _key(task) not in findings]
    started = datetime.datetime.now(datetime.timezone.utc)
    _work(options, remaining, findings, len(tasks))
    document = report.document(argv, options, started, findings)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(document, indent=1) + "\n")
        _part(options).unlink(missing_ok=True)
    print(report.summary(document), flush=True)
    return 1 if report.is_failed(document) else 0


def _key(task):
    return f"{task['name']} {task['dtype']}"


def _tasks(options):
    index, count = (int(part) for part in options.shard.split("/"))
    if not 1 <= index <= count:
        raise SystemExit(f"shard: value={options.shard}, expected=i/n with i from 1 to n")
    tasks = []
    for name, op in database.operators().items():
        if options.op and not any(fnmatch.fnmatch(name, pattern) for pattern in options.op):
            continue
        for dtype in database.dtypes(op, options.device):
            if not options.dtype or dtype in options.dtype:
                task = {"name": name, "dtype": dtype, "device": options.device, "seed": options.seed}
                task |= {"variants": options.variant or VARIANTS, "samples": options.samples}
                tasks.append(task)
    return tasks[index - 1 :: count]


def _part(options):
    return pathlib.Path(options.json + ".part")


def _earlier(options):
    if not (options.resume and options.json and _part(options).exists()):
        return {}
    lines = _part(options).read_text().splitlines()
    return dict(json.loads(line) for line in lines if line.endswith("]"))


def _work(options, tasks, findings, total):
    waiting = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    lock = threading.Lock()
    part = open(_part(options), "a" if options.resume else "w") if options.json else None

    def finish(task, finding):
        with lock:
            findings[_key(task)] = finding
            print(f"[{len(findings)}/{total}] {report.line(_key(task), finding)}", flush=True)
            if part:
                print(json.dumps([_key(task), finding]), file=part, flush=True)

    def serve():
        with _Worker() as worker:
            while not waiting.empty():
                try:
                    task = waiting.get_nowait()
                except queue.Empty:
                    return
                started = time.monotonic()
                finding = worker.ask(task, options.limit)
                finish(task, finding | {"seconds": round(time.monotonic() - started, 2)})

    threads = [threading.Thread(target=serve) for _ in range(max(1, options.jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if part:
        part.close()


class _Worker:
    """A process that is started when it is needed, and again after it was lost. For one thread."""

    def __init__(self):
        self._process = None
        self._asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def ask(self, task, limit):
        """What the worker finds, or how it was lost."""
        if self._asked >= _MOST_TASKS:
            self._end()
        if self._process is None:
            self._start()
        self._asked += 1
        try:
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()
        except OSError:
            return self._lost()
        if not self._selector.select(limit):
            self._process.kill()
            self._end()
            return {"failure": f"took longer than {limit:g} s"}
        answer = self._process.stdout.readline()
        if not answer.endswith("\n"):
            return self._lost()
        return json.loads(answer)

    def _start(self):
        source = str(pathlib.Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gpuos.conformance.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("GPUOS_CONFORMANCE_ERRORS") else subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        self._asked = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)

    def _lost(self):
        status = self._process.wait()
        self._end()
        return {"failure": f"the process ended: status={status}"}

    def _end(self):
        process, self._process = self._process, None
        if process is None:
            return
        self._selector.close()
        with contextlib.suppress(OSError):  # what was written, and has nobody to read it
            process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def versions():
    """Of what was checked."""
    return {"torch": torch.__version__, "python": sys.version.split()[0]}
