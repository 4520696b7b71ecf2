"""Who may ask and how much: API keys with scopes, rate limits, a time limit for the body, and pages of other origins.

Only `/v1/` is guarded; the chat page is for whoever can reach it, and `/healthz`, `/readyz` and `/metrics` tell nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import secrets
import time
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import urlsplit

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.settings import Settings, is_loopback
from ui.replies import refusal

KeyScope = Literal["read", "write"]

# Posted, but they change nothing.
ASKS = frozenset(["/v1/answer", "/v1/search", "/v1/chat/completions"])
# A body may take the set number of seconds, and one more for each of these many bytes that came.
SLOWEST = 100_000


@dataclass(frozen=True, slots=True)
class Key:
    """One who may ask: a name, what is allowed (`write` includes reading), and the SHA-256 of the key in hexadecimal."""

    name: str
    scope: KeyScope
    sha256: str


def new_key(name: str, scope: KeyScope) -> tuple[str, str]:
    """A fresh key and its entry for HKAI_API_KEYS; the key itself is kept nowhere."""
    key = f"hkai-{secrets.token_urlsafe(32)}"
    return key, f"{name}:{scope}:{_digest(key)}"


def keys_of(setting: str) -> tuple[Key, ...]:
    """The keys of HKAI_API_KEYS, whose form the settings have checked."""
    parts = (entry.split(":") for entry in setting.replace(",", " ").split())
    return tuple(Key(name, cast("KeyScope", scope), sha256) for name, scope, sha256 in parts)


def closed_to_writes(settings: Settings) -> bool:
    """Whether writes are refused altogether: others can reach the server, and it knows nobody."""
    return not settings.api_keys and not settings.local


def guard(app: Starlette, settings: Settings) -> None:
    """Puts the guard before every route of `app`."""
    origins = tuple(settings.cors_origins.replace(",", " ").split())
    app.add_middleware(Guard, settings=settings, origins=origins)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "X-API-Key", "X-Request-ID"),
            expose_headers=("Retry-After", "X-Request-ID"),
        )


class _TooSlow(Exception):
    """The body did not come in time."""


class Guard:
    """ASGI middleware before `/v1/`: refuses who may not ask, who asks too often, and whose body comes too slowly."""

    def __init__(self, app: ASGIApp, settings: Settings, origins: tuple[str, ...] = ()) -> None:
        self._app = app
        self._settings = settings
        self._origins = origins
        self._keys = keys_of(settings.api_keys)
        self._rate = None if settings.rate_limit == "off" else parse(settings.rate_limit)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the request through, or replies in its place."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused:
            await refused(scope, receive, send)
            return
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, self._timed(receive), sent)
        except _TooSlow:
            if started:
                raise
            late = refusal(
                408, "slow_body", "The body of the request did not come in time.", "Send it again, faster (HKAI_BODY_TIMEOUT).",
                retryable=True, headers={"Connection": "close"},
            )  # fmt: skip
            await late(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        given = headers.get("x-api-key", "") or headers.get("authorization", "").partition(" ")[2].strip()
        key = self._known(given) if given and self._keys else None
        limited = self._limited(scope, key)
        if limited:
            return limited
        writes = scope["method"] not in ("GET", "HEAD", "OPTIONS") and scope["path"] not in ASKS
        if self._keys:
            return self._refused_by_key(given, key, writes=writes)
        if writes and not self._settings.local:
            return refusal(
                403, "writes_closed", f"This server listens on {self._settings.host} and knows no API keys, so it takes no changes.",
                "Make a key with `hkai key NAME --scope write`, set HKAI_API_KEYS, and start the server again.",
            )  # fmt: skip
        if writes and not self._from_here(headers):
            return refusal(
                403, "foreign_page", "Without API keys, changes are taken only from this machine, and not from pages of other sites.",
                "Set HKAI_API_KEYS and send a key, or name the page's origin in HKAI_CORS_ORIGINS.",
            )  # fmt: skip
        return None

    def _known(self, given: str) -> Key | None:
        """The key that was given; every one is compared, so that the time tells nothing."""
        digest = _digest(given)
        found = [key for key in self._keys if hmac.compare_digest(key.sha256, digest)]
        return found[0] if found else None

    def _refused_by_key(self, given: str, key: Key | None, *, writes: bool) -> Response | None:
        if not key:
            message = "This API key is not known here." if given else "An API key is needed."
            remedy = "Send one as `Authorization: Bearer KEY` or as `X-API-Key: KEY`; who runs this server makes them with `hkai key`."
            return refusal(401, "unauthorized", message, remedy, headers={"WWW-Authenticate": "Bearer"})
        if writes and key.scope != "write":
            return refusal(403, "read_only", f"The API key {key.name!r} may only read.", "Send one whose scope is `write`.")
        return None

    def _limited(self, scope: Scope, key: Key | None) -> Response | None:
        """Refuses who asks too often; this machine itself, which has no key, may ask as it likes."""
        client = scope["client"][0] if scope.get("client") else ""
        if not self._rate or (not key and is_loopback(client)):
            return None
        asker = ("key", key.name) if key else ("address", client)
        if self._limiter.hit(self._rate, *asker):
            return None
        wait = max(1, math.ceil(self._limiter.get_window_stats(self._rate, *asker).reset_time - time.time()))
        return refusal(
            429, "too_many", f"More than {self._settings.rate_limit.replace('/', ' requests per ')}.", f"Try again in {wait} s.",
            retryable=True, headers={"Retry-After": str(wait)},
        )  # fmt: skip

    def _from_here(self, headers: Headers) -> bool:
        """Whether no page of another site is behind the request: asked for by a local name, from no other origin."""
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        origin = headers.get("origin", "")
        return is_loopback(host) and (not origin or origin in self._origins or urlsplit(origin).netloc == headers.get("host", ""))

    def _timed(self, receive: Receive) -> Receive:
        """`receive`, which gives up on a body that comes too slowly."""
        end = time.monotonic() + self._settings.body_timeout
        whole = False

        async def received() -> Message:
            nonlocal end, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), end - time.monotonic())
            except TimeoutError:
                raise _TooSlow from None
            end += len(message.get("body", b"")) / SLOWEST
            whole = not message.get("more_body", False)
            return message

        return received


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
