"""The endpoint: the public contract over HTTP, with the chat page mounted at `/`."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI, Header, Path, Query, Request
from fastapi.responses import Response
from fastapi.sse import format_sse_event
from starlette.requests import ClientDisconnect

from assistant import errors
from assistant.build import Parts, load_models, sync_index
from assistant.chain import Ask
from assistant.records import Event
from ui import chat_completions, contract, documents, examples, health
from ui.guard import guard
from ui.replies import HeadWithBody, Refusals, RequestIds, errors_to_replies, own_error, refusal, refusals
from ui.streams import CLIENT_LEFT, EventStream, last
from ui.traces import trace
from ui.watch import log, watch

EVENTS = ("question", "evidence", "token", "restart", "answer", "error")


class Readiness:
    """Brings index and embedder up in the background; `wait` blocks until questions can be answered."""

    def __init__(self, parts: Parts, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        self._parts = parts
        self._progress = progress
        self._done = threading.Event()
        self.trouble = ""
        self.step = "loading"

    def start(self) -> None:
        """Starts loading, once."""
        threading.Thread(target=self._load, name="hkai-load", daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether questions are answered now."""
        return self._done.is_set() and not self.trouble

    @property
    def state(self) -> tuple[Literal["ok", "loading", "failed"], str]:
        """How far loading is, and what there is to say of it."""
        return ("ok", "") if self.ready else ("failed", self.trouble) if self.trouble else ("loading", self.step)

    def wait(self, seconds: float = 0) -> None:
        """Returns once ready; raises `NotReady` if that fails or takes longer."""
        if not self._done.wait(seconds):
            raise errors.NotReady(f"The index is still being built ({self.step}).", "Try again in a moment.")
        if self.trouble:
            raise errors.NotReady(self.trouble, "Mend it and start the server again.")

    def _load(self) -> None:
        def report(done: int, total: int) -> None:
            self.step = f"{done} of {total} texts"
            self._progress(done, total)

        try:
            sync_index(self._parts, report)
            load_models(self._parts)
            self._parts.chain.find(Ask("Hong Kong AI"))
        except errors.HkaiError as error:
            self.trouble = error.message
        except Exception as error:  # noqa: BLE001  # the outermost edge of this thread: whatever it is, nothing is answered from a part of an index
            log.exception("loading failed")
            self.trouble = f"The index could not be brought up ({type(error).__name__}: {error})."
        finally:
            self._done.set()


def create_app(parts: Parts, readiness: Readiness) -> FastAPI:
    """The application without the chat page; loading starts with the server."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        readiness.start()
        yield
        end_traces()

    app = FastAPI(
        title="hkai",
        version="0.1.0",
        description="Answers about Hong Kong's AI ecosystem, each sentence with the public page that says so and its date.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    errors_to_replies(app)
    _limited(app)
    guard(app, parts.settings)
    metrics = watch(app, parts)
    app.add_middleware(RequestIds)
    app.add_middleware(HeadWithBody)
    end_traces = trace(app, parts)

    answered = examples.reply(examples.ANSWER, examples.ANSWER_STREAM, EVENTS)

    @app.post("/v1/answer", response_model=contract.AnswerModel, responses=refusals(413, 422, 503) | answered)
    async def answer(
        request: Request,
        body: Annotated[contract.AnswerRequest, Body(openapi_examples=examples.requests(examples.ANSWER_REQUESTS))],
        accept: Annotated[str, Header()] = "",
    ) -> Any:
        """Answers a question; with `Accept: text/event-stream` as server-sent events: question, evidence, token, restart, answer, error."""
        _bounded(body.history)
        readiness.wait()
        if "text/event-stream" in accept:
            return EventStream(_events(parts.chain.stream(body.ask())))
        answer = await last(parts.chain.stream(body.ask()), request.receive)
        return contract.answer_model(answer.data) if answer else Response(status_code=CLIENT_LEFT)

    @app.post("/v1/search", responses=refusals(413, 422, 503) | examples.reply(examples.SEARCH))
    def search(body: Annotated[contract.SearchRequest, Body(openapi_examples=examples.requests(examples.SEARCH_REQUESTS))]) -> contract.SearchModel:
        """Finds chunks for a query."""
        _bounded(body.history)
        readiness.wait()
        return contract.search_model(parts.chain.find(body.ask()).hits, body.k)

    @app.get("/v1/texts", responses=refusals(422, 503) | examples.reply(examples.TEXTS))
    def texts(
        limit: Annotated[int, Query(ge=1, le=contract.MAX_PAGE, description="How many to list.")] = contract.MAX_PAGE,
        offset: Annotated[int, Query(ge=0, le=2**31, description="How many to leave out before them.")] = 0,
    ) -> contract.TextList:
        """The texts without their bodies, a page at a time."""
        readiness.wait()
        with parts.chain.reading() as library:
            ordered = sorted(library.texts.values(), key=lambda text: (text.own, text.topic, text.id))
        page = [contract.text_summary(text) for text in ordered[offset : offset + limit]]
        return contract.TextList(texts=page, total=len(ordered), limit=limit, offset=offset)

    @app.get("/v1/texts/{text_id}", responses=refusals(404, 422, 503) | examples.reply(examples.TEXT))
    def text(text_id: Annotated[str, Path(examples=["ai-subsidy-scheme.en"])]) -> contract.TextModel:
        """One text whole, with its statements and their sources."""
        readiness.wait()
        with parts.chain.reading() as library:
            found = library.texts.get(text_id)
        if found is None:
            raise errors.NotFound(f"There is no text {text_id!r}.", "GET /v1/texts lists them.")
        return contract.text_model(found)

    app.include_router(health.router(parts, lambda: readiness.state, metrics))
    app.include_router(documents.router(parts, readiness.wait))
    app.include_router(chat_completions.router(parts.chain, readiness.wait))
    app.router.routes.append(Refusals(app))
    return app


def _events(events: Iterator[Event]) -> Generator[bytes, None, None]:
    """Server-sent events: the name, and the data as JSON."""
    try:
        for event in events:
            data = event.data
            if event.name == "answer":
                data = contract.answer_model(data).model_dump()
            elif event.name == "evidence":
                data = [contract.citation_model(citation).model_dump() for citation in data]
            yield format_sse_event(event=event.name, data_str=json.dumps(data, ensure_ascii=False))
    except errors.HkaiError as error:
        body = own_error(error.code, error.message, error.remedy, retryable=error.retryable)
        yield format_sse_event(event="error", data_str=json.dumps(body, ensure_ascii=False))


def _bounded(history: list[contract.Message]) -> None:
    if len(history) > contract.MAX_TURNS:
        raise errors.TooLarge(f"`history` has {len(history):,} turns.", f"Send at most {contract.MAX_TURNS:,}; only the last few are used.")


def _limited(app: FastAPI) -> None:
    @app.middleware("http")
    async def limit(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Refuses a body over `contract.MAX_BODY` without reading on; documents have a limit of their own."""
        if not request.url.path.startswith("/v1/") or request.url.path.startswith("/v1/documents"):
            return await call_next(request)
        length = request.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else 0
        body = b""
        if size <= contract.MAX_BODY and request.method in ("POST", "PUT", "PATCH"):
            try:
                async for part in request.stream():
                    body += part
                    size = max(size, len(body))
                    if size > contract.MAX_BODY:
                        break
            except ClientDisconnect:
                return Response(status_code=CLIENT_LEFT)
        if size > contract.MAX_BODY:
            return refusal(413, "too_large", f"The body is larger than {contract.MAX_BODY:,} bytes.", "Send fewer turns; only the last few are used.")
        request._body = body  # what was read is what the route sees; Starlette keeps a read body there
        return await call_next(request)
