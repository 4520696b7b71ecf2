"""The chat page as a visitor uses it: opened, asked, waited for; and watched for what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlparse

from playwright.sync_api import Browser, Locator, Page, Request, expect

SECONDS = 1000
QUESTION = "What does the AI Subsidy Scheme pay for?"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 740}


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


@contextmanager
def visiting(browser: Browser, url: str, path: str = "/", *, locale: str = "en-GB", **context: Any) -> Iterator[Page]:
    """A new visitor on a page; at the end it has had no error and has asked no host but its own."""
    with browser.new_context(locale=locale, **{"viewport": WIDE, **context}) as opened:
        page = opened.new_page()
        page.set_default_timeout(30 * SECONDS)
        expect.set_options(timeout=30 * SECONDS)
        watch = Watch(page)
        page.goto(url + path)
        expect(page.locator("#brand nav")).to_be_visible()
        if path == "/":
            arrived(page)
        yield page
        assert not watch.errors, watch.errors
        assert watch.hosts == {urlparse(url).netloc}, watch.hosts


def arrived(page: Page) -> None:
    """Waits until the page has what it shows at first."""
    expect(page.locator("#live :is(.welcome, .exchange)")).to_be_visible()
    expect(page.locator("#list .past")).to_be_attached()


def ask(page: Page, question: str) -> None:
    page.locator("#question textarea").fill(question)
    page.locator("#send").click()


def answered(page: Page, number: int = 1) -> Locator:
    """Waits until there are `number` answers and the last is whole; gives its exchange."""
    expect(page.locator(".exchange")).to_have_count(number)
    last = page.locator(".exchange").last
    expect(last.locator(".tools")).to_be_visible()
    expect(page.locator("#send")).to_be_visible()
    return last
