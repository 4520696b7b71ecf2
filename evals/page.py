"""The report of a run as one HTML file that needs no network: `report.html`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evals import charts
from evals.metrics import holds
from evals.results import MadeBy
from evals.run import Result
from evals.summary import Row, Summary

NAME = "report.html"
TEMPLATE = "page.html"


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that was not right, beside what was required: each group with whether the answer holds it, and what it holds of what is forbidden."""

    result: Result
    required: tuple[tuple[str, bool], ...]
    forbidden: tuple[str, ...]


def write(folder: Path, made: MadeBy, results: Sequence[Result], figures: Summary) -> None:
    """Writes the report of a run into its folder."""
    (folder / NAME).write_text(drawn(made, results, figures), encoding="utf-8")


def drawn(made: MadeBy, results: Sequence[Result], figures: Summary) -> str:
    """The report; all that comes from cases and answers is escaped."""
    failures = [_failure(result) for result in results if result.right is False]
    given: dict[str, Any] = {
        "made": [(one.name.replace("_", " "), str(getattr(made, one.name)) or "none") for one in fields(MadeBy)],
        "figures": figures,
        "right": "nothing scored" if math.isnan(figures.total.share) else f"{figures.total.share:.1%} right",
        "rows": [(row, Markup(charts.bar(row.share, row.low, row.high))) for row in figures.kinds],
        "all_rows": [*figures.kinds, *figures.splits, figures.total],
        "tiles": _tiles(figures),
        "calibration": Markup(charts.reliability(figures.calibration)),
        "risk": Markup(charts.risk(figures.risk)),
        "latency": Markup(charts.histogram(_times(results), [("p50", figures.p50), ("p95", figures.p95)])),
        "steps": _steps(results),
        "answers": sum(one.cases for one in figures.calibration),
        "failures": [(row, [one for one in failures if one.result.case.kind == row.name]) for row in figures.kinds],
        "wrong": len(failures),
        "unscored": [result for result in results if result.right is None],
        "disagreed": [one for one in results if one.opinion and one.opinion.right is not None and one.opinion.right != one.right],
    }
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"share": _share, "figure": _figure, "interval": _interval}
    return environment.get_template(TEMPLATE).render(given)


def _failure(result: Result) -> Failure:
    text = result.answer.text if result.answer else ""
    groups = tuple((" or ".join(group), group not in result.missing) for group in result.case.required)
    return Failure(result, groups, tuple(string for string in result.case.forbidden if holds(text, string)))


def _tiles(figures: Summary) -> list[tuple[str, str, str]]:
    """The figures that one looks at first: name, value, what it is."""
    total: Row = figures.total
    tiles = [
        ("found first", _share(total.found_1), "of the questions, a right statement leads the evidence"),
        ("cited rightly", _share(figures.citation_precision.value), "of the citations bear a right label"),
        ("borne out", _share(figures.faithfulness.value), "of the sentences stand in what they cite"),
        ("knows when not", _share(figures.abstention.balanced_accuracy), "balanced accuracy of declining"),
        ("answered in", "" if math.isnan(figures.p50) else f"{figures.p50:.0f} ms", "or less, half of the questions"),
    ]
    return [tile for tile in tiles if tile[1]]


def _times(results: Sequence[Result]) -> list[float]:
    return [result.milliseconds for result in results if result.answer]


def _steps(results: Sequence[Result]) -> list[tuple[str, float, Markup]]:
    """The median of each step of the chain in milliseconds, over the answers that took it, in the order of the chain."""
    taken: dict[str, list[float]] = {}
    for result in results:
        for name, milliseconds in result.answer.timings.items() if result.answer else ():
            taken.setdefault(name, []).append(milliseconds)
    medians = {name: median(times) for name, times in taken.items()}
    longest = max(medians.values(), default=1.0) or 1.0
    return [
        (name, value, Markup(f'<svg class="bar" width="100%" height="14"><rect class="share" width="{100 * value / longest:.2f}%" height="14" rx="2"/></svg>'))
        for name, value in medians.items()
    ]


def _share(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.1%}"


def _figure(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.3f}"


def _interval(row: Row) -> str:
    return f"{100 * row.low:.0f} to {100 * row.high:.0f}"
