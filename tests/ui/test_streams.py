from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.ui.conftest import running
from ui.streams import CLIENT_LEFT, KEEP_ALIVE, EventStream, last

BEFORE_IT_IS_DONE = 20


class Work:
    """Work in steps, as long as `go_on` is set; keeps what became of it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self.steps = 0
        self.whole = False

    def __call__(self) -> Generator[bytes, None, None]:
        try:
            for _ in range(3):
                self.steps += 1
                yield b"data: step\n\n"
                self.begun.set()
                self.go_on.wait(BEFORE_IT_IS_DONE)
            self.whole = True
        finally:
            self.ended.set()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def url(work: Work) -> Iterator[str]:
    def stream(_: Request) -> Response:
        return EventStream(work(), silence=0.05)

    def failing(_: Request) -> Response:
        def fail() -> Iterator[bytes]:
            yield b"data: step\n\n"
            raise ValueError("on the way")

        return EventStream(fail())

    async def plain(request: Request) -> Response:
        found: Any = await last(work(), request.receive)
        return Response(found) if found else Response(status_code=CLIENT_LEFT)

    async def wrong(request: Request) -> Response:
        def fail() -> Iterator[bytes]:
            yield b"step"
            raise ValueError("on the way")

        try:
            await last(fail(), request.receive)
        except ValueError as error:
            return JSONResponse(str(error))
        raise AssertionError

    with running(Starlette(routes=[Route("/stream", stream), Route("/failing", failing), Route("/plain", plain), Route("/wrong", wrong)])) as address:
        yield address


def _leave(url: str, path: str, work: Work, *, after: int) -> None:
    """Asks over a bare socket, and hangs up once the work has begun and `after` bytes have come."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert work.begun.wait(BEFORE_IT_IS_DONE)
        if after:
            connection.recv(after)


@pytest.mark.parametrize(("path", "after"), [("/stream", 100), ("/plain", 0)])
def test_work_whose_client_has_left_is_closed_at_its_next_step(url: str, work: Work, path: str, after: int) -> None:
    _leave(url, path, work, after=after)
    with httpx.Client(base_url=url, trust_env=False) as other:
        while other.get("/wrong").status_code != 200:  # the server has heard of it by the time that it has answered another
            pass
    work.go_on.set()
    assert work.ended.wait(BEFORE_IT_IS_DONE)
    assert not work.whole
    assert work.steps < 3


@pytest.mark.parametrize("path", ["/stream", "/plain"])
def test_work_whose_client_waits_is_done(url: str, work: Work, path: str) -> None:
    work.go_on.set()
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        assert client.get(path).text.endswith("data: step\n\n")
    assert work.whole
    assert work.steps == 3


def test_a_comment_is_sent_while_nothing_comes(url: str, work: Work) -> None:
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client, client.stream("GET", "/stream") as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["cache-control"] == "no-cache"
        seen, silent = b"", b"data: step\n\n" + KEEP_ALIVE * 2
        for part in reply.iter_raw():
            seen += part
            if silent in seen:
                work.go_on.set()
    assert seen.count(b"data: step\n\n") == 3
    assert silent in seen


def test_what_the_work_raises_is_raised(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        assert client.get("/wrong").json() == "on the way"


def test_a_stream_that_fails_is_cut_off_so_that_nobody_takes_it_for_whole(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client, pytest.raises(httpx.RemoteProtocolError), client.stream("GET", "/failing") as reply:
        reply.read()
