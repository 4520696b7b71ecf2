from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.hkai_process import Server
from tests.ui.browsing import QUESTION, answered, arrived, ask
from ui.chat.shell import Shell

FRAMES = """() => {
    window.frames_drawn = 0;
    const frame = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (drawn) => { window.frames_drawn += 1; return frame(drawn); };
}"""


@pytest.mark.parametrize("path", ["/", "/library", "/quality"])
def test_what_other_sites_are_told_of_a_page_is_ours(server: Server, path: str) -> None:
    page = httpx.get(server.url + path, trust_env=False).text
    head = page[: page.index("window.gradio_config")]
    assert '<meta property="og:title" content="hkai">' in head
    assert [meta for meta in re.findall(r"<meta[^>]*>", head) if "gradio" in meta.lower()] == []
    assert head.index("window.hkai = ") < head.index("<style>")


@pytest.mark.browser
def test_a_page_at_rest_draws_no_frames(browser: Browser, server: Server) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(f"({FRAMES})()")
        page.goto(server.url)
        arrived(page)
        ask(page, QUESTION)
        answered(page)
        drawn: list[int] = []
        while len(drawn) < 10 and 0 not in drawn:  # what moves while it loads comes to rest
            page.evaluate("window.frames_drawn = 0")
            page.wait_for_timeout(2_000)
            drawn.append(page.evaluate("window.frames_drawn"))
        assert drawn[-1] == 0, drawn


async def _in_parts(request: object) -> Response:
    return StreamingResponse(
        iter(["<html><he", 'ad><meta\n\tproperty="og:title"\n\tcontent="Gradio"\n/>', "<title>é</title></head>", "</html>"]), media_type="text/html"
    )


async def _other(request: object) -> Response:
    return PlainTextResponse("<head>")


def test_a_document_gets_its_head_and_what_is_none_stays_as_it_is() -> None:
    app = Starlette(routes=[Route("/", _in_parts, methods=["GET", "POST"]), Route("/other", _other), Route("/elsewhere", _in_parts)])
    client = TestClient(Shell(app, frozenset({"/", "/other"}), "<b>"))
    reply = client.get("/")
    assert reply.text == "<html><head><b><title>é</title></head></html>"
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert client.get("/other").text == "<head>"
    assert "<b>" not in client.get("/elsewhere").text
    assert "<b>" not in client.post("/").text
