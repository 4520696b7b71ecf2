"""How good the answers are: the committed figures by kind of question, as a table with bars."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from corpus.text import Lang
from ui.chat.frame import brand_html, head, speak
from ui.chat.page_phrases import PAGE_PHRASES, PagePhrases
from ui.chat.phrases import PHRASES
from ui.chat.render import plain

EXPECTED = Path(__file__).parents[2] / "evals" / "expected.toml"
# What is measured over all kinds stands below them.
WHOLE = ("dev", "test", "all")


class QualityPage:
    """The page at `/quality`."""

    def draw(self, blocks: Any) -> None:
        """Draws the page into `blocks`."""
        top = head("quality")
        figures = gr.HTML(elem_id="quality", apply_default_css=False)
        speak(blocks, top, self.labels, [], [figures])

    def labels(self, lang: Lang) -> tuple[str, str]:
        """The page in the language."""
        return brand_html("quality", PHRASES[lang]), quality_html(tomllib.loads(EXPECTED.read_text(encoding="utf-8")), PAGE_PHRASES[lang])


def quality_html(figures: Mapping[str, Any], words: PagePhrases) -> str:
    """The figures of `evals/expected.toml`: for each kind its questions, the share that is right (a bar too), and how the right statement ranks."""
    right: Mapping[str, Any] = figures.get("right", {})
    found: Mapping[str, Any] = figures.get("found", {})
    kinds = [*(kind for kind in right if kind not in WHOLE), *(kind for kind in WHOLE if kind in right)]
    rows = "".join(_row(kind, right[kind], found, words) for kind in kinds)
    heads = "".join(f'<th scope="col">{name}</th>' for name in (words.kind, words.cases, words.right, words.first, words.five, words.rank))
    cases = right.get("all", {}).get("cases", 0)
    return (
        f'<section class="quality"><header class="intro"><h1>{words.quality}</h1><p>{words.quality_lead.format(cases=cases)}</p></header>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table><p class='about'>{plain(words.measured)}</p></section>"
    )


def _row(kind: str, right: Mapping[str, Any], found: Mapping[str, Any], words: PagePhrases) -> str:
    share = float(right["expected"])
    bar = f'<span class="bar-of" aria-hidden="true"><span style="width:{share:.1%}"></span></span>'
    ranks = zip((words.first, words.five, words.rank), ("R@1", "R@5", "MRR"), ("{:.0%}", "{:.0%}", "{:.2f}"), strict=True)
    cells = "".join(f'<td data-column="{name}">{_figure(found.get(f"{kind} {measure}"), form)}</td>' for name, measure, form in ranks)
    return (
        f'<tr{" class=whole" if kind in WHOLE else ""}><th scope="row">{plain(words.kinds.get(kind, kind))}</th>'
        f'<td data-column="{words.cases}">{right["cases"]}</td>'
        f'<td data-column="{words.right}" class="right">{bar}<span>{share:.0%}</span></td>{cells}</tr>'
    )


def _figure(one: Mapping[str, Any] | None, form: str) -> str:
    return form.format(float(one["expected"])) if one else "–"
