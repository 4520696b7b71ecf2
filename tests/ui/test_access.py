"""The pages for everyone: languages, themes, widths, keys, screen readers."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.hkai_process import Server
from tests.ui.browsing import PHONE, QUESTION, WIDE, answered, arrived, ask, visiting
from ui.chat.page_phrases import PAGE_PHRASES
from ui.chat.phrases import PHRASES

pytestmark = pytest.mark.browser

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
ENGLISH, CHINESE = PHRASES["en"], PHRASES["zh"]


def _faults(page: Page) -> list[str]:
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run()")["violations"]
    return [f"{fault['id']}: {node['html'][:150]}" for fault in found if fault["impact"] in ("serious", "critical") for node in fault["nodes"]]


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(browser: Browser, server: Server, viewport: dict[str, int], scheme: str) -> None:
    with visiting(browser, server.url, viewport=viewport, color_scheme=scheme, locale="zh-HK" if scheme == "dark" else "en-GB") as page:
        assert _faults(page) == []
        ask(page, "What is the difference between NIFS and NIAS?")
        exchange = answered(page)
        exchange.locator("a.cite").first.click()
        exchange.locator("[data-do=why]").dispatch_event("click")
        assert _faults(page) == []
        for path, shown in (("/library?t=cyberport.en", ".text li"), ("/quality", ".quality tr")):
            page.goto(server.url + path)
            expect(page.locator(shown).first).to_be_visible()
            assert _faults(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_the_language_changes_every_label_at_once_and_is_remembered(browser: Browser, server: Server) -> None:
    with visiting(browser, server.url) as page:
        for words, label in ((CHINESE, "繁體中文"), (ENGLISH, "English"), (CHINESE, "繁體中文")):
            page.locator("#language").get_by_text(label).click()
            expect(page.locator("#send")).to_have_text(words.send)
            expect(page.locator("#new")).to_have_text(words.new)
            expect(page.locator("#brand nav")).to_have_text("hkai" + "".join(words.pages.values()))
            expect(page.locator("#question textarea")).to_have_attribute("placeholder", words.placeholder)
            expect(page.locator(".sources")).to_contain_text(words.no_sources)
            expect(page.locator(".asks")).to_contain_text(words.examples[0])
            expect(page.locator(".past .empty")).to_have_text(words.none_yet)
            expect(page.get_by_role("button", name=words.past)).to_be_visible()
            expect(page.get_by_role("button", name=f"{words.light} / {words.dark}")).to_be_visible()
        for path, heading, text in (("library", "#library-intro h1", PAGE_PHRASES["zh"].title), ("quality", ".quality h1", PAGE_PHRASES["zh"].quality)):
            other = page.context.new_page()
            other.goto(f"{server.url}/{path}")
            expect(other.locator(heading)).to_have_text(text)
            assert other.evaluate("document.documentElement.lang") == "zh-HK"


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_remembered(browser: Browser, server: Server) -> None:
    with visiting(browser, server.url, color_scheme="dark") as page:
        expect(page.locator("body")).to_have_class("dark")
        page.locator("#theme").click()
        expect(page.locator("body")).not_to_have_class("dark")
        page.reload()
        arrived(page)
        expect(page.locator("body")).not_to_have_class("dark")


def test_everything_is_done_with_keys_alone(browser: Browser, server: Server) -> None:
    with visiting(browser, server.url) as page:
        expect(page.locator("#question textarea")).to_be_focused()
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        exchange = answered(page)
        reached: set[str] = set()
        exchange.locator("[data-do=edit]").first.focus()
        for _ in range(30):
            reached.add(page.evaluate("document.activeElement.dataset.do || document.activeElement.className || document.activeElement.id"))
            page.keyboard.press("Tab")
        assert {"edit", "cite", "copy", "again", "rate", "why", "ask"} <= reached
        exchange.locator("a.cite").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".card.active")).to_be_focused()
        page.keyboard.press("Escape")
        exchange.locator("[data-do=ask]").first.focus()
        page.keyboard.press("Enter")
        answered(page, 2)
        page.locator(".past li a").first.focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".past form input")).to_be_focused()
        page.keyboard.type("!")
        page.keyboard.press("Enter")
        expect(page.locator(".past li a").first).to_have_text(f"{QUESTION}!")


def test_a_phone_has_the_conversations_behind_a_button(browser: Browser, server: Server) -> None:
    with visiting(browser, server.url, viewport=PHONE) as page:
        ask(page, QUESTION)
        answered(page)
        expect(page.locator(".past li a")).to_be_hidden()
        page.locator("#past .toggle-button").click()
        expect(page.locator(".past li a")).to_be_in_viewport()
        page.locator("#new").click()
        expect(page.locator(".past li a")).to_be_hidden()
        expect(page.locator(".welcome")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
