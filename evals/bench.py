"""How fast and how large: each time beside its floor, measured in the same process and by turns with it.

The floor of an answer is what no answer can do without: one embedding of the question and one query of Chroma. That of
an index is the encoding of its chunks.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil

from assistant.chain import Ask, Chain
from corpus.text import SourceText
from evals.metrics import percentile
from index.chunks import chunks
from index.embedder import Embedder, Vectors
from index.library import Library
from index.search import embed

NEAREST = 12
EMBEDDING = "one embedding of all views of the question"
FINDING = "finding without the judge: understand, search, gather"

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
    """All that was measured; `timings` begin with the floor, `megabytes` is the memory of the process after it has answered.

    `adds` are the milliseconds that finding, without the judge, takes at the median beyond the one embedding of all views; `adds_at_scale`
    the same in an index of `scale` chunks.
    """

    timings: tuple[Timing, ...]
    megabytes: float
    build: Build
    adds: float
    scale: int
    adds_at_scale: float

    @property
    def floor(self) -> Timing:
        """One embedding and one query."""
        return self.timings[0]


def bench(chain: Chain, questions: Sequence[str], *, rounds: int = 3, texts: int = 40, scale: int = 0, progress: Progress = lambda done, total: None) -> Bench:
    """Measures warm answers to `questions`, the making of an index of about `texts` of the library's texts, and finding among `scale` chunks."""
    library = chain.library
    finding = copy.copy(chain)
    finding.judge = None
    measured: dict[str, Callable[[str], object]] = {
        "floor: one embedding, one Chroma query": lambda question: library.statements.meaning.nearest(library.embedder.questions([question]), NEAREST),
        EMBEDDING: _embedding(chain),
        FINDING: lambda question: finding.find(Ask(question)),
        "the judge: a dozen statements": lambda question: chain.judge and chain.judge.scores(question, statements[question]),
        "answer in quotes": lambda question: chain.ask(Ask(question, mode="quotes")),
    }
    statements = {question: [item.statement.text for item in chain.find(Ask(question)).evidence] for question in questions}
    if chain.judge is None:
        del measured["the judge: a dozen statements"]
    timings = by_turns(measured, list(questions) * rounds, progress)
    megabytes = psutil.Process().memory_info().rss / 1e6
    held = [text for text in library.texts.values() if not text.own]
    made = build(held[:: max(1, len(held) // texts)], library.embedder)
    return Bench(timings, megabytes, made, _adds(timings), scale, at_scale(finding, questions, scale) if scale else 0.0)


def by_turns(measured: dict[str, Callable[[str], object]], questions: Sequence[str], progress: Progress = lambda done, total: None) -> tuple[Timing, ...]:
    """The times of the calls, each made for every question, one after the other."""
    for call in measured.values():
        call(questions[0])
    taken: dict[str, list[float]] = {name: [] for name in measured}
    for done, question in enumerate(questions):
        progress(done, len(questions))
        for name, call in measured.items():
            taken[name].append(1000 * _seconds(lambda call=call, question=question: call(question)))  # type: ignore[misc]  # binds the loop's
    progress(len(questions), len(questions))
    return tuple(Timing(name, percentile(times, 0.5), percentile(times, 0.95)) for name, times in taken.items())


def at_scale(chain: Chain, questions: Sequence[str], scale: int, seed: int = 0) -> float:
    """What finding adds to the embedding, milliseconds at the median, among `scale` chunks: statements of the corpus drawn at random, with random vectors."""
    draw = np.random.default_rng(seed)
    told = [(text, statement) for text in chain.library.texts.values() for statement in text.statements]
    drawn = [told[at] for at in draw.integers(len(told), size=scale)]
    texts = [
        SourceText(f"s{at}", text.lang, text.title, "", (), "", one.text, (replace(one, start=0, end=len(one.text), marks=()),), own=True)
        for at, (text, one) in enumerate(drawn)
    ]
    with TemporaryDirectory() as folder:
        large = copy.copy(chain)
        large.library = Library(Path(folder), _Random(chain.library.embedder, draw))
        with closing(large.library):
            large.library.sync(texts)
            return _adds(by_turns({EMBEDDING: _embedding(large), FINDING: lambda question: large.find(Ask(question))}, questions))


class _Random(Embedder):
    """The same model for questions; passages get random unit vectors, because what counts is how many there are."""

    def __init__(self, embedder: Embedder, draw: np.random.Generator) -> None:
        super().__init__(embedder.name)
        self._model = embedder.load()
        self._draw = draw

    def passages(self, texts: list[str]) -> Vectors:
        vectors = self._draw.standard_normal((len(texts), self.load().get_embedding_dimension() or 0), dtype=np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _embedding(chain: Chain) -> Callable[[str], object]:
    return lambda question: embed(chain.library.embedder, chain.understand(Ask(question)).views)


def _adds(timings: Sequence[Timing]) -> float:
    medians = {timing.name: timing.p50 for timing in timings}
    return medians[FINDING] - medians[EMBEDDING]


def build(texts: Sequence[SourceText], embedder: Embedder) -> Build:
    """The making of an index of `texts`, in a folder that is thrown away."""
    pieces = [chunk.text for text in texts for chunk in chunks(text)]
    sentences = [f"{text.title}: {statement.text}" for text in texts for statement in text.statements]
    embedder.encoded(pieces[:32])
    encoding_chunks = _seconds(lambda: embedder.encoded(pieces))
    encoding_statements = _seconds(lambda: embedder.encoded(sentences))

    def building(with_embedder: Embedder) -> float:
        with TemporaryDirectory() as folder, closing(Library(Path(folder), with_embedder)) as library:
            return _seconds(lambda: library.sync(texts))

    encoding_all = encoding_chunks + encoding_statements
    return Build(len(texts), len(pieces), len(sentences), encoding_chunks, encoding_all, building(embedder.anew()), building(embedder))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
