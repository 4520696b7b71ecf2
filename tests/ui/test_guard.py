from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from assistant.settings import Settings
from corpus.text import SourceText
from index.library import Library
from tests.ui.conftest import Run, listening
from ui.guard import closed_to_writes, keys_of, new_key

QUESTION = {"question": "What is the AI Subsidy Scheme?"}
READ, READ_ENTRY = new_key("reader", "read")
WRITE, WRITE_ENTRY = new_key("writer", "write")
PORTAL = "https://portal.example"
OTHERS = {"X-Forwarded-For": "203.0.113.7"}  # the server believes a proxy on this machine


@contextmanager
def _client(library: Library, texts: tuple[SourceText, ...], **settings: Any) -> Iterator[httpx.Client]:
    with listening(library, texts, **settings) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def keyed(library: Library, texts: tuple[SourceText, ...]) -> Iterator[httpx.Client]:
    with _client(library, texts, api_keys=f"{READ_ENTRY}, {WRITE_ENTRY}", rate_limit="5/hour", cors_origins=PORTAL, body_timeout=1) as client:
        yield client


@pytest.fixture(scope="module")
def public(library: Library, texts: tuple[SourceText, ...]) -> Iterator[httpx.Client]:
    with _client(library, texts, host="0.0.0.0", rate_limit="off") as client:
        yield client


@pytest.fixture(scope="module")
def here(library: Library, texts: tuple[SourceText, ...]) -> Iterator[httpx.Client]:
    with _client(library, texts, rate_limit="3/hour") as client:
        yield client


def _refused(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    body: dict[str, Any] = reply.json()
    assert body["code"] == code
    assert body["request_id"] == reply.headers["x-request-id"] != ""
    assert body["message"]
    assert body["remedy"]
    return body


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "hkai-guess"}, {"Authorization": "Bearer hkai-guess"}, {"Authorization": READ_ENTRY.split(":")[2]}])
def test_without_a_known_key_nothing_is_told(keyed: httpx.Client, headers: dict[str, str]) -> None:
    reply = keyed.get("/v1/texts", headers=headers)
    _refused(reply, 401, "unauthorized")
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/models/hkai"])
def test_on_the_routes_of_openais_protocol_the_guard_refuses_in_openais_shape(keyed: httpx.Client, path: str) -> None:
    reply = keyed.get(path, headers={"X-Request-ID": "portal-9"})
    assert (reply.status_code, reply.headers["x-request-id"], set(reply.json())) == (401, "portal-9", {"error"})
    error = reply.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("authentication_error", "unauthorized", None)
    assert "Authorization: Bearer KEY" in error["message"]


def test_a_key_is_taken_in_either_header(keyed: httpx.Client) -> None:
    assert keyed.get("/v1/texts", headers={"X-API-Key": WRITE}).status_code == 200
    assert keyed.post("/v1/answer", json=QUESTION, headers={"authorization": f"bearer {WRITE}"}).status_code == 200


def test_health_needs_no_key(keyed: httpx.Client) -> None:
    assert keyed.get("/healthz").status_code == 200
    assert keyed.get("/readyz").status_code == 200


def test_a_key_that_may_read_asks_and_changes_nothing(keyed: httpx.Client) -> None:
    headers = {"X-API-Key": READ}
    assert keyed.post("/v1/answer", json=QUESTION, headers=headers).status_code == 200
    assert "'reader' may only read" in _refused(keyed.delete("/v1/documents/own-1", headers=headers), 403, "read_only")["message"]


def test_who_asks_too_often_is_told_when_to_come_back(keyed: httpx.Client) -> None:
    replies = [keyed.get("/v1/texts", headers={"X-API-Key": READ}) for _ in range(6)]
    body = _refused(replies[-1], 429, "too_many")
    assert body["retryable"]
    assert "5 requests per hour" in body["message"]
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 3600


def test_addresses_are_counted_each_and_this_machine_is_not(here: httpx.Client) -> None:
    assert [here.get("/v1/texts", headers=OTHERS).status_code for _ in range(4)] == [200, 200, 200, 429]
    error = here.get("/v1/models", headers=OTHERS).json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "too_many")
    assert here.get("/v1/texts", headers={"X-Forwarded-For": "203.0.113.8"}).status_code == 200
    assert [here.get("/v1/texts").status_code for _ in range(5)] == [200] * 5


def test_a_server_that_others_reach_takes_no_changes_without_keys(public: httpx.Client) -> None:
    assert public.post("/v1/answer", json=QUESTION).status_code == 200
    body = _refused(public.post("/v1/documents", json={"url": "https://example.org/"}), 403, "writes_closed")
    assert "0.0.0.0" in body["message"]
    assert "hkai key" in body["remedy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
)
def test_a_page_of_another_site_changes_nothing_here(here: httpx.Client, headers: dict[str, str]) -> None:
    _refused(here.delete("/v1/documents/own-1", headers=headers), 403, "foreign_page")


def test_a_page_of_a_named_origin_may_ask_from_a_browser(keyed: httpx.Client, here: httpx.Client) -> None:
    asks = {"Origin": PORTAL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key,content-type"}
    assert keyed.options("/v1/answer", headers=asks).headers["access-control-allow-origin"] == PORTAL
    assert keyed.get("/v1/texts", headers={"Origin": PORTAL, "X-API-Key": "none"}).headers["access-control-allow-origin"] == PORTAL
    assert "access-control-allow-origin" not in keyed.options("/v1/answer", headers={**asks, "Origin": "https://evil.example"}).headers
    assert "access-control-allow-origin" not in here.get("/v1/texts", headers={"Origin": PORTAL}).headers


def test_a_body_that_drips_is_given_up(keyed: httpx.Client) -> None:
    place = urlsplit(str(keyed.base_url))
    head = f"POST /v1/answer HTTP/1.1\r\nHost: x\r\nX-API-Key: {WRITE}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    with socket.create_connection((place.hostname, place.port), 30) as wire:
        wire.sendall(head.encode())
        started, said = time.monotonic(), b""
        wire.settimeout(0.2)
        while not said and time.monotonic() - started < 20:
            try:
                wire.sendall(b" ")
                said = wire.recv(4096)
            except TimeoutError:
                continue
    assert said.startswith(b"HTTP/1.1 408")
    assert b'"code":"slow_body"' in said


def test_a_key_is_made_and_only_its_hash_is_in_the_entry(run: Run) -> None:
    said = run("key", "portal", "--scope", "write")
    key, entry = said.out.split()
    (read,) = keys_of(Settings(api_keys=entry).api_keys)
    assert (read.name, read.scope, len(read.sha256)) == ("portal", "write", 64)
    assert key not in entry
    assert run("key", "portal").out.split()[0] != key
    assert run("key", "no spaces").status == 2


@pytest.mark.parametrize(
    ("host", "keys", "closed"),
    [("127.0.0.1", "", False), ("::1", "", False), ("0.0.0.0", "", True), pytest.param("0.0.0.0", READ_ENTRY, False, id="with-a-key")],
)
def test_changes_are_closed_where_others_reach_in_and_nobody_is_known(host: str, keys: str, closed: bool) -> None:
    assert closed_to_writes(Settings(host=host, api_keys=keys)) == closed
