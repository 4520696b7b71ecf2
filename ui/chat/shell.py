"""The document around the pages: Gradio's, with a head of our own.

Gradio puts what it is given as `head` into the page when it has loaded; a script that has to be there before Gradio's cannot come that way.
"""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What Gradio tells other sites of a page that they link to: its own name and picture.
_ITS_OWN = re.compile(r'\s*<meta\s+(?:property|name)="(?:og|twitter):[^>]*>')


class Shell:
    """ASGI middleware: the pages in `paths` begin their head with `head`, and say nothing of Gradio to sites that link to them."""

    def __init__(self, app: ASGIApp, paths: frozenset[str], head: str) -> None:
        self._app = app
        self._paths = paths
        self._head = head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request, passed on; the document that comes back with its head."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        start: Message = {}
        document = b""

        async def reply(message: Message) -> None:
            nonlocal start, document
            if message["type"] == "http.response.start":
                start = message
                return
            document += message.get("body", b"")
            if message.get("more_body"):
                return
            headers = MutableHeaders(raw=list(start["headers"]))
            if headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers:
                document = begun(document.decode(), self._head).encode()
                headers["content-length"] = str(len(document))
            await send({**start, "headers": headers.raw})
            await send({"type": "http.response.body", "body": document})

        await self._app(scope, receive, reply)


def begun(document: str, head: str) -> str:
    """The HTML document with `head` first in its head."""
    return _ITS_OWN.sub("", document).replace("<head>", f"<head>{head}", 1)
