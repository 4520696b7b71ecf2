"""The public contract: what is sent and what comes back, as Pydantic models. See `docs/api.md`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema, field_validator

from assistant import records
from assistant.chain import MAX_QUESTION, Ask
from corpus.text import SourceText
from index.search import Filters, Hit

MAX_BODY = 1_000_000
MAX_TURNS = 1_000
MAX_PAGE = 1_000
# A bound, even one that no body reaches, makes pydantic refuse half characters.
Text = Annotated[str, Field(max_length=MAX_BODY), WithJsonSchema({"type": "string"})]
DATE = r"^(\d{4}(-\d{2}(-\d{2})?)?)?$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


class Message(_Strict):
    """One turn of the conversation so far."""

    role: Literal["user", "assistant"]
    content: Text


class AnswerRequest(_Strict):
    """A question, with the turns before it."""

    question: str = Field(min_length=1, max_length=MAX_QUESTION, examples=["What does the AI Subsidy Scheme pay for?"])
    history: list[Message] = Field(default=[], description="The turns before, oldest first; only the last that fit are used.")
    language: Literal["auto", "en", "zh"] = "auto"
    mode: Literal["auto", "quotes", "model"] = Field("auto", description="`quotes` composes exact statements; `model` needs a configured language model.")
    k: int = Field(12, strict=True, ge=1, le=50, description="How many statements the answer may rest on.")

    _not_blank = field_validator("question")(_not_blank)

    def ask(self) -> Ask:
        """The same for the chain."""
        turns = tuple(records.Turn(turn.role, turn.content) for turn in self.history)
        return Ask(self.question, turns, None if self.language == "auto" else self.language, self.mode, self.k)


class SearchFilters(_Strict):
    """Which texts and statements to search; what is left out does not narrow."""

    topic: str = Field("", max_length=200)
    publisher: str = Field("", max_length=200)
    lang: Literal["", "en", "zh"] = ""
    since: str = Field("", alias="from", pattern=DATE)
    until: str = Field("", alias="to", pattern=DATE)
    own: StrictBool | None = Field(None, description="Only documents of your own, or none of them.")


class SearchRequest(_Strict):
    """What to look for."""

    query: str = Field(min_length=1, max_length=MAX_QUESTION)
    history: list[Message] = []
    k: int = Field(10, strict=True, ge=1, le=50, description="How many chunks to give.")
    filters: SearchFilters = Field(default_factory=lambda: SearchFilters.model_validate({}))

    _not_blank = field_validator("query")(_not_blank)

    def ask(self) -> Ask:
        """The same for the chain."""
        turns = tuple(records.Turn(turn.role, turn.content) for turn in self.history)
        return Ask(self.query, turns, k=self.k, filters=Filters(**self.filters.model_dump()))


class SourceModel(BaseModel):
    """A public page, or a page of a document of your own."""

    publisher: str
    title: str
    url: str
    published: str
    kind: str
    page: int | None


class CitationModel(BaseModel):
    """A quoted statement; `quote` is `text[start:end]` of the text `text_id`."""

    number: int
    text_id: str
    title: str
    heading: str
    quote: str
    start: int
    end: int
    as_of: str
    sources: list[SourceModel]
    text_sha256: str


class VerdictModel(BaseModel):
    """Whether a sentence is borne out by what it cites."""

    sentence: str
    citations: list[int]
    verdict: Literal["supported", "unsupported"]
    reason: str


class MadeByModel(BaseModel):
    """What made the answer."""

    model: str
    embedder: str
    judge: str
    index: str
    settings: str


class AnswerModel(BaseModel):
    """The answer, its citations as `[1]` after the sentences that they bear out."""

    answer: str
    citations: list[CitationModel]
    verdicts: list[VerdictModel]
    status: Literal["answered", "partial", "not_found"]
    confidence: float
    warnings: list[str]
    standalone_question: str
    mode: Literal["quotes", "model"]
    language: Literal["en", "zh"]
    followups: list[str]
    timings_ms: dict[str, float]
    made_by: MadeByModel


class HitModel(BaseModel):
    """A chunk that was found."""

    chunk_id: str
    text_id: str
    title: str
    heading: str
    text: str
    score: float


class SearchModel(BaseModel):
    """What a search found, best first."""

    hits: list[HitModel]


class TextSummary(BaseModel):
    """A text without its body."""

    id: str
    lang: Literal["en", "zh"]
    title: str
    topic: str
    aliases: list[str]
    updated: str
    own: bool
    statements: int


class StatementModel(BaseModel):
    """One sentence of a text, with offsets into it."""

    text: str
    start: int
    end: int
    as_of: str
    sources: list[SourceModel]


class TextModel(BaseModel):
    """A whole text; `start` and `end` of statements and citations count in `text`."""

    id: str
    lang: Literal["en", "zh"]
    title: str
    topic: str
    aliases: list[str]
    updated: str
    own: bool
    text: str
    text_sha256: str
    statements: list[StatementModel]


class TextList(BaseModel):
    """A page of the texts, in order of topic and id, documents of your own last; `total` is how many there are in all."""

    texts: list[TextSummary]
    total: int
    limit: int
    offset: int


class ErrorModel(BaseModel):
    """What went wrong, what to do about it, whether the same call may succeed later, and the id by which the server's log knows it."""

    code: str = Field(examples=["bad_input"])
    message: str = Field(examples=["`question`: Field required."])
    remedy: str = Field(examples=["Mend the request; the fields are described at /openapi.json."])
    retryable: bool
    request_id: str = Field(examples=["6f1c0e5d7a5b4c0f9a4e6e0c3d1b2a90"])


class OpenAIError(BaseModel):
    """What went wrong, as OpenAI's protocol says it; `message` ends in what to do."""

    class Error(BaseModel):
        """`param` is the field at fault, if one is."""

        message: str
        type: str = Field(examples=["invalid_request_error"])
        param: str | None
        code: str

    error: Error


class HealthModel(BaseModel):
    """The state of the server."""

    status: Literal["ok"]
    detail: str = ""


def citation_model(citation: records.Citation) -> CitationModel:
    """A citation as it is sent."""
    return CitationModel.model_validate(citation, from_attributes=True)


def answer_model(answer: records.Answer) -> AnswerModel:
    """An answer as it is sent."""
    return AnswerModel(
        answer=answer.text,
        citations=[citation_model(citation) for citation in answer.citations],
        verdicts=[VerdictModel.model_validate(verdict, from_attributes=True) for verdict in answer.verdicts],
        status=answer.status,
        confidence=answer.confidence,
        warnings=list(answer.warnings),
        standalone_question=answer.standalone,
        mode=answer.mode,
        language=answer.language,
        followups=list(answer.followups),
        timings_ms=answer.timings,
        made_by=MadeByModel.model_validate(answer.made_by, from_attributes=True),
    )


def search_model(hits: tuple[Hit, ...], k: int) -> SearchModel:
    """Hits as they are sent: each chunk once, with the score of its best statement."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.chunk.id, hit)
    rows = [
        HitModel(chunk_id=hit.chunk.id, text_id=hit.text.id, title=hit.text.title, heading=hit.chunk.heading, text=hit.chunk.text, score=round(hit.score, 4))
        for hit in list(best.values())[:k]
    ]
    return SearchModel(hits=rows)


def text_summary(text: SourceText) -> TextSummary:
    """A text without its body."""
    return TextSummary(
        id=text.id,
        lang=text.lang,
        title=text.title,
        topic=text.topic,
        aliases=list(text.aliases),
        updated=text.updated,
        own=text.own,
        statements=len(text.statements),
    )


def text_model(text: SourceText) -> TextModel:
    """A whole text as it is sent."""
    statements = [StatementModel.model_validate(statement, from_attributes=True) for statement in text.statements]
    return TextModel(**text_summary(text).model_dump(exclude={"statements"}), text=text.text, text_sha256=text.sha256, statements=statements)
