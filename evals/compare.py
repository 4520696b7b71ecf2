"""Two runs over the same cases: what turned from right to wrong and back, and whether the difference is more than chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import get_args

from evals.cases import Kind
from evals.metrics import mcnemar, paired_difference
from evals.results import MadeBy, Run, same
from evals.run import Result

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Change:
    """The right answers of some cases in both runs: how many of those scored in both, what was lost and won, and the difference of the shares.

    `difference` is after less before, with the 95% interval of a paired bootstrap; `p` is that of McNemar's exact test. `unscored` are
    the cases without a score in either run, which count in neither.
    """

    name: str
    cases: int
    unscored: int
    before: int
    after: int
    lost: int
    won: int
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Shift:
    """A mean over the cases that have the figure in both runs, before and after, with the 95% interval of the difference by a paired bootstrap."""

    name: str
    cases: int
    before: float
    after: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one run to another: by kind and of all, the other figures, the cases lost and won as (before, after), and what made the two."""

    kinds: tuple[Change, ...]
    total: Change
    shifts: tuple[Shift, ...]
    lost: tuple[tuple[Result, Result], ...]
    won: tuple[tuple[Result, Result], ...]
    made_otherwise: tuple[tuple[str, str, str], ...]


def compare(before: Run, after: Run) -> Comparison:
    """Raises `ValueError` for runs that are not finished, or not over the same cases."""
    pairs = _pairs(before, after)
    scored = [pair for pair in pairs if pair[0].right is not None and pair[1].right is not None]
    kinds = [kind for kind in get_args(Kind) if any(one.case.kind == kind for one, _ in pairs)]
    shifts = (_shift(name, pairs, figure) for name, figure in FIGURES.items())
    return Comparison(
        kinds=tuple(_change(kind, [pair for pair in pairs if pair[0].case.kind == kind]) for kind in kinds),
        total=_change("all", pairs),
        shifts=tuple(shift for shift in shifts if shift),
        lost=tuple(pair for pair in scored if pair[0].right and not pair[1].right),
        won=tuple(pair for pair in scored if pair[1].right and not pair[0].right),
        made_otherwise=tuple(
            (one.name, str(getattr(before.made_by, one.name)), str(getattr(after.made_by, one.name)))
            for one in fields(MadeBy)
            if one.name not in ("cases", "total") and getattr(before.made_by, one.name) != getattr(after.made_by, one.name)
        ),
    )


def _pairs(before: Run, after: Run) -> list[tuple[Result, Result]]:
    for run in (before, after):
        if len(run.results) < run.made_by.total:
            raise ValueError(
                f"{run.folder} is not finished: {len(run.results)} of {run.made_by.total} cases were asked. "
                f"The command that began it goes on where it stopped: `hkai eval answers SET --out {run.folder}`"
            )
    one, other = ({result.case.id: result for result in run.results} for run in (before, after))
    alone = [
        f"{run.folder} alone has {_some(missing)}" for run, missing in ((before, one.keys() - other.keys()), (after, other.keys() - one.keys())) if missing
    ]
    changed = [identifier for identifier in one.keys() & other.keys() if same(one[identifier].case) != same(other[identifier].case)]
    if changed:
        alone.append(f"what is asked or required differs in {_some(changed)}")
    if alone:
        raise ValueError(f"The two runs are not over the same cases: {'; '.join(alone)}. Run the same sets twice")
    return [(result, other[identifier]) for identifier, result in one.items()]


def _some(identifiers: Sequence[str] | set[str]) -> str:
    names = sorted(identifiers)
    return f"{len(names)} ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})"


def _change(name: str, pairs: Sequence[tuple[Result, Result]]) -> Change:
    scored = [(bool(one.right), bool(other.right)) for one, other in pairs if one.right is not None and other.right is not None]
    before, after = [one for one, _ in scored], [other for _, other in scored]
    difference, low, high = paired_difference(before, after) if scored else (0.0, 0.0, 0.0)
    return Change(
        name=name,
        cases=len(scored),
        unscored=len(pairs) - len(scored),
        before=sum(before),
        after=sum(after),
        lost=scored.count((True, False)),
        won=scored.count((False, True)),
        difference=difference,
        low=low,
        high=high,
        p=mcnemar(before, after),
    )


FIGURES: dict[str, Callable[[Result], float | None]] = {
    "R@1": lambda result: None if result.rank is None else float(result.rank == 1),
    "R@5": lambda result: None if result.rank is None else float(0 < result.rank <= 5),
    "MRR": lambda result: None if result.rank is None else (1 / result.rank if result.rank else 0.0),
    "citation precision": lambda result: result.citation_precision,
    "citation recall": lambda result: result.citation_recall,
    "faithfulness": lambda result: result.faithfulness,
    "milliseconds": lambda result: result.milliseconds if result.answer else None,
}


def _shift(name: str, pairs: Sequence[tuple[Result, Result]], figure: Callable[[Result], float | None]) -> Shift | None:
    """None where no case has the figure in both."""
    both = [(one, other) for one, other in ((figure(one), figure(other)) for one, other in pairs) if one is not None and other is not None]
    if not both:
        return None
    before, after = [one for one, _ in both], [other for _, other in both]
    return Shift(name, len(both), sum(before) / len(both), sum(after) / len(both), *paired_difference(before, after))
