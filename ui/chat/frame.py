"""What every page has: its head with the ways to the other pages, the language and the theme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components.navbar import Navbar

from corpus.text import Lang
from ui.chat.phrases import PHRASES, Phrases

# Every event of the page: no veil while it runs, and no place in an interface for programs.
QUIET: Any = {"show_progress": "hidden", "api_visibility": "private"}
LANGUAGES: list[tuple[str, Lang]] = [("English", "en"), ("繁體中文", "zh")]


def acts() -> str:
    """The script of a part of a page whose buttons do something."""
    return (Path(__file__).parent / "acts.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Head:
    """The parts of a page's head that the page goes on with."""

    brand: Any
    lang: Any


def head(page: str) -> Head:
    """Draws the head of `page` (its path, empty for the conversation)."""
    Navbar(visible=False)
    with gr.Row(elem_id="top"):
        brand = gr.HTML(brand_html(page, PHRASES["en"]), elem_id="brand", apply_default_css=False)
        lang = gr.Radio(LANGUAGES, value="en", show_label=False, label="Language / 語言", container=False, elem_id="language", min_width=170)
        theme = gr.Button("◐", size="sm", elem_id="theme", min_width=40)
    theme.click(None, None, None, js="() => window.hkai.theme()", **QUIET)
    return Head(brand, lang)


def speak(
    blocks: Any, top: Head, labels: Callable[..., tuple[Any, ...]], inputs: list[Any], outputs: list[Any], *, opened: tuple[Any, str] | None = None
) -> None:
    """Has `labels(lang, *inputs)` fill the brand and `outputs` when the page opens and whenever its language is changed, which is kept.

    `opened` is a part whose value at the opening is told by a script.
    """
    told = [top.brand, *outputs]
    first = [top.lang, opened[0]] if opened else [top.lang]
    script = f"() => [window.hkai.language(), ({opened[1]})()]" if opened else "() => window.hkai.language()"
    named = "() => window.hkai.named()"
    chosen = top.lang.input(labels, [top.lang, *inputs], told, js="(lang, ...rest) => [window.hkai.speak(lang), ...rest]", **QUIET)
    chosen.then(None, None, None, js=named, **QUIET)
    opening = blocks.load(None, None, first, js=script, **QUIET)
    opening.then(labels, [top.lang, *inputs], told, **QUIET).then(None, None, None, js=named, **QUIET)


def brand_html(page: str, words: Phrases) -> str:
    """The name, and the ways to the pages; `page` is the one that is shown."""
    links = []
    for path, name in words.pages.items():
        here = ' aria-current="page"' if path == page else ""
        links.append(f'<a href="/{path}"{here}>{name}</a>')
    nav = f'<nav aria-label="hkai"><a class="wordmark" href="/">hkai</a>{"".join(links)}</nav>'
    said = f'<span id="lost" data-past="{words.past}" data-theme="{words.light} / {words.dark}" hidden>{words.lost}</span>'
    return f'<a class="skip" href="#question">{words.skip}</a>{said}{nav}'
