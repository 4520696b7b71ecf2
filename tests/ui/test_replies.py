from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.testclient import TestClient
from starlette.types import Message

from assistant import errors
from ui.replies import HeadWithBody, Refusals, RequestIds, errors_to_replies

FAILURES: dict[str, Exception] = {
    "not-found": errors.NotFound("There is none.", "Take another."),
    "too-large": errors.TooLarge("It is long.", "Shorten it."),
    "bad-input": errors.BadInput("It is wrong.", "Mend it."),
    "not-ready": errors.NotReady("It loads.", "Wait."),
    "document": errors.DocumentError("It cannot be read.", "Send another."),
    "busy": errors.Busy("Much is waiting.", "Wait."),
    "broken": errors.Broken("It failed.", "Look into the log."),
    "store": errors.StoreError("It is full.", "Make room.", retryable=True),
    "model": errors.ModelError("It is down.", "Wait.", retryable=True),
    "settings": errors.BadSettings("It is set wrongly.", "Set it rightly."),
    "unforeseen": KeyError("secret"),
}
STATUSES = {
    "not-found": 404,
    "too-large": 413,
    "bad-input": 422,
    "not-ready": 503,
    "document": 422,
    "model": 502,
    "settings": 500,
    "unforeseen": 500,
    "busy": 503,
    "broken": 500,
    "store": 503,
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """An endpoint on which every route fails in its own way, the routes of OpenAI's protocol too."""
    app = FastAPI()
    errors_to_replies(app)
    app.add_middleware(RequestIds)
    routes = APIRouter()

    def fail(name: str) -> None:
        raise FAILURES[name]

    routes.get("/v1/fail/{name}")(fail)
    routes.get("/v1/models/{name}")(fail)
    app.include_router(routes)
    app.router.routes.append(Refusals(app))
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


@pytest.mark.parametrize("name", FAILURES)
def test_every_error_has_its_status_and_says_what_to_do(client: TestClient, name: str) -> None:
    reply = client.get(f"/v1/fail/{name}", headers={"X-Request-ID": "mine"})
    body = reply.json()
    assert reply.status_code == STATUSES[name]
    assert body["request_id"] == reply.headers["x-request-id"] == "mine"
    assert body["message"]
    assert body["remedy"]
    assert body["retryable"] == (name in ("not-ready", "model", "busy", "store"))
    assert "secret" not in reply.text


@pytest.mark.parametrize("name", FAILURES)
def test_the_routes_of_openais_protocol_say_it_in_openais_shape(client: TestClient, name: str) -> None:
    reply = client.get(f"/v1/models/{name}")
    error = reply.json()["error"]
    assert reply.status_code == {422: 400}.get(STATUSES[name], STATUSES[name])
    assert error["type"] == ("server_error" if STATUSES[name] >= 500 else "invalid_request_error")
    assert error["param"] == ("model" if name == "not-found" else None)
    assert error["message"].endswith(".")
    assert "secret" not in reply.text


def test_a_line_break_in_a_path_changes_nothing(client: TestClient) -> None:
    assert set(client.post("/v1/models/a%0Ab").json()) == {"error"}
    assert _said(client.get("/v1/no%0Athing")) == (404, "not_found")


def test_every_error_of_the_tree_has_been_tried() -> None:
    def below(kind: type[errors.HkaiError]) -> set[type[errors.HkaiError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    assert below(errors.HkaiError) - {errors.HkaiError} == {type(failure) for failure in FAILURES.values() if isinstance(failure, errors.HkaiError)}


def _said(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["code"]


def test_what_has_no_route_is_refused_below_v1_and_left_to_others_elsewhere(client: TestClient) -> None:
    assert _said(client.post("/v1/fail/model")) == (405, "method_not_allowed")
    assert client.post("/v1/fail/model").headers["allow"] == "GET"
    assert _said(client.get("/v1/nothing")) == (404, "not_found")
    assert _said(client.get("/v1")) == (404, "not_found")
    assert _said(client.get("/elsewhere")) == (404, "not_found")
    assert _said(client.post("/openapi.json")) == (405, "method_not_allowed")


def test_the_head_of_a_reply_goes_out_in_the_same_turn_as_its_body() -> None:
    app = FastAPI()

    @app.get("/said")
    def said() -> str:
        return "whole"

    @app.middleware("http")
    async def slow(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        return await call_next(request)

    turns: list[str] = []

    async def receive() -> Message:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        turns.append(message["type"].removeprefix("http.response."))
        asyncio.get_running_loop().call_soon(turns.append, "turn")

    scope = {"type": "http", "method": "GET", "path": "/said", "query_string": b"", "headers": [], "http_version": "1.1"}
    with start_blocking_portal() as portal:  # a browser's tests leave a loop running in this thread
        portal.call(HeadWithBody(app), scope, receive, send)
    assert turns[:2] == ["start", "body"]
