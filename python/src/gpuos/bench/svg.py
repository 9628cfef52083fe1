"""Pictures as SVG text, in the page's colours: bars of factors, and lines over a scale."""

import html
import math

from gpuos.bench import text

WIDTH = 520
_ROW, _LEFT, _RIGHT, _TOP = 22, 168, 74, 30


def bars(title, entries):
    """Bars on a logarithmic scale, to the right of 1 for faster, to its left for slower.

    Args:
        title: what the picture shows, for those who do not see it
        entries: (label, factor or None, class of colour, text where there is no factor)
    """
    factors = [factor for _, factor, _, _ in entries if factor]
    if not factors:
        return ""
    low = min(0.5, *factors) / 1.1
    high = max(2.0, *factors) * 1.1
    height = _TOP + _ROW * len(entries) + 8

    def x(factor):
        share = math.log(factor / low) / math.log(high / low)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    parts = [_open(WIDTH, height, title)]
    for tick in ticks(low, high):
        strong = " one" if tick == 1 else ""
        parts.append(
            f'<line class="grid{strong}" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{_TOP - 6}"'
            f' y2="{height - 8}"/>'
            f'<text class="tick" x="{x(tick):.1f}" y="{_TOP - 12}" text-anchor="middle">'
            f"{text.number(tick).rstrip('0').rstrip('.') if tick < 100 else f'{tick:,.0f}'}x</text>"
        )
    for number, (label, factor, kind, missing) in enumerate(entries):
        y = _TOP + number * _ROW
        parts.append(f'<text class="label" x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{_e(label)}</text>')
        if factor:
            begin, end = sorted((x(1), x(factor)))
            parts.append(
                f'<rect class="{kind}" x="{begin:.1f}" y="{y + 3}" width="{max(end - begin, 1.5):.1f}"'
                f' height="{_ROW - 8}" rx="2"/>'
                f'<text class="value" x="{end + 5:.1f}" y="{y + 14}">{text.number(factor)}x</text>'
            )
        else:
            parts.append(f'<text class="missing" x="{x(1) + 5:.1f}" y="{y + 14}">{_e(missing)}</text>')
    return "".join([*parts, "</svg>"])


def lines(title, axis, series, marks):
    """Factors over a scale, both logarithmic, with a line at 1.

    Args:
        title: what the picture shows
        axis: name of the scale
        series: (label, class of colour, [(x, factor)])
        marks: x of crossovers
    """
    points = [point for _, _, of in series for point in of]
    if not points:
        return ""
    left, right, top, bottom, height = 56, 16, 16, 46, 320
    xs = [x for x, _ in points]
    x_low, x_high = min(xs), max(xs) if max(xs) > min(xs) else min(xs) * 10
    low = min(0.5, *(y for _, y in points)) / 1.2
    high = max(2.0, *(y for _, y in points)) * 1.2

    def at_x(x):
        return left + math.log(x / x_low) / math.log(x_high / x_low) * (WIDTH - left - right)

    def at_y(y):
        return height - bottom - math.log(y / low) / math.log(high / low) * (height - bottom - top)

    parts = [_open(WIDTH, height, title)]
    for tick in ticks(low, high):
        strong = " one" if tick == 1 else ""
        y = at_y(tick)
        parts.append(
            f'<line class="grid{strong}" x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{text.number(tick).rstrip('0').rstrip('.') if tick < 100 else f'{tick:,.0f}'}x</text>"
        )
    for tick in _decades(x_low, x_high):
        parts.append(
            f'<text class="tick" x="{at_x(tick):.1f}" y="{height - bottom + 18}" text-anchor="middle">'
            f"{short(tick)}</text>"
        )
    parts.append(
        f'<text class="label" x="{(left + WIDTH - right) / 2}" y="{height - 8}" text-anchor="middle">'
        f"{_e(axis)}</text>"
    )
    for x in marks:
        if x_low <= x <= x_high:
            parts.append(
                f'<line class="mark" x1="{at_x(x):.1f}" x2="{at_x(x):.1f}" y1="{top}" y2="{height - bottom}"/>'
            )
    for _, kind, of in series:
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in of)
        parts.append(f'<polyline class="line {kind}" points="{path}"/>')
        parts += [f'<circle class="{kind}" cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3.2"/>' for x, y in of]
    return "".join([*parts, "</svg>"])


def ticks(low, high):
    """Numbers on a logarithmic axis, 1 among them: decades, with 2 and 5 where there are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if math.log10(high / low) < 2 else (1,) if math.log10(high / low) < 5 else (1,)
    found = [step * 10**k for k in decades for step in steps]
    every = max(1, len(decades) // 6) if len(steps) == 1 else 1
    return [
        tick for tick in found if low <= tick <= high and (every == 1 or round(math.log10(tick)) % every == 0)
    ]


def _decades(low, high):
    found = [10**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    inside = [x for x in found if low <= x <= high]
    return inside if len(inside) > 1 else [low, high]


def short(number):
    """1,000 as 1 k, 1,000,000 as 1 M."""
    for size, unit in ((10**6, " M"), (10**3, " k")):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def _open(width, height, title):
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{_e(title)}"'
        f' xmlns="http://www.w3.org/2000/svg"><title>{_e(title)}</title>'
    )


def _e(value):
    return html.escape(str(value), quote=True)
