"""One search over both indexes: views of a question to fused hits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from corpus.text import Lang, SourceText, Statement
from index.chunks import Chunk, statement_id, statement_place
from index.embedder import Embedder, Vectors
from index.library import Library, Shelf

# How long each list is at least. Whoever asks for more than an answer takes, as a benchmark does, is given lists in proportion: statements of two
# thirds of that number, chunks, which hold several, of a quarter.
STATEMENTS, CHUNKS = 40, 15
# The signals that are added up, each by its weight.
SIGNALS = ("meaning_statement", "words_statement", "meaning_chunk", "words_chunk", "second_statement", "second_chunk", "name")
# What the second encoder finds counts by how near the nearest is: nothing below the first cosine, all from the second. Measured: questions on other
# subjects have their nearest chunk at .37 in the middle (95 of 100 below .49), those that a chunk answers at .67 (95 of 100 above .44).
ALIKE = (0.35, 0.6)


@dataclass(frozen=True, slots=True)
class View:
    """One wording of what is looked for, by its words and, unless it is of `words_only`, by its meaning; `weight` scales its scores."""

    text: str
    weight: float = 1.0
    words_only: bool = False


def embed(embedder: Embedder, views: Sequence[View]) -> Vectors:
    """The embeddings of the views that are looked for by their meaning, a row each."""
    return embedder.questions([view.text for view in views if not view.words_only])


@dataclass(frozen=True, slots=True)
class Filters:
    """Which texts and statements to search; an empty field means all. `since` and `until` bound `as_of`."""

    topic: str = ""
    publisher: str = ""
    lang: str = ""
    since: str = ""
    until: str = ""
    own: bool | None = None

    def admits(self, text: SourceText) -> bool:
        """Whether any statement of `text` may be found."""
        return (not self.topic or text.topic == self.topic) and (not self.lang or text.lang == self.lang) and (self.own is None or text.own == self.own)

    def admits_statement(self, statement: Statement) -> bool:
        """Whether this statement may be found, its text being admitted."""
        return (
            (not self.publisher or any(self.publisher.casefold() in source.publisher.casefold() for source in statement.sources))
            and (not self.since or statement.as_of >= self.since)
            and (not self.until or (statement.as_of[: len(self.until)] <= self.until and bool(statement.as_of)))
        )


class _Listed(NamedTuple):
    """What the indexes of a shelf find, by id: normalised scores by meaning, by words and by the second encoder's meaning, and cosines as they are."""

    meaning: dict[str, float]
    words: dict[str, float]
    second: dict[str, float]
    cosines: dict[str, float]

    @property
    def entries(self) -> list[str]:
        """The ids found."""
        return [*self.meaning, *self.words, *self.second]


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each of `SIGNALS` counts; fitted on development questions. `other_language` multiplies a statement in the other language."""

    meaning_statement: float = 1.0
    words_statement: float = 0.8
    meaning_chunk: float = 0.5
    words_chunk: float = 0.5
    second_statement: float = 0.6
    second_chunk: float = 0.6
    name: float = 0.35
    other_language: float = 0.75

    def score(self, signals: Mapping[str, float]) -> float:
        """The sum of `SIGNALS`, each by its weight; for a statement in the other language (the signal `other_language`) times its factor."""
        added = sum(float(getattr(self, name)) * signals.get(name, 0.0) for name in SIGNALS)
        return added * self.other_language if signals["other_language"] else added


@dataclass(frozen=True, slots=True)
class Hit:
    """A statement that was found: its place, its fused score and what each index gave it (normalised, 0 to 1)."""

    text: SourceText
    chunk: Chunk
    statement: Statement
    number: int
    score: float
    signals: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The statement's id."""
        return statement_id(self.text.id, self.number)


def search(
    library: Library,
    views: Sequence[View],
    vectors: Vectors,
    *,
    k: int = 12,
    lang: Lang | None = None,
    names: Sequence[str] = (),
    filters: Filters = Filters(),
    weights: Weights = Weights(),
) -> list[Hit]:
    """The `k` best statements, best first; `vectors` holds the views' embeddings, as `embed` gives them.

    Each index gives each view its best entries; scores are normalised to 0..1 (cosines between the lowest and the
    highest of the list, BM25 by the highest), the best view counts, and the signals are added by `weights`. A statement
    inherits its chunk's scores. `names` are ids of texts which the question names; `lang` is the language to prefer: what is found in the
    other one is told by its twin, where it has one. Documents of a user's own in English have the second encoder's signals too, unless that is Chinese.
    """
    meant = [view for view in views if not view.words_only]
    allowed = None if filters == Filters() else [identifier for identifier, text in library.texts.items() if filters.admits(text)]
    twice = [] if lang == "zh" else [identifier for identifier in (library.texts if allowed is None else allowed) if library.twice(identifier)]
    again = embed(library.second, views) if library.second and twice else None

    def gather(shelf: Shelf, k: int) -> _Listed:
        near = [dict(row) for row in shelf.meaning.nearest(vectors, k, allowed)]
        second = [] if again is None else shelf.second.nearest(again, k, None if allowed is None else twice)
        return _Listed(
            _best(near, _between, meant),
            _best((dict(shelf.words.best(view.text, k, allowed)) for view in views), _by_highest, views),
            _if_alike([dict(row) for row in second], meant) if second else {},
            _best(near, lambda row: row, meant),
        )

    of_statements, of_chunks = gather(library.statements, max(STATEMENTS, 2 * k // 3)), gather(library.chunks, max(CHUNKS, k // 4))
    named = set(names)
    hits = []
    for chunk in _chunks(library, of_statements.entries, of_chunks.entries):
        text = library.texts[chunk.text_id]
        encoded_twice = again is not None and library.twice(text.id)
        for number in range(chunk.first, chunk.last):
            statement = text.statements[number]
            if not filters.admits_statement(statement):
                continue
            identifier = statement_id(text.id, number)
            signals = {
                "meaning_statement": of_statements.meaning.get(identifier, 0.0),
                "words_statement": of_statements.words.get(identifier, 0.0),
                "meaning_chunk": of_chunks.meaning.get(chunk.id, 0.0),
                "words_chunk": of_chunks.words.get(chunk.id, 0.0),
                "name": float(text.id in named),
            }
            if encoded_twice:
                signals |= {"second_statement": of_statements.second.get(identifier, 0.0), "second_chunk": of_chunks.second.get(chunk.id, 0.0)}
            signals["cosine"] = of_statements.cosines.get(identifier, 0.0)
            signals["other_language"] = float(bool(lang) and text.lang != lang and not text.own)
            hits.append(Hit(text, chunk, statement, number, 0.0, signals))
    if lang:
        hits = _by_twins(library, hits, lang, filters)
    hits = [replace(hit, score=weights.score(hit.signals)) for hit in hits]
    hits.sort(key=lambda hit: (-hit.score, hit.id))
    return hits[:k]


def _by_twins(library: Library, hits: Sequence[Hit], lang: Lang, filters: Filters) -> list[Hit]:
    """`hits`, those in another language than `lang` replaced by their twins, each with the best that either was given."""
    told: dict[str, Hit] = {}
    for hit in hits:
        twin = hit if hit.text.lang == lang or hit.text.own else _twin(library, hit, filters)
        held = told.get(twin.id)
        told[twin.id] = replace(twin, signals={name: max(value, held.signals[name]) for name, value in twin.signals.items()}) if held else twin
    return list(told.values())


def _twin(library: Library, hit: Hit, filters: Filters) -> Hit:
    """The twin of `hit` in its place, or `hit` itself where it has none that the filters admit."""
    identifier = library.twin(hit.id)
    if not identifier:
        return hit
    text_id, number = statement_place(identifier)
    text = library.texts[text_id]
    statement = text.statements[number]
    if not (filters.admits(text) and filters.admits_statement(statement)):
        return hit
    return Hit(text, library.chunk_of(identifier), statement, number, 0.0, hit.signals | {"other_language": 0.0})


def _chunks(library: Library, statements: list[str], chunk_ids: list[str]) -> list[Chunk]:
    """The chunks that hold any of the entries found."""
    found: dict[str, Chunk] = {}
    for identifier in chunk_ids:
        chunk = library.chunk(identifier)
        if chunk:
            found[chunk.id] = chunk
    for identifier in statements:
        if library.statement(identifier):  # an index that another process changes may be ahead of the texts held here
            chunk = library.chunk_of(identifier)
            found[chunk.id] = chunk
    return list(found.values())


def _best(rows: Iterable[dict[str, float]], normalise: Callable[[dict[str, float]], dict[str, float]], views: Sequence[View]) -> dict[str, float]:
    """For each entry the best of its normalised scores over the views, each times the view's weight."""
    best: dict[str, float] = defaultdict(float)
    for row, view in zip(rows, views, strict=True):
        for identifier, score in normalise(row).items():
            best[identifier] = max(best[identifier], score * view.weight)
    return dict(best)


def _between(row: dict[str, float], lowest: float = 1.0) -> dict[str, float]:
    """Each score between 0 for the lowest of the list, or `lowest` if that is less, and 1 for the highest."""
    low, high = min(row.values(), default=0.0), max(row.values(), default=1.0)
    low = min(low, lowest)
    return {identifier: (score - low) / ((high - low) or 1.0) for identifier, score in row.items()}


def _if_alike(rows: Sequence[dict[str, float]], views: Sequence[View]) -> dict[str, float]:
    """The best over the views of what the second encoder finds, 0 to 1."""
    low, high = ALIKE
    nearest = max((cosine for row in rows for cosine in row.values()), default=0.0)
    alike = min(1.0, max(0.0, (nearest - low) / (high - low)))
    return {identifier: score * alike for identifier, score in _best(rows, lambda row: _between(row, low), views).items()}


def _by_highest(row: dict[str, float]) -> dict[str, float]:
    high = max(row.values(), default=1.0) or 1.0
    return {identifier: score / high for identifier, score in row.items()}
