"""Metrics of retrieval, of answers, of citations and of declining; pure functions, each with where its formula comes from."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from corpus.figures import Figure, figures
from index.words import fold

# Retrieval


def recall_at_k(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The share of `relevant` among the first `k` of `ranked` (Manning, Raghavan, Schütze 2008, ch. 8.4)."""
    if not relevant:
        raise ValueError("recall is not defined without anything relevant")
    return len(set(ranked[:k]) & set(relevant)) / len(set(relevant))


def reciprocal_rank(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """One over the rank, from 1, of the first relevant entry; 0 without any (Voorhees 1999, TREC-8 question answering)."""
    return next((1 / rank for rank, entry in enumerate(ranked, 1) if entry in relevant), 0.0)


def ndcg_at_k(ranked: Sequence[str], relevance: Mapping[str, float] | Collection[str], k: int) -> float:
    """Normalised discounted cumulative gain: gain / log2(rank + 1), over that of the best order (Järvelin, Kekäläinen 2002).

    The gain is the grade itself, as in trec_eval; with a collection every entry of it has the grade 1.
    """
    grades = relevance if isinstance(relevance, Mapping) else dict.fromkeys(relevance, 1.0)
    best = _discounted(sorted(grades.values(), reverse=True)[:k])
    if not best:
        raise ValueError("nDCG is not defined without anything relevant")
    return _discounted([grades.get(entry, 0.0) for entry in ranked[:k]]) / best


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


# Answers

_MARK = re.compile(r"\s*\[\d{1,3}\]")
_BETWEEN_SCRIPTS = re.compile(r"(?<=[\u3400-\u9fff]) +|(?<=[\d%]) +(?=[\u3400-\u9fff])")
_AMOUNT = re.compile(
    r"(?:[\d.,\s%$€£-]|\b(?:hk|us|s)(?=\$)|thousand|million|billion|trillion|mn|bn|tn|[mk](?![a-z])|per\s?cent|hkd|usd|rmb|cny|[千萬万億亿兆成百十]|[港美]?元|港[幣币]|美金|人民[幣币])+"
    r"|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{3,5}teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    r"|[一二兩两三四五六七八九]成半?"
)
_DATE = re.compile(r"(?:[\d.,\s年月日號号-]|jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|uary|ruary|ch|il|ust|tember|ober|ember)+")
_ABBREVIATION = re.compile(r".*(?:[A-Z][A-Z+]|\d)|.{1,3}", re.DOTALL)


def correct(answer: str, required: Sequence[Sequence[str]], forbidden: Sequence[str] = ()) -> bool:
    """Whether the answer holds one alternative of every group of `required`, and none of `forbidden`; see `holds`."""
    return not missing(answer, required) and not any(holds(answer, string) for string in forbidden)


def missing(answer: str, required: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The groups of which the answer holds no alternative."""
    return [group for group in required if not any(holds(answer, alternative) for alternative in group)]


def holds(answer: str, alternative: str) -> bool:
    """Whether the answer says `alternative`, in whatever script, case or notation of figures; citation marks do not count.

    A figure or date is held when the answer has an equal one or, of a date, a more precise one: `HK$3 billion` by
    `30億港元`, `2024` by `9 December 2024`, but `2%` not by `12%` and `50` not by `50%`. Anything else is held when it
    begins a word of the answer and, being an abbreviation or ending in a digit, ends one: `HKU` not in `HKUST`, but `bank` in
    `banks`.
    """
    answer = _MARK.sub("", answer)
    wanted = _only_figure(alternative)
    if wanted:
        return any(wanted.agrees(figure) and (wanted.unit == "%") == (figure.unit == "%") for figure in figures(answer, words=True))
    needle = _plain(alternative)
    start = r"(?<![a-z0-9])" if _is_word(needle[0]) else ""
    end = r"(?![a-z0-9])" if _is_word(needle[-1]) and _ABBREVIATION.fullmatch(alternative.strip()) else ""
    return re.search(start + re.escape(needle) + end, _plain(answer)) is not None


def _only_figure(alternative: str) -> Figure | None:
    """The figure or date that `alternative` is, if it is nothing else."""
    found = figures(alternative, words=True)
    if len(found) != 1:
        return None
    form = _DATE if found[0].unit == "date" else _AMOUNT
    return found[0] if form.fullmatch(alternative.strip().lower()) else None


def _plain(text: str) -> str:
    return _BETWEEN_SCRIPTS.sub("", re.sub(r"\s+", " ", fold(text).replace("’", "'"))).strip()


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


# Citations


def precision(found: Collection[str], relevant: Collection[str]) -> float:
    """The share of what was found, or cited, that is relevant (Manning, Raghavan, Schütze 2008, ch. 8.3); of nothing, 0."""
    return len(set(found) & set(relevant)) / len(set(found)) if found else 0.0


def citation_precision(cited: Sequence[Collection[str]], right: Collection[str]) -> float:
    """The share of the citations that bear a label of `right`; `cited` are the labels of each (Liu, Zhang, Liang 2023, "Evaluating verifiability").

    Each citation counts once, and one that is right makes up for no other. Of no citations, 0.
    """
    numbers = {str(at): labels for at, labels in enumerate(cited)}
    return precision(numbers, {at for at, labels in numbers.items() if set(labels) & set(right)})


def citation_recall(cited: str, required: Sequence[Sequence[str]]) -> float:
    """The share of the required groups that the cited statements, joined in `cited`, hold (ibid.: what is to be said and borne out by a citation)."""
    if not required:
        raise ValueError("citation recall is not defined without anything required")
    return 1 - len(missing(cited, required)) / len(required)


def faithfulness(supported: Sequence[bool]) -> float:
    """The share of an answer's sentences that what they cite bears out (Es et al. 2024, "RAGAS"); of none, NaN."""
    return _share(sum(supported), len(supported))


# Declining


@dataclass(frozen=True, slots=True)
class Abstention:
    """How well declining went. `precision`: of the questions declined, the share without an answer; `recall`: of those
    without an answer, the share declined; `balanced_accuracy`: the mean of that recall and of the share of answerable
    questions that were answered. A share of nothing is NaN.
    """

    precision: float
    recall: float
    balanced_accuracy: float


def abstention(declined: Sequence[bool], answerable: Sequence[bool]) -> Abstention:
    """Declining as the detection of unanswerable questions (balanced accuracy: Brodersen et al. 2010)."""
    pairs = list(zip(declined, answerable, strict=True))
    rightly = sum(one and not other for one, other in pairs)
    unanswerable = sum(not other for _, other in pairs)
    answered = sum(not one and other for one, other in pairs)
    sensitivity, specificity = _share(rightly, unanswerable), _share(answered, len(pairs) - unanswerable)
    return Abstention(_share(rightly, sum(declined)), sensitivity, (sensitivity + specificity) / 2)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


# Confidence


@dataclass(frozen=True, slots=True)
class Bin:
    """Cases of like confidence: their number, their mean confidence, how many of them came true, and that share's 95% interval."""

    cases: int
    confidence: float
    true: int
    low: float
    high: float


def calibration(confidences: Sequence[float], outcomes: Sequence[bool], bins: int = 10) -> list[Bin]:
    """The reliability diagram: what came true, by confidence (0 to 1) in bins of equal width (DeGroot, Fienberg 1983); empty bins are left out."""
    found: dict[int, list[tuple[float, bool]]] = {}
    for pair in zip(confidences, outcomes, strict=True):
        found.setdefault(min(bins - 1, int(pair[0] * bins)), []).append(pair)
    drawn = []
    for _, pairs in sorted(found.items()):
        true = sum(outcome for _, outcome in pairs)
        drawn.append(Bin(len(pairs), sum(confidence for confidence, _ in pairs) / len(pairs), true, *wilson(true, len(pairs))))
    return drawn


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: how far confidence and share lie apart, averaged over the cases (Naeini et al. 2015); of nothing, NaN."""
    cases = sum(one.cases for one in bins)
    return sum(abs(one.cases * one.confidence - one.true) for one in bins) / cases if cases else math.nan


def risk_coverage(confidences: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float]]:
    """For every confidence, of the cases at least so sure: which share of all they are, and which share of them is wrong (El-Yaniv, Wiener 2010).

    In order of coverage. Cases of equal confidence come in together, so that their order does not matter.
    """
    pairs = sorted(zip(confidences, right, strict=True), key=lambda pair: -pair[0])
    points, wrong = [], 0
    for at, (confidence, one) in enumerate(pairs, 1):
        wrong += not one
        if at == len(pairs) or pairs[at][0] < confidence:
            points.append((at / len(pairs), wrong / at))
    return points


# Figures about figures


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, interpolated linearly (Hyndman, Fan 1996, type 7)."""
    return float(np.quantile(values, share)) if values else math.nan


def wilson(right: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927); of nothing, 0 to 1."""
    if not total:
        return 0.0, 1.0
    share, spread = right / total, z * z / total
    centre = (share + spread / 2) / (1 + spread)
    reach = z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, centre - reach), min(1.0, centre + reach)


def bootstrap(values: Sequence[float], *, draws: int = 2_000, seed: int = 20261122) -> tuple[float, float]:
    """The 95% interval of a mean by resampling, percentile method (Efron, Tibshirani 1993, ch. 13); the same every time."""
    if not values:
        raise ValueError("the mean of nothing has no interval")
    chosen = np.random.default_rng(seed).integers(0, len(values), (draws, len(values)))
    low, high = np.quantile(np.asarray(values, dtype=float)[chosen].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> float:
    """The two-sided p of two runs over the same cases being equally often right: McNemar's test (1947), exact form.

    Cases that only one of the two got right fall on either side with even chance: a binomial test of their number.
    """
    pairs = list(zip(before, after, strict=True))
    lost, won = pairs.count((True, False)), pairs.count((False, True))
    tail = sum(math.comb(lost + won, at) for at in range(min(lost, won) + 1))
    return float(min(1.0, 2 * tail / 2 ** (lost + won)))


def paired_difference(before: Sequence[float], after: Sequence[float], *, draws: int = 2_000, seed: int = 20261122) -> tuple[float, float, float]:
    """The mean of `after` less `before` over the same cases, and its 95% interval: cases are drawn with both their values.

    (Paired bootstrap, percentile method: Efron, Tibshirani 1993, ch. 13; for comparing systems: Koehn 2004.)
    """
    differences = [float(new) - float(old) for old, new in zip(before, after, strict=True)]
    return (sum(differences) / len(differences) if differences else math.nan, *bootstrap(differences, draws=draws, seed=seed))


def cohen_kappa(one: Sequence[bool], other: Sequence[bool]) -> float:
    """The agreement of two judgements of the same cases beyond chance (Cohen 1960): 1 whole, 0 as by chance.

    NaN without cases, and where both always say the same one thing, so that chance alone agrees wholly.
    """
    pairs = list(zip(one, other, strict=True))
    agreed = _share(sum(a == b for a, b in pairs), len(pairs))
    yes, also = _share(sum(one), len(pairs)), _share(sum(other), len(pairs))
    by_chance = yes * also + (1 - yes) * (1 - also)
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan
