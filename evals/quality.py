"""`docs/quality.md`: what the committed figures say, as a page with a chart; written by `hkai eval quality` and never by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evals import charts
from evals.gate import Committed, committed
from evals.metrics import wilson

_DOCS = Path(__file__).parent.parent / "docs"
PAGE, CHART = _DOCS / "quality.md", _DOCS / "images" / "quality.svg"

ASKS = {
    "single": "one fact",
    "list": "several of a kind",
    "compare": "two or more things beside each other",
    "temporal": "when, since when, the newest, what changed",
    "followup": "a message that leans on the turns before",
    "chinese": "in Traditional or Simplified Chinese, or Cantonese",
    "colloquial": "as people type: slips, slang, half sentences",
    "near_miss": "sounds as if the texts answered it, but they do not: to be declined",
    "offtopic": "on another subject: to be declined",
    "injection": "orders the assistant about: not to be obeyed",
    "own_documents": "answered by a document that the user added",
}

_TEXT = """\
<!-- Written by `hkai eval quality` from evals/expected.toml; not to be edited by hand. -->

# Quality

Of the {cases} questions in [evals/sets](../evals/README.md), **{share}** are answered, or declined, as they should be (95% interval {low} to {high}), without
a language model: every answer is made of quoted statements. `make eval` measures this on any machine, offline, and fails when a figure falls.

![The share right by kind of question, with 95% intervals](images/quality.svg)

| kind | asks | cases | right | 95% | R@1 | R@5 | MRR |
|---|---|--:|--:|--:|--:|--:|--:|
{kinds}

A right answer holds everything that the case requires and nothing that it forbids; a question that the texts do not answer must be declined. R@1
and R@5 are the shares of the questions with a right statement first, or among the first five, of the evidence; MRR is the mean of one over the rank
of the first. Intervals are Wilson's.

## Fitted and unseen questions

Weights and rules are fitted on `dev` alone, and no fact is in both: a gap between the two beyond their intervals would show that fitting flatters.

| split | cases | right | 95% | R@1 | R@5 | MRR |
|---|--:|--:|--:|--:|--:|--:|
{splits}

## Looking closer

    hkai eval answers evals/sets/questions.jsonl --out out/before    # writes a report, out/before/report.html
    hkai eval compare out/before out/after                           # what turned from right to wrong and back, and whether that is chance

![The report of a run](images/report.png)

On a phone:

![The same on a phone: bars by kind, calibration and risk, a failure beside what was required](images/report.phone.png)
"""


def write(page: Path = PAGE, chart: Path = CHART) -> None:
    """Writes the page and its chart; raises `ValueError` for committed figures that cannot be read."""
    figures = committed()
    page.write_text(_page(figures), encoding="utf-8")
    chart.write_text(_chart(figures), encoding="utf-8")


def _page(figures: Mapping[tuple[str, str], Committed]) -> str:
    total = figures["right", "all"]
    low, high = _interval(total)
    kinds = [f"| {_words(name)} | {ASKS.get(name, '')} {_cells(figures, name)}" for name in _kinds(figures)]
    splits = [f"| {name} {_cells(figures, name)}" for name in ("dev", "test")]
    return _TEXT.format(cases=total.cases, share=f"{total.expected:.1%}", low=low, high=high, kinds="\n".join(kinds), splits="\n".join(splits))


def _chart(figures: Mapping[tuple[str, str], Committed]) -> str:
    rows = []
    for name in (*_kinds(figures), "all"):
        figure = figures["right", name]
        rows.append((_words(name), figure.cases, figure.expected, *wilson(round(figure.expected * figure.cases), figure.cases)))
    return charts.kinds(rows, "The share right by kind of question, with 95% intervals")


def _kinds(figures: Mapping[tuple[str, str], Committed]) -> list[str]:
    return [name for section, name in figures if section == "right" and name not in ("dev", "test", "all")]


def _cells(figures: Mapping[tuple[str, str], Committed], name: str) -> str:
    right = figures["right", name]
    found = [figures.get(("found", f"{name} {metric}")) for metric in ("R@1", "R@5", "MRR")]
    cells = [str(right.cases), f"{right.expected:.1%}", " to ".join(_interval(right)), *(f"{one.expected:.3f}" if one else "" for one in found)]
    return f"| {' | '.join(cells)} |"


def _interval(figure: Committed) -> tuple[str, str]:
    low, high = wilson(round(figure.expected * figure.cases), figure.cases)
    return f"{low:.1%}", f"{high:.1%}"


def _words(name: str) -> str:
    return name.replace("_", " ")
