"""What is said when a request cannot be answered, in the body of hkai's own routes or of OpenAI's, and the id that each request has."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant import errors
from ui import contract
from ui.streams import CLIENT_LEFT

REQUEST_ID = "X-Request-ID"
# Routes that speak OpenAI's protocol, errors included.
_OPENAI = re.compile(r"/v1/(?:chat/completions|models(?:/.*)?)", re.DOTALL)
_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_STATUS: dict[type[errors.HkaiError], int] = {
    errors.NotFound: 404,
    errors.TooLarge: 413,
    errors.BadInput: 422,
    errors.NotReady: 503,
    errors.Busy: 503,
    errors.StoreError: 503,
    errors.DocumentError: 422,
    errors.ModelError: 502,
}
# What each status says in the OpenAPI document.
_SAYS = {
    401: "No API key, or none that is known here",
    403: "The API key may only read, or this server takes no changes",
    404: "There is none of this id",
    408: "The body came too slowly",
    413: "Larger than what is taken",
    422: "The request cannot be answered as it is; the message names the field",
    429: "Too many requests; `Retry-After` says how many seconds to wait",
    503: "Index or embedder are still loading, or too much work is waiting",
}
# What the guard of `/v1/` may reply, whatever is asked.
_GUARDED = (401, 403, 408, 429)
_DESCRIBED = "The routes and their fields are described at /openapi.json."


@dataclass(frozen=True, slots=True)
class Asking:
    """The request that is being answered."""

    path: str = ""
    id: str = ""


_NOBODY = Asking()
_asking: ContextVar[Asking] = ContextVar("asking", default=_NOBODY)


class RequestIds:
    """ASGI middleware: each request has the id that it brings in `X-Request-ID`, if that is sane, or a new one; the reply carries it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; `request_id` tells its id from then on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        brought = Headers(scope=scope).get(REQUEST_ID, "")
        asking = Asking(scope["path"], brought if _SANE.fullmatch(brought) else uuid.uuid4().hex)
        _asking.set(asking)

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = asking.id
            await send(message)

        await self._app(scope, receive, marked)


class HeadWithBody:
    """ASGI middleware: the head of a reply goes out with the first of its body, in one turn of the event loop, which uvloop writes at once.

    A server killed between the two would have said a status that no proxy can take back; as it is, another server is asked in its place.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, and the reply back."""
        head: list[Message] = []

        async def together(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.append(message)
                return
            while head:
                await send(head.pop())
            await send(message)

        await self._app(scope, receive, together)


class Refusals(BaseRoute):
    """The route of what has a path of the endpoint and no route before this one: 405 where another method has one, else 404."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the path is the endpoint's: one below `/v1`, or one that a route takes with another method."""
        if scope["type"] != "http":
            return Match.NONE, {}
        own = scope["path"] == "/v1" or scope["path"].startswith("/v1/") or any(route.matches(scope)[0] is Match.PARTIAL for route in self._before())
        return (Match.FULL if own else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses."""
        path = scope["path"]
        allowed = [method for method in _METHODS if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in self._before())]
        if allowed:
            headers = {"Allow": ", ".join(allowed)}
            refused = refusal(405, "method_not_allowed", f"{path} does not take {scope['method']}.", f"Use {' or '.join(allowed)}.", headers=headers)
        else:
            refused = refusal(404, "not_found", f"There is no {path}.", _DESCRIBED)
        await refused(scope, receive, send)

    def _before(self) -> Iterator[BaseRoute]:
        return takewhile(lambda route: route is not self, self._app.routes)


def request_id() -> str:
    """The id of the request that is being answered."""
    return _asking.get().id


def refusal(
    status: int, code: str, message: str, remedy: str, *, retryable: bool = False, field: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A reply with an error: what is wrong, what to do about it, whether the same call may succeed later, and the field at fault, if one is."""
    body: dict[str, Any]
    if _OPENAI.fullmatch(_asking.get().path):
        if code == "not_found":
            code, field = "model_not_found", "model"
        status = 400 if status == 422 else status
        body = openai_error(status, code, f"{message} {remedy}", field)
    else:
        body = own_error(code, message, remedy, retryable=retryable)
    return JSONResponse(body, status, {REQUEST_ID: request_id(), **(headers or {})})


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route below `/v1/` may refuse with, the guard's refusals among them, for the OpenAPI document."""
    return {status: {"model": contract.ErrorModel, "description": _SAYS[status]} for status in (*statuses, *_GUARDED)}


def own_error(code: str, message: str, remedy: str, *, retryable: bool) -> dict[str, Any]:
    """An error as hkai's own routes say it."""
    return contract.ErrorModel(code=code, message=message, remedy=remedy, retryable=retryable, request_id=request_id()).model_dump()


def openai_error(status: int, code: str, message: str, field: str = "") -> dict[str, Any]:
    """An error as OpenAI's protocol says it."""
    kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return contract.OpenAIError(error=contract.OpenAIError.Error(message=message.strip(), type=kind, param=field or None, code=code)).model_dump()


def status_of(error: errors.HkaiError) -> int:
    """The status with which `error` is told."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def errors_to_replies(app: FastAPI) -> None:
    """Every error of `app` becomes a reply; one that nobody foresaw goes on to the server's log as well."""

    @app.exception_handler(errors.HkaiError)
    async def known(_: Request, error: errors.HkaiError) -> Response:
        return refusal(status_of(error), error.code, error.message, error.remedy, retryable=error.retryable)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        faults, fields = [], []
        for fault in error.errors()[:5]:
            unread = fault["type"] == "json_invalid"
            place = "" if unread else ".".join(map(str, fault["loc"][1:]))
            fields.append(place)
            faults.append("the body is not valid JSON" if unread else f"`{place or 'body'}`: {fault['msg'].removeprefix('Value error, ')}")
        message = "; ".join(faults).removesuffix(".") + "."
        return refusal(422, "bad_input", message, "Mend the request; the fields are described at /openapi.json.", field=fields[0])

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # FastAPI could not decode the body
            return refusal(422, "bad_input", "The body cannot be read as JSON in UTF-8.", _DESCRIBED)
        code = "not_found" if error.status_code == 404 else "refused"
        return refusal(error.status_code, code, f"{error.detail}.", _DESCRIBED, headers=error.headers)

    @app.exception_handler(ClientDisconnect)
    async def left(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_LEFT)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, __: Exception) -> Response:
        remedy = f"Try again; if it stays so, look into the server's log for {request_id()}."
        return refusal(500, "internal", "The server failed at this request.", remedy)
