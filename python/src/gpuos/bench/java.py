"""The column of Java: measured by `gpuos bench paper --java-only` in another process, before the others."""

import json
import os
import pathlib
import subprocess
import tempfile

from gpuos.bench import document, machine

# Tables with a Java column, and one that is Java's alone.
_TABLES = ("adds", "mixed", "decode", "sums")
ALONE = ("scale-workers",)


def measure(settings, names, progress):
    """The document of the Java column, or one with `reason` why there is none."""
    names = [name for name in names if name in _TABLES + ALONE]
    if not names:
        return {"reason": "no table with a Java column was asked for", "tables": []}
    command = machine.launcher()
    if command is None:
        return {"reason": "no launcher: searched=GPUOS_COMMAND, ./gpuos of the checkout, gpuos on the path", "tables": []}
    progress("Java columns, by " + command[0])
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "java.json"
        arguments = ["bench", "paper", "--java-only", "--quiet", "--json", str(file)]
        arguments += ["--device", java_name(settings["device"]), "--seed", str(settings["seed"])]
        arguments += ["--units", str(settings["units"]), "--rounds", str(settings["rounds"])]
        for name in names:
            arguments += ["--only", name]
        if settings["quick"]:
            arguments.append("--quick")
        return _run([*command, *arguments], file, settings["patience_s"] * 2)


def _run(command, file, patience):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"reason": " ".join(str(error).split()), "tables": []}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        words = (done.stderr or done.stdout).strip().splitlines()
        return {"reason": f"exit code {done.returncode}: {words[-1] if words else ''}", "tables": []}


def java_name(device):
    """A torch.device's text as the runtime names devices."""
    return "cuda:0" if device == "cuda" else device


def add(made, table, row):
    """Adds Java's cell to a row of a table that has the column."""
    if table not in _TABLES:
        return
    cell = None
    for one in made["tables"]:
        if one["name"] == table:
            for other in one["rows"]:
                if other["name"] == row["name"]:
                    cell = dict(other["cells"]["java"])
    if cell is None:
        reason = made.get("reason") or "the Java run has no such row"
        cell = document.missing("failed" if "exit code" in reason else "absent", reason)
    cell["apart"] = True
    row["cells"]["java"] = cell
    for base in ("eager", "graph"):
        document.ratios(row["cells"], base)


def read(path):
    """A document that `gpuos bench paper` has written."""
    size = os.path.getsize(path)
    if size > 1 << 28:
        raise ValueError(f"too large: file={path}, bytes={size}")
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
