"""The document of a run: its form, its statistics, and the file it is kept in.

A document is plain JSON. `tables` hold `rows`, these `cells` by the name of a column. A cell has
`status`: `measured`; `wrong` (a result was off, and nothing was timed); `failed` (an error, a crash, no
answer in time); `absent` (there is no such thing here), each with `reason`; or `pending` (the run ended
before it, and goes on there when it is started again).
"""

import json
import math
import os
import pathlib

FORMAT, VERSION = "gpuos-bench-paper", 1


def percentile(samples, percent):
    """The least sample that so many per cent of them do not exceed."""
    ordered = sorted(samples)
    rank = math.ceil(percent / 100 * len(ordered))
    return ordered[min(max(rank - 1, 0), len(ordered) - 1)]


def spread(samples):
    """Median and quartiles."""
    return {
        "median": percentile(samples, 50),
        "p25": percentile(samples, 25),
        "p75": percentile(samples, 75),
    }


def measured(samples, **more):
    """A cell with samples, one a round."""
    return {"status": "measured", **spread(samples), "samples": samples, **more}


def missing(status, reason, **more):
    """A cell without samples; the reason becomes one line."""
    return {"status": status, "reason": " ".join(str(reason).split())[:600], **more}


def failure(error):
    """A cell for an exception: its type, and what it says."""
    return missing("failed", f"{type(error).__name__}: {error}")


def ratios(cells, base):
    """How many times a column is faster than the base, each ratio taken inside one round.

    Adds `over_BASE` to every cell with as many rounds as the base has. A cell that was measured in
    another process has none in common with it: its ratio is that of the medians.
    """
    of = cells.get(base)
    if not of or of["status"] != "measured":
        return
    for cell in cells.values():
        if cell["status"] != "measured" or min(cell["samples"]) <= 0:
            continue
        if cell.get("apart"):
            ratio = of["median"] / cell["median"]
            cell[f"over_{base}"] = {"median": ratio, "p25": None, "p75": None}
        elif len(cell["samples"]) == len(of["samples"]):
            pairs = zip(of["samples"], cell["samples"])
            cell[f"over_{base}"] = spread([one / other for one, other in pairs])


def cells_of(document):
    """All cells as (table, row, column, cell)."""
    for table in document["tables"]:
        for row in table["rows"]:
            for column, cell in row["cells"].items():
                yield table, row, column, cell


def is_done(row):
    """Whether no cell of a row is pending."""
    return all(cell["status"] != "pending" for cell in row["cells"].values())


def write(path, text):
    """Writes a file aside and renames it, so that an interrupted run leaves the old one or the new."""
    path = pathlib.Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def encode(document):
    """JSON, a cell a line; what is not finite is null."""
    return json.dumps(_finite(document), indent=1, ensure_ascii=True) + "\n"


def _finite(value):
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value


def load(path):
    """A document from a file; ValueError, with a line that says why, if it is none."""
    try:
        document = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"not a document of the benchmark: file={path}, reason={error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"not a document of the benchmark: file={path}, expected=format {FORMAT}")
    if document.get("version") != VERSION:
        raise ValueError(
            f"document of another version: file={path}, version={document.get('version')},"
            f" expected={VERSION}"
        )
    return document
