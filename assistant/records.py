"""What flows through the chain, in order: turns, question, evidence, draft, answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from assistant.marks import unmarked
from corpus.text import Lang, Source, SourceText, Statement
from index.chunks import Chunk
from index.search import View

Mode = Literal["quotes", "model"]
Status = Literal["answered", "partial", "not_found"]
Kind = Literal["fact", "figure", "list", "timeline", "compare", "about", "how_to", "yes_no"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation so far."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Period:
    """The time that a question asks about: `since` and `until` as partial dates of one form, or the newest there is, or of that time the newest."""

    since: str = ""
    until: str = ""
    latest: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things that a question sets beside others: its names, first the one written there, and the topics of which it alone is a name."""

    names: tuple[str, ...]
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A message understood: on its own, as views for the search, with what it names and asks for.

    `names` are topics which the question names (text ids without the language). `kind` is the form of answer it calls for.
    `others` are further standalone forms that the message may stand for, the likeliest first; `parts` are the questions, each on its
    own, of a message that asks several at once; `sides` are the things that it compares, none or at least two.
    """

    asked: str
    standalone: str
    views: tuple[View, ...]
    lang: Lang
    names: tuple[str, ...] = ()
    period: Period = Period()
    kind: Kind = "fact"
    warnings: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    sides: tuple[Side, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One numbered statement that an answer may rest on. `number` counts from 1."""

    number: int
    text: SourceText
    chunk: Chunk
    statement: Statement
    score: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a draft with the numbers that it cites; `lead` is what stands before it (space, bullet, line break)."""

    lead: str
    text: str
    cited: tuple[int, ...]

    def __str__(self) -> str:
        marks = "".join(f"[{number}]" for number in self.cited)
        said = f"{self.lead}{unmarked(self.text)}"
        return f"{said} {marks}" if marks else said


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer as written, not yet verified."""

    sentences: tuple[Sentence, ...]
    mode: Mode
    model: str = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """A quoted statement, frozen: `quote` equals `text[start:end]` of the text with hash `text_sha256`."""

    number: int
    text_id: str
    title: str
    heading: str
    quote: str
    start: int
    end: int
    as_of: str
    sources: tuple[Source, ...]
    text_sha256: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what a sentence cites bears it out: `supported`, with a reason where it is not as it was written, or `unsupported` with the reason."""

    sentence: str
    citations: tuple[int, ...]
    verdict: Literal["supported", "unsupported"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What made an answer."""

    model: str
    embedder: str
    judge: str
    index: str
    settings: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer; `text` carries its citations as `[1]` after the sentences that they bear out."""

    text: str
    citations: tuple[Citation, ...]
    verdicts: tuple[Verdict, ...]
    status: Status
    confidence: float
    warnings: tuple[str, ...]
    standalone: str
    mode: Mode
    language: Lang
    followups: tuple[str, ...]
    timings: dict[str, float]
    made_by: MadeBy


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a streamed answer: question, evidence, token, restart, answer or error."""

    name: Literal["question", "evidence", "token", "restart", "answer", "error"]
    data: Any = field(default=None)
