from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from assistant.chain import Chain
from assistant.records import Turn
from evals.cases import Case
from evals.opinion import Opinion
from evals.page import NAME, drawn, write
from evals.results import MadeBy
from evals.run import Result, each
from evals.summary import summary

HOSTILE = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">{{ 7 * 7 }}</details></body>&amp;" + "長" * 200 + "w" * 200
MADE = MadeBy("quotes", "", "e5", "judge", "index", "settings", "", "code", "cases", 4)
RATE = Case(
    "rate", "single", "en", "dev", "What share of computing power does the AI Subsidy Scheme pay for?", True,
    required=(("70%",),), right=("aiss-subsidy-rate",),
)  # fmt: skip
WRONG = Case("wrong", "list", "en", "test", "What is the AI Subsidy Scheme?", True, required=(("Cyberport",), ("17 dragons", "十七條龍")), right=("no-such",))
MISSED = Case("missed", "near_miss", "en", "dev", "What is the AI Subsidy Scheme?", False)
PIE = Case("pie", "offtopic", "en", "dev", "How long does an apple pie bake?", False)


@pytest.fixture(scope="module")
def results(chain: Chain) -> list[Result]:
    return list(each(chain, [RATE, WRONG, MISSED, PIE]))


@pytest.fixture(scope="module")
def hostile(results: list[Result]) -> list[Result]:
    """Every text that a stranger may have written, written by one."""
    case = replace(WRONG, id=HOSTILE, question=HOSTILE, history=(Turn("user", HOSTILE),), required=((HOSTILE,),), forbidden=("Scheme",))
    answer = results[1].answer
    assert answer is not None
    answer = replace(answer, text=f"{HOSTILE} Scheme", warnings=(HOSTILE,), standalone=HOSTILE)
    opinion = Opinion(True, HOSTILE, HOSTILE)
    failed = Result(replace(case, id="failed"), None, None, error=HOSTILE)
    return [*results, replace(results[1], case=case, answer=answer, missing=case.required, opinion=opinion), failed]


class Tags(HTMLParser):
    """What a page consists of: the names of its tags and of their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(results: list[Result], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    write(folder, replace(MADE, total=len(results), model=HOSTILE), results, summary(results))
    return folder / NAME


def test_a_failure_stands_beside_what_was_required(results: list[Result]) -> None:
    page = drawn(MADE, results, summary(results))
    assert re.search(r'class="has">Cyberport<', page)
    assert re.search(r'class="lacks">17 dragons or 十七條龍<', page)
    assert "to say that nothing is known of it" in page
    assert "right statement not found" in page
    assert "How long does an apple pie bake?" not in page
    assert "50.0% right" in page
    assert "wrong, test" in page


def test_every_kind_has_its_bar_and_interval(results: list[Result]) -> None:
    page = drawn(MADE, results, summary(results))
    assert page.count('<svg class="bar" width="100%" height="22"') == 4
    assert 'aria-label="100.0%, 95% interval 20.7% to 100.0%"' in page
    assert all(name in page for name in ("near miss", "confidence of the answer", "coverage", "p50", "Median of each step", "settings"))


def test_nothing_is_fetched_and_nothing_in_it_can_run(hostile: list[Result]) -> None:
    page = drawn(MADE, hostile, summary(hostile))
    tags = Tags(page)
    assert not tags.names & {"script", "img", "link", "iframe", "object", "embed", "form", "a", "base"}
    assert not {name for name in tags.attributes if name.startswith("on") or name in ("src", "href", "xlink:href", "style", "srcset")}
    assert not re.search(r"url\(|@import", page[page.index("<style>") : page.index("</style>")])
    assert "default-src 'none'" in page
    assert HOSTILE in tags.text
    assert "{{ 7 * 7 }}" in page


def test_it_is_the_same_every_time(results: list[Result]) -> None:
    assert drawn(MADE, results, summary(results)) == drawn(MADE, results, summary(results))


def test_a_run_in_which_nothing_was_scored_has_a_report(chain: Chain) -> None:
    results = list(each(chain, [RATE], mode="model"))
    page = drawn(MADE, results, summary(results))
    assert "1 could not be scored" in page
    assert '<div class="hero">nothing scored</div>' in page
    assert "No language model is configured" in page
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL).lower()


@pytest.fixture
def opened(browser: Browser, hostile: list[Result], tmp_path: Path) -> Iterator[Page]:
    """The report of a hostile run, opened from disk; at the end it has had no error, run nothing and asked nobody."""
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        page = context.new_page()
        troubles: list[str] = []
        page.on("console", lambda message: troubles.append(message.text))
        page.on("request", lambda request: troubles.append(request.url) if not request.url.startswith("file:") else None)
        page.goto(_page(hostile, tmp_path / "run").as_uri())
        yield page
        assert page.title().startswith("hkai evaluation")
        assert troubles == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_a_phone_and_a_desk_with_everything_open(opened: Page, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 740})
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    small = opened.evaluate(
        "(() => { const ctm = one => Math.hypot(one.getScreenCTM().a, one.getScreenCTM().b); return [...document.querySelectorAll('body *')].filter(one => one.childElementCount === 0 && one.textContent.trim() && one.getClientRects().length)"
        ".map(one => [parseFloat(getComputedStyle(one).fontSize) * (one.ownerSVGElement ? ctm(one) : 1), one.textContent.slice(0, 40)])"
        ".filter(([size]) => size < 9) })()"
    )
    assert small == []


@pytest.mark.browser
def test_a_failure_opens_at_a_click(opened: Page) -> None:
    answer = opened.get_by_text("to say that nothing is known of it")
    assert not answer.is_visible()
    opened.get_by_text("near miss: 1 of 1").click()
    opened.locator("details details summary", has_text="What is the AI Subsidy Scheme?").last.click()
    assert answer.is_visible()


@pytest.mark.browser
def test_in_print_the_failures_are_open(opened: Page) -> None:
    opened.emulate_media(media="print")
    answer = opened.get_by_text("to say that nothing is known of it")
    assert answer.evaluate("one => one.getBoundingClientRect().height") > 0
    assert answer.evaluate("one => one.checkVisibility({contentVisibilityAuto: true})")
