"""Hits to numbered statements, and whether they are enough to answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.records import Evidence, Question
from index.library import Library
from index.search import Hit
from index.words import tokens

LIMIT = 12
SERIES_REACH = 0.6


@dataclass(frozen=True, slots=True)
class Enough:
    """A logistic model of "the corpus can answer this"; fitted on development questions.

    `cosine` weighs the best cosine of question and statement, `coverage` the share of the question's words, by rarity,
    that stand in the best statements, `missing` the rarity of the rarest word that stands in none, `named` whether the
    question names something that the corpus has a text on.
    """

    bias: float = -6.0
    cosine: float = 6.0
    coverage: float = 5.0
    missing: float = -1.0
    named: float = 1.0
    threshold: float = 0.5

    def confidence(self, signs: Signs) -> float:
        """The probability, 0 to 1, that the evidence answers the question."""
        score = self.bias + self.cosine * signs.cosine + self.coverage * signs.coverage + self.missing * signs.missing + self.named * signs.named
        return 1 / (1 + math.exp(-score))


@dataclass(frozen=True, slots=True)
class Signs:
    """What is measured on question and evidence; see `Enough`. All between 0 and 1."""

    cosine: float
    coverage: float
    missing: float
    named: float


def signs(question: Question, hits: Sequence[Hit], library: Library) -> Signs:
    """The signs that `hits` answer `question`."""
    held = [set(tokens(f"{hit.chunk.heading} {hit.statement.text} {' '.join(hit.text.aliases)}")) for hit in hits[:5]]
    asked = set(tokens(question.standalone))
    rarity = {token: library.rarity(token) for token in asked}
    all_held = set().union(*held) if held else set()
    absent = [rarity[token] for token in asked if token not in all_held]
    best = max((sum(rarity[token] for token in asked & one) for one in held), default=0.0)
    together = sum(rarity[token] for token in asked & all_held)
    total = sum(rarity.values()) or 1.0
    return Signs(
        cosine=max((hit.signals.get("cosine", 0.0) for hit in hits[:5]), default=0.0),
        coverage=(best + together) / 2 / total,
        missing=max(absent, default=0.0),
        named=float(bool(question.names)),
    )


def gather(question: Question, hits: Sequence[Hit]) -> tuple[Evidence, ...]:
    """The statements to answer from, best first: within a series the one of the time asked for, else the newest, leads."""
    ranked = [_scored(hit, question) for hit in hits]
    ranked.sort(key=lambda pair: -pair[1])
    ordered = _series_by_date([hit for hit, _ in ranked], question)
    score = {hit.id: value for hit, value in ranked}
    return tuple(Evidence(number, hit.text, hit.chunk, hit.statement, score[hit.id]) for number, hit in enumerate(ordered[:LIMIT], 1))


def _scored(hit: Hit, question: Question) -> tuple[Hit, float]:
    """A statement of the time asked for counts more; one of another time less."""
    since, until = question.period.since, question.period.until
    if not since:
        return hit, hit.score
    inside = any(year in hit.statement.text for year in {since, until}) or since <= hit.statement.as_of[:4] <= until
    return hit, hit.score * (1.15 if inside else 0.8)


def _series_by_date(hits: list[Hit], question: Question) -> list[Hit]:
    """Statements of one series exchange places so that the newest stands first, unless another time is asked for."""
    if question.period.since:
        return hits
    ordered = list(hits)
    top = hits[0].score if hits else 0.0
    for series in dict.fromkeys(hit.statement.series for hit in hits if hit.statement.series):
        places = [at for at, hit in enumerate(ordered) if hit.statement.series == series and hit.score >= SERIES_REACH * top]
        for at, hit in zip(places, sorted((ordered[at] for at in places), key=lambda hit: hit.statement.as_of, reverse=True), strict=True):
            ordered[at] = hit
    return ordered
