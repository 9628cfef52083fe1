"""The command line of `python -m gpuos.bench`."""

import argparse
import os
import time

DESCRIPTION = """Measures the tables of the paper on GPUOS on this machine: every way to compute a thing beside the others,
each checked against float64 before it is timed. docs/benchmarks.md says how to read the result."""

EPILOG = """Exit codes: 0 done; 1 a result was wrong, or something failed; 2 the request cannot be met;
130 interrupted, and what was done is kept. A run with --json FILE that was interrupted goes on there when it is
started again with the same options."""


def parser():
    made = argparse.ArgumentParser(prog="python -m gpuos.bench", description=DESCRIPTION, epilog=EPILOG)
    made.add_argument("--quick", action="store_true", help="few rounds and rows, to see that it works")
    made.add_argument(
        "--json", nargs="?", const="-", metavar="FILE",
        help="the result as JSON, to a file; without one to standard output, and nothing else",
    )
    made.add_argument("--html", metavar="FILE", help="the report, one page")
    made.add_argument(
        "--only", metavar="TABLE", action="append", help="one table; may be given several times"
    )
    made.add_argument("--device", default="auto", help="auto, cpu or cuda[:N]; auto by default")
    made.add_argument(
        "--time-limit", type=positive, metavar="SECONDS", help="rows that have not begun by then are left out"
    )
    made.add_argument("--units", type=int, metavar="N", help="operations of a call; 1000 on a GPU, 100 else")
    made.add_argument("--rounds", type=int, metavar="N", help="31 by default, 5 with --quick")
    made.add_argument("--seed", type=int, default=1, help="decides over the values; 1 by default")
    made.add_argument("--java", metavar="FILE", help="take the Java column from this document")
    made.add_argument("--no-java", action="store_true", help="leave the Java column out")
    made.add_argument("--restart", action="store_true", help="do not go on with an interrupted run")
    made.add_argument("--quiet", action="store_true", help="no progress")
    made.add_argument("--list", action="store_true", help="the tables and their rows, and nothing else")
    return made


def positive(text):
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"time limit: value={text}, expected=a number above 0")
    return value


def device(made, name):
    """The torch.device of a name; ends the process with a message where there is none."""
    import torch

    if name == "auto":
        name = "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(name)
    except RuntimeError:
        found = None
    if found is None or found.type not in ("cpu", "cuda"):
        made.error(f"unknown device: device={name}, expected=auto, cpu or cuda[:N]")
    if found.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = found.index or 0
        if index >= count:
            made.error(f"no such device: device={name}, found={count} GPUs, expected=cpu or one of them")
        found = torch.device("cuda", index)
    return found


def settings(made, given, on):
    """The settings of a run, as every part of it reads them."""
    for name in ("units", "rounds"):
        value = getattr(given, name)
        if value is not None and value < 1:
            made.error(f"number of {name}: value={value}, expected=1 or more")
    gpu = on.type == "cuda"
    quick = given.quick
    return {
        "device": str(on),
        "quick": quick,
        "seed": given.seed,
        "rounds": given.rounds or (5 if quick else 31),
        "units": given.units or ((200 if quick else 1000) if gpu else (8 if quick else 100)),
        "warm_up_s": 0.05 if quick else 0.5,
        "row_bytes": (1 << 29) if gpu else (1 << 26),
        "energy_s": 1 if quick else 10,
        "processes": 2 if quick and not gpu else 8,
        "patience_s": 240,
        "time_limit": given.time_limit,
        "deadline": None if given.time_limit is None else time.time() + given.time_limit,
        "threads": int(os.environ["OMP_NUM_THREADS"]) if os.environ.get("OMP_NUM_THREADS", "").isdigit() else 0,
    }


# Settings that make two runs the same.
_SAME = ("device", "quick", "seed", "rounds", "units", "energy_s", "processes")


def resumable(old, settings_now, commit):
    """Why an interrupted document cannot be gone on with, or None."""
    if old["complete"]:
        return "it is complete"
    if old["environment"]["commit"] != commit:
        return f"it is of commit {old['environment']['commit']}"
    for name in _SAME:
        if old["settings"].get(name) != settings_now[name]:
            return f"its {name} is {old['settings'].get(name)}"
    return None
