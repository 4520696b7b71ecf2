"""The conversation in a real browser, served by a real process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from assistant.model import ModelWriter
from corpus.text import SourceText
from index.library import Library
from tests.hkai_process import Server
from tests.model_server import ModelServer, Reply, evidence_of, first_two
from tests.model_server import model_server as running
from tests.ui.browsing import PHONE, QUESTION, answered, arrived, ask, visiting
from tests.ui.conftest import listening
from ui.chat.phrases import PHRASES, dated

pytestmark = pytest.mark.browser

ENGLISH, CHINESE = PHRASES["en"], PHRASES["zh"]
UNKNOWN = "What is the best pizza in Naples?"


def _expected(server: Server, question: str) -> dict[str, object]:
    return httpx.post(f"{server.url}/v1/answer", json={"question": question}, timeout=60, trust_env=False).json()


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text)


def test_an_answer_streams_in_and_a_citation_shows_its_sentence(page: Page, server: Server) -> None:
    page.evaluate("""() => {
        window.seen = [];
        new MutationObserver(() => {
            const answers = document.querySelectorAll('.exchange .answer');
            const text = answers.length ? answers[answers.length - 1].innerText : '';
            if (text && text !== window.seen[window.seen.length - 1]) window.seen.push(text);
        }).observe(document.body, {subtree: true, childList: true, characterData: true});
    }""")
    ask(page, QUESTION)
    exchange = answered(page)
    expected = _expected(server, QUESTION)
    seen = [text for text in page.evaluate("window.seen") if ENGLISH.working not in text]
    assert len(seen) > 1
    assert all(len(before) <= len(after) for before, after in pairwise(seen))
    assert _letters(exchange.locator(".answer").inner_text()) == _letters(re.sub(r"\[(\d+)\]", r"\1", expected["answer"]))

    chips = exchange.locator("a.cite")
    assert [chip.inner_text() for chip in chips.all()] == re.findall(r"\[(\d+)\]", expected["answer"])
    for number in (2, 1):
        chips.nth(number - 1).click()
        card = page.locator(".card.active")
        expect(card).to_have_count(1)
        assert card.locator("mark").inner_text() == expected["citations"][number - 1]["quote"]
        expect(card.locator("mark")).to_be_in_viewport()


def test_a_question_stays_where_it_is_while_its_answer_streams_in(page: Page) -> None:
    ask(page, "What is the AI Subsidy Scheme?")
    answered(page)
    page.evaluate("""() => {
        window.tops = [];
        new MutationObserver(() => {
            const asked = document.querySelector('#live .exchange .asked');
            if (asked && asked.innerText.includes('Cyberport')) window.tops.push(Math.round(asked.getBoundingClientRect().top));
        }).observe(document.querySelector('#live'), {subtree: true, childList: true, characterData: true});
    }""")
    ask(page, "How powerful is Cyberport's AI Supercomputing Centre?")
    answered(page, 2)
    tops = page.evaluate("window.tops.slice(1)")
    assert len(tops) > 1
    assert max(tops) - min(tops) <= 2


def test_every_card_names_its_pages_with_path_and_dates_and_marks_the_sentence_in_its_paragraph(page: Page, server: Server) -> None:
    ask(page, QUESTION)
    answered(page)
    citations = _expected(server, QUESTION)["citations"]
    cards = page.locator(".sources .card")
    expect(cards).to_have_count(len(citations))
    for card, citation in zip(cards.all(), citations, strict=True):
        assert [link.get_attribute("href") for link in card.locator(".pages a").all()] == [source["url"] for source in citation["sources"] if source["url"]]
        shown = card.inner_text()
        assert f"{ENGLISH.as_of} {dated(citation['as_of'], ENGLISH)}" in shown
        assert citation["heading"] in shown
        assert all(source["publisher"] in shown for source in citation["sources"])
        text = httpx.get(f"{server.url}/v1/texts/{citation['text_id']}", trust_env=False).json()["text"]
        paragraph = next(one for one in text.split("\n\n") if citation["quote"] in one)
        assert card.locator("blockquote").text_content() == paragraph.strip()


def test_a_chip_shows_who_says_so_when_it_is_pointed_at_or_reached_by_key(page: Page, server: Server) -> None:
    ask(page, QUESTION)
    chip = answered(page).locator("a.cite").first
    source = _expected(server, QUESTION)["citations"][0]
    card = page.locator("#hkai-peek")
    for show, leave in ((chip.hover, lambda: page.locator("#brand").hover()), (chip.focus, lambda: chip.blur())):
        show()
        for part in (source["sources"][0]["publisher"], source["sources"][0]["title"], dated(source["as_of"], ENGLISH)):
            expect(card).to_contain_text(part)
        leave()
        expect(card).to_be_hidden()
    assert source["sources"][0]["publisher"] in chip.get_attribute("aria-label")
    chip.press("Enter")
    expect(page.locator(".card.active")).to_be_focused()
    page.keyboard.press("Escape")
    expect(chip).to_be_focused()


def test_what_was_searched_for_is_shown_and_can_be_corrected(page: Page) -> None:
    ask(page, "What is the AI Subsidy Scheme?")
    answered(page)
    ask(page, "Who runs it?")
    exchange = answered(page, 2)
    searched = exchange.locator(".searched")
    expect(searched).to_contain_text("AI Subsidy Scheme")
    searched.get_by_role("button", name=ENGLISH.edit_search).click()
    field = searched.locator("textarea")
    expect(field).to_be_focused()
    assert "AI Subsidy Scheme" in field.input_value()
    field.fill("Who runs the Hong Kong Science Park?")
    searched.get_by_role("button", name=ENGLISH.search_again).click()
    expect(page.locator(".asked").last).to_have_text("Who runs the Hong Kong Science Park?")
    expect(answered(page, 2)).to_contain_text("Science")
    page.locator(".exchange").first.locator("a.cite").first.click()
    first = page.locator(".exchange").first.get_attribute("data-id")
    expect(page.locator(f".group[data-answer='{first}'] .card.active")).to_be_visible()


def test_an_earlier_question_is_edited_in_place_of_all_from_there_on(page: Page) -> None:
    for number, text in enumerate((QUESTION, UNKNOWN, "Who runs Cyberport?"), 1):
        ask(page, text)
        answered(page, number)
    second = page.locator(".exchange").nth(1)
    second.get_by_role("button", name=ENGLISH.edit).click()
    second.locator(".question textarea").fill("What is Cyberport?")
    second.get_by_role("button", name=ENGLISH.ask_from_here).click()
    expect(page.locator(".asked")).to_have_text([QUESTION, "What is Cyberport?"])
    expect(answered(page, 2)).to_contain_text("Cyberport")
    page.reload()
    expect(page.locator(".asked")).to_have_text([QUESTION, "What is Cyberport?"])


def test_a_sent_question_is_edited_and_asked_again(page: Page) -> None:
    ask(page, UNKNOWN)
    exchange = answered(page)
    exchange.get_by_role("button", name=ENGLISH.edit).click()
    field = exchange.locator(".question textarea")
    assert field.input_value() == UNKNOWN
    field.press("Escape")
    expect(field).to_be_hidden()
    exchange.get_by_role("button", name=ENGLISH.edit).click()
    field.fill(QUESTION)
    field.press("Enter")
    expect(page.locator(".asked")).to_have_text([QUESTION])
    expect(answered(page)).to_contain_text("AI Subsidy Scheme")


def test_an_answer_is_given_again_in_its_place(page: Page) -> None:
    ask(page, QUESTION)
    exchange = answered(page)
    before = exchange.get_attribute("data-id")
    exchange.get_by_role("button", name=ENGLISH.regenerate).click()
    expect(page.locator(f".exchange[data-id='{before}']")).to_have_count(0)
    expect(answered(page).locator(".asked")).to_have_text(QUESTION)


def test_an_answer_is_copied_with_its_sources(page: Page, server: Server) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, QUESTION)
    answered(page).get_by_role("button", name=ENGLISH.copy).click()
    expect(page.locator("#hkai-said")).to_have_text(ENGLISH.copied)
    copied = page.evaluate("navigator.clipboard.readText()")
    expected = _expected(server, QUESTION)
    assert copied.startswith(expected["answer"])
    assert all(source["url"] in copied for citation in expected["citations"] for source in citation["sources"])
    assert all(f"[{citation['number']}] " in copied.split(ENGLISH.sources)[1] for citation in expected["citations"])


def test_thumbs_down_asks_why_and_is_kept(page: Page) -> None:
    ask(page, QUESTION)
    exchange = answered(page)
    exchange.get_by_role("button", name=ENGLISH.not_helpful).click()
    exchange.get_by_role("button", name=ENGLISH.reasons["old"]).click()
    expect(exchange.locator(".thanks")).to_have_text(ENGLISH.thanks)
    expect(exchange.get_by_role("button", name=ENGLISH.not_helpful)).to_have_attribute("aria-pressed", "true")
    page.reload()
    arrived(page)
    expect(answered(page).get_by_role("button", name=ENGLISH.not_helpful)).to_have_attribute("aria-pressed", "true")
    exchange.get_by_role("button", name=ENGLISH.helpful, exact=True).click()
    expect(exchange.get_by_role("button", name=ENGLISH.helpful, exact=True)).to_have_attribute("aria-pressed", "true")
    expect(exchange.get_by_role("button", name=ENGLISH.not_helpful)).to_have_attribute("aria-pressed", "false")


def test_a_question_to_ask_next_asks_itself(page: Page) -> None:
    ask(page, QUESTION)
    following = answered(page).locator(".next button").first
    question = following.inner_text()
    following.click()
    expect(page.locator(".asked").last).to_have_text(question)
    answered(page, 2)


def test_what_is_not_known_is_said_without_sources_and_the_nearest_is_offered(page: Page) -> None:
    ask(page, "Which Hong Kong company makes the best AI toothbrush for cats?")
    exchange = answered(page)
    expect(exchange.locator(".answer")).to_contain_text("I could not find an answer")
    expect(page.locator(".sources .card")).to_have_count(0)
    expect(exchange.locator(".next h3")).to_have_text(ENGLISH.nearest)
    exchange.locator(".next button").first.click()
    expect(answered(page, 2).locator("a.cite").first).to_be_visible()


def test_things_compared_are_laid_out_as_a_table_with_chips(page: Page) -> None:
    ask(page, "What is the difference between NIFS and NIAS?")
    table = answered(page).locator("table.sides")
    expect(table.locator("th")).to_have_count(2)
    expect(table.locator("td a.cite").first).to_be_visible()


def test_an_empty_question_asks_nothing(page: Page) -> None:
    page.locator("#send").click()
    page.locator(".asks").get_by_text(ENGLISH.examples[0]).click()
    answered(page)
    expect(page.locator(".asked")).to_have_text([ENGLISH.examples[0]])


def test_what_is_said_is_read_out_when_it_is_done(page: Page) -> None:
    ask(page, QUESTION)
    count = answered(page).locator("a.cite").count()
    expect(page.get_by_role("status").first).to_have_text(ENGLISH.done.format(count=count))
    assert page.locator(".exchange").last.get_attribute("aria-busy") == "false"


def test_a_chinese_question_is_answered_in_chinese_on_a_phone(browser: Browser, server: Server) -> None:
    with visiting(browser, server.url, locale="zh-HK", viewport=PHONE) as page:
        expect(page.locator("#send")).to_have_text(CHINESE.send)
        ask(page, "人工智能資助計劃資助甚麼？")
        exchange = answered(page)
        expect(exchange).to_contain_text("人工智能資助計劃")
        expect(page.locator("#side")).to_be_hidden()
        exchange.locator("a.cite").first.click()
        expect(page.locator(".card.active mark")).to_be_in_viewport()
        page.locator(".sources .close").click()
        expect(page.locator("#side")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_an_answer_that_is_written_can_be_stopped_and_asked_again(browser: Browser, model_server: ModelServer, model_site: str) -> None:
    with visiting(browser, model_site) as page:
        expect(page.locator(".welcome .mode")).to_contain_text("written by a-model")
        model_server.script(Reply(["The AI Subsidy Scheme pays "], hang=True))
        ask(page, QUESTION)
        expect(page.locator(".answer")).to_contain_text("The AI Subsidy Scheme pays")
        expect(page.locator("#send")).to_be_hidden()
        page.locator("#stop").click()
        expect(page.locator("#send")).to_be_visible()
        expect(page.locator(".answer")).to_contain_text("The AI Subsidy Scheme pays")
        expect(page.get_by_role("alert")).to_contain_text(ENGLISH.stopped)
        model_server.script(Reply(first_two))
        page.get_by_role("button", name=ENGLISH.try_again).click()
        answer = answered(page).locator(".answer")
        for statement in list(evidence_of(model_server.requests[-1]).values())[:2]:
            expect(answer).to_contain_text(statement)
        expect(answer.locator("a.cite")).to_have_count(5)  # these two, and three that were left out


def test_a_conversation_that_is_opened_ends_the_answer_of_another_and_stays_its_own(browser: Browser, model_server: ModelServer, model_site: str) -> None:
    with visiting(browser, model_site) as page:
        model_server.script(Reply(first_two))
        ask(page, QUESTION)
        answered(page)
        first = page.url
        page.locator("#new").click()
        expect(page.locator(".asked")).to_have_count(0)
        model_server.script(Reply(["The AI Subsidy Scheme pays "], hang=True))
        ask(page, "Who runs the AI Subsidy Scheme?")
        expect(page.locator(".answer")).to_contain_text("The AI Subsidy Scheme pays")
        page.locator(".past li a").nth(1).click()
        expect(page.locator(".asked")).to_have_text([QUESTION])
        expect(page.locator("#send")).to_be_visible()
        expect(page.locator("#stop")).to_be_hidden()
        model_server.script(Reply(first_two))
        ask(page, "What does the AI Subsidy Scheme cost?")
        answered(page, 2)
        expect(page.locator(".asked")).to_have_text([QUESTION, "What does the AI Subsidy Scheme cost?"])
        assert page.url == first


@pytest.mark.parametrize("change", ["new", "delete"])
def test_an_answer_ends_with_its_conversation(browser: Browser, model_server: ModelServer, model_site: str, change: str) -> None:
    with visiting(browser, model_site) as page:
        model_server.script(Reply(["The AI Subsidy Scheme pays "], hang=True))
        ask(page, "Who runs the AI Subsidy Scheme?")
        expect(page.locator(".answer")).to_contain_text("The AI Subsidy Scheme pays")
        (page.locator("#new") if change == "new" else page.locator(".past li").get_by_role("button", name=ENGLISH.remove)).click()
        expect(page.locator(".welcome")).to_be_visible()
        expect(page.locator("#send")).to_be_visible()
        expect(page.locator("#stop")).to_be_hidden()
        model_server.script(Reply(first_two))
        ask(page, QUESTION)
        answered(page)
        expect(page.locator(".asked")).to_have_text([QUESTION])


def test_a_sentence_that_its_source_does_not_bear_out_is_shown_as_left_out_with_the_reason(
    browser: Browser, model_server: ModelServer, model_site: str
) -> None:
    with visiting(browser, model_site, locale="zh-HK") as page:
        model_server.script(Reply(lambda request: [*first_two(request), " The scheme is worth HK$77 trillion. [1]"]))
        ask(page, QUESTION)
        aside = answered(page).locator(".answer .aside")
        expect(aside).to_contain_text("HK$77 trillion")
        expect(aside).to_contain_text("不見於所引出處")


def test_a_model_that_is_down_is_said_in_words_and_the_answer_is_quoted(browser: Browser, model_server: ModelServer, model_site: str) -> None:
    with visiting(browser, model_site) as page:
        model_server.script(Reply(status=500))
        ask(page, QUESTION)
        exchange = answered(page)
        expect(exchange.locator(".note")).to_contain_text("The language model did not answer")
        expect(exchange.locator("a.cite").first).to_be_visible()


@pytest.fixture(scope="module")
def model_server() -> ModelServer:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def model_site(library: Library, texts: tuple[SourceText, ...], model_server: ModelServer) -> Iterator[str]:
    """The address of a server that has a model."""
    writer = ModelWriter("a-model", base_url=model_server.url, api_key="x", timeout=20, total=60)
    with listening(library, texts, writer=writer, page=True) as url:
        yield url
