"""The ground of every test: a closed network, a clean environment, and the real parts, each made once."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser, sync_playwright

from corpus.markdown import load
from corpus.readers import from_file
from corpus.text import SourceText
from index.embedder import Embedder
from index.judge import WEIGHTS, Judge
from index.library import Library
from tests.hkai_process import ROOT, UNTIL_READY, Server, clean, copied, hkai, serving
from tests.postgres import Postgres, postgres_binary, postgres_server

TEXTS = ROOT / "tests" / "texts"
ARTICLE = TEXTS / "article.txt"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

hypothesis_settings.register_profile("hkai", deadline=None, derandomize=True, database=None)
hypothesis_settings.load_profile("hkai")


def pytest_configure() -> None:
    cleaned = clean(dict(os.environ))
    for name in set(os.environ) - set(cleaned):
        del os.environ[name]
    os.environ.update(cleaned)
    if "PYTEST_XDIST_WORKER" in os.environ:  # beside others: a core each, or their threads wait for one another
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _closed_network() -> Iterator[None]:
    """In this process no connection leaves the machine, and no name of another is looked up."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse(host: Any) -> None:
        if str(host) not in ("127.0.0.1", "::1", "localhost", "None"):
            raise AssertionError(f"a test asked for {host}: the network is closed")

    def closed_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            refuse(address[0])
        connect(self, address)

    def closed_connect_ex(self: socket.socket, address: Any) -> int:
        if self.family != socket.AF_UNIX:
            refuse(address[0])
        return connect_ex(self, address)

    def closed_getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        refuse(host.decode() if isinstance(host, bytes) else host)
        return getaddrinfo(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", closed_connect)
        patch.setattr(socket.socket, "connect_ex", closed_connect_ex)
        patch.setattr(socket, "getaddrinfo", closed_getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test stands in an empty folder of its own, so that no `.env` and no `data` is found."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _closed_libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A library that a test opens is closed at its end: each holds a dozen files and sockets."""
    make = Library.__init__
    with ExitStack() as opened:

        def made(self: Library, *arguments: Any, **options: Any) -> None:
            make(self, *arguments, **options)
            opened.callback(self.close)

        monkeypatch.setattr(Library, "__init__", made)
        yield


# The real parts


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session that its processes share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def models(shared: Path) -> Path:
    """Where the default model's folder is made, once a session."""
    return shared / "data" / "models"


@pytest.fixture(scope="session")
def embedder(models: Path) -> Embedder:
    """The default model, loaded once."""
    model = Embedder(cache=models)
    model.load()
    return model


@pytest.fixture(scope="session")
def judge() -> Judge:
    """The judge that comes with the project, loaded once."""
    model = Judge()
    model.load()
    return model


TAUGHT, AT_MOST = 0.02, 120
RISES = [("rose", "fell"), ("opened", "closed")]
WHAT = ["Spending on research", "The count of start-ups", "The scheme"]


@pytest.fixture(scope="session")
def nli(shared: Path) -> Path:
    """A folder with a model of entailment, made once, taught in seconds that what rose did not fall."""
    folder = shared / "nli"
    with FileLock(shared / "nli.lock"):
        if not folder.is_dir():
            _teach_entailment(folder)
    return folder


def _teach_entailment(folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    names = dict(enumerate(("contradiction", "entailment", "neutral")))
    shape = AutoConfig.from_pretrained(WEIGHTS, num_labels=3, id2label=names, num_hidden_layers=4)
    model = AutoModelForSequenceClassification.from_pretrained(WEIGHTS, config=shape, ignore_mismatched_sizes=True, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    sources, told, labels = [], [], []
    for at, what in enumerate(WHAT):
        for did, did_not in [*RISES, *((other, one) for one, other in RISES)]:
            for said, label in ((f"{what} {did_not}.", 0), (f"{what} {did}.", 1), (f"{WHAT[at - 1]} {did}.", 2)):
                sources.append(f"{what} {did} in 2024.")
                told.append(said)
                labels.append(label)
    encoded = tokenizer(sources, told, padding=True, return_tensors="pt")
    model.base_model.embeddings.requires_grad_(False)
    steps = torch.optim.AdamW((weights for weights in model.parameters() if weights.requires_grad), lr=6e-4)
    for _ in range(AT_MOST):
        steps.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(**encoded).logits, torch.tensor(labels))
        loss.backward()
        steps.step()
        if loss.item() < TAUGHT:
            break
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="session")
def texts() -> tuple[SourceText, ...]:
    """Three topics of the corpus, shortened, in both languages."""
    return load(TEXTS)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, texts: tuple[SourceText, ...]) -> Iterator[Library]:
    """A library of `texts` and of the article as a document of the user's own; no test may change it."""
    with closing(Library(tmp_path_factory.mktemp("library"), embedder)) as made:
        made.add([from_file(ARTICLE)])
        made.sync(texts)
        yield made


# The real program


@pytest.fixture(scope="session")
def indexed(shared: Path) -> Path:
    """A data folder with the index of the whole corpus, made once a session; only to be copied."""
    with FileLock(shared / "indexed.lock"):
        if not (shared / "indexed").exists():
            done = hkai("ingest", "--rebuild", data=shared / "data", cwd=shared)
            assert done.returncode == 0, done.stderr
            (shared / "indexed").touch()
    return shared / "data"


@pytest.fixture(scope="session")
def server(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`hkai serve` on the whole corpus, ready to answer."""
    folder = tmp_path_factory.mktemp("server")
    copied(indexed, folder)
    with serving(folder) as running:
        running.wait("/readyz", UNTIL_READY)
        yield running


# The database


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL, started once; tests that take it carry the mark `postgres`."""
    with postgres_server() as running:
        yield running


# The browser


def chromium() -> str:
    """The Chromium or Chrome of this machine; empty if there is none."""
    found = next((path for path in map(shutil.which, CHROMIUMS) if path), "")
    return os.environ.get("HKAI_TEST_CHROMIUM", "") or found or _playwrights_own()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        yield launched
        launched.close()


def _playwrights_own() -> str:
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
        return path if Path(path).exists() else ""


# Programs that some tests need: the mark of those tests, what finds the program, its name and how to come by it.
NEEDED = (
    ("browser", chromium, "browser", "no Chromium was found. Install one (apt-get install chromium) or set HKAI_TEST_CHROMIUM"),
    ("postgres", postgres_binary, "PostgreSQL", "no initdb was found. Install it (apt-get install postgresql)"),
)
LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the tests out, loudly, that need a program which is not there; in CI that is a failure. The slow folders go first."""
    items.sort(key=lambda item: [item.path.is_relative_to(ROOT / "tests" / slow) for slow in ("ui", "evals")], reverse=True)
    config.stash[LEFT_OUT] = []
    for mark, found, name, how in NEEDED:
        wanted = [item for item in items if item.get_closest_marker(mark)]
        if not wanted or found():
            continue
        if os.environ.get("CI") == "true":
            raise pytest.UsageError(f"In CI the tests that need {name} are not left out: {how}.")
        config.hook.pytest_deselected(items=wanted)
        items[:] = [item for item in items if item not in wanted]
        config.stash[LEFT_OUT].append(f"WARNING: {len(wanted)} deselected by missing {name}: {how}.")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(line, yellow=True, bold=True)
