"""Which requests pages of other sites are behind: those do not reach the page's own events."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class SameOrigin:
    """ASGI middleware: refuses requests of other origins for paths below `below`, the browser's asking beforehand among them."""

    def __init__(self, app: ASGIApp, below: str) -> None:
        self._app = app
        self._below = below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request, passed on or refused."""
        if scope["type"] == "http" and scope["path"].startswith(self._below) and foreign(Headers(scope=scope)):
            await PlainTextResponse("The pages of other sites may not use this one.", 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def foreign(headers: Mapping[str, str]) -> bool:
    """Whether a page of another host or port is behind a request; where a proxy renames the host, the browser's own word counts."""
    origin = headers.get("origin", "")
    return bool(origin) and headers.get("sec-fetch-site") != "same-origin" and origin.partition("://")[2] != headers.get("host", "")
