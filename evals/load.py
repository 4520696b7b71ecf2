"""Requests a second over HTTP, beside a bare server in the same run.

The floor is a server of one process and the same web server, whose only route embeds the question and asks Chroma once; with the judge, it also has
the judge read the dozen statements found. The clients are threads of this process that keep their connections, on the same cores as the servers.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from assistant.build import build, open_index
from assistant.settings import load
from evals.bench import NEAREST

CLIENTS = 4
START = 300
FLOOR = "from evals.load import serve_floor; import sys; serve_floor(int(sys.argv[1]))"
HKAI = "import sys; port = sys.argv[1]; sys.argv = ['hkai', 'serve', '--port', port]; from ui.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Served:
    """Requests a second of hkai and of its floor, the median of the rounds; `failed` counts the requests that were not answered with 200."""

    name: str
    floor: float
    hkai: float
    failed: int

    @property
    def share(self) -> float:
        """What part of the floor hkai reaches."""
        return self.hkai / self.floor


class LoadError(Exception):
    """A server did not start."""


def serve_floor(port: int) -> None:
    """The floor as a server, with the judge if the settings have one; runs until it is ended."""
    parts = build(load())
    open_index(parts)
    library, judge = parts.library, parts.chain.judge

    def answer(question: str) -> list[tuple[str, float]]:
        (near,) = library.statements.meaning.nearest(library.embedder.questions([question]), NEAREST)
        if judge:
            judge.scores(question, [statement.text for statement in (library.statement(identifier) for identifier, _ in near) if statement])
        return near

    async def route(request: Request) -> JSONResponse:
        from starlette.concurrency import run_in_threadpool

        return JSONResponse(await run_in_threadpool(answer, (await request.json())["question"]))

    async def ready(_: Request) -> JSONResponse:
        return JSONResponse({})

    routes = [Route("/v1/answer", route, methods=["POST"]), Route("/readyz", ready)]
    uvicorn.run(Starlette(routes=routes), port=port, log_level="warning", access_log=False)


def measure(
    questions: Sequence[str],
    *,
    seconds: float = 10,
    rounds: int = 3,
    judges: Sequence[str] = ("off", "on"),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Served]:
    """Measures hkai and its floor by turns, with each of the `judges` as HKAI_JUDGE; raises `LoadError`."""
    found = []
    for number, judge in enumerate(judges):
        with _serving(FLOOR, judge) as floor, _serving(HKAI, judge) as hkai:
            for url in (floor, hkai):
                _round(url, questions, seconds / 4)
            rates: dict[str, list[float]] = {floor: [], hkai: []}
            failed = 0
            for at in range(rounds):
                for url, of in rates.items():
                    rate, lost = _round(url, questions, seconds)
                    of.append(rate)
                    failed += lost
                progress(number * rounds + at + 1, len(judges) * rounds)
            name = "with the judge" if judge == "on" else "without the judge"
            found.append(Served(name, statistics.median(rates[floor]), statistics.median(rates[hkai]), failed))
    return found


def _round(url: str, questions: Sequence[str], seconds: float) -> tuple[float, int]:
    """Requests a second, and how many failed, of all clients together; each asks the questions in turn, beginning at another one."""
    end = time.perf_counter() + seconds
    answered, failed = [0] * CLIENTS, [0] * CLIENTS

    def ask(number: int) -> None:
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            for question in islice(cycle(questions), number * len(questions) // CLIENTS, None):
                if time.perf_counter() >= end:
                    return
                try:
                    fine = client.post("/v1/answer", json={"question": question, "mode": "quotes"}).status_code == 200
                except httpx.TransportError:
                    fine = False
                answered[number] += fine
                failed[number] += not fine

    started = time.perf_counter()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered) / (time.perf_counter() - started), sum(failed)


@contextmanager
def _serving(code: str, judge: str) -> Iterator[str]:
    """A server of its own process on a free port; gives its address once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"HKAI_JUDGE": judge, "HKAI_RATE_LIMIT": "off", "HKAI_API_KEYS": ""}
    with ExitStack() as stack:
        process = subprocess.Popen([sys.executable, "-c", code, str(port)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait, 30)
        stack.callback(process.terminate)
        url, end = f"http://127.0.0.1:{port}", time.monotonic() + START
        with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
            while not _ready(client):
                if process.poll() is not None or time.monotonic() > end:
                    raise LoadError("A server to be measured did not start. `hkai doctor` may say why.")
                time.sleep(0.2)
        yield url


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
