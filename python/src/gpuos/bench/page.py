"""The report: one page that needs nothing beside it, without JavaScript, light or dark as the reader has it.

As a program it renders a document again: `python -m gpuos.bench.page FILE.json FILE.html`.
"""

import html
import sys

from gpuos.bench import document, scaling, svg, text

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1d2430;--soft:#5b6675;--rule:#d9dee6;--card:#f5f7fa;
--gpuos:#0b7a55;--peer:#5d7bb3;--base:#8b94a1;--bad:#b3261e;--mark:#c77700;--c1:#0b7a55;--c2:#2f9bd6;--c3:#8a4fbf;
--c4:#c77700;--c5:#5d7bb3}
@media (prefers-color-scheme:dark){:root{--bg:#12161c;--ink:#e6e9ee;--soft:#9aa5b4;--rule:#2e3641;--card:#1a2028;
--gpuos:#3ec592;--peer:#86a5e0;--base:#7d8794;--bad:#ff8a80;--mark:#f0b357;--c1:#3ec592;--c2:#6cc4f5;--c3:#c79af0;
--c4:#f0b357;--c5:#86a5e0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1rem 1rem 4rem;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.2rem;margin:2.4rem 0 .3rem}
p{margin:.4rem 0}.soft{color:var(--soft)}small,.small{font-size:.85rem}
.scroll{overflow-x:auto;margin:.6rem 0;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--rule);text-align:right;vertical-align:top}
th{font-weight:600;vertical-align:bottom}th:first-child,td:first-child{text-align:left;position:sticky;left:0;
background:var(--bg);min-width:6.5rem}.none{white-space:nowrap}td.left,th.left{text-align:left}
td .x{display:block;color:var(--soft);font-size:.8rem;white-space:nowrap}td.g{color:var(--gpuos);font-weight:600}
td .q{white-space:nowrap}.bad{color:var(--bad);font-weight:600}.none{color:var(--soft)}
.banner{border-left:4px solid var(--bad);background:var(--card);padding:.5rem .8rem;margin:.8rem 0}
ul{padding-left:1.2rem;margin:.4rem 0}figure{margin:.8rem 0}figcaption{color:var(--soft);font-size:.85rem}
svg{width:100%;height:auto;max-width:42rem;display:block}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .tick{fill:var(--soft);font-size:11px}
svg .missing{fill:var(--soft);font-style:italic}.grid{stroke:var(--rule)}.one{stroke:var(--soft)}
.gpuos{fill:var(--gpuos)}.peer{fill:var(--peer)}.base{fill:var(--base)}.mark{stroke:var(--mark);stroke-dasharray:4 3}
.line{fill:none;stroke-width:2}polyline.c1{stroke:var(--c1)}polyline.c2{stroke:var(--c2)}polyline.c3{stroke:var(--c3)}
polyline.c4{stroke:var(--c4)}polyline.c5{stroke:var(--c5)}circle.c1{fill:var(--c1)}circle.c2{fill:var(--c2)}
circle.c3{fill:var(--c3)}circle.c4{fill:var(--c4)}circle.c5{fill:var(--c5)}
.key{display:inline-block;margin-right:1rem;white-space:nowrap}.key b{display:inline-block;width:.9rem;height:.35rem;
margin-right:.35rem;vertical-align:middle}b.c1{background:var(--c1)}b.c2{background:var(--c2)}b.c3{background:var(--c3)}
b.c4{background:var(--c4)}b.c5{background:var(--c5)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .9rem;font-size:.9rem}dt{color:var(--soft)}dd{margin:0}
@media (max-width:34rem){dl{grid-template-columns:1fr}dd{margin:0 0 .4rem}}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--soft)}
@media print{:root{color-scheme:light}body{max-width:none;font-size:10pt;padding:0}h2{break-after:avoid}
figure,tr{break-inside:avoid}.scroll{overflow:visible}table{font-size:7pt}th,td{padding:.15rem .25rem}}
@page{margin:14mm}
"""


def render(made):
    """The page of a document."""
    parts = [_head(made), _summary(made)]
    parts += [_table(table, made) for table in made["tables"] if table["rows"]]
    parts += [_columns(made), _method(made), _machine(made)]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>GPUOS benchmarks: {_e(made['environment']['device_description'])}</title>"
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _e(value):
    return html.escape(str(value), quote=True)


def _head(made):
    environment = made["environment"]
    parts = [
        "<h1>GPUOS beside what else there is</h1>",
        f"<p>{_e(environment['device_description'])} ({_e(environment['device'])}), {_e(environment['date'])}, commit"
        f" {_e(environment['commit'])}, PyTorch {_e(environment.get('torch', 'none'))}"
        f"{', quick run' if made['settings'].get('quick') else ''}.</p>",
        "<p class=soft>Times are medians of rounds in which all columns take their turn; below each, in small, how"
        " many times faster than the first column, each ratio taken inside one round.</p>",
    ]
    if made["interrupted"]:
        parts.append(f"<p class=banner>This run is not complete: {_e(made['interrupted'])}.</p>")
    found = [(t, r, c, cell) for t, r, c, cell in document.cells_of(made) if cell["status"] in ("wrong", "failed")]
    if found:
        tables = [table["title"] for table, *_ in found]
        names = ", ".join(f"{title} ({tables.count(title)})" for title in dict.fromkeys(tables))
        parts.append(
            f"<p class=banner>{len(found)} cells are wrong or failed; their reasons stand below their tables."
            f" <span class=small>{_e(names)}</span></p>"
        )
    if _is_cpu(made):
        parts.append(
            "<p class=banner>Measured without a GPU: this page shows that the benchmarks work. It says nothing"
            " about launches on a GPU, which GPUOS is for.</p>"
        )
    return "\n".join(parts)


def _is_cpu(made):
    return made["environment"].get("device") == "cpu"


_GPUOS = ("gpuos-dispatch", "gpuos-call", "gpuos-program", "java", "mps-gpuos-program")


def _best(row, base):
    """GPUOS's best column in a row: (factor, name)."""
    found = [
        (row["cells"][name][f"over_{base}"]["median"], name)
        for name in _GPUOS
        if f"over_{base}" in row["cells"].get(name, {})
    ]
    return max(found) if found else None


def _summary(made):
    """The paper's claims, the goals and what this machine shows."""
    lines = []
    titles = _titles(made)
    for table in made["tables"]:
        base = table.get("base", "eager")
        for row in table["rows"]:
            if "paper" not in row or (row["paper"] is None and not row.get("goal")):
                continue
            best, graph = _best(row, base), _best(row, "graph")
            cells = [
                f"{_e(table['title'])}, {_e(row['name'])}",
                f"{text.number(row['paper'])}x" if row["paper"] else "-",
                f"{text.number(row['goal'])}x" if row.get("goal") else "-",
                _verdict(best, None if _is_cpu(made) else row.get("goal")),
                f"{text.number(graph[0])}x" if graph else "-",
                _e(titles.get(best[1], best[1])) if best else "-",
            ]
            lines.append("<tr><td>" + "</td><td>".join(cells) + "</td></tr>")
    means = [
        (column, base, text.geometric_mean(table, column, base))
        for table in made["tables"] if table["name"] == "models"
        for column in ("gpuos-call", "gpuos-dispatch") for base in ("eager", "graph")
    ]
    said = "".join(
        f"<li>Models, {_e(titles.get(column, column))}: {text.number(mean[0])}x over {base}, the geometric mean of"
        f" {mean[1]}.</li>"
        for column, base, mean in means if mean
    )
    if not lines and not said:
        return ""
    return (
        "<h2>Against the paper</h2><p class=soft>Factors over eager PyTorch: the claim of arXiv 2604.17861, this"
        " project's goal on an H200, and GPUOS's best column here.</p><div class=scroll><table><tr><th>row</th>"
        "<th>paper</th><th>goal</th><th>here</th><th>over graphs</th><th>by</th></tr>"
        + "".join(lines) + f"</table></div><ul>{said}</ul>"
    )


def _verdict(best, goal):
    if best is None:
        return "-"
    words = f"<b>{text.number(best[0])}x</b>"
    if goal:
        words += f' <span class="{"small" if best[0] >= goal else "small bad"}">'
        words += f"{'met' if best[0] >= goal else 'missed'}</span>"
    return words


def _titles(made):
    found = {}
    for columns in [made["columns"], *(table.get("columns") or [] for table in made["tables"])]:
        for column in columns:
            found.setdefault(column["name"], column["title"])
    return found


def _table(table, made):
    columns = text.columns_of(table, made)
    base = table.get("base", "eager")
    head = "".join(f"<th>{_e(column['title'])}</th>" for column in columns)
    body = "".join(_row(row, columns, base) for row in table["rows"])
    parts = [
        f'<h2 id="{_e(table["name"])}">{_e(table["title"])}</h2>',
        f"<p class=soft>{_e(table['what'])} In {_e(table['unit'])}.</p>",
        _plots(table, columns) if table.get("plot") else _bars(table, columns, base),
        f"<div class=scroll><table><tr><th>row</th>{head}</tr>{body}</table></div>",
        _reasons(table, columns),
    ]
    return "\n".join(part for part in parts if part)


def _row(row, columns, base):
    unit = f" <small class=soft>[{_e(row['unit'])}]</small>" if row.get("unit") else ""
    what = f'<br><small class=soft>{_e(row["what"])}</small>' if row.get("what") else ""
    cells = "".join(_cell(row["cells"].get(column["name"]), column["name"], base) for column in columns)
    return f"<tr><td>{_e(row['name'])}{unit}{what}</td>{cells}</tr>"


def _cell(one, name, base):
    if one is None:
        return "<td></td>"
    if one["status"] != "measured":
        kind = "bad" if one["status"] in ("wrong", "failed") else "none"
        word = "not here" if one["status"] == "absent" else one["status"]
        return f'<td><span class="{kind}" title="{_e(one["reason"])}">{word}</span></td>'
    quartiles = f"{text.number(one['p25'])} to {text.number(one['p75'])}"
    ratio = one.get(f"over_{base}")
    times = ""
    if ratio and name != base:
        spread = f" ({text.number(ratio['p25'])} to {text.number(ratio['p75'])})" if ratio["p25"] else ""
        times = f'<span class="x" title="quartiles{_e(spread)}">{text.number(ratio["median"])}x</span>'
    units = f", {one['units']} units" if one.get("units") else ""
    units += f", {_e(one['note'])}" if one.get("note") else ""
    kind = ' class="g"' if name in _GPUOS else ""
    return f'<td{kind}><span class=q title="quartiles {quartiles}{units}">{text.number(one["median"])}</span>{times}</td>'


def _bars(table, columns, base):
    """A picture for the first and the last row, of their factors over the base."""
    rows = [row for row in table["rows"] if any(f"over_{base}" in cell for cell in row["cells"].values())]
    pictures = []
    for row in rows[:1] + rows[1:][-1:]:
        entries = []
        for column in columns:
            one = row["cells"].get(column["name"])
            if one is None:
                continue
            ratio = one.get(f"over_{base}")
            kind = "base" if column["name"] == base else "gpuos" if column["name"] in _GPUOS else "peer"
            word = "not here" if one["status"] == "absent" else one["status"]
            entries.append((column["title"], ratio and ratio["median"], kind, word))
        title = f"{table['title']}, {row['name']}: times faster than {base}"
        picture = svg.bars(title, entries)
        if picture:
            pictures.append(f"<figure>{picture}<figcaption>{_e(title)}; logarithmic.</figcaption></figure>")
    return "".join(pictures)


def _plots(table, columns):
    """Factors over eager and over graphs, with the crossovers in words."""
    parts = []
    titles = {column["name"]: column["title"] for column in columns}
    bases = ("eager", "graph") if table["base"] == "eager" else (table["base"],)
    for base in bases:
        series, marks, words = [], [], []
        for number, name in enumerate(name for name in titles if name != base):
            found, points = scaling.crossovers(table["rows"], name, base)
            if not points:
                continue
            series.append((titles[name], f"c{number % 5 + 1}", points))
            if name in _GPUOS and len(points) > 1:
                marks += [at for at, _ in found]
                words.append(f"{titles[name]} {scaling.verdict(table['rows'], name, base)}")
        picture = svg.lines(f"{table['title']}: times faster than {base}", table["plot"], series, marks)
        if not picture:
            continue
        keys = "".join(f'<span class=key><b class="{kind}"></b>{_e(title)}</span>' for title, kind, _ in series)
        said = f" Against {_spoken(base)}: {_e('; '.join(words))}." if words else ""
        parts.append(
            f"<figure><p class=small>{keys}</p>{picture}<figcaption>Times faster than {_spoken(base)}, over"
            f" {_e(table['plot'])}; {'above 1 it wins' + ('; dashed: crossovers of GPUOS' if marks else '')}.{said}</figcaption></figure>"
        )
    return "".join(parts)


def _spoken(base):
    return {"graph": "CUDA graphs", "one": "one worker"}.get(base, base)


def _reasons(table, columns):
    titles = {column["name"]: column["title"] for column in columns}
    found = {}
    for row in table["rows"]:
        for name, one in row["cells"].items():
            if one["status"] != "measured":
                key = (one["status"], titles.get(name, name), one["reason"])
                found.setdefault(key, []).append(row["name"])
    if not found:
        return ""
    lines = "".join(
        f'<li><span class="{"bad" if status in ("wrong", "failed") else "none"}">{status}</span>, {_e(title)}'
        f" ({_e(', '.join(rows))}): {_e(reason)}</li>"
        for (status, title, reason), rows in sorted(found.items(), key=lambda one: one[0][0] == "absent")
    )
    return f"<details{' open' if any(key[0] != 'absent' for key in found) else ''}><summary>cells without a figure</summary><ul class=small>{lines}</ul></details>"


def _columns(made):
    lines = "".join(
        f'<tr><td>{_e(column["title"])}</td><td class=left>{_e(column["what"])}</td>'
        f'<td class=left>{_e(column["leaves_out"])}</td></tr>'
        for column in made["columns"]
    )
    if not lines:
        return ""
    return (
        "<h2>What the columns are</h2><div class=scroll><table><tr><th>column</th><th class=left>what is timed</th>"
        f"<th class=left>what its times leave out</th></tr>{lines}</table></div>"
    )


def _method(made):
    settings = made["settings"]
    return (
        "<h2>Method</h2><ul>"
        "<li>Before anything is timed, every result of every cell is compared with float64 on two sets of values;"
        " again in the first round, the last and one between. A cell that is off is shown as wrong and not timed.</li>"
        "<li>Each operation has operands and a result of its own. Before each sample the operands get other values and"
        " the results NaN, and everything in flight has ended.</li>"
        f"<li>{_e(settings.get('rounds'))} rounds after a warm-up; the columns take turns within each, in rotated order."
        " A sample ends when the host knows the last result complete.</li>"
        "<li>Factors are medians of ratios taken inside one round. Java is another process: its factors are ratios of"
        " medians.</li>"
        "<li>Every table runs in a process of its own. What crashes or does not answer is a failed cell, and the rest"
        " goes on without it.</li></ul>"
    )


def _machine(made):
    environment = made["environment"]
    lines = []
    for key, value in environment.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {one}" for name, one in value.items())
        if isinstance(value, list):
            value = " ".join(map(str, value))
        lines.append(f"<dt>{_e(key.replace('_', ' '))}</dt><dd>{_e(value)}</dd>")
    states = [row["gpu_state"] for table in made["tables"] for row in table["rows"] if row.get("gpu_state")]
    clocks = [state["sm_mhz"] for state in states if state.get("sm_mhz")]
    if clocks:
        lines.append(f"<dt>SM clock after rows</dt><dd>{min(clocks)} to {max(clocks)} MHz</dd>")
    others = [state["processes"] for state in states if state.get("processes") is not None]
    if others:
        lines.append(f"<dt>processes on the GPU</dt><dd>{min(others)} to {max(others)}, this run's among them</dd>")
    java = made.get("java") or {}
    if java.get("environment"):
        lines.append(f"<dt>java</dt><dd>{_e(java['environment'].get('jdk'))}</dd>")
    if java.get("reason"):
        lines.append(f"<dt>java</dt><dd>{_e(java['reason'])}</dd>")
    if made.get("seconds"):
        lines.append(f"<dt>seconds</dt><dd>{made['seconds']:.0f}</dd>")
    return f"<h2>Machine and versions</h2><dl>{''.join(lines)}</dl>"


if __name__ == "__main__":
    document.write(sys.argv[2], render(document.load(sys.argv[1])))
