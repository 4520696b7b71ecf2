"""Conversations on the page: kept, listed, found, renamed, deleted, shared and taken away."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import gradio as gr
import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from assistant.build import Parts
from assistant.chain import Chain
from assistant.conversations import LISTED, Conversations
from assistant.errors import NotFound
from assistant.evidence import load_weights
from assistant.settings import Settings
from corpus.text import SourceText
from index.library import Library
from tests.hkai_process import Server, copied, environment, free_port
from tests.ui.browsing import QUESTION, answered, arrived, ask, visiting
from tests.ui.conftest import listening
from ui.chat.conversation import ConversationPage
from ui.chat.phrases import PHRASES
from ui.chat.talk import Writing
from ui.http import Readiness

pytestmark = pytest.mark.browser

ENGLISH, CHINESE = PHRASES["en"], PHRASES["zh"]
OTHER = "How powerful is Cyberport's AI Supercomputing Centre?"


def _listed(page: Page) -> list[str]:
    return page.locator(".past li a").all_inner_texts()


def test_a_conversation_looks_the_same_after_a_reload(page: Page) -> None:
    ask(page, QUESTION)
    before = answered(page).inner_html()
    sources = page.locator(".sources").inner_text()
    page.reload()
    arrived(page)
    assert answered(page).inner_html() == before
    assert page.locator(".sources").inner_text() == sources
    expect(page.locator(".past h3")).to_have_text([ENGLISH.today])
    assert _listed(page) == [QUESTION]


def test_the_cookie_is_unguessable_kept_from_scripts_and_from_other_sites(page: Page, server: Server) -> None:
    cookie = next(cookie for cookie in page.context.cookies() if cookie["name"] == "hkai_visitor")
    assert len(cookie["value"]) >= 40
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert "hkai_visitor" not in page.evaluate("document.cookie")
    others = {httpx.get(server.url, trust_env=False).cookies["hkai_visitor"] for _ in range(3)}
    assert len(others) == 3


def test_no_id_of_anothers_opens_a_conversation(browser: Browser, page: Page, server: Server) -> None:
    ask(page, QUESTION)
    answered(page)
    expect(page).to_have_url(re.compile(r"\?c="))
    identifier = page.url.split("c=")[1]
    with visiting(browser, server.url, f"/?c={identifier}") as stranger:
        arrived(stranger)
        expect(stranger.locator(".welcome")).to_be_visible()
        assert QUESTION not in stranger.locator("#past").inner_text()
        expect(stranger.locator(".toast-body")).to_contain_text(ENGLISH.gone)
    for form in ("md", "html"):
        refused = httpx.get(f"{server.url}/export/{identifier}.{form}", trust_env=False)
        assert refused.status_code == 404
        assert "Subsidy" not in refused.text


def test_conversations_are_renamed_deleted_brought_back_and_found_by_their_words(page: Page) -> None:
    ask(page, QUESTION)
    answered(page)
    page.locator("#new").click()
    expect(page.locator(".welcome")).to_be_visible()
    ask(page, OTHER)
    answered(page)
    assert _listed(page) == [OTHER, QUESTION]

    second = page.locator(".past li").nth(1)
    second.get_by_role("button", name=ENGLISH.rename).click()
    second.locator("input").fill("Money <b>for</b> AI")
    second.locator("input").press("Enter")
    expect(page.locator(".past li a").nth(1)).to_have_text("Money <b>for</b> AI")

    page.locator("#find textarea").fill("petaflops")
    expect(page.locator(".past li")).to_have_count(1)
    page.locator("#find textarea").fill("no such words")
    expect(page.locator(".past .empty")).to_have_text(ENGLISH.none_found)
    page.locator("#find textarea").fill("")
    expect(page.locator(".past li")).to_have_count(2)

    page.locator(".past li").nth(1).get_by_role("button", name=ENGLISH.remove).click()
    expect(page.locator(".past li")).to_have_count(1)
    expect(page.locator(".asked")).to_have_text([OTHER])
    page.get_by_role("button", name=ENGLISH.undo).click()
    expect(page.locator(".past li")).to_have_count(2)
    expect(page.locator(".asked")).to_have_text([QUESTION])

    page.locator(".past li a").first.click()
    expect(page.locator(".asked")).to_have_text([OTHER])


def test_two_tabs_on_one_conversation_keep_what_each_asked(page: Page) -> None:
    ask(page, QUESTION)
    answered(page)
    other = page.context.new_page()
    other.goto(page.url)
    arrived(other)
    ask(page, "Who runs it?")
    answered(page, 2)
    ask(other, OTHER)
    answered(other, 3)
    page.reload()
    arrived(page)
    expect(page.locator(".asked")).to_have_text([QUESTION, "Who runs it?", OTHER])


def test_a_shared_conversation_is_read_by_whoever_has_the_link_and_runs_nothing(browser: Browser, page: Page, server: Server) -> None:
    ask(page, f"{QUESTION} <script>document.title='run'</script>")
    exchange = answered(page)
    said = exchange.locator(".answer p").first.inner_text()
    page.get_by_role("button", name=ENGLISH.share).click()
    link = page.locator(".shared input").input_value()
    with browser.new_context(java_script_enabled=True) as context:
        reader = context.new_page()
        reader.goto(link)
        expect(reader.locator(".asked")).to_contain_text("<script>")
        assert reader.locator("script, button, form").count() == 0
        assert re.sub(r"\W", "", said) in re.sub(r"\W", "", reader.locator(".answer").inner_text())
        expect(reader.locator("ol li").first).to_contain_text("as of")
        assert reader.title() == f"{QUESTION} <script>document.title='run'</script> · hkai"
        assert "default-src 'none'" in httpx.get(link, trust_env=False).headers["content-security-policy"]
        page.reload()
        arrived(page)
        page.get_by_role("button", name=ENGLISH.unshare).click()
        expect(page.get_by_role("button", name=ENGLISH.unshare)).to_have_count(0)
        expect(page.locator(".shared")).to_have_count(0)
        assert reader.reload().status == 404


def test_a_conversation_beyond_those_listed_is_deleted_too(library: Library, texts: tuple[SourceText, ...], tmp_path: Path) -> None:
    token = "a-token-of-thirty-two-characters"
    asked = gr.Request(headers={"cookie": f"hkai_visitor={token}"}, session_hash="one")
    with closing(Conversations(tmp_path / "conversations.db")) as kept:
        oldest, *_ = (kept.start(token, QUESTION).conversation.id for _ in range(LISTED + 1))
        parts = Parts(Settings(data=tmp_path), texts, library, Chain(library, load_weights(library.embedder.name)), kept)
        said = ConversationPage(parts, Readiness(parts)).remove(Writing(), QUESTION, "", "en", gr.EventData(None, {"id": oldest}), asked)
        assert ENGLISH.removed.format(title=QUESTION[:40]) in "".join(map(str, said))
        with pytest.raises(NotFound):
            kept.open(token, oldest)


def test_a_database_that_is_down_is_said_and_the_page_is_labelled_all_the_same(
    browser: Browser, library: Library, texts: tuple[SourceText, ...], tmp_path: Path
) -> None:
    with listening(library, texts, data=tmp_path, page=True) as url, visiting(browser, url, locale="zh-HK") as page:
        ask(page, "數碼港超算中心有幾多算力？")
        answered(page)
        with closing(sqlite3.connect(tmp_path / "conversations.db")) as database:
            database.execute("ALTER TABLE hkai_conversations RENAME TO aside")
            said = page.locator(".toast-body", has_text=CHINESE.troubles["store"])
            acts = (
                lambda: page.locator(".past li a").click(),
                lambda: page.locator("#find textarea").fill("算力"),
                lambda: page.locator(".bar").get_by_role("button", name=CHINESE.share).click(),
                lambda: page.locator(".past li").get_by_role("button", name=CHINESE.remove).click(),
                lambda: page.locator("#new").click(),
            )
            for act in acts:
                act()
                said.locator(".toast-close").click()
                expect(said).to_have_count(0)
            page.reload()
            expect(page.locator("#send")).to_have_text(CHINESE.send)
            expect(page.locator(".welcome")).to_be_visible()
            expect(said).to_be_visible()
            database.execute("ALTER TABLE aside RENAME TO hkai_conversations")
        page.reload()
        arrived(page)
        answered(page)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_conversation_is_exported_as_markdown_and_to_print_with_numbered_sources_and_dates(browser: Browser, server: Server, lang: str) -> None:
    words = PHRASES[lang]
    with visiting(browser, server.url, locale="zh-HK" if lang == "zh" else "en-GB") as page:
        ask(page, words.examples[0])
        answered(page)
        cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
        addresses = {form: page.locator(".bar a", has_text=name).get_attribute("href") for form, name in words.exports.items()}
    got = {form: httpx.get(server.url + address, cookies=cookies, trust_env=False) for form, address in addresses.items()}
    markdown, printed = got["md"].text, got["html"].text
    answer = httpx.post(f"{server.url}/v1/answer", json={"question": words.examples[0]}, timeout=60, trust_env=False).json()
    assert "attachment" in got["md"].headers["content-disposition"]
    for citation in answer["citations"]:
        assert re.search(rf"^{citation['number']}\. .*{words.as_of}", markdown, re.MULTILINE)
        assert f'value="{citation["number"]}"' in printed
        for source in citation["sources"]:
            assert source["url"] in markdown
            assert not source["url"] or source["url"].replace("&", "&amp;") in printed
    assert words.sources in printed


def test_a_server_restarted_under_an_open_page_is_said_and_the_page_goes_on(browser: Browser, indexed: Path, tmp_path: Path) -> None:
    copied(indexed, tmp_path)
    port = str(free_port())

    def start() -> Server:
        process = subprocess.Popen(
            [sys.executable, "-c", "from ui.cli import main; main()", "serve", "--port", port],
            cwd=tmp_path, env=environment(tmp_path / "data"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        site = Server(f"http://127.0.0.1:{port}", tmp_path / "data", tmp_path / "none", process)
        site.log.write_text("")
        site.wait("/readyz", 300)
        return site

    first = start()
    with browser.new_context(locale="zh-HK") as context:
        page = context.new_page()
        expect.set_options(timeout=90_000)
        page.goto(first.url)
        arrived(page)
        ask(page, "人工智能資助計劃資助甚麼？")
        said = answered(page).locator(".answer").inner_text()
        first.process.kill()
        first.process.wait(30)
        ask(page, "數碼港超算中心有幾多算力？")
        expect(page.locator("#hkai-lost")).to_have_text(CHINESE.lost)
        second = start()
        try:
            expect(page.locator("#hkai-lost")).to_have_count(0)
            arrived(page)
            assert page.locator(".exchange .answer").first.inner_text() == said
            expect(page.locator("#question textarea")).to_have_value("數碼港超算中心有幾多算力？")
            page.locator("#send").click()
            answered(page, 2)
        finally:
            second.process.kill()
            second.process.wait(30)
