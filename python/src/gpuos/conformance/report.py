"""Findings in words, and as a document."""

import collections
import importlib.metadata
import platform
import subprocess
import pathlib

import torch

NATIVE, PARTLY, FELL_BACK, WRONG, NOTHING = "native", "partly", "fell back", "wrong", "nothing to run"
_VERDICTS = (NATIVE, PARTLY, FELL_BACK, WRONG, NOTHING)


def verdict(finding):
    """One word for an operator in one dtype: wrong if one case is, native only if all are."""
    if "failure" in finding:
        return WRONG
    counts = finding["counts"]
    if counts.get(WRONG):
        return WRONG
    recorded = counts.get(NATIVE, 0) + counts.get(PARTLY, 0) + counts.get(FELL_BACK, 0)
    if not recorded:
        return NOTHING
    if counts.get(NATIVE) == recorded:
        return NATIVE
    return PARTLY if counts.get(NATIVE) or counts.get(PARTLY) else FELL_BACK


def line(name, finding):
    """What became of an operator, and the first reason."""
    text = f"{name}: {verdict(finding)}"
    if "failure" in finding:
        return f"{text}: {finding['failure']}"
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(finding["counts"].items()))
    why = finding["errors"][:1] or finding["reasons"][:1]
    return " ".join([f"{text} ({counts})", *why])[:300]


def document(argv, options, started, findings):
    """Everything, for `--json`."""
    operators = {}
    for name, finding in sorted(findings.items()):
        operators[name] = {"verdict": verdict(finding), **finding}
    return {
        "what": "conformance with PyTorch's operator database",
        "date": started.isoformat(timespec="seconds"),
        "command": " ".join(["python -m gpuos.conformance", *argv]),
        "commit": _commit(),
        "seed": options.seed,
        "device": options.device,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "summary": _totals(operators),
        "operators": operators,
    }


def _commit():
    """The tree it runs from, or the version of the installed package."""
    tree = pathlib.Path(__file__).resolve().parents[4]
    try:
        git = ["git", "-C", str(tree)]
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
        return commit.stdout.strip() + ("+changes" if changed.stdout.strip() else "")
    except (OSError, subprocess.CalledProcessError):
        try:
            return "version " + importlib.metadata.version("gpuos")
        except importlib.metadata.PackageNotFoundError:
            return "unknown"


def _totals(operators):
    totals = collections.defaultdict(lambda: dict.fromkeys(_VERDICTS, 0))
    for name, finding in operators.items():
        totals[name.split()[-1]][finding["verdict"]] += 1
    return dict(totals)


def summary(document):
    """A table of counts by dtype, and everything that is wrong."""
    lines = [f"operators of PyTorch {document['torch']} on {document['device']}, seed {document['seed']}"]
    lines.append(f"{'':10}" + "".join(f"{kind:>16}" for kind in _VERDICTS))
    for dtype, counts in document["summary"].items():
        lines.append(f"{dtype:10}" + "".join(f"{counts[kind]:16}" for kind in _VERDICTS))
    for name, finding in document["operators"].items():
        if finding["verdict"] == WRONG:
            for error in finding.get("errors") or [finding.get("failure")]:
                lines.append(f"wrong: {name}: {error}")
    return "\n".join(lines)


def is_failed(document):
    """Whether anything is wrong, or nothing was checked."""
    verdicts = [finding["verdict"] for finding in document["operators"].values()]
    return WRONG in verdicts or all(kind == NOTHING for kind in verdicts)
