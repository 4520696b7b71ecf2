"""The screenshots in `docs/screenshots/`, remade: `make screenshots`."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import chromium
from tests.hkai_process import ROOT, UNTIL_READY, serving
from tests.ui.browsing import PHONE, WIDE, answered, ask, visiting
from ui.chat.phrases import PHRASES

FOLDER = ROOT / "docs" / "screenshots"
LARGEST = 150_000


def _first(page: Page) -> None:
    expect(page.locator(".asks")).to_be_visible()


def _answer(number: int, *, open_source: bool = True) -> Callable[[Page], None]:
    """The answer to one of the six first questions."""

    def steps(page: Page) -> None:
        words = PHRASES["zh" if page.evaluate("document.documentElement.lang") == "zh-HK" else "en"]
        ask(page, words.examples[number])
        exchange = answered(page)
        if open_source:
            exchange.locator("a.cite").nth(1).click()

    return steps


def _unknown(page: Page) -> None:
    ask(page, "Which Hong Kong company makes the best AI toothbrush for cats?")
    answered(page)


def _text(page: Page) -> None:
    expect(page.locator(".text h1")).to_be_visible()


def _figures(page: Page) -> None:
    expect(page.locator(".quality table")).to_be_visible()


@dataclass(frozen=True, slots=True)
class Shot:
    """A state of the page: where, in which language, theme and width, and how it is reached."""

    name: str
    steps: Callable[[Page], None]
    path: str = "/"
    lang: str = "en"
    scheme: str = "light"
    viewport: tuple[int, int] = (WIDE["width"], WIDE["height"])


SMALL = (PHONE["width"], PHONE["height"])
SHOTS = (
    Shot("first-visit.en", _first),
    Shot("first-visit.zh", _first, lang="zh", scheme="dark"),
    Shot("answer.en", _answer(0)),
    Shot("answer.zh", _answer(0), lang="zh", scheme="dark"),
    Shot("comparison.zh", _answer(2), lang="zh"),
    Shot("not-found.en", _unknown, scheme="dark"),
    Shot("phone-answer.zh", _answer(0, open_source=False), lang="zh", viewport=SMALL),
    Shot("phone-source.en", _answer(0), scheme="dark", viewport=SMALL),
    Shot("library.en", _text, "/library?t=ai-subsidy-scheme.en"),
    Shot("library.zh", _text, "/library?t=ai-subsidy-scheme.zh", "zh", "dark"),
    Shot("quality.en", _figures, "/quality", "en", "dark"),
    Shot("quality.zh", _figures, "/quality", "zh"),
)


def main() -> int:
    """Takes all of them; the exit status is that of a command."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server, sync_playwright() as playwright:
        server.wait("/readyz", UNTIL_READY)
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        for shot in SHOTS:
            width, height = shot.viewport
            locale = "zh-HK" if shot.lang == "zh" else "en-GB"
            size = {"width": width, "height": height}
            with visiting(browser, server.url, shot.path, locale=locale, viewport=size, color_scheme=shot.scheme, reduced_motion="reduce") as page:
                shot.steps(page)
                page.wait_for_timeout(400)
                image = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(64, dither=Image.Dither.NONE)
            file = FOLDER / f"{shot.name}.png"
            image.save(file, optimize=True)
            sys.stdout.write(f"{file.relative_to(ROOT)} {file.stat().st_size // 1000} kB\n")
            assert file.stat().st_size < LARGEST, f"{file} is too large"
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
