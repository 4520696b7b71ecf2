"""The one fake: a server that speaks OpenAI's protocol and answers as it was told, on a real socket."""

from __future__ import annotations

import json
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What one request gets: pieces of text as a stream, or a refusal. `pieces` may depend on the request.

    `cut` ends the connection after the pieces without saying that they are all; `plain` sends the stream without saying how long it is, so that
    its end is only the end of the connection; `hang` sends nothing more until the server is closed, `drip` sends signs of life that
    are no tokens until then, `mute` not even a status; `body` stands in for the whole stream, of the type `content`; `finish` is
    the reason that is given at the end. `headers` come with a refusal; those of a stream take `slow` seconds, one by one.
    """

    pieces: Iterable[str] | Callable[[dict[str, Any]], Iterable[str]] = ()
    status: int = 200
    cut: bool = False
    plain: bool = False
    hang: bool = False
    drip: bool = False
    mute: bool = False
    slow: float = 0
    body: bytes | None = None
    content: str = "text/event-stream"
    finish: str = "stop"
    headers: Mapping[str, str] = field(default_factory=lambda: {"retry-after-ms": "1"})


class ModelServer:
    """Gives `replies` in turn, the last one again and again; keeps what was asked in `requests`."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.times: list[float] = []
        self.connected: set[int] = set()
        self.closed = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL, as `OPENAI_BASE_URL` takes it."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def script(self, *replies: Reply) -> None:
        """What the next requests get."""
        self.replies = list(replies)
        self.requests.clear()
        self.times.clear()

    def close(self) -> None:
        self.closed.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """Which models it has: none is named."""
                server.keys.append(self.headers["authorization"])
                body = b'{"object": "list", "data": []}'
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.requests.append(request)
                server.times.append(time.monotonic())
                server.keys.append(self.headers["authorization"])
                reply = server.replies.pop(0) if len(server.replies) > 1 else server.replies[0]
                self.close_connection = True
                server.connected.add(id(self))
                try:
                    with suppress(BrokenPipeError, ConnectionResetError):  # the client has heard enough
                        self._refuse(reply) if reply.status != 200 else self._stream(reply, request)
                finally:
                    server.connected.discard(id(self))

            def _refuse(self, reply: Reply) -> None:
                body = json.dumps({"error": {"message": "no", "type": "refused", "code": str(reply.status)}}).encode()
                self.send_response(reply.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def _stream(self, reply: Reply, request: dict[str, Any]) -> None:
                if reply.mute:
                    self._wait()
                    return
                self._plain = reply.plain
                self.send_response(200)
                until = time.monotonic() + reply.slow
                while time.monotonic() < until:
                    self.send_header("x-alive", "yes")
                    self.flush_headers()
                    time.sleep(0.01)
                self.send_header("content-type", reply.content)
                if not reply.plain:
                    self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                if reply.body is not None:
                    self._send(reply.body)
                else:
                    for piece in reply.pieces(request) if callable(reply.pieces) else reply.pieces:
                        self._send(event(request, {"role": "assistant", "content": piece}, None))
                while reply.drip and not server.closed.wait(0.02):
                    self._send(b": alive\n\n")
                if reply.hang:
                    self._wait()
                    return
                if reply.cut:
                    return
                if reply.body is None:
                    self._send(event(request, {}, reply.finish))
                    self._send(b"data: [DONE]\n\n")
                if not reply.plain:
                    self._send(b"")

            def _wait(self) -> None:
                """Until the server is closed or the client hangs up."""
                while not server.closed.is_set():
                    if select.select([self.connection], [], [], 0.02)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                        return

            def _send(self, data: bytes) -> None:
                self.wfile.write(data if self._plain else b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        return Handler


def event(request: dict[str, Any], delta: dict[str, Any], finish: str | None) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": request["model"],
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """A server for as long as the block lasts."""
    server = ModelServer()
    try:
        yield server
    finally:
        server.close()


def evidence_of(request: dict[str, Any]) -> dict[int, str]:
    """The statements that a request gives the model, without publisher, by their numbers."""
    lines = request["messages"][-1]["content"].split("<evidence>\n")[1].split("\n</evidence>")[0].split("\n")
    found = [re.findall(r"^(.*?[.。!?]) \(.*\) \[(\d+)\]$", line) for line in lines]
    return {int(number): statement for ((statement, number),) in found}


def first_two(request: dict[str, Any]) -> list[str]:
    """An answer that says the first two statements word for word, in small pieces."""
    answer = " ".join(f"{statement} [{number}]" for number, statement in list(evidence_of(request).items())[:2])
    return [answer[at : at + 7] for at in range(0, len(answer), 7)]
