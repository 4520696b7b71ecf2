"""What a stuck user would be asked about, each with its remedy."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta

import httpx

from assistant import evidence
from assistant.build import Parts, build, open_index
from assistant.errors import HkaiError, ModelError, StoreError
from assistant.local import LocalModel
from assistant.settings import Settings, load
from index.embedder import EmbedderError
from index.judge import Entailment, Judge, JudgeError, Reranker
from index.meaning import MeaningError
from ui.guard import closed_to_writes
from ui.health import endpoint

PACKAGES = ("chromadb", "tantivy", "sentence-transformers", "onnxruntime", "gradio", "fastapi", "langchain-core", "torch")
# What an index of the corpus, its model and some documents take, with room to write them anew.
ROOM_MB = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing is; `remedy` says what to do where it is not `fine`."""

    name: str
    fine: bool
    detail: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Looks at one thing after the other; raises `BadSettings`."""
    yield Finding("Python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or newer")
    settings = load()
    writes = settings.model or "none (answers are quoted)"
    yield Finding("settings", True, f"data in {settings.data.absolute()}, embedder {settings.embedder}, model {writes}")
    for package in PACKAGES:
        try:
            yield Finding(package, True, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(package, False, "not installed", "make install")
    yield from _disk(settings)
    parts = None
    try:
        parts = build(settings.model_copy(update={"judge": "off", "reranker": "", "nli": "", "model": ""}))
        yield _clock(parts)
        open_index(parts)
        yield _index(parts)
    except StoreError as error:
        yield _unreachable(error)
    except (HkaiError, MeaningError) as error:
        yield Finding("index", False, str(error), "hkai ingest --rebuild")
    if parts:
        yield _embedder(parts)
        yield _database(parts)
    yield from _judges(settings)
    yield from _model(settings)
    yield from _server(settings)


def _disk(settings: Settings) -> Iterator[Finding]:
    there = next(folder for folder in (settings.data.absolute(), *settings.data.absolute().parents) if folder.exists())
    yield Finding("data folder", os.access(there, os.W_OK), str(settings.data.absolute()), "set HKAI_DATA to a folder that can be written")
    free = shutil.disk_usage(there).free // 1_000_000
    yield Finding("disk", free >= ROOM_MB, f"{free:,} MB are free", f"free {ROOM_MB} MB, or set HKAI_DATA to a folder on another disk")


def _clock(parts: Parts) -> Finding:
    """A clock that is behind the newest text tells "now" and "last year" wrongly."""
    newest = max(text.updated for text in parts.corpus)
    today = date.today()
    fine = (today + timedelta(days=1)).isoformat() >= newest and today < date.fromisoformat(newest[:10]) + timedelta(days=20 * 365)
    return Finding("clock", fine, f"{time.strftime('%Y-%m-%d %H:%M %Z')}; the newest text is of {newest}", "set the clock of this machine")


def _index(parts: Parts) -> Finding:
    library = parts.library
    fine = library.consistent()
    detail = f"{len(library.texts)} texts, {library.statements.meaning.count()} statements, version {library.version}"
    return Finding("index", fine, detail if fine else "vectors and words are not of the same texts", "hkai ingest --rebuild")


def _embedder(parts: Parts) -> Finding:
    try:
        started = time.perf_counter()
        (vector,) = parts.library.embedder.questions(["What is Cyberport?"])
        return Finding(
            "embedder", True, f"{parts.library.embedder.name}, {len(vector)} dimensions, {1000 * (time.perf_counter() - started):.0f} ms for a question"
        )
    except EmbedderError as error:
        return Finding("embedder", False, str(error), "unset HKAI_EMBEDDER, or name another")


def _database(parts: Parts) -> Finding:
    try:
        with closing(parts.conversations):
            return Finding("database", True, parts.conversations.reach())
    except StoreError as error:
        return _unreachable(error)


def _unreachable(error: StoreError) -> Finding:
    return Finding("database", False, error.message, error.remedy)


def _judges(settings: Settings) -> Iterator[Finding]:
    judge = Judge()
    try:
        unfitted = not evidence.load_weights(settings.embedder).statement_judged
        without = "switched off by HKAI_JUDGE" if settings.judge == "off" else f"not used: no weights are fitted for {settings.embedder}" if unfitted else ""
        if not without:
            judge.load()
        yield Finding("judge", True, f"{without}; questions that sound known but are not are answered" if without else judge.name)
    except JudgeError as error:
        yield Finding("judge", False, str(error), "git checkout index/judge_weights")
    others = {"reranker": Reranker(settings.reranker), "nli": Entailment(settings.nli)}
    for name, model in others.items():
        try:
            if model.name:
                model.load()
                unused = "" if settings.writes or name != "nli" else "; not asked, since no model writes answers"
                yield Finding(name, True, f"{model.name}{unused}")
        except JudgeError as error:
            yield Finding(name, False, str(error), f"unset {model.setting}, or name another")


def _model(settings: Settings) -> Iterator[Finding]:
    if settings.model_file:
        try:
            LocalModel(settings.model_file).load(settings.model_budget)
            yield Finding("model", True, f"{settings.model}, run in the process of the server")
        except ModelError as error:
            yield Finding("model", False, error.message, error.remedy)
    elif settings.model and not settings.writes:
        yield Finding("model", False, "HKAI_MODEL is set but no endpoint", "set OPENAI_BASE_URL or OPENAI_API_KEY")
    elif settings.model:
        yield _one_token(settings)


def _one_token(settings: Settings) -> Finding:
    """Asks the model for one token."""
    url, headers = endpoint(settings, "chat/completions")
    asked = {"model": settings.model, "messages": [{"role": "user", "content": "Say yes."}]}
    remedies = {
        401: "set OPENAI_API_KEY to a key that is good there",
        403: "set OPENAI_API_KEY to a key that may use this model",
        404: "see HKAI_MODEL and OPENAI_BASE_URL",
    }
    try:
        started = time.perf_counter()
        # The second name is that of newer models, which refuse the first.
        for limit in ("max_tokens", "max_completion_tokens"):
            reply = httpx.post(url, json={**asked, limit: 1}, headers=headers, timeout=settings.model_timeout)
            if reply.status_code != 400:
                break
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding("model", False, f"{url} cannot be reached ({error or type(error).__name__})", "start the model's server, or see OPENAI_BASE_URL")
    if reply.is_success:
        return Finding("model", True, f"{settings.model} answers at {url} in {time.perf_counter() - started:.1f} s")
    return Finding(
        "model", False, f"{url} answers {reply.status_code}: {reply.text[:200]}", remedies.get(reply.status_code, "see HKAI_MODEL and OPENAI_BASE_URL")
    )


def _server(settings: Settings) -> Iterator[Finding]:
    place = f"{settings.host}:{settings.port}"
    try:
        with socket.create_server((settings.host, settings.port), family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET):
            yield Finding("port", True, f"{place} is free")
    except OSError as error:
        ours = _serves_there(settings)
        yield Finding("port", ours, f"hkai serves at {place}" if ours else f"{place} cannot be listened on ({error.strerror})", "set PORT to another")
    if closed_to_writes(settings):
        yield Finding("keys", True, f"none, and others can reach {settings.host}: the endpoint takes no changes (`hkai key` makes a key)")


def _serves_there(settings: Settings) -> bool:
    try:
        return httpx.get(f"http://{settings.host}:{settings.port}/healthz", timeout=3, trust_env=False).text.startswith('{"status":"ok"')
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
