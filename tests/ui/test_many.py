"""Twenty visitors in one Chromium: none sees an error, and none waits out of proportion."""

from __future__ import annotations

import random
import sys
import time
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page

from tests.hkai_process import Server
from tests.ui.browsing import answered, visiting
from ui.chat.phrases import PHRASES

pytestmark = [pytest.mark.browser, pytest.mark.soak]

VISITORS, ROUNDS, EVERY = 20, 2, 10
QUESTIONS = (*PHRASES["en"].examples, *PHRASES["zh"].examples)
ASK = """(question) => {
    const box = document.querySelector('#question textarea');
    const before = document.querySelectorAll('.exchange').length;
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(box, question);
    box.dispatchEvent(new Event('input', {bubbles: true}));
    const start = performance.now();
    const seen = new MutationObserver(() => {
        const exchanges = document.querySelectorAll('.exchange');
        if (exchanges.length > before && exchanges[exchanges.length - 1].querySelector('.answer p:not(.waiting)')) {
            seen.disconnect();
            (window.waited ||= []).push(performance.now() - start);
        }
    });
    seen.observe(document.body, {subtree: true, childList: true});
    setTimeout(() => document.getElementById('send').click(), 50);
}"""


def _first_tokens(pages: list[Page], asked: int) -> list[float]:
    """Milliseconds to the first token of each answer, when every page has `asked` of them."""
    for page in pages:
        answered(page, asked)
    return sorted(wait for page in pages for wait in page.evaluate("window.waited"))


def test_twenty_conversations_are_answered_without_an_error(browser: Browser, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(7)
    with ExitStack() as opened:
        alone = opened.enter_context(visiting(browser, server.url))
        for number, question in enumerate(QUESTIONS, 1):
            alone.evaluate(ASK, question)
            answered(alone, number)
        one = _first_tokens([alone], len(QUESTIONS))
        pages = [opened.enter_context(visiting(browser, server.url)) for _ in range(VISITORS)]

        due = sorted((chance.uniform(0, EVERY) + at * EVERY, visitor) for at in range(ROUNDS) for visitor in range(VISITORS))
        asked = [0] * VISITORS
        start = time.monotonic()
        for at, visitor in due:
            pages[visitor].wait_for_timeout(max(0, (start + at - time.monotonic()) * 1000))
            asked[visitor] += 1
            if asked[visitor] > 1:
                answered(pages[visitor], asked[visitor] - 1)
            pages[visitor].evaluate(ASK, chance.choice(QUESTIONS))
        spread = _first_tokens(pages, ROUNDS)
        assert len(spread) == VISITORS * ROUNDS

        for page in pages:
            page.evaluate("window.waited = []")
            page.evaluate(ASK, chance.choice(QUESTIONS))
        together = _first_tokens(pages, ROUNDS + 1)
        assert len(together) == VISITORS
    for name, waits in (("one", one), ("spread", spread), ("together", together)):
        with capsys.disabled():
            sys.stdout.write(f"\nfirst token, p95, {name}: {waits[int(0.95 * (len(waits) - 1))]:.0f} ms of {len(waits)}")
