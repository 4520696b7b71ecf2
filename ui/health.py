"""How the server is: alive, ready part by part, and its metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Literal

import httpx
from fastapi import APIRouter, Response
from pydantic import BaseModel

from assistant.build import Parts
from assistant.errors import HkaiError, NotReady
from assistant.settings import Settings
from index.judge import JudgeError
from index.meaning import MeaningError
from ui import examples
from ui.contract import HealthModel
from ui.watch import Metrics

OPENAI = "https://api.openai.com/v1"
PATIENCE = 3.0
KEPT = 5.0

# Looks at a part: what there is to say of it, or an error of the tree.
Look = Callable[[], str]


class PartModel(BaseModel):
    """One part of the server; `needed` says whether nothing is answered without it."""

    name: str
    ok: bool
    needed: bool
    detail: str


class ReadyModel(BaseModel):
    """Whether questions are answered, and how each part is."""

    status: Literal["ok", "loading", "failed"]
    detail: str = ""
    parts: list[PartModel] = []


class Checks:
    """Looks at all parts at once, for at most some seconds, and remembers what it saw for some more."""

    def __init__(self, needed: Mapping[str, Look], useful: Mapping[str, Look], *, patience: float = PATIENCE, kept: float = KEPT) -> None:
        self._looks = {**{name: (look, True) for name, look in needed.items()}, **{name: (look, False) for name, look in useful.items()}}
        self._patience = patience
        self._kept = kept
        self._pool = ThreadPoolExecutor(len(self._looks), thread_name_prefix="hkai-health")
        self._looking = threading.Lock()
        self._going: dict[str, Future[str]] = {}
        self._seen: tuple[float, list[PartModel]] = (-kept, [])

    def parts(self) -> list[PartModel]:
        """How each part is."""
        with self._looking:
            if time.monotonic() - self._seen[0] >= self._kept:
                for name, (look, _) in self._looks.items():
                    if name not in self._going:
                        self._going[name] = self._pool.submit(look)
                wait(self._going.values(), self._patience)
                self._seen = (time.monotonic(), [self._part(name) for name in self._looks])
                self._going = {name: going for name, going in self._going.items() if not going.done()}
            return self._seen[1]

    def _part(self, name: str) -> PartModel:
        going, needed = self._going[name], self._looks[name][1]
        if not going.done():
            return PartModel(name=name, ok=False, needed=needed, detail=f"it did not answer within {self._patience:g} s")
        try:
            return PartModel(name=name, ok=True, needed=needed, detail=going.result())
        except (HkaiError, JudgeError, MeaningError) as error:
            return PartModel(name=name, ok=False, needed=needed, detail=str(error))


def checks_of(parts: Parts) -> Checks:
    """The checks of what `parts` has."""
    library, chain = parts.library, parts.chain

    def index() -> str:
        with library.reading():
            if not library.consistent():
                raise NotReady("The vectors and the words are not of the same texts. Start the server again, or run `hkai ingest --rebuild`.")
            return f"{len(library.texts)} texts, version {library.version}"

    def embedder() -> str:
        library.embedder.questions(["Hong Kong"])
        return library.embedder.name

    needed: dict[str, Look] = {"index": index, "embedder": embedder}
    if chain.judge:
        judge = chain.judge

        def judges() -> str:
            judge.scores("What is Cyberport?", ["Cyberport is a technology park."])
            return judge.name

        needed["judge"] = judges
    useful: dict[str, Look] = {"database": parts.conversations.reach}
    if parts.settings.writes and not parts.settings.model_file:
        useful["model"] = lambda: reach_model(parts.settings)
    return Checks(needed, useful)


def endpoint(settings: Settings, path: str) -> tuple[str, dict[str, str]]:
    """The address of `path` at the model's endpoint, and the headers for it: the key, where there is one."""
    url = f"{(settings.openai_base_url or OPENAI).rstrip('/')}/{path}"
    return url, {"Authorization": f"Bearer {settings.openai_api_key}"} if settings.openai_api_key else {}


def reach_model(settings: Settings) -> str:
    """Asks the model's endpoint which models it has; raises `NotReady`. Without it answers are quoted."""
    url, headers = endpoint(settings, "models")
    try:
        reply = httpx.get(url, headers=headers, timeout=2)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotReady(f"{url} cannot be reached ({error or type(error).__name__}); answers are quoted.") from error
    if reply.status_code in (401, 403) or reply.status_code >= 500:
        raise NotReady(f"{url} answers {reply.status_code}; answers are quoted.")
    return settings.model


def router(parts: Parts, state: Callable[[], tuple[Literal["ok", "loading", "failed"], str]], metrics: Metrics) -> APIRouter:
    """The routes; `state` is how far loading is, and what there is to say of it."""
    routes = APIRouter(tags=["health"])
    checks = checks_of(parts)

    @routes.get("/healthz", responses=examples.reply(examples.HEALTH))
    def healthz() -> HealthModel:
        """Whether the process is alive."""
        return HealthModel(status="ok")

    @routes.get("/readyz", responses=examples.reply(examples.READY) | {503: {"model": ReadyModel, "description": "Still loading, or a needed part is broken"}})
    def readyz(response: Response) -> ReadyModel:
        """Whether questions are answered, and how each part is; a model that cannot be reached is named and does not count."""
        status, detail = state()
        found = checks.parts() if status == "ok" else []
        broken = [f"{part.name}: {part.detail}" for part in found if part.needed and not part.ok]
        if broken:
            status, detail = "failed", "; ".join(broken)
        if status != "ok":
            response.status_code = 503
        return ReadyModel(status=status, detail=detail, parts=found)

    @routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"example": examples.METRICS}}}})
    def prometheus() -> Response:
        """Requests, answers, times and the size of the index, for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
