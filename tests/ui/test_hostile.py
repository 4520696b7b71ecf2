"""Fifty hostile strings in questions, titles and file names: shown as text, and nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from corpus.text import SourceText
from index.embedder import Embedder
from index.library import Library
from tests.ui.browsing import answered, arrived, ask, visiting
from tests.ui.conftest import listening

pytestmark = pytest.mark.browser

RUN = "window.ran=(window.ran||0)+1"
HOSTILE = [
    f"<script>{RUN}</script>", f"<img src=x onerror={RUN}>", f"<svg onload={RUN}>", f"<svg><script>{RUN}</script></svg>", f"<body onload={RUN}>",
    f"<iframe src='javascript:{RUN}'></iframe>", f"<iframe srcdoc='<script>parent.{RUN}</script>'>", f"<details open ontoggle={RUN}>x</details>",
    f"<input autofocus onfocus={RUN}>", f"<a href='javascript:{RUN}'>x</a>", f"<math><mtext><img src=x onerror={RUN}></mtext></math>",
    f"<video><source onerror={RUN}></video>", f"<object data='javascript:{RUN}'>", f"<embed src='javascript:{RUN}'>", f"<form action='javascript:{RUN}'><button>x",
    f"<style>@import 'javascript:{RUN}'</style>", "<style>body{display:none}</style>", "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>", "<base href=//evil.example/>", f"<marquee onstart={RUN}>x</marquee>",
    f"</div></article><script>{RUN}</script>", f"</textarea><script>{RUN}</script>", f"</title><script>{RUN}</script>", f"'\"><img src=x onerror={RUN}>",
    f'" onmouseover="{RUN}" x="', f"' onfocus='{RUN}' autofocus='", f"`${{{RUN}}}`", f"${{{RUN}}}", f"{{{{{RUN}}}}}", "{{#each value}}x{{/each}}",
    "![x](https://evil.example/x.png)", f"![x](x\" onerror=\"{RUN})", f"[x](javascript:{RUN})", "[x]: https://evil.example", "<https://evil.example>",
    f"[x](data:text/html,<script>{RUN}</script>)", f"[x](vbscript:{RUN})", "**bold** _thin_ ~~gone~~ `code`", "# heading", "> quote", "| a | b |\n|---|---|\n| 1 | 2 |",
    "```html\n<b>x</b>\n```", "$$\\href{javascript:alert(1)}{x}$$", "$x^2$ \\(y\\) \\[z\\]", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;img src=x&#62;",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>", f"<IMG SRC=x OnErRoR={RUN}>", f"\u202e<script>{RUN}</script>",
]  # fmt: skip


def test_there_are_fifty() -> None:
    assert len(set(HOSTILE)) == 50


@pytest.fixture(scope="module")
def site(embedder: Embedder, texts: tuple[SourceText, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of one's own, to which documents are added."""
    with closing(Library(tmp_path_factory.mktemp("own"), embedder)) as own:
        own.sync(texts)
        with listening(own, texts, page=True) as url:
            yield url


def test_nothing_in_a_question_or_a_title_runs_and_all_is_shown_as_text(browser: Browser, site: str) -> None:
    with visiting(browser, site) as page:
        for number, string in enumerate(HOSTILE, 1):
            ask(page, string)
            asked = answered(page, 1).locator(".asked")
            shown = asked.inner_text()
            assert "".join(shown.split()) == "".join(string.split()), number
            assert asked.locator("*:not(br)").count() == 0
            assert page.locator("#live :is(img, script, iframe, object, embed, svg:not([focusable]), math, style, input)").count() == 0
            assert page.locator(".past :is(img, script, iframe, b, svg:not([focusable]))").count() == 0
            page.locator("#new").click()
            expect(page.locator(".welcome")).to_be_visible()
        expect(page.locator(".past li")).to_have_count(50)
        page.reload()
        arrived(page)
        expect(page.locator(".past li")).to_have_count(50)
        assert page.evaluate("window.ran") is None
        assert page.title() == "hkai"


def test_nothing_in_a_document_or_its_name_runs(browser: Browser, site: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    lines = [f"The zebra fund number {number} pays for {string.splitlines()[0]} in 2025." for number, string in enumerate(HOSTILE)]
    (folder / f"<img src=x onerror={RUN.replace('/', '')}>.txt").write_text("\n\n".join(lines), encoding="utf-8")
    with visiting(browser, site, "/library") as page:
        page.locator("#add input[type=file]").set_input_files([str(file) for file in folder.iterdir()])
        expect(page.locator(".own li")).to_have_count(1)
        page.locator(".own li a").click()
        expect(page.locator(".text li").nth(40)).to_be_visible()
        assert page.locator(":is(#text, #own) :is(img, script, iframe, object, embed, math, style, input, b)").count() == 0
        page.goto(site)
        page.locator("#scope label").nth(2).click()
        ask(page, "What does the zebra fund number 0 pay for?")
        expect(answered(page).locator("a.cite").first).to_be_visible()
        assert page.locator(":is(#live, #side) :is(img, script, iframe, object, embed, math, style)").count() == 0
        assert page.evaluate("window.ran") is None
