"""The retrieval chain: understand, search, gather, write, verify, as one LangChain runnable that streams.

`ask` is `stream` drained, so the page, the endpoint, the command line and the evaluations give the same answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from langchain_core.runnables import RunnableGenerator

from assistant import cues, manners, quotes
from assistant.errors import BadInput, ModelError, NotReady
from assistant.evidence import (
    POOL,
    Weights,
    calibrated,
    confidence,
    differing,
    enough_signs,
    everyday_vectors,
    gather,
    judged_signs,
    outdated,
    rank,
    reorder,
    rerank,
)
from assistant.model import ModelWriter
from assistant.prompts import declines
from assistant.question import Names, language, read_as, understand
from assistant.records import Answer, Citation, Draft, Event, Evidence, MadeBy, Mode, Question, Status, Turn
from assistant.verify import Numbered, Verified, numbered, sentences, verify
from corpus.markdown import topic_id
from corpus.text import Lang
from index.embedder import Vectors
from index.judge import Entailment, Judge, Reranker
from index.library import Library
from index.meaning import MeaningError
from index.search import Filters, Hit, embed, search
from index.search import Weights as SearchWeights

log = logging.getLogger(__name__)

MAX_QUESTION = 4_000
# By how much, in log odds over 10, the judge must prefer another reading of a message to the first.
SURER = 0.1
# From this confidence on, a model that finds no answer in the statements is not believed.
SURE = 0.95
# A part of a question is called unknown when its confidence is below this share of the least that a whole one needs.
UNKNOWN = 0.5

DROPPED = {
    "en": "A sentence that its sources did not bear out was left out, or replaced by what they say.",
    "zh": "有句子未獲其引用的資料證實，已略去或換上資料原句。",
}
FELL_BACK = {
    "en": "The language model did not answer ({reason}), so the answer is quoted from the sources.",
    "zh": "語言模型未能作答（{reason}），以下直接引用資料原句。",
}
OUTDATED = {
    "en": "You ask about the present, and the newest of these statements, [{number}], is as of {date}: things may have changed since.",
    "zh": "問題關乎現況，但以上最新的資料 [{number}] 截至 {date}，其後或有變動。",
}
PART_NOT_FOUND = {
    "en": "On “{part}” I found nothing in the public pages that I know.",
    "zh": "至於「{part}」，在我所知的公開資料中找不到答案。",
}
UNSUPPORTED = {
    "en": "what it wrote was not borne out by the sources",
    "zh": "所寫內容未獲資料證實",
}
DIFFER = {
    "en": "The sources differ on a figure: see {one} and {other}.",
    "zh": "資料對同一數字說法不一，請看{one}與{other}。",
}
NEXT = {"en": "Tell me about {title}", "zh": "介紹{title}"}


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of the chain."""

    question: str
    turns: tuple[Turn, ...] = ()
    lang: Lang | None = None
    mode: Literal["auto", "quotes", "model"] = "auto"
    k: int = 12
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True, slots=True)
class Decided:
    """Whether what was found is enough to answer.

    `signs` are those that `confidence` was made from; `unknown` are the parts of the question that nothing answers, where another is answered.
    """

    signs: dict[str, float]
    confidence: float
    enough: bool
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What understand, search and gather gave, before anything is written."""

    question: Question
    hits: tuple[Hit, ...]
    evidence: tuple[Evidence, ...]
    decided: Decided
    timings: dict[str, float]


class Chain:
    """The steps in order, over one library.

    `judge` and `reranker` reorder what was found, `entailment` checks sentences and `writer` is the language model's, each if there is one.
    """

    def __init__(
        self,
        library: Library,
        weights: Weights,
        *,
        judge: Judge | None = None,
        reranker: Reranker | None = None,
        entailment: Entailment | None = None,
        writer: ModelWriter | None = None,
        settings: str = "",
    ) -> None:
        self.library = library
        self.judge = judge
        self.reranker = reranker
        self.entailment = entailment
        self.writer = writer
        self._settings = settings
        self.weights = weights
        # Told of every answer.
        self.answered: Callable[[Ask, Answer], None] = lambda ask, answer: None
        self._names: tuple[str, Names] = ("", Names([]))

    @property
    def names(self) -> Names:
        """The names of the texts that the library holds now."""
        version = self.library.version
        if self._names[0] != version:
            self._names = (version, Names(self.library.texts.values()))
        return self._names[1]

    @property
    def judges(self) -> str:
        """The names of the models that judge statements and sentences."""
        return " + ".join(model.name for model in (self.judge, self.reranker, self.entailment) if model)

    @property
    def elsewhere(self) -> Vectors:
        """The vectors of everyday questions on other subjects."""
        return everyday_vectors(self.library.embedder)

    def ask(self, ask: Ask) -> Answer:
        """The answer; raises `BadInput` for a question that is empty or too long."""
        answer: Answer | None = None
        for event in self.stream(ask):
            if event.name == "answer":
                answer = event.data
        if answer is None:
            raise RuntimeError("the chain ended without an answer")
        return answer

    def stream(self, ask: Ask) -> Generator[Event, None, None]:
        """question, evidence, then tokens (provisional; `restart` takes back all so far), and the answer last; closed before, it asks no more of the model."""
        yield from self.runnable().stream(ask)

    def runnable(self) -> RunnableGenerator[Ask, Event]:
        """The chain as a LangChain runnable: an `Ask` in, `Event`s out."""
        return RunnableGenerator(self._run)

    def understand(self, ask: Ask) -> Question:
        """The question that is asked, on its own."""
        return understand(ask.question, ask.turns, self.names, ask.lang, known=self.library.knows)

    def search(
        self, question: Question, vectors: Vectors, *, k: int = POOL, filters: Filters = Filters(), weights: SearchWeights = SearchWeights()
    ) -> list[Hit]:
        """What both indexes find for the question's views, whose embeddings are `vectors`, a row each."""
        named = [f"{topic}.{lang}" for topic in question.names for lang in ("en", "zh")]
        return search(self.library, question.views, vectors, k=k, lang=question.lang, names=named, filters=filters, weights=weights)

    def find(self, ask: Ask) -> Found:
        """Understand, search and gather, in the library as it is now."""
        if not ask.question.strip():
            raise BadInput("The question is empty.", "Ask something.")
        if len(ask.question) > MAX_QUESTION:
            raise BadInput(f"The question has {len(ask.question):,} characters.", f"Ask in at most {MAX_QUESTION:,}.")
        with self.reading():
            return self._find(ask)

    @contextmanager
    def reading(self) -> Iterator[Library]:
        """The library as it is now, which stays so within; raises `NotReady`."""
        try:
            with self.library.reading():
                yield self.library
        except MeaningError as error:
            raise NotReady(str(error), "Try again in a moment; `hkai doctor` says what is wrong.") from error

    def _find(self, ask: Ask) -> Found:
        clock = _Clock()
        question = self.understand(ask)
        clock.lap("understand")
        vectors = embed(self.library.embedder, question.views)
        clock.lap("embed")
        filters = self._filters(ask)
        hits = self.search(question, vectors, k=max(ask.k, POOL), filters=filters)
        clock.lap("search")
        leading: list[Hit] = []
        question, signs, likely = self._likely(question, hits, vectors, own=bool(filters.own))
        if likely:
            question, hits = self._best_reading(question, hits)
            parts = {part: self._order(read_as(question, part, self.names), hits, few=True) for part in question.parts}
            best = {ordered[0].id: ordered[0] for ordered in parts.values()}
            leading = [replace(hit, score=hits[0].score) for hit in best.values()]
            hits = [*leading, *(hit for hit in hits if hit.id not in best)]
            decided = self._decide(hits, parts, signs)
        else:
            hits = rank(question, hits, self.library, self.weights)
            decided = Decided(signs, calibrated(confidence(signs, self.weights), self.weights) if hits else 0.0, False)
        clock.lap("judge" if self.judge else "gather")
        if self.reranker and decided.enough:
            hits = [*leading, *rerank(question, hits[len(leading) :], self.reranker)]
            clock.lap("rerank")
        evidence = gather(question, hits, ask.k)
        clock.lap("gather")
        return Found(question, tuple(hits), evidence, decided, clock.laps)

    def _likely(self, question: Question, hits: Sequence[Hit], vectors: Vectors, *, own: bool) -> tuple[Question, dict[str, float], bool]:
        """The first reading of the question of which the search alone does not yet tell that nothing answers it, its signs, and whether there is one.

        The judge is asked only then. In documents of one's own (`own`) what is found is always enough: they are too far from what declining was fitted on.
        """
        least = self.weights.threshold_before if self.judge else self.weights.threshold
        read: list[tuple[Question, dict[str, float]]] = []
        for reading in self._readings(question):
            signs = enough_signs(reading, hits, self.library, vectors, self.elsewhere)
            read.append((reading, signs))
            if hits and (own or confidence(signs, self.weights) >= least):
                return reading, signs, True
        return (*read[0], False)

    def _readings(self, question: Question) -> list[Question]:
        """The question, and each of the others that it may be read as."""
        return [question, *(read_as(question, text, self.names) for text in question.others if text != question.standalone)]

    def _decide(self, hits: Sequence[Hit], parts: Mapping[str, Sequence[Hit]], signs: dict[str, float]) -> Decided:
        """Whether what is likely to answer, by the search's `signs`, is enough by the judge too; `parts` are the question's, each with its hits in order."""
        if not self.judge or hits[0].text.own:
            return Decided(signs, calibrated(confidence(signs, self.weights), self.weights), True)
        judged = {**signs, **judged_signs(hits)}
        chance = confidence(judged, self.weights, judged=True)
        enough = chance >= self.weights.threshold_judged
        chances = {part: confidence({**signs, **judged_signs(ordered)}, self.weights, judged=True) for part, ordered in parts.items()}
        known = enough and max(chances.values(), default=0.0) >= self.weights.threshold_judged
        unknown = tuple(part for part, one in chances.items() if known and one < UNKNOWN * self.weights.threshold_judged)
        return Decided(judged, chance, enough, unknown)

    def _order(self, question: Question, hits: Sequence[Hit], *, few: bool = False) -> list[Hit]:
        """The hits, ranked by their signs and, where there is a judge, the best, or a few of them, by it too."""
        ranked = rank(question, hits, self.library, self.weights)
        return reorder(question, ranked, self.judge, self.weights, few=few) if self.judge else ranked

    def _best_reading(self, question: Question, hits: Sequence[Hit]) -> tuple[Question, list[Hit]]:
        """The question, read as the hits answer it best by the judge, and the hits in order for it; another reading than the first must be surer by far."""
        if not self.judge:
            return question, self._order(question, hits)
        ordered = [(reading, self._order(reading, hits)) for reading in self._readings(question)]
        return max(ordered, key=lambda one: judged_signs(one[1])["judge"] - (0 if one[0] is question else SURER))

    def _filters(self, ask: Ask) -> Filters:
        """The filters asked for, narrowed to documents of one's own where the question speaks of them, and to the language asked for."""
        if ask.filters.own is None and cues.OWN_DOCUMENTS.search(ask.question) and any(text.own for text in self.library.texts.values()):
            return replace(ask.filters, own=True)
        return ask.filters if ask.lang is None or ask.filters.lang else replace(ask.filters, lang=ask.lang)

    def _run(self, asks: Iterator[Ask]) -> Iterator[Event]:
        for ask in asks:
            for event in self._answer(ask):
                if event.name == "answer":
                    self.answered(ask, event.data)
                yield event

    def _answer(self, ask: Ask) -> Iterator[Event]:
        manner = manners.manner(ask.question, first=not ask.turns)
        if manner:
            yield from self._mannerly(manner, ask)
            return
        found = self.find(ask)
        question = found.question
        clock = _Clock()
        yield Event("question", question.standalone)
        if not found.decided.enough:
            text = quotes.not_found(question, found.evidence, narrowed=ask.filters != Filters())
            yield Event("token", text)
            yield Event("answer", self._declined(found, text, clock))
            return
        yield Event("evidence", tuple(_citation(item) for item in found.evidence))
        warnings = list(question.warnings)
        verified = None
        if self.writer and ask.mode != "quotes":
            written, trouble = yield from self._write_with_model(self.writer, found, ask.turns)
            clock.lap("write")
            if declines(written) and found.decided.confidence < SURE:
                yield Event("restart")
                text = quotes.not_found(question, found.evidence)
                yield Event("token", text)
                yield Event("answer", self._declined(found, text, clock, mode="model", model=self.writer.name))
                return
            kept = tuple(sentence for sentence in sentences(written) if not declines(sentence.text))
            draft = Draft(kept, "model", self.writer.name)
            verified = self._verify(draft, found)
            if verified.sentences:
                verified = quotes.complete(question, verified, found.evidence)
            else:
                if written:
                    yield Event("restart")
                warnings.append(FELL_BACK[question.lang].format(reason=trouble or UNSUPPORTED[question.lang]))
        elif ask.mode == "model":
            raise BadInput("No language model is configured.", "Set HKAI_MODEL and OPENAI_BASE_URL or OPENAI_API_KEY, or ask in the mode `quotes`.")
        if not verified or not verified.sentences:
            draft = quotes.write(question, found.evidence)
            draft = replace(draft, sentences=quotes.say_earlier(question, draft.sentences, found.evidence))
            for sentence in draft.sentences:
                yield Event("token", str(sentence))
            clock.lap("write")
            verified = self._verify(draft, found)
        if verified.dropped:
            warnings.append(DROPPED[question.lang])
        said = numbered(verified, found.evidence)
        old = outdated(said.cited, date.today()) if question.period.latest and not question.period.since else None
        if old:
            warnings.append(OUTDATED[question.lang].format(number=old.number, date=old.statement.as_of))
        disagree = differing(said.cited)
        if disagree:
            one, other = (f"[{item.number}] ({_publisher(item)})" for item in disagree)
            warnings.append(DIFFER[question.lang].format(one=one, other=other))
        clock.lap("verify")
        yield Event("answer", self._answered(found, draft, said, warnings, clock))

    def _mannerly(self, manner: manners.Manner, ask: Ask) -> Iterator[Event]:
        """What is said to a greeting and the like: nothing is searched for and nothing cited."""
        lang = ask.lang or language(ask.question)[0]
        texts = [text for text in self.library.texts.values() if not text.own]
        said = manners.SAID[lang][manner].format(texts=len(texts), date=max((text.updated for text in texts), default=""))
        yield Event("question", ask.question.strip())
        yield Event("token", said)
        examples = () if manner == "farewell" else manners.EXAMPLES[lang][:3]
        yield Event("answer", self._uncited(said, "answered", ask.question.strip(), lang, confidence=1.0, followups=examples))

    def _write_with_model(self, writer: ModelWriter, found: Found, turns: Sequence[Turn]) -> Generator[Event, None, tuple[str, str]]:
        """Streams what the model writes; returns it, and why it failed if it did (what it had written is then void)."""
        pieces: list[str] = []
        try:
            for piece in writer.write(found.question, quotes.choose(found.question, found.evidence), turns):
                pieces.append(piece)
                yield Event("token", piece)
        except ModelError as error:
            log.warning("%s %s", error.message, error.remedy)
            if pieces:
                yield Event("restart")
            return "", error.plain[found.question.lang]
        return "".join(pieces), ""

    def _verify(self, draft: Draft, found: Found) -> Verified:
        asked = f"{found.question.asked} {found.question.standalone}"
        return verify(draft, found.evidence, self.names, self.library.embedder, self.weights.meaning, self.entailment, asked)

    def _answered(self, found: Found, draft: Draft, said: Numbered, warnings: list[str], clock: _Clock) -> Answer:
        question = found.question
        unknown = (*found.decided.unknown, *quotes.unheard(question, found.evidence))
        return Answer(
            text="\n\n".join([said.text, *(PART_NOT_FOUND[question.lang].format(part=part) for part in unknown)]),
            citations=tuple(_citation(item) for item in said.cited),
            verdicts=said.verdicts,
            status="partial" if unknown else "answered",
            confidence=round(found.decided.confidence, 3),
            warnings=tuple(warnings),
            standalone=question.standalone,
            mode=draft.mode,
            language=question.lang,
            followups=self._followups(found, {item.text.id for item in said.cited}),
            timings=found.timings | clock.laps,
            made_by=self._made_by(draft.model),
        )

    def _declined(self, found: Found, text: str, clock: _Clock, *, mode: Mode = "quotes", model: str = "") -> Answer:
        question = found.question
        declined = self._uncited(
            text, "not_found", question.standalone, question.lang, confidence=round(found.decided.confidence, 3), followups=self._followups(found, set())
        )
        return replace(declined, warnings=question.warnings, mode=mode, timings=found.timings | clock.laps, made_by=self._made_by(model))

    def _uncited(self, text: str, status: Status, standalone: str, lang: Lang, *, confidence: float, followups: tuple[str, ...]) -> Answer:
        return Answer(
            text=text,
            citations=(),
            verdicts=(),
            status=status,
            confidence=confidence,
            warnings=(),
            standalone=standalone,
            mode="quotes",
            language=lang,
            followups=followups,
            timings={},
            made_by=self._made_by(""),
        )

    def _followups(self, found: Found, used: set[str]) -> tuple[str, ...]:
        """Up to three questions about neighbouring texts, which the index can answer."""
        lang = found.question.lang
        used_topics = {identifier.rsplit(".", 1)[0] for identifier in used}
        topics = dict.fromkeys(topic_id(hit.text) for hit in found.hits if not hit.text.own)
        titles = [self.names.title(topic, lang) for topic in topics if topic not in used_topics]
        return tuple(NEXT[lang].format(title=title) for title in titles[:3])

    def _made_by(self, model: str) -> MadeBy:
        return MadeBy(model=model, embedder=self.library.embedder.name, judge=self.judges, index=self.library.version, settings=self._settings)


def _publisher(item: Evidence) -> str:
    return next((source.publisher for source in item.statement.sources if source.publisher), item.text.title)


def _citation(item: Evidence) -> Citation:
    statement, text = item.statement, item.text
    return Citation(
        number=item.number,
        text_id=text.id,
        title=text.title,
        heading=item.chunk.heading,
        quote=statement.text,
        start=statement.start,
        end=statement.end,
        as_of=statement.as_of,
        sources=statement.sources,
        text_sha256=text.sha256,
    )


class _Clock:
    """Milliseconds from lap to lap."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(self.laps.get(name, 0.0) + (now - self._last) * 1000, 2)
        self._last = now
