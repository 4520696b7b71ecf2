"""How fast and how large: each time beside its floor, measured in the same process and by turns with it.

The floor of an answer is what no answer can do without: one embedding of the question and one query of Chroma. That of
an index is the encoding of its chunks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from assistant.chain import Ask, Chain
from corpus.text import SourceText
from evals.metrics import percentile
from index.chunks import chunks
from index.embedder import Embedder
from index.library import Library

NEAREST = 12

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Timing:
    """The median and the 95th percentile of a time, in milliseconds."""

    name: str
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Build:
    """The making of an index of some texts, in seconds, beside the encoding of the same entries alone."""

    texts: int
    chunks: int
    statements: int
    encoding_chunks: float
    encoding_all: float
    building_anew: float
    building: float


@dataclass(frozen=True, slots=True)
class Bench:
    """All that was measured; `timings` begin with the floor, `megabytes` is the memory of the process after it has answered."""

    timings: tuple[Timing, ...]
    megabytes: float
    build: Build

    @property
    def floor(self) -> Timing:
        """One embedding and one query."""
        return self.timings[0]


def bench(chain: Chain, questions: Sequence[str], *, rounds: int = 3, texts: int = 40, progress: Progress = lambda done, total: None) -> Bench:
    """Measures warm answers to `questions`, and the making of an index of about `texts` of the library's texts."""
    library = chain.library
    measured: dict[str, Callable[[str], object]] = {
        "floor: one embedding, one Chroma query": lambda question: library.statements.meaning.nearest(library.embedder.questions([question]), NEAREST),
        "retrieval: understand, search, gather": lambda question: chain.find(Ask(question)),
        "the judge: a dozen statements": lambda question: chain.judge and chain.judge.scores(question, statements[question]),
        "answer in quotes": lambda question: chain.ask(Ask(question, mode="quotes")),
    }
    statements = {question: [item.statement.text for item in chain.find(Ask(question)).evidence] for question in questions}
    if chain.judge is None:
        del measured["the judge: a dozen statements"]
    for call in measured.values():
        call(questions[0])
    taken: dict[str, list[float]] = {name: [] for name in measured}
    asked = list(questions) * rounds
    for done, question in enumerate(asked):
        progress(done, len(asked))
        for name, call in measured.items():
            taken[name].append(1000 * _seconds(lambda call=call, question=question: call(question)))  # type: ignore[misc]  # binds the loop's
    progress(len(asked), len(asked))
    timings = tuple(Timing(name, percentile(times, 0.5), percentile(times, 0.95)) for name, times in taken.items())
    megabytes = psutil.Process().memory_info().rss / 1e6
    held = [text for text in library.texts.values() if not text.own]
    return Bench(timings, megabytes, build(held[:: max(1, len(held) // texts)], library.embedder))


def build(texts: Sequence[SourceText], embedder: Embedder) -> Build:
    """The making of an index of `texts`, in a folder that is thrown away."""
    pieces = [chunk.text for text in texts for chunk in chunks(text)]
    sentences = [f"{text.title}: {statement.text}" for text in texts for statement in text.statements]
    embedder.encoded(pieces[:32])
    encoding_chunks = _seconds(lambda: embedder.encoded(pieces))
    encoding_statements = _seconds(lambda: embedder.encoded(sentences))

    def building(with_embedder: Embedder) -> float:
        with TemporaryDirectory() as folder:
            library = Library(Path(folder), with_embedder)
            return _seconds(lambda: library.sync(texts))

    encoding_all = encoding_chunks + encoding_statements
    return Build(len(texts), len(pieces), len(sentences), encoding_chunks, encoding_all, building(embedder.anew()), building(embedder))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
