"""Hits to numbered statements, best first, and whether they are enough to answer.

Both judgements are linear in a few readable signs, with the weights in `weights.toml` beside this file, fitted on
development questions by `evals/fit.py`.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from itertools import combinations
from pathlib import Path

from assistant.records import Evidence, Question
from corpus.figures import figures
from corpus.markdown import topic_id
from corpus.text import Statement
from index.embedder import Embedder, Vectors
from index.judge import Judge, Reranker
from index.library import Library
from index.search import Hit
from index.words import tokens

LIMIT = 12
POOL = 60
# How many statements the judge reads: first a few, which are all for a part of a question, and for a plain one that one of them answers (in log
# odds); else a dozen.
JUDGED_FIRST, JUDGED, ANSWERS = 3, 12, 0.0
# How many of a series' newest statements the judge reads too, and how far below the best (in log odds) a newer one may score to lead.
NEWEST, SERIES_REACH = 2, 1.5
# Of two statements that may disagree: the least share of their words that both have, where the figure has a unit and where it is a bare
# number, and by what share of the larger two figures may differ that were only rounded.
ALIKE, ALIKE_COUNTS, ROUNDING = 0.4, 0.6, 0.05
ELSEWHERE = Path(__file__).parent / "elsewhere.txt"
WEIGHTS = Path(__file__).parent / "weights.toml"


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights by the name of the sign; `threshold` is the least confidence of an answer, `meaning` the least cosine of a sentence
    with what it cites. Where there is a judge the `judged` ones hold, and `threshold_before` is the least confidence without what it says.
    `calibration` makes a probability of the confidence without a judge, which hardly knows near misses; `statement_own` is for documents of
    one's own that the second encoder knows too."""

    statement: Mapping[str, float]
    enough: Mapping[str, float]
    threshold: float
    meaning: float
    statement_judged: Mapping[str, float] = field(default_factory=dict)
    enough_judged: Mapping[str, float] = field(default_factory=dict)
    threshold_judged: float = 0.5
    threshold_before: float = 0.0
    calibration: Mapping[str, float] = field(default_factory=dict)
    statement_own: Mapping[str, float] = field(default_factory=dict)


def load_weights(embedder: str, path: Path = WEIGHTS) -> Weights:
    """The weights for an embedder; for one that was not measured, those of the default."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return Weights(**(tables.get(embedder) or tables["default"]))


def rank(question: Question, hits: Sequence[Hit], library: Library, weights: Weights) -> list[Hit]:
    """`hits` scored by their signs (log odds), best first; what one text has told, with the same footnotes, no other text tells again.

    Those beyond the pool keep their order behind it.
    """
    rarity = {token: library.rarity(token) for token in tokens(question.standalone)}
    scored = [
        replace(
            hit, score=_weighted(statement_signs(question, hit, rarity), (weights.statement_own if "second_chunk" in hit.signals else {}) or weights.statement)
        )
        for hit in hits[:POOL]
    ]
    scored.sort(key=lambda hit: (-hit.score, hit.id))
    least = scored[-1].score if scored else 0.0
    return _distinct([*scored, *(replace(hit, score=least - 1 + hit.score / 10) for hit in hits[POOL:])])


def reorder(question: Question, ranked: Sequence[Hit], judge: Judge, weights: Weights, *, few: bool = False) -> list[Hit]:
    """The best of `ranked` put in order by their scores and the judge's log odds together; the others stay behind them.

    A dozen are judged, or only the first three and the newest of their series: where one of these answers a plain question, and where no
    more than a `few` are wanted. In documents of one's own, which are further from what it was trained on, the judge does not change the order.
    """
    ranked, first = _with_newest(question, ranked)
    told = [hit.statement.text for hit in ranked[:JUDGED]]
    odds = judge.scores(question.standalone, told[:first]).tolist()
    if told[first:] and not few and not (_plain(question) and max(odds) >= ANSWERS):
        odds += judge.scores(question.standalone, told[first:]).tolist()
    scored = []
    for hit, odd in zip(ranked, odds, strict=False):
        signals = hit.signals | {"score": hit.score, "judge": odd}
        weighed = signals | {"judge": 0.0} if hit.text.own else signals
        scored.append(replace(hit, score=_weighted(weighed, weights.statement_judged), signals=signals))
    scored.sort(key=lambda hit: (-hit.score, hit.id))
    least = scored[-1].score if scored else 0.0
    return [*scored, *(replace(hit, score=least - 1 - at / 100) for at, hit in enumerate(ranked[len(odds) :]))]


def _with_newest(question: Question, ranked: Sequence[Hit]) -> tuple[list[Hit], int]:
    """`ranked` with the newest of each series that its first few are of brought up behind these, and how many come first then.

    A figure of years ago often fits the words of a question better than today's. Where another time is asked for all stays as it is.
    """
    few = ranked[:JUDGED_FIRST]
    if not any_time(question):
        return list(ranked), len(few)
    first = {hit.id: hit for hit in few}
    for series in dict.fromkeys(hit.statement.series for hit in few):
        alike = [hit for hit in ranked if hit.statement.series == series and any(_alike(one.statement, hit.statement) for one in few)]
        newest = max((hit.statement.as_of for hit in alike), default="")
        unread = [hit for hit in alike if hit.statement.as_of == newest and hit.id not in first]
        first |= {hit.id: hit for hit in unread[:NEWEST]}
    return [*first.values(), *(hit for hit in ranked if hit.id not in first)], len(first)


def any_time(question: Question) -> bool:
    """Whether a question asks for no time, or for the latest: the newest of a series is then meant."""
    return not question.period.since or question.period.latest


def _plain(question: Question) -> bool:
    """Whether one statement may be the whole answer: one thing is asked for, not the newest of several, and without leaning on what was said before."""
    several = question.kind in ("list", "timeline", "compare", "how_to") or question.parts or question.sides
    return not several and not question.period.latest and question.standalone == question.asked.strip()


def rerank(question: Question, ordered: Sequence[Hit], reranker: Reranker) -> list[Hit]:
    """The best dozen of `ordered` in the order of another cross-encoder's scores, the first with the highest score of before, and so on."""
    first = ordered[:LIMIT]
    scores = reranker.scores(question.standalone, [hit.statement.text for hit in first]).tolist()
    best = sorted(zip(first, scores, strict=True), key=lambda one: -one[1])
    return [*(replace(hit, score=before.score) for before, (hit, _) in zip(first, best, strict=True)), *ordered[LIMIT:]]


def judged_signs(hits: Sequence[Hit]) -> dict[str, float]:
    """What the judge adds to `enough_signs`, log odds over 10: its highest, its third highest, and that of the first hit."""
    odds = sorted((hit.signals["judge"] for hit in hits if "judge" in hit.signals), reverse=True)
    return {"judge": odds[0] / 10, "judge_third": odds[min(2, len(odds) - 1)] / 10, "judge_first": hits[0].signals["judge"] / 10}


def gather(question: Question, ranked: Sequence[Hit], k: int = LIMIT) -> tuple[Evidence, ...]:
    """The `k` statements to answer from: within a series the newest leads, unless another time is asked for; what asks for a thing is
    first told what it is, by the opening of its text."""
    ordered = _series_by_date(ranked) if any_time(question) else list(ranked)
    if question.kind == "about":
        named = set(question.names)
        opening = next((hit for hit in ordered if hit.number == 0 and topic_id(hit.text) in named and hit.text.lang == question.lang), None)
        if opening:
            ordered.remove(opening)
            ordered.insert(0, replace(opening, score=ranked[0].score))
    return tuple(Evidence(number, hit.text, hit.chunk, hit.statement, hit.score) for number, hit in enumerate(ordered[:k], 1))


def outdated(cited: Sequence[Evidence], today: date) -> Evidence | None:
    """The newest of the statements, where that is as of more than a year before `today`; else, and where none has a date, nothing."""
    newest = max((item for item in cited if item.statement.as_of), key=lambda item: _until(item.statement.as_of), default=None)
    return newest if newest and _until(newest.statement.as_of) < today.replace(year=today.year - 1, day=min(today.day, 28)).isoformat() else None


def overtaken(question: Question, items: Sequence[Evidence]) -> frozenset[int]:
    """The numbers of those of the statements whose figure another of the same series, as of a later day, has overtaken; none where their time is asked
    for or their order tells it."""
    if question.kind == "timeline" or not any_time(question):
        return frozenset()
    dated = [(item, _until(item.statement.as_of)) for item in items]
    return frozenset(one.number for one, until in dated for other in items if until < other.statement.as_of and _alike(one.statement, other.statement))


def _alike(one: Statement, other: Statement) -> bool:
    """Whether two statements give the figure of one series."""
    return one.series != "" and one.series == other.series and bool(_units(one) & _units(other))


def _units(statement: Statement) -> set[str]:
    return {figure.unit for figure in figures(statement.text)} - {"date"}


def _until(date: str) -> str:
    """The last day of a partial date: a year or a month counts to its end."""
    return date + "-12-31"[len(date) - 4 :]


def differing(cited: Sequence[Evidence]) -> tuple[Evidence, Evidence] | None:
    """Two of the statements, of different pages, that give one thing's figure for one date and do not agree; rounding is no disagreement.

    They are about one thing where enough of their words are the same, and give its figure where each has but one of that unit.
    """
    told = [(item, {word for word in tokens(item.statement.text) if not word.isdigit()}, _single_figures(item)) for item in cited]
    for (one, words, held), (other, others, said) in combinations(told, 2):
        pages = {source.url or source.title for source in one.statement.sources} & {source.url or source.title for source in other.statement.sources}
        if pages or (one.statement.as_of != other.statement.as_of and one.statement.as_of and other.statement.as_of):
            continue
        alike = len(words & others) / max(1, len(words | others))
        for unit in held.keys() & said.keys():
            apart = abs(held[unit] - said[unit]) / max(abs(held[unit]), abs(said[unit]), 1e-9)
            if alike >= (ALIKE if unit else ALIKE_COUNTS) and apart > ROUNDING:
                return one, other
    return None


def _single_figures(item: Evidence) -> dict[str, float]:
    """Of each unit the figure of the statement, where it has but one; dates are none."""
    held: dict[str, list[float]] = {}
    for figure in figures(item.statement.text):
        if figure.unit != "date":
            held.setdefault(figure.unit, []).append(float(figure.value))
    return {unit: values[0] for unit, values in held.items() if len(values) == 1}


def statement_signs(question: Question, hit: Hit, rarity: Mapping[str, float]) -> dict[str, float]:
    """The signs that a statement answers a question, each 0 to 1: those of the search, and

    `coverage` (share of the question's words, by rarity, in statement and heading), `said` (the same, in the statement
    alone), `figure` (a figure is asked for and given), `year` and `other_year` (the time asked for is that of the
    statement, or not), `first` (it opens its text and a definition is asked for).
    """
    statement = hit.statement
    said = _words(statement.text)
    around = said | _words(f"{hit.chunk.heading} {' '.join(hit.text.aliases)}")
    total = sum(rarity.values()) or 1.0
    since, until = question.period.since, question.period.until
    in_time = bool(since) and (since in statement.text or until in statement.text or since <= statement.as_of[: len(since)] <= until)
    return {
        **hit.signals,
        "coverage": sum(rarity[token] for token in rarity if token in around) / total,
        "said": sum(rarity[token] for token in rarity if token in said) / total,
        "figure": float(question.kind == "figure" and bool(figures(statement.text))),
        "year": float(in_time),
        "other_year": float(bool(since) and not in_time),
        "first": float(question.kind == "about" and hit.number == 0),
    }


@lru_cache(maxsize=8_192)  # most of a corpus of this size: what is found is much the same from one question to the next
def _words(text: str) -> frozenset[str]:
    return frozenset(tokens(text))


def everyday(path: Path = ELSEWHERE) -> list[str]:
    """Everyday questions on other subjects, in both languages."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


@lru_cache(maxsize=2)
def everyday_vectors(embedder: Embedder) -> Vectors:
    """Their vectors, encoded once for an embedder; two seconds that only the first question waits for."""
    return embedder.questions(everyday())


def enough_signs(question: Question, hits: Sequence[Hit], library: Library, vectors: Vectors, elsewhere: Vectors) -> dict[str, float]:
    """The signs that the corpus can answer a question, each about 0 to 1.

    `cosine` of the nearest of the best five statements; `elsewhere`, the cosine of the question (`vectors`, a row a
    view) and the nearest everyday question on another subject; `lead` of the first over the mean of the hits;
    `coverage` of the question's words by rarity (in the one best statement and in the best five together, averaged);
    `missing`, the rarity of the rarest word that stands in none of them; `named`, whether it names something the
    corpus knows; `chinese`.
    """
    asked = set(tokens(question.standalone))
    rarity = {token: library.rarity(token) for token in asked}
    held = [_words(f"{hit.chunk.heading} {' '.join(hit.text.aliases)}") | _words(hit.statement.text) for hit in hits[:5]]
    together = frozenset[str]().union(*held)
    best = max((sum(rarity[token] for token in asked & one) for one in held), default=0.0)
    total = sum(rarity.values()) or 1.0
    cosines = [hit.signals["cosine"] for hit in hits if hit.signals["cosine"]]
    nearest = max((hit.signals["cosine"] for hit in hits[:5]), default=0.0)
    return {
        "bias": 1.0,
        "cosine": nearest,
        "elsewhere": float((vectors @ elsewhere.T).max(axis=1).min()),
        "lead": nearest - sum(cosines) / max(1, len(cosines)),
        "coverage": (best + sum(rarity[token] for token in asked & together)) / 2 / total,
        "missing": max((rarity[token] for token in asked - together), default=0.0),
        "named": float(bool(question.names)),
        "chinese": float(question.lang == "zh"),
    }


def confidence(signs: Mapping[str, float], weights: Weights, *, judged: bool = False) -> float:
    """The probability, 0 to 1, that the corpus answers the question: a logistic model of the signs."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, _weighted(signs, weights.enough_judged if judged else weights.enough)))))


def calibrated(confident: float, weights: Weights) -> float:
    """A confidence without a judge as a probability: its log odds times `slope` plus `bias` (Platt 1999); as it is where none was fitted."""
    held = min(max(confident, 1e-6), 1 - 1e-6)
    odds = weights.calibration.get("slope", 1.0) * math.log(held / (1 - held)) + weights.calibration.get("bias", 0.0)
    return 1 / (1 + math.exp(-odds))


def _distinct(ranked: Sequence[Hit]) -> list[Hit]:
    kept: list[Hit] = []
    told: dict[tuple[str, ...], str] = {}
    for hit in ranked:
        if not hit.statement.marks or told.setdefault((hit.text.lang, *hit.statement.marks), hit.text.id) == hit.text.id:
            kept.append(hit)
    return kept


def _weighted(signs: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weights.get(name, 0.0) * value for name, value in signs.items())


def _series_by_date(ranked: Sequence[Hit]) -> list[Hit]:
    """Statements of one series that answer, by the judge or by scoring near the best, exchange places so that the newest stands first."""
    ordered = list(ranked)
    least = ranked[0].score - SERIES_REACH if ranked else 0.0
    for series in dict.fromkeys(hit.statement.series for hit in ranked if hit.statement.series):
        places = [at for at, hit in enumerate(ordered) if hit.statement.series == series and (hit.score >= least or hit.signals.get("judge", -1.0) >= ANSWERS)]
        newest = sorted((ordered[at] for at in places), key=lambda hit: hit.statement.as_of, reverse=True)
        for at, hit in zip(places, newest, strict=True):
            ordered[at] = replace(hit, score=ordered[at].score)
    return ordered
