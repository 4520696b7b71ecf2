"""What is seen of a running server: metrics for Prometheus and structured logs. Neither holds a question, unless HKAI_LOG_QUESTIONS asks for it."""

from __future__ import annotations

import logging
import re
import sys
import time
from functools import partial
from typing import Literal

import structlog
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.routing import Route, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.build import Parts
from assistant.chain import Ask
from assistant.records import Answer
from index.library import Library
from ui.replies import request_id

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
# Paths that have no route of their own: the chat page's, and what is nowhere.
ELSEWHERE = "other"
QUIET = ("/healthz", "/readyz", "/metrics")

# What a frame held when it failed may be a question, or the cookie of whoever asked it.
NO_LOCALS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
log = structlog.stdlib.get_logger("hkai")


class Metrics:
    """The metrics of one application."""

    def __init__(self, parts: Parts) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter("hkai_requests", "Requests by route and status.", ("method", "route", "status"), registry=self._registry)
        self.request_seconds = Histogram("hkai_request_seconds", "Time of a request.", ("route",), buckets=SECONDS, registry=self._registry)
        self.answers = Counter("hkai_answers", "Answers of the page and the endpoint, by status and mode.", ("status", "mode"), registry=self._registry)
        self.refusals = Counter("hkai_refusals", "Answers that say that nothing is known.", registry=self._registry)
        self.fallbacks = Counter("hkai_fallbacks", "Answers that were quoted because the language model failed.", registry=self._registry)
        self.tokens = Counter(
            "hkai_tokens", "Tokens of the calls of the language model, answered or not, as its budget reckons them.", ("direction",), registry=self._registry
        )
        self.step_seconds = Histogram("hkai_step_seconds", "Time of a step of an answer.", ("step",), buckets=SECONDS, registry=self._registry)
        texts = Gauge("hkai_texts", "Texts in the index.", ("own",), registry=self._registry)
        statements = Gauge("hkai_statements", "Statements in the index.", ("own",), registry=self._registry)
        for own in (False, True):
            texts.labels(str(own).lower()).set_function(partial(_texts, parts.library, own))
            statements.labels(str(own).lower()).set_function(partial(_statements, parts.library, own))

    def answered(self, answer: Answer, *, fell_back: bool) -> None:
        """Counts an answer."""
        self.answers.labels(answer.status, answer.mode).inc()
        self.refusals.inc(answer.status == "not_found")
        self.fallbacks.inc(fell_back)
        for step, milliseconds in answer.timings.items():
            self.step_seconds.labels(step).observe(milliseconds / 1000)

    def spent(self, sent: int, written: int) -> None:
        """Counts the tokens of one call of the model, answered or not."""
        self.tokens.labels("sent").inc(sent)
        self.tokens.labels("written").inc(written)

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self._registry)


def _texts(library: Library, own: bool) -> int:
    return sum(text.own == own for text in library.texts.values())


def _statements(library: Library, own: bool) -> int:
    return sum(len(text.statements) for text in library.texts.values() if text.own == own)


def watch(app: Starlette, parts: Parts) -> Metrics:
    """Counts and logs every request of `app` and every answer of the chain; gives the metrics."""
    metrics = Metrics(parts)
    questions = parts.settings.log_questions == "on"

    def answered(ask: Ask, answer: Answer) -> None:
        fell_back = bool(parts.chain.writer) and ask.mode != "quotes" and answer.mode == "quotes" and answer.status != "not_found"
        metrics.answered(answer, fell_back=fell_back and bool(answer.citations))
        asked = {"question": ask.question} if questions else {}
        log.info(
            "answer", status=answer.status, mode=answer.mode, confidence=answer.confidence, citations=len(answer.citations), timings=answer.timings, **asked
        )

    parts.chain.answered = answered
    if parts.chain.writer:
        parts.chain.writer.spent = metrics.spent
    app.add_middleware(Watch, metrics=metrics, routes=app)
    return metrics


class Watch:
    """ASGI middleware behind `ui.replies.RequestIds`: counts each request and logs it with its id."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Starlette) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes
        self._paths: list[tuple[re.Pattern[str], str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and tells of it once it has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id())
        try:
            await self._app(scope, receive, sent)
        finally:
            seconds, route = time.perf_counter() - started, self._route(scope["path"])
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(seconds)
            if route not in (ELSEWHERE, *QUIET):
                log.info("request", method=scope["method"], route=route, status=status, milliseconds=round(1000 * seconds, 1))

    def _route(self, path: str) -> str:
        """The path of the route, in which ids have no place: few different ones, whatever is asked for."""
        if not self._paths:
            found = [context.path for context in iter_route_contexts(self._routes.routes) if isinstance(context.original_route, Route)]
            self._paths = [(compile_path(path)[0], path) for path in found if path]
        return next((name for pattern, name in self._paths if pattern.match(path)), ELSEWHERE)


def set_up_logs(form: Literal["console", "json"]) -> None:
    """Sends every log of this process, the libraries' warnings too, to standard error: a line each, for people or as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.processors.ExceptionRenderer(NO_LOCALS), structlog.processors.JSONRenderer(ensure_ascii=False)]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last])
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("hkai").setLevel(logging.INFO)
