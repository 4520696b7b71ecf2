"""The routes that speak OpenAI's protocol, for programs that know no other: `/v1/chat/completions` and `/v1/models`.

A conversation is answered as `/v1/answer` answers it. The sources stand below the answer as text, and as `citations` beside it. What the last
messages of the assistant had below their answers is taken off again before they are read.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Request
from fastapi.responses import Response
from fastapi.sse import format_sse_event
from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, Tag, field_validator

from assistant.chain import MAX_QUESTION, Ask, Chain
from assistant.errors import HkaiError, NotFound, TooLarge
from assistant.records import Answer, Citation, Event, Turn
from corpus.text import Lang
from ui import examples
from ui.contract import MAX_TURNS, CitationModel, OpenAIError, Text, citation_model
from ui.replies import openai_error, status_of
from ui.streams import CLIENT_LEFT, EventStream, last

MODES: dict[str, Literal["auto", "quotes", "model"]] = {"hkai": "auto", "hkai-quotes": "quotes", "hkai-model": "model"}
NOTE: dict[Lang, str] = {"en": "Note: ", "zh": "註："}
AS_OF: dict[Lang, str] = {"en": " (as of {date})", "zh": "（截至 {date}）"}
SOURCES: dict[Lang, str] = {"en": "Sources:", "zh": "資料出處："}
PAGE: dict[Lang, str] = {"en": "page {page}", "zh": "第 {page} 頁"}
RULE = "\n\n---\n\n"
# What `below` writes under an answer; it is not read as part of the conversation.
_BELOW = re.compile(rf"{RULE}(?:{'|'.join(map(re.escape, (*SOURCES.values(), *NOTE.values())))})(?:(?!{RULE}).)*\Z", re.DOTALL)
# A piece of an answer: up to the marks that end a sentence, or the end of a line.
_PIECE = re.compile(r"[^\n]*?(?:\[\d+\])+[.。]?(?=\s|\Z)\s*|[^\n]*\n+|[^\n]+\Z")


class _Open(BaseModel):
    """Takes fields that it does not know; those are ignored."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": True})


class TextPart(_Open):
    """A part of a message. Only text is read."""

    type: Literal["text"]
    text: Text


Content = Annotated[
    Annotated[Text, Tag("text")] | Annotated[list[TextPart], Tag("parts")], Discriminator(lambda content: "parts" if isinstance(content, list) else "text")
]


class ChatMessage(_Open):
    """One message; those of `system` and `developer` are accepted and not followed, as answers come from the sources alone."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Content | None = None

    @property
    def text(self) -> str:
        """The content as one text."""
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content or [])


class StreamOptions(_Open):
    """How the answer is streamed."""

    include_usage: StrictBool | None = None


class ResponseFormat(_Open):
    """The form of the answer; only text is written."""

    type: Literal["text"]


class ChatRequest(_Open):
    """A conversation whose last message is the question. Fields beyond these (`temperature`, `max_tokens`, `seed` …) are accepted and ignored."""

    model: str = Field("hkai", max_length=200, description="`hkai` lets the language model write if there is one, `hkai-quotes` quotes, `hkai-model` needs it.")
    messages: list[ChatMessage] = Field(min_length=1)
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, strict=True, description="Only 1.")
    tools: list[Any] | None = Field(None, description="None are called: only an empty list is taken.")
    functions: list[Any] | None = Field(None, description="None are called: only an empty list is taken.")
    response_format: ResponseFormat | None = None

    @field_validator("n")
    @classmethod
    def _one(cls, n: int | None) -> int | None:
        if n not in (None, 1):
            raise ValueError("one answer is given; leave it out or send 1")
        return n

    @field_validator("tools", "functions")
    @classmethod
    def _none(cls, tools: list[Any] | None) -> list[Any] | None:
        if tools:
            raise ValueError("no tools are called; leave it out")
        return tools

    @field_validator("messages")
    @classmethod
    def _ends_in_a_question(cls, messages: list[ChatMessage]) -> list[ChatMessage]:
        last = messages[-1]
        if last.role != "user" or not last.text.strip():
            raise ValueError("the last message must be the user's question")
        if len(last.text) > MAX_QUESTION:
            raise ValueError(f"the question has {len(last.text):,} characters; ask in at most {MAX_QUESTION:,}")
        return messages

    def ask(self) -> Ask:
        """The same for the chain; raises `NotFound` and `TooLarge`."""
        if self.model not in MODES:
            raise NotFound(f"There is no model {self.model!r}.", f"Use {', '.join(MODES)}.")
        said = [message for message in self.messages[:-1] if message.role in ("user", "assistant")]
        if len(said) > MAX_TURNS:
            raise TooLarge(f"`messages` has {len(said):,} turns before the question.", f"Send at most {MAX_TURNS:,}; only the last few are used.")
        turns = (Turn("assistant", _BELOW.sub("", turn.text)) if turn.role == "assistant" else Turn("user", turn.text) for turn in said)
        return Ask(self.messages[-1].text, tuple(turns), mode=MODES[self.model])


class Usage(BaseModel):
    """Always zero: tokens are not counted here."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class Completion(BaseModel):
    """The answer, as OpenAI's protocol has it, with `citations` as `/v1/answer` gives them."""

    class Choice(BaseModel):
        """The one answer."""

        class Message(BaseModel):
            """What the assistant says: the answer, a rule, notes and the numbered sources."""

            role: Literal["assistant"] = "assistant"
            content: str
            refusal: None = None
            citations: list[CitationModel]

        index: int = 0
        message: Message
        logprobs: None = None
        finish_reason: Literal["stop"] = "stop"

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage = Usage()


class Model(BaseModel):
    """A way of answering, under the name of a model."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="When the server was started, in seconds since 1970.")
    owned_by: Literal["hkai"] = "hkai"


class ModelList(BaseModel):
    """The ways of answering that there are."""

    object: Literal["list"] = "list"
    data: list[Model]


def router(chain: Chain, ready: Callable[[], None]) -> APIRouter:
    """The routes; `ready` raises `NotReady` until questions are answered."""
    refusals: dict[int | str, dict[str, Any]] = {
        "4XX": {"model": OpenAIError, "description": "400: it cannot be answered as it is; 404: there is no such model; 413: more than 1 MB or 1,000 turns"},
        503: {"model": OpenAIError, "description": "Index or embedder are still loading"},
    }
    routes = APIRouter(prefix="/v1", tags=["OpenAI's protocol"], responses=refusals)
    started = int(time.time())

    def models() -> dict[str, Model]:
        return {name: Model(id=name, created=started) for name, mode in MODES.items() if mode != "model" or chain.writer}

    @routes.post("/chat/completions", response_model=Completion, responses=examples.reply(examples.CHAT, examples.CHAT_STREAM))
    async def chat_completions(request: Request, body: Annotated[ChatRequest, Body(openapi_examples=examples.requests(examples.CHAT_REQUESTS))]) -> Any:
        """Answers the last message of a conversation; with `"stream": true` as server-sent events, sentence by sentence, once all are verified."""
        ready()
        ask = body.ask()
        if body.model not in models():
            raise NotFound("No language model is configured.", "Set HKAI_MODEL and OPENAI_BASE_URL or OPENAI_API_KEY, or use the model `hkai`.")
        head: dict[str, Any] = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body.model}
        if body.stream:
            return EventStream(_chunks(chain.stream(ask), head, usage=bool(body.stream_options and body.stream_options.include_usage)))
        event = await last(chain.stream(ask), request.receive)
        if event is None:
            return Response(status_code=CLIENT_LEFT)
        answer: Answer = event.data
        message = Completion.Choice.Message(content=answer.text + below(answer), citations=_citations(answer))
        return Completion(**head, choices=[Completion.Choice(message=message)])

    @routes.get("/models", responses=examples.reply(examples.MODELS))
    def list_models() -> ModelList:
        """The names that `model` takes."""
        return ModelList(data=list(models().values()))

    @routes.get("/models/{model}", responses=examples.reply(examples.MODEL))
    def one_model(model: Annotated[str, Path(examples=["hkai"])]) -> Model:
        """One of them."""
        found = models().get(model)
        if found is None:
            raise NotFound(f"There is no model {model!r}.", f"Use {', '.join(models())}.")
        return found

    return routes


def below(answer: Answer) -> str:
    """What stands below the answer, if anything: notes and the numbered list of its sources, in its language."""
    lang = answer.language
    notes = [f"{NOTE[lang]}{warning}" for warning in answer.warnings]
    listed = [f"{SOURCES[lang]}\n\n" + "\n".join(_source_line(citation, lang) for citation in answer.citations)] if answer.citations else []
    return RULE + "\n\n".join([*notes, *listed]) if notes or listed else ""


def pieces(text: str) -> list[str]:
    """`text` in pieces of whole sentences; joined they are `text`."""
    return _PIECE.findall(text)


def _source_line(citation: Citation, lang: Lang) -> str:
    pages = []
    for source in citation.sources:
        named = (source.publisher, source.title, PAGE[lang].format(page=source.page) if source.page else "")
        pages.append(", ".join(filter(None, named)) + (f" <{source.url}>" if source.url else ""))
    dated = AS_OF[lang].format(date=citation.as_of) if citation.as_of else ""
    return f"{citation.number}. {'; '.join(pages)}{dated}"


def _citations(answer: Answer) -> list[CitationModel]:
    return [citation_model(citation) for citation in answer.citations]


def _chunks(events: Iterator[Event], head: dict[str, Any], *, usage: bool) -> Generator[bytes, None, None]:
    """The answer as chunks of the protocol; an empty one for each event of the chain before it, at which the work can end."""

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return sent({"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], **({"usage": None} if usage else {})})

    def sent(fields: dict[str, Any]) -> bytes:
        return format_sse_event(data_str=json.dumps({**head, "object": "chat.completion.chunk", **fields}, ensure_ascii=False))

    try:
        yield chunk({"role": "assistant", "content": ""})
        for event in events:
            if event.name != "answer":
                yield b""
                continue
            answer: Answer = event.data
            for piece in pieces(answer.text + below(answer)):
                yield chunk({"content": piece})
            yield chunk({"citations": [citation.model_dump() for citation in _citations(answer)]}, "stop")
        if usage:
            yield sent({"choices": [], "usage": Usage().model_dump()})
        yield format_sse_event(data_str="[DONE]")
    except HkaiError as error:
        body = openai_error(status_of(error), error.code, f"{error.message} {error.remedy}")
        yield format_sse_event(data_str=json.dumps(body, ensure_ascii=False))
