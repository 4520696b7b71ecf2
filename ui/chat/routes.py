"""What the page links to beside itself: read-only copies that were shared, and conversations to take away."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from assistant.build import Parts
from assistant.errors import NotFound
from corpus.text import Lang
from ui.chat import export
from ui.chat.phrases import PHRASES, Phrases
from ui.chat.visitor import visitor

STYLE = Path(__file__).parent / "document.css"
# Nothing runs on these pages and nothing is fetched for them, whatever a conversation holds.
SAFE = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def add_routes(app: FastAPI, parts: Parts) -> None:
    """`/shared/LINK`, for whoever has the link, and `/export/CONVERSATION.md` and `.html`, for the visitor whose conversation it is."""

    @app.get("/shared/{link}", include_in_schema=False)
    def shared(link: str, request: Request, lang: str = "") -> Response:
        """The read-only copy that a link leads to."""
        words = _words(lang, request)
        try:
            transcript = parts.conversations.shared(link)
        except NotFound:
            return _gone(words)
        return HTMLResponse(export.page(transcript, words, style=STYLE.read_text(encoding="utf-8"), note=words.copy_of), headers=SAFE)

    @app.get("/export/{conversation}.{form}", include_in_schema=False)
    def exported(conversation: str, form: Literal["md", "html"], request: Request, lang: str = "") -> Response:
        """A conversation of the visitor's as Markdown or as a page to print."""
        words = _words(lang, request)
        try:
            owner = visitor(request.headers.get("cookie", ""))
            transcript = parts.conversations.open(owner, conversation) if owner else None
        except NotFound:
            transcript = None
        if transcript is None:
            return _gone(words)
        if form == "html":
            return HTMLResponse(export.page(transcript, words, style=STYLE.read_text(encoding="utf-8")), headers=SAFE)
        named = {"content-disposition": 'attachment; filename="hkai.md"'}
        return Response(export.markdown(transcript, words), media_type="text/markdown; charset=utf-8", headers=SAFE | named)


def _words(lang: str, request: Request) -> Phrases:
    """In the language of the address, else in the browser's."""
    chosen: Lang = "zh" if lang == "zh" or (lang != "en" and request.headers.get("accept-language", "").lower().startswith("zh")) else "en"
    return PHRASES[chosen]


def _gone(words: Phrases) -> Response:
    return HTMLResponse(
        f'<!doctype html><meta charset="utf-8"><title>hkai</title><p>{words.gone}</p><p><a href="/">hkai</a></p>', status_code=404, headers=SAFE
    )
