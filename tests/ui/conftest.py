"""What the tests of the faces share: a folder of data of one's own, and the command line in this process."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from assistant.build import Parts
from tests.conftest import chromium
from tests.hkai_process import UNTIL_READY, Server, free_port
from tests.ui.browsing import visiting
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
def data(server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the server, as `HKAI_DATA`; only to be read."""
    monkeypatch.setenv("HKAI_DATA", str(server.data))
    return server.data


@pytest.fixture
def own_data(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be changed."""
    shutil.copytree(server.data, tmp_path / "data", ignore=shutil.ignore_patterns("models", "*.lock"))
    (tmp_path / "data" / "models").symlink_to(server.data / "models")
    monkeypatch.setenv("HKAI_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@contextmanager
def listening(parts: Parts) -> Iterator[str]:
    """The endpoint over `parts`, on a port of its own in this process; gives its address once it is ready."""
    port = free_port()
    readiness = Readiness(parts)
    server = uvicorn.Server(uvicorn.Config(create_app(parts, readiness), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        readiness.wait(UNTIL_READY)
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, just opened by a new visitor; at the end it has had no error and has asked no host but its own."""
    with visiting(browser, server.url) as opened:
        yield opened
