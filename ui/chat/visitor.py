"""Whose conversations a request may see: an unguessable cookie that scripts cannot read, given to each browser on its first visit."""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "hkai_visitor"
A_YEAR = 365 * 86_400


class Visitors:
    """Gives a visitor's cookie with the pages in `paths` to a browser that has none, and again to one that has, so that it does not run out."""

    def __init__(self, app: ASGIApp, paths: frozenset[str]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request, passed on; the reply to it with the cookie."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        known = visitor(dict(scope["headers"]).get(b"cookie", b"").decode("latin-1"))
        token = known or secrets.token_urlsafe(32)
        secure = "; Secure" if scope["scheme"] == "https" else ""
        given = f"{COOKIE}={token}; HttpOnly; SameSite=Lax; Path=/; Max-Age={A_YEAR}{secure}".encode()

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"set-cookie", given), (b"cache-control", b"no-store")]
            await send(message)

        await self._app(scope, receive, reply)


def visitor(cookies: str) -> str:
    """The visitor's token in a `Cookie` header; empty if there is none that could be ours."""
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found and 32 <= len(found.value) <= 100 else ""
