"""Charts as inline SVG: they need no script and no network, stay sharp on paper, and take their colours from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from evals.metrics import Bin

WIDTH, HEIGHT = 340, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 12, 38


def bar(share: float, low: float, high: float) -> str:
    """A share (0 to 1) as a bar over the whole width of what holds it, with its interval as a whisker; nothing for NaN."""
    if math.isnan(share):
        return ""
    said = f"{share:.1%}, 95% interval {low:.1%} to {high:.1%}"
    return (
        f'<svg class="bar" width="100%" height="22" role="img" aria-label="{said}"><rect class="track" width="100%" height="22" rx="3"/>'
        f'<rect class="share" width="{100 * share:.2f}%" height="22" rx="3"/>'
        f'<g class="whisker"><line x1="{100 * low:.2f}%" x2="{100 * high:.2f}%" y1="11" y2="11"/>'
        + "".join(f'<line x1="{100 * end:.2f}%" x2="{100 * end:.2f}%" y1="6" y2="16"/>' for end in (low, high))
        + "</g></svg>"
    )


def reliability(bins: Sequence[Bin]) -> str:
    """The share that was right by confidence, with intervals; a dot is as large as its bin is full, and the diagonal is perfect calibration."""
    most = max((one.cases for one in bins), default=1)
    drawn = [_axes("confidence of the answer", "share right", 1.0), f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>']
    points = " ".join(f"{_x(one.confidence)},{_y(one.true / one.cases)}" for one in bins)
    drawn.append(f'<polyline class="line" points="{points}"/>')
    for one in bins:
        x, y = _x(one.confidence), _y(one.true / one.cases)
        said = f"confidence {one.confidence:.0%}: {one.true} of {one.cases} right"
        drawn.append(f'<line class="spread" x1="{x}" x2="{x}" y1="{_y(one.low)}" y2="{_y(one.high)}"/>')
        drawn.append(f'<circle class="dot" cx="{x}" cy="{y}" r="{2.5 + 5 * math.sqrt(one.cases / most):.1f}"><title>{said}</title></circle>')
    return _framed(drawn, "Calibration: the share of answers that were right, by confidence")


def risk(points: Sequence[tuple[float, float]]) -> str:
    """The share of the answers that were wrong, by the share of them that is given when only the surest are."""
    top = _round_up(max((height for coverage, height in points if coverage >= 0.1), default=1.0))
    line = " ".join(f"{_x(coverage)},{_y(min(1.0, height / top))}" for coverage, height in points)
    drawn = [_axes("coverage: the surest answers first", "share wrong", top), f'<polyline class="line" points="{line}"/>']
    return _framed(drawn, "Risk against coverage")


def histogram(values: Sequence[float], marks: Sequence[tuple[str, float]], bins: int = 30) -> str:
    """How many values there are by size, up to the 99th percentile, with a named mark at each of `marks`."""
    if not values:
        return ""
    ordered = sorted(values)
    longest = _round_up(max(ordered[int(0.99 * (len(ordered) - 1))], *(value for _, value in marks), 1.0))
    counts = [0] * bins
    for value in ordered:
        counts[min(bins - 1, int(value / longest * bins))] += 1
    most = max(counts)
    drawn = [_axes("milliseconds", "cases", _round_up(most), across=longest)]
    for at, count in enumerate(counts):
        if count:
            y = _y(count / _round_up(most))
            drawn.append(f'<rect class="share" x="{_x(at / bins)}" y="{y}" width="{_x(1 / bins) - _x(0) - 1:.1f}" height="{_y(0) - y:.1f}"/>')
    for place, (name, value) in enumerate(marks):
        x = _x(value / longest)
        side = "end" if value > 0.7 * longest else "start"
        drawn.append(f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP}" y2="{_y(0)}"/>')
        beside, said = round(x - 4 if side == "end" else x + 4, 1), f"{escape(name)} {value:.0f} ms"
        drawn.append(f'<text class="said" x="{beside}" y="{TOP + 10 + 14 * place}" text-anchor="{side}">{said}</text>')
    return _framed(drawn, "Latency")


def kinds(rows: Sequence[tuple[str, int, float, float, float]], title: str) -> str:
    """A picture that stands alone, for a document: for each (name, cases, share, low, high) a bar with its interval."""
    step, left, wide = 30, 130, 420
    drawn = []
    for tick in range(0, 101, 20):
        x = left + wide * tick / 100
        drawn.append(f'<line class="grid" x1="{x}" x2="{x}" y1="34" y2="{38 + step * len(rows)}"/><text class="small" x="{x}" y="28">{tick}%</text>')
    for at, (name, cases, share, low, high) in enumerate(rows):
        y = 40 + step * at
        drawn.append(
            f'<text class="name" x="{left - 8}" y="{y + 15}">{escape(name)}</text><rect x="{left}" y="{y}" width="{wide * share:.1f}" height="20" rx="3"/>'
        )
        whisker = [(low, low, y + 5, y + 15), (high, high, y + 5, y + 15), (low, high, y + 10, y + 10)]
        drawn += [f'<line class="whisker" x1="{left + wide * a:.1f}" x2="{left + wide * b:.1f}" y1="{c}" y2="{d}"/>' for a, b, c, d in whisker]
        drawn.append(f'<text x="{left + wide + 10}" y="{y + 15}">{share:.1%} of {cases}</text>')
    style = (
        "text{font:13px system-ui,sans-serif;fill:#1b2733}.name{text-anchor:end}.small{font-size:11px;text-anchor:middle;fill:#52606d}"
        "rect{fill:#2a7f9e}.ground{fill:#fff}.grid{stroke:#d9e2ec}.whisker{stroke:#10222e;stroke-width:1.5}"
    )
    height = 48 + step * len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="680" height="{height}" viewBox="0 0 680 {height}" role="img" aria-label="{escape(title)}">'
        f'<style>{style}</style><rect class="ground" width="680" height="{height}"/>' + "".join(drawn) + "</svg>\n"
    )


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _axes(below: str, beside: str, top: float, across: float | None = None) -> str:
    """Grid, ticks and names; `top` is the value at the upper end, `across` that at the right end where it is not a share."""
    return "".join(_ticks(below, beside, top, across))


def _ticks(below: str, beside: str, top: float, across: float | None) -> Iterator[str]:
    for tick in range(5):
        share = tick / 4
        said = f"{share * top:.0f}" if across else f"{share * top:.0%}" if top >= 0.1 else f"{share * top:.1%}"
        yield f'<line class="grid" x1="{_x(0)}" x2="{_x(1)}" y1="{_y(share)}" y2="{_y(share)}"/>'
        yield f'<text x="{LEFT - 5}" y="{_y(share) + 4}" text-anchor="end">{said}</text>'
        under = f"{share * across:.0f}" if across else f"{share:.0%}"
        yield f'<text x="{_x(share)}" y="{HEIGHT - BOTTOM + 15}" text-anchor="{"end" if tick == 4 else "middle"}">{under}</text>'
    yield f'<text class="axis" x="{_x(0.5)}" y="{HEIGHT - 5}" text-anchor="middle">{escape(below)}</text>'
    yield f'<text class="axis" x="12" y="{_y(0.5)}" text-anchor="middle" transform="rotate(-90 12 {_y(0.5)})">{escape(beside)}</text>'


def _framed(drawn: Sequence[str], said: str) -> str:
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">{"".join(drawn)}</svg>'


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 6, 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next((step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value - 1e-12), 1.0)
