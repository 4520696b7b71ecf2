"""The figures of a run: by kind of question, by split and of all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import get_args

from evals.cases import Kind
from evals.metrics import Abstention, Bin, abstention, bootstrap, calibration, calibration_error, cohen_kappa, percentile, risk_coverage, wilson
from evals.run import Result


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of some cases: how many were right, out of how many that could be scored, with the 95% interval of the share.

    `found_1` and `found_5` are the shares of the cases with a right statement that have one first, or among the first
    five, of the evidence; `mrr` is the mean of its reciprocal rank. NaN where no case has a right statement.
    """

    name: str
    cases: int
    unscored: int
    right: int
    share: float
    low: float
    high: float
    found_1: float
    found_5: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over cases, with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a model that judged the answers agrees with the check of what they hold: cases both judged, agreed on, and Cohen's kappa.

    `stricter` are those which the model alone called wrong, `unjudged` those it gave no usable verdict on.
    """

    cases: int
    agreed: int
    kappa: float
    stricter: int
    unjudged: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run: by kind of question, by split and of all; times are in milliseconds.

    `calibration` sets the confidence of the answers that were given beside the share of them that were right, and `risk` is the
    share of them that were wrong by coverage, the share of them that are given when only the surest are. `agreement` is that of a model as judge.
    """

    kinds: tuple[Row, ...]
    splits: tuple[Row, ...]
    total: Row
    abstention: Abstention
    citation_precision: Mean
    citation_recall: Mean
    faithfulness: Mean
    p50: float
    p95: float
    calibration: tuple[Bin, ...]
    calibration_error: float
    risk: tuple[tuple[float, float], ...]
    agreement: Agreement | None
    made_by: dict[str, str] = field(default_factory=dict)


def summary(results: Sequence[Result]) -> Summary:
    """The figures of a run."""
    kinds = [kind for kind in get_args(Kind) if any(result.case.kind == kind for result in results)]
    asked = [result for result in results if result.answer]
    told = [result for result in asked if result.case.kind != "injection"]
    times = [result.milliseconds for result in asked]
    given = [(result.answer.confidence, bool(result.right)) for result in told if result.answer and not result.declined]
    sure, right = [confidence for confidence, _ in given], [one for _, one in given]
    bins = calibration(sure, right)
    makers = Counter(result.answer.made_by for result in asked if result.answer)
    return Summary(
        kinds=tuple(_row(kind, [result for result in results if result.case.kind == kind]) for kind in kinds),
        splits=tuple(_row(split, [result for result in results if result.case.split == split]) for split in ("dev", "test")),
        total=_row("all", results),
        abstention=abstention([result.declined for result in told], [result.case.answerable for result in told]),
        citation_precision=_mean([result.citation_precision for result in results]),
        citation_recall=_mean([result.citation_recall for result in results]),
        faithfulness=_mean([result.faithfulness for result in results]),
        p50=percentile(times, 0.5),
        p95=percentile(times, 0.95),
        calibration=tuple(bins),
        calibration_error=calibration_error(bins),
        risk=tuple(risk_coverage(sure, right)),
        agreement=_agreement([result for result in asked if result.opinion]),
        made_by=asdict(makers.most_common(1)[0][0]) if makers else {},
    )


def _agreement(judged: Sequence[Result]) -> Agreement | None:
    """None where no model was asked."""
    pairs = [(bool(result.right), result.opinion.right) for result in judged if result.opinion and result.opinion.right is not None]
    if not judged:
        return None
    ours, models = [one for one, _ in pairs], [other for _, other in pairs]
    return Agreement(
        cases=len(pairs),
        agreed=sum(one == other for one, other in pairs),
        kappa=cohen_kappa(ours, models),
        stricter=sum(one and not other for one, other in pairs),
        unjudged=len(judged) - len(pairs),
    )


def _row(name: str, results: Sequence[Result]) -> Row:
    scored = [result.right for result in results if result.right is not None]
    ranks = [result.rank for result in results if result.rank is not None]
    low, high = wilson(sum(scored), len(scored))
    return Row(
        name=name,
        cases=len(results),
        unscored=len(results) - len(scored),
        right=sum(scored),
        share=_average(scored),
        low=low,
        high=high,
        found_1=_average([rank == 1 for rank in ranks]),
        found_5=_average([0 < rank <= 5 for rank in ranks]),
        mrr=_average([1 / rank if rank else 0.0 for rank in ranks]),
    )


def _mean(values: Sequence[float | None]) -> Mean:
    known = [value for value in values if value is not None]
    return Mean(_average(known), *bootstrap(known)) if known else Mean(math.nan, math.nan, math.nan)


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
