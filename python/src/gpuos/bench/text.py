"""Tables for a terminal."""

import math

MARKS = {"failed": "failed", "wrong": "WRONG", "absent": "-", "pending": "pending"}


def number(value):
    """Three significant digits, without an exponent where people do without."""
    if value is None or not math.isfinite(value):
        return "?"
    size = abs(value)
    if size >= 1e7 or 0 < size < 1e-4:
        return f"{value:.2e}"
    if size >= 99.95:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    if size >= 0.9995 or size == 0:
        return f"{value:.2f}"
    return f"{value:.{2 - math.floor(math.log10(size))}f}"


def cell(one):
    """A cell: its median, or what became of it."""
    if one is None:
        return ""
    return number(one["median"]) if one["status"] == "measured" else MARKS[one["status"]]


def factor(one, base):
    """How many times faster than the base, or an empty text."""
    ratio = (one or {}).get(f"over_{base}")
    return f"{number(ratio['median'])}x" if ratio else ""


def columns_of(table, document):
    """Descriptions of the columns that a table has cells of, in order."""
    described = table.get("columns") or document["columns"]
    present = {name for row in table["rows"] for name in row["cells"]}
    return [column for column in described if column["name"] in present]


def aligned(lines):
    """Lines of cells under each other; the first cell left, the others right."""
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:]))]
        ).rstrip()
        for line in lines
    )


def table_text(table, document):
    """A table of the document, factors over its base beside the times, and why cells have no figure."""
    columns = columns_of(table, document)
    base = table.get("base", "eager")
    head = ["", *(column["name"] for column in columns)]
    lines, reasons = [head], {}
    for row in table["rows"]:
        texts = [row["name"] + (f" [{row['unit']}]" if row.get("unit") else "")]
        for column in columns:
            one = row["cells"].get(column["name"])
            times = factor(one, base) if column["name"] != base else ""
            texts.append(f"{cell(one)} ({times})" if times else cell(one))
            if one and one["status"] != "measured":
                reasons.setdefault((one["status"], one["reason"]), {}).setdefault(column["name"], row["name"])
        lines.append(texts)
    text = f"{table['title']} [{table['unit']}; in brackets: times less than {base}]\n{aligned(lines)}"
    for (status, reason), first in reasons.items():
        where = ", ".join(f"{name} from {row}" for name, row in first.items())
        text += f"\n  {status}: {reason} ({where})"
    return text


def detail(table, row):
    """One row, a column a line."""
    lines = [["column", "median", "p25", "p75", "over eager", "over graph", "error", "note"]]
    for column in table["columns"]:
        one = row["cells"].get(column["name"])
        if one is None:
            continue
        if one["status"] == "measured":
            lines.append(
                [
                    column["title"], number(one["median"]), number(one["p25"]), number(one["p75"]),
                    factor(one, "eager"), factor(one, "graph"), f"{one['worst_error']:.1e}",
                    one.get("note") or "",
                ]
            )
        else:
            lines.append([column["title"], MARKS[one["status"]], "", "", "", "", "", one["reason"]])
    return f"{table['unit']}\n{aligned(lines)}"


def geometric_mean(table, column, base):
    """Of the factors of all rows, with their number; None where a row has none."""
    found = [
        row["cells"][column][f"over_{base}"]["median"]
        for row in table["rows"]
        if f"over_{base}" in row["cells"].get(column, {})
    ]
    if not found:
        return None
    return math.exp(sum(map(math.log, found)) / len(found)), len(found)
