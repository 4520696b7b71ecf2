"""What each stage of finding adds: the same questions through more and more of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from assistant.chain import Ask, Chain
from assistant.evidence import rank, reorder
from index.search import SIGNALS, Hit, View, Weights, embed


@dataclass(frozen=True, slots=True)
class Stage:
    """Which part of finding is at work: the signals of the search by name, every view or the question as asked alone, the learned order, the judge."""

    name: str
    signals: tuple[str, ...]
    views: bool = False
    ranked: bool = False
    judged: bool = False


STAGES = (
    Stage("meaning of passages", ("meaning_chunk",)),
    Stage("+ meaning of statements", ("meaning_chunk", "meaning_statement")),
    Stage("+ words", ("meaning_chunk", "meaning_statement", "words_chunk", "words_statement")),
    Stage("+ a second encoder (own documents)", tuple(signal for signal in SIGNALS if signal != "name")),
    Stage("+ names", SIGNALS),
    Stage("+ views of the question", SIGNALS, views=True),
    Stage("+ learned order", SIGNALS, views=True, ranked=True),
    Stage("+ judge", SIGNALS, views=True, ranked=True, judged=True),
)


def staged(chain: Chain, ask: Ask, stage: Stage) -> list[Hit]:
    """The statements found for a question by the parts of `stage`, best first."""
    question = chain.understand(ask)
    if not stage.views:
        question = replace(question, views=(View(question.asked),))
    vectors = embed(chain.library.embedder, question.views)
    off = {name: 0.0 for name in SIGNALS if name not in stage.signals}
    hits = chain.search(question, vectors, k=ask.k, filters=ask.filters, weights=replace(Weights(), **off))
    if stage.ranked:
        hits = rank(question, hits, chain.library, chain.weights)
    if stage.judged and chain.judge:
        hits = reorder(question, hits, chain.judge, chain.weights)
    return hits


def ablation(
    chain: Chain, asks: Sequence[Ask], score: Callable[[int, list[Hit]], dict[str, float]], progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, dict[str, float]]:
    """The mean of each of the figures that `score` gives for a question, by its place in `asks`, and what was found for it, by stage."""
    table: dict[str, dict[str, float]] = {}
    stages = [stage for stage in STAGES if chain.judge or not stage.judged]
    for at, stage in enumerate(stages):
        rows = []
        for done, ask in enumerate(asks):
            progress(at * len(asks) + done, len(asks) * len(stages))
            rows.append(score(done, staged(chain, ask, stage)))
        table[stage.name] = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    progress(1, 1)
    return table
