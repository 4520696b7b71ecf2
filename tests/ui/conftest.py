"""What the tests of the faces share: a folder of data of one's own, and the command line in this process."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from starlette.types import ASGIApp

from assistant.build import Parts
from assistant.chain import Chain
from assistant.conversations import Conversations
from assistant.evidence import load_weights
from assistant.model import ModelWriter
from assistant.settings import Settings
from corpus.text import SourceText
from index.library import Library
from tests.hkai_process import UNTIL_READY, Server, copied, free_port
from tests.ui.browsing import visiting
from ui.chat.page import mount
from ui.cli import main
from ui.http import Readiness, create_app


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command of `hkai` in this process."""

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["hkai", *arguments])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        return Said(status, *capsys.readouterr())

    return call


@pytest.fixture
def data(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the index of the whole corpus, as `HKAI_DATA`; only to be read."""
    monkeypatch.setenv("HKAI_DATA", str(indexed))
    return indexed


@pytest.fixture
def own_data(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be changed."""
    data = copied(indexed, tmp_path)
    monkeypatch.setenv("HKAI_DATA", str(data))
    return data


@contextmanager
def listening(library: Library, texts: tuple[SourceText, ...], *, writer: ModelWriter | None = None, page: bool = False, **settings: Any) -> Iterator[str]:
    """The endpoint over `library`, and the page if asked for, without the judge, on a port of its own in this process; gives its address once it is ready.

    Conversations are kept in the settings' `data`, a passing folder if it is not given.
    """
    with TemporaryDirectory() as folder:
        chosen = Settings(**{"data": folder, **settings})
        chain = Chain(library, load_weights(library.embedder.name), writer=writer)
        with closing(Conversations(chosen.data / "conversations.db")) as conversations:
            parts = Parts(chosen, texts, library, chain, conversations)
            readiness = Readiness(parts)
            app = create_app(parts, readiness)
            if page:
                conversations.prepare()
                mount(app, parts, readiness)
            with running(app) as url:
                readiness.wait(UNTIL_READY)
                yield url


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """`app` on a port of its own in this process; gives its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, just opened by a new visitor; at the end it has had no error and has asked no host but its own."""
    with visiting(browser, server.url) as opened:
        yield opened
