"""The committed figures, and whether a run falls short of them: `expected.toml` of all sets, `expected.sample.toml` of the sample that CI asks."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from evals.summary import Row, Summary

EXPECTED = Path(__file__).parent / "expected.toml"
OF_SAMPLE = Path(__file__).parent / "expected.sample.toml"

_HEAD = """\
# The figures of the sets in `evals/sets` in quotes mode, written by `hkai eval gate --write` and never by hand.
# `hkai eval gate` (`make eval`) fails when a figure falls below `expected` by more than `margin`: two cases, or two points
# where those are more. Right: the share of the cases answered, or declined, as they should be. Found: how the right
# statement ranks in the evidence.
"""
_HEAD_OF_SAMPLE = """\
# The same of the fixed sample that `hkai eval gate --sample` asks, from the same run; see `expected.toml`.
"""


@dataclass(frozen=True, slots=True)
class Committed:
    """A committed figure: its value, by how much a run may fall below it, and the number of cases it was measured on."""

    expected: float
    margin: float
    cases: int


@dataclass(frozen=True, slots=True)
class Line:
    """A figure beside what is expected of it; `verdict` is `fell`, `rose`, `as expected`, or `other cases` if the set is not the one measured."""

    section: str
    name: str
    figure: float
    expected: float
    margin: float
    verdict: str


@dataclass(frozen=True, slots=True)
class _Figure:
    section: str
    name: str
    value: float
    cases: int

    @property
    def margin(self) -> float:
        return math.ceil(1000 * max(0.02, 2 / self.cases)) / 1000 if self.cases else 0.02


def committed(expected: Path = EXPECTED) -> dict[tuple[str, str], Committed]:
    """The committed figures by section and name; raises `ValueError` for a file that is not one of committed figures."""
    try:
        held = tomllib.loads(expected.read_text(encoding="utf-8"))
        return {
            (section, name): Committed(float(entry["expected"]), float(entry["margin"]), int(entry["cases"]))
            for section, entries in held.items()
            for name, entry in entries.items()
        }
    except OSError as error:
        raise ValueError(f"{expected} cannot be read ({error.strerror}). `hkai eval gate --write` makes it.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{expected} is not a file of committed figures ({error!r}). `hkai eval gate --write` makes it anew.") from error


def compare(summary: Summary, expected: Path = EXPECTED) -> list[Line]:
    """Every figure beside the committed one; raises `ValueError` for a file that is not one of committed figures."""
    known = committed(expected)
    lines = []
    for figure in _figures(summary):
        entry = known.pop((figure.section, figure.name), Committed(math.nan, 0.0, 0))
        lines.append(Line(figure.section, figure.name, figure.value, entry.expected, entry.margin, _verdict(figure, entry)))
    return lines + [Line(section, name, math.nan, entry.expected, entry.margin, "other cases") for (section, name), entry in known.items()]


def passes(lines: list[Line]) -> bool:
    """Whether no figure fell and every one was measured on the cases that the committed one was."""
    return all(line.verdict in ("as expected", "rose") for line in lines)


def write(summary: Summary, expected: Path = EXPECTED) -> None:
    """Commits the figures of a run."""
    text, section = _HEAD_OF_SAMPLE if expected.name == OF_SAMPLE.name else _HEAD, ""
    for figure in _figures(summary):
        if figure.section != section:
            text, section = f"{text}\n[{figure.section}]\n", figure.section
        text += f'"{figure.name}" = {{ expected = {figure.value:.4f}, margin = {figure.margin:.3f}, cases = {figure.cases} }}\n'
    expected.write_text(text, encoding="utf-8")


def _figures(summary: Summary) -> list[_Figure]:
    """The figures that are committed: they do not change from run to run, and say by kind what got better or worse."""
    rows = [*summary.kinds, *summary.splits, summary.total]
    right = [_Figure("right", row.name, row.share, row.cases) for row in rows if row.cases]
    found = [_Figure("found", f"{row.name} {name}", value, row.cases) for row in rows for name, value in _found(row) if not math.isnan(value)]
    return right + found


def _found(row: Row) -> list[tuple[str, float]]:
    return [("R@1", row.found_1), ("R@5", row.found_5), ("MRR", row.mrr)]


def _verdict(figure: _Figure, entry: Committed) -> str:
    if entry.cases != figure.cases:
        return "other cases"
    if not figure.value >= entry.expected - entry.margin - 1e-9:
        return "fell"
    return "rose" if figure.value > entry.expected + entry.margin + 1e-9 else "as expected"
