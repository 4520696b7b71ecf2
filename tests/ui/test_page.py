"""The chat page in a real browser, served by a real process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import urlparse

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.conftest import chromium
from tests.hkai_process import Server
from ui.chat.phrases import PHRASES

pytestmark = pytest.mark.browser

QUESTION = "What does the AI Subsidy Scheme pay for?"
HOSTILE = "<img src=x onerror=\"document.title='run'\"> ![x](https://evil.example/x.png) **bold** <script>document.title='run'</script> What is Cyberport?"
ENGLISH, CHINESE = PHRASES["en"], PHRASES["zh"]
SECONDS = 1000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        yield launched
        launched.close()


class Watch:
    """What went wrong on a page, and whom it asked."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    def _request(self, request: Request) -> None:
        url = urlparse(request.url)
        if url.scheme not in ("data", "blob"):
            self.hosts.add(url.netloc)


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, just opened; at the end it has had no error and has asked no host but its own."""
    with browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800}) as context:
        opened = context.new_page()
        opened.set_default_timeout(60 * SECONDS)
        expect.set_options(timeout=60 * SECONDS)
        watch = Watch(opened)
        opened.goto(server.url)
        expect(opened.locator("#question textarea")).to_be_visible()
        yield opened
        assert watch.errors == []
        assert watch.hosts == {urlparse(server.url).netloc}


def _ask(page: Page, question: str) -> None:
    page.locator("#question textarea").fill(question)
    page.locator("#send").click()


def _answered(page: Page, number: int = 1) -> None:
    """Waits until answer `number` is whole: its cards are there, and a question can be asked again."""
    expect(page.locator(f".sources .group[data-answer='{number}'] .card").first).to_be_visible()
    expect(page.locator("#send")).to_be_visible()


def test_an_answer_streams_in_and_a_citation_shows_its_sentence(page: Page, server: Server) -> None:
    page.evaluate("""() => {
        window.seen = [];
        new MutationObserver(() => {
            const answers = document.querySelectorAll('.answer');
            const text = answers.length ? answers[answers.length - 1].innerText : '';
            if (text && text !== window.seen[window.seen.length - 1]) window.seen.push(text);
        }).observe(document.body, {subtree: true, childList: true, characterData: true});
    }""")
    _ask(page, QUESTION)
    _answered(page)
    expected = httpx.post(f"{server.url}/v1/answer", json={"question": QUESTION}, timeout=60, trust_env=False).json()
    seen = page.evaluate("window.seen")
    assert len(seen) > 1
    assert all(len(before) <= len(after) for before, after in pairwise(seen))
    shown = page.locator(".answer").last.inner_text()
    assert _letters(shown) == _letters(re.sub(r"\[(\d+)\]", r"\1", expected["answer"]))

    chips = page.locator(".answer a.cite")
    assert [chip.inner_text() for chip in chips.all()] == re.findall(r"\[(\d+)\]", expected["answer"])
    for number in (2, 1):
        chips.nth(number - 1).click()
        card = page.locator(".card.active")
        expect(card).to_have_count(1)
        mark = card.locator("mark")
        assert mark.inner_text() == expected["citations"][number - 1]["quote"]
        expect(mark).to_be_in_viewport()


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text)


def test_every_card_names_its_pages(page: Page, server: Server) -> None:
    _ask(page, QUESTION)
    _answered(page)
    citations = httpx.post(f"{server.url}/v1/answer", json={"question": QUESTION}, timeout=60, trust_env=False).json()["citations"]
    cards = page.locator(".sources .card")
    expect(cards).to_have_count(len(citations))
    for card, citation in zip(cards.all(), citations, strict=True):
        assert [link.get_attribute("href") for link in card.locator(".pages a").all()] == [source["url"] for source in citation["sources"] if source["url"]]
        assert f"{ENGLISH.as_of} {citation['as_of']}" in card.inner_text()


def test_a_follow_up_is_shown_as_what_it_was_searched_for(page: Page) -> None:
    _ask(page, "What is the AI Subsidy Scheme?")
    _answered(page)
    _ask(page, "Who runs it?")
    _answered(page, 2)
    searched = page.locator(".answer").last.locator(".searched")
    expect(searched).to_contain_text("AI Subsidy Scheme")
    page.locator(".answer").first.locator("a.cite").first.click()
    expect(page.locator(".group[data-answer='1'] .card.active")).to_be_visible()
    expect(page.locator(".group[data-answer='2']")).to_be_hidden()


def test_the_language_changes_every_label_at_once(page: Page) -> None:
    for words, label in ((CHINESE, "繁體中文"), (ENGLISH, "English"), (CHINESE, "繁體中文")):
        page.locator("#language").get_by_text(label).click()
        expect(page.locator("#send")).to_have_text(words.send)
        expect(page.locator("#clear")).to_have_text(words.clear)
        expect(page.locator("#heading")).to_contain_text(words.tagline)
        expect(page.locator("#question textarea")).to_have_attribute("placeholder", words.placeholder)
        expect(page.locator(".sources")).to_contain_text(words.no_sources)
        expect(page.locator("#examples")).to_contain_text(words.examples[0])


def test_a_chinese_question_is_answered_in_chinese(page: Page) -> None:
    _ask(page, "人工智能資助計劃資助甚麼？")
    _answered(page)
    expect(page.locator(".answer").last).to_contain_text("人工智能資助計劃")


def test_an_example_asks_itself(page: Page) -> None:
    page.locator("#examples").get_by_text(ENGLISH.examples[0]).click()
    _answered(page)
    expect(page.locator(".asked")).to_have_text(ENGLISH.examples[0])


def test_a_question_to_ask_next_asks_itself(page: Page) -> None:
    _ask(page, QUESTION)
    _answered(page)
    page.locator("#next").get_by_role("button").first.click()
    expect(page.locator(".asked")).to_have_count(2)
    _answered(page, 2)


def test_a_new_conversation_is_empty(page: Page) -> None:
    _ask(page, QUESTION)
    _answered(page)
    page.locator("#clear").click()
    expect(page.locator(".asked")).to_have_count(0)
    expect(page.locator(".sources")).to_contain_text(ENGLISH.no_sources)


def test_what_is_in_a_question_is_shown_as_text_and_nothing_runs(page: Page) -> None:
    _ask(page, HOSTILE)
    asked = page.locator(".asked")
    expect(asked).to_have_text(HOSTILE)
    expect(page.locator(".answer").last).to_be_visible()
    expect(page.locator("#send")).to_be_visible()
    assert asked.locator("*").count() == 0
    assert page.locator("#chat img[src='x'], #chat img[src*='evil']").count() == 0
    assert page.title() == "hkai"


def test_what_is_not_known_is_said_without_sources(page: Page) -> None:
    _ask(page, "What is the best pizza in Naples?")
    expect(page.locator(".answer").last).to_contain_text("I could not find an answer")
    expect(page.locator(".sources .card")).to_have_count(0)


def test_an_empty_question_asks_nothing(page: Page) -> None:
    page.locator("#send").click()
    page.locator("#examples").get_by_text(ENGLISH.examples[0]).click()
    _answered(page)
    expect(page.locator(".asked")).to_have_count(1)


def test_the_page_fits_a_telephone(browser: Browser, server: Server) -> None:
    with browser.new_context(viewport={"width": 375, "height": 700}) as context:
        small = context.new_page()
        small.goto(server.url)
        expect(small.locator("#question textarea")).to_be_visible()
        assert small.evaluate("document.documentElement.scrollWidth") <= 375


def test_a_browser_in_chinese_gets_a_chinese_page(browser: Browser, server: Server) -> None:
    with browser.new_context(locale="zh-HK") as context:
        chinese = context.new_page()
        chinese.goto(server.url)
        expect(chinese.locator("#send")).to_have_text(CHINESE.send)
