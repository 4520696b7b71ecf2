"""The endpoint: the public contract over HTTP, with the chat page mounted at `/`."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse, format_sse_event

from assistant import errors
from assistant.build import Parts, load_models, sync_index
from assistant.chain import Ask
from assistant.records import Event
from ui import contract, documents, health, jobs
from ui.guard import guard
from ui.replies import refusal
from ui.watch import watch

MAX_BODY = 1_000_000
MAX_TURNS = 1_000

_STATUS = {jobs.Busy: 503, errors.TooLarge: 413, errors.BadInput: 422, errors.NotReady: 503, errors.DocumentError: 422, errors.ModelError: 502}
_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": contract.ErrorModel, "description": "No API key, or none that is known here"},
    403: {"model": contract.ErrorModel, "description": "The API key may only read, or this server takes no changes"},
    408: {"model": contract.ErrorModel, "description": "The body came too slowly"},
    413: {"model": contract.ErrorModel, "description": "More than 1 MB, or more than 1,000 turns"},
    422: {"model": contract.ErrorModel, "description": "The request cannot be answered as it is; the message names the field"},
    429: {"model": contract.ErrorModel, "description": "Too many requests; `Retry-After` says how many seconds to wait"},
    503: {"model": contract.ErrorModel, "description": "Index or embedder are still loading"},
}


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

    def wait(self, seconds: float) -> None:
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
        finally:
            self._done.set()


def create_app(parts: Parts, readiness: Readiness) -> FastAPI:
    """The application without the chat page; loading starts with the server."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        readiness.start()
        yield

    app = FastAPI(
        title="hkai",
        version="0.1.0",
        description="Answers about Hong Kong's AI ecosystem, each sentence with the public page that says so and its date.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=_ERRORS,
    )
    _errors_to_replies(app)
    guard(app, parts.settings)

    @app.post("/v1/answer", response_model=contract.AnswerModel)
    def answer(body: contract.AnswerRequest, accept: Annotated[str, Header()] = "") -> Any:
        """Answers a question; with `Accept: text/event-stream` as server-sent events: question, evidence, token, restart, answer, error."""
        _bounded(body.history)
        readiness.wait(0 if not readiness.trouble else 1)
        if "text/event-stream" in accept:
            return EventSourceResponse(_events(parts.chain.stream(body.ask())))
        return contract.answer_model(parts.chain.ask(body.ask()))

    @app.post("/v1/search")
    def search(body: contract.SearchRequest) -> contract.SearchModel:
        """Finds chunks for a query."""
        _bounded(body.history)
        readiness.wait(0)
        return contract.search_model(parts.chain.find(body.ask()).hits, body.k)

    @app.get("/v1/texts")
    def texts() -> contract.TextList:
        """All texts without their bodies."""
        readiness.wait(0)
        ordered = sorted(parts.library.texts.values(), key=lambda text: (text.own, text.topic, text.id))
        return contract.TextList(texts=[contract.text_summary(text) for text in ordered])

    @app.get("/v1/texts/{text_id}", responses={404: {"model": contract.ErrorModel}})
    def text(text_id: str) -> Any:
        """One text whole, with its statements and their sources."""
        readiness.wait(0)
        found = parts.library.texts.get(text_id)
        if found is None:
            return refusal(404, "not_found", f"There is no text {text_id!r}.", "GET /v1/texts lists them.")
        return contract.text_model(found)

    app.include_router(documents.router(parts, readiness.wait))

    @app.get("/healthz")
    def healthz() -> contract.HealthModel:
        """Whether the process is alive."""
        return contract.HealthModel(status="ok")

    app.include_router(health.router(parts, lambda: readiness.state, watch(app, parts)))

    return app


def _events(events: Iterator[Event]) -> Iterator[bytes]:
    """Server-sent events: the name, and the data as JSON."""
    import json

    try:
        for event in events:
            data = event.data
            if event.name == "answer":
                data = contract.answer_model(data).model_dump()
            elif event.name == "evidence":
                data = [contract.citation_model(citation).model_dump() for citation in data]
            yield format_sse_event(event=event.name, data_str=json.dumps(data, ensure_ascii=False))
    except errors.HkaiError as error:
        body = contract.ErrorModel(code=error.code, message=error.message, remedy=error.remedy, retryable=error.retryable)
        yield format_sse_event(event="error", data_str=body.model_dump_json())


def _bounded(history: list[contract.Message]) -> None:
    if len(history) > MAX_TURNS:
        raise errors.TooLarge(f"`history` has {len(history):,} turns.", f"Send at most {MAX_TURNS:,}; only the last few are used.")


def _errors_to_replies(app: FastAPI) -> None:
    @app.exception_handler(errors.HkaiError)
    def known(_: Request, error: errors.HkaiError) -> JSONResponse:
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
        return refusal(status, error.code, error.message, error.remedy, retryable=error.retryable)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = []
        for fault in error.errors():
            place = ".".join(str(part) for part in fault["loc"] if part != "body")
            faults.append("the body is not valid JSON" if fault["type"] == "json_invalid" else f"`{place or 'body'}`: {fault['msg']}")
        return refusal(422, "bad_input", "; ".join(faults[:5]) + ".", "Mend the request; the fields are described at /openapi.json.")

    @app.middleware("http")
    async def limit(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Refuses a body over `MAX_BODY` without reading on; documents have a limit of their own."""
        if not request.url.path.startswith("/v1/") or request.url.path.startswith("/v1/documents"):
            return await call_next(request)
        length = request.headers.get("content-length", "")
        size = int(length) if length.isdigit() else 0
        body = b""
        if size <= MAX_BODY and request.method in ("POST", "PUT", "PATCH"):
            async for part in request.stream():
                body += part
                size = max(size, len(body))
                if size > MAX_BODY:
                    break
        if size > MAX_BODY:
            return refusal(413, "too_large", f"The body is larger than {MAX_BODY:,} bytes.", "Send fewer turns; only the last few are used.")
        request._body = body  # what was read is what the route sees; Starlette keeps a read body there
        return await call_next(request)
