"""The chat page: widgets and events only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from assistant.build import Parts
from assistant.chain import MAX_QUESTION, Ask
from assistant.errors import HkaiError, NotReady
from assistant.records import Citation, Turn
from corpus.text import Lang
from ui.chat.phrases import PHRASES, Phrases
from ui.chat.render import answer_html, cited, question_html, sources_html
from ui.http import Readiness

HERE = Path(__file__).parent
LANGUAGES: list[tuple[str, Lang]] = [("English", "en"), ("繁體中文", "zh")]

# A chip shows its card: that answer's group of cards, the card in view and marked.
SCRIPT = """
<script>
document.addEventListener('click', (event) => {
  const chip = event.target.closest('a.cite');
  if (!chip) return;
  event.preventDefault();
  const card = document.querySelector(CSS.escape ? '#' + CSS.escape(chip.getAttribute('href').slice(1)) : chip.getAttribute('href'));
  if (!card) return;
  document.querySelectorAll('.sources .group').forEach((group) => { group.hidden = group !== card.parentElement; });
  document.querySelectorAll('.sources .card.active').forEach((other) => other.classList.remove('active'));
  card.classList.add('active');
  card.scrollIntoView({block: 'nearest', behavior: 'smooth'});
  card.focus({preventScroll: true});
});
</script>
"""

READ_LANGUAGE = "() => localStorage.getItem('hkai-language') || (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en')"
KEEP_LANGUAGE = "(lang) => { localStorage.setItem('hkai-language', lang); document.documentElement.lang = lang === 'zh' ? 'zh-HK' : 'en'; }"

Messages = list[dict[str, Any]]


@dataclass
class Conversation:
    """One visitor's conversation, as long as the page is open."""

    turns: list[Turn] = field(default_factory=list)
    answers: list[tuple[int, tuple[Citation, ...]]] = field(default_factory=list)


def mount(app: FastAPI, parts: Parts, readiness: Readiness) -> FastAPI:
    """`app` with the chat page at `/`; nothing on the page asks any other host."""
    page = _Page(parts, readiness)
    theme = gr.themes.Base(
        font=["system-ui", "-apple-system", "Segoe UI", "Noto Sans CJK HK", "Microsoft JhengHei", "sans-serif"], font_mono=["ui-monospace", "monospace"],
        primary_hue="teal", neutral_hue="slate",
    )  # fmt: skip
    gr.mount_gradio_app(
        app, page.blocks(), path="/", theme=theme, css_paths=HERE / "style.css", head=SCRIPT, show_error=False, footer_links=[], ssr_mode=False, pwa=False
    )
    return app


class _Page:
    def __init__(self, parts: Parts, readiness: Readiness) -> None:
        self._parts = parts
        self._readiness = readiness

    def blocks(self) -> Any:
        words = PHRASES["en"]
        with gr.Blocks(title="hkai", analytics_enabled=False, fill_height=True, fill_width=True) as page:
            conversation = gr.State(Conversation())
            with gr.Row(elem_id="top"):
                heading = gr.HTML(_heading(words), elem_id="heading")
                clear = gr.Button(words.clear, size="sm", elem_id="clear", min_width=120)
                lang = gr.Radio(LANGUAGES, value="en", show_label=False, label="Language / 語言", container=False, elem_id="language", min_width=200)
            with gr.Row(elem_id="main"):
                with gr.Column(scale=3, min_width=240, elem_id="talk"):
                    chat = gr.Chatbot(
                        show_label=False,
                        elem_id="chat",
                        height="calc(100vh - 24rem)",
                        min_height="18rem",
                        buttons=["copy"],
                        latex_delimiters=[],
                        layout="bubble",
                        feedback_options=None,
                        placeholder=_placeholder(words),
                    )
                    following = gr.Dataset(components=["textbox"], samples=[], visible=False, label=words.try_next, elem_id="next", type="values")
                    with gr.Row(elem_id="ask"):
                        box = gr.Textbox(
                            placeholder=words.placeholder, show_label=False, label=words.placeholder, container=False, scale=8, max_length=MAX_QUESTION,
                            autofocus=True, elem_id="question", lines=1, max_lines=4,
                        )  # fmt: skip
                        send = gr.Button(words.send, variant="primary", scale=1, min_width=80, elem_id="send")
                        stop = gr.Button(words.stop, scale=1, min_width=80, visible=False, elem_id="stop")
                    examples = gr.Dataset(
                        components=["textbox"], samples=[[example] for example in words.examples], label=words.examples_title, elem_id="examples", type="values"
                    )
                    note = gr.HTML(self._mode(words), elem_id="mode")
                with gr.Column(scale=2, min_width=240, elem_id="side"):
                    side_title = gr.HTML(f"<h2>{words.sources}</h2>")
                    sources = gr.HTML(sources_html([], {}, words), elem_id="sources")
            asked = gr.State("")
            shown = [chat, sources, following, conversation, send, stop]
            starts = [
                gr.on([box.submit, send.click], lambda text: (text, ""), box, [asked, box], show_progress="hidden", api_visibility="private"),
                examples.click(lambda sample: sample[0], examples, asked, show_progress="hidden", api_visibility="private"),
                following.click(lambda sample: sample[0], following, asked, show_progress="hidden", api_visibility="private"),
            ]
            runs = [
                start.then(self.answer, [asked, chat, conversation, lang], shown, show_progress="hidden", api_visibility="private", concurrency_limit=8)
                for start in starts
            ]
            stop.click(lambda: (gr.update(visible=True), gr.update(visible=False)), None, [send, stop], cancels=runs, api_visibility="private")
            emptied = [chat, sources, following, conversation]
            gr.on([clear.click, chat.clear], self.clear, lang, emptied, show_progress="hidden", api_visibility="private")
            labels = [heading, box, send, stop, clear, side_title, examples, note, chat, following, sources]
            lang.change(self.translate, [lang, conversation], labels, show_progress="hidden", api_visibility="private")
            page.load(None, None, lang, js=READ_LANGUAGE, api_visibility="private")
            lang.change(None, lang, None, js=KEEP_LANGUAGE, api_visibility="private")
        return page

    def answer(self, text: str, chat: Messages, conversation: Conversation, lang: Lang) -> Iterator[tuple[Any, ...]]:
        """Streams the answer to `text` into the chat and its citations into the panel."""
        words = PHRASES[lang]
        if not text.strip():
            yield chat, gr.skip(), gr.skip(), conversation, gr.skip(), gr.skip()
            return
        chat = [*chat, {"role": "user", "content": question_html(text)}]
        number = len(conversation.turns) // 2 + 1
        working = (gr.update(visible=False), gr.update(visible=True))
        ready = (gr.update(visible=True), gr.update(visible=False))

        def said(html: str) -> Messages:
            return [*chat, {"role": "assistant", "content": html}]

        while not self._readiness.ready and not self._readiness.trouble:
            yield said(_notice(words.preparing.format(step=self._readiness.step))), gr.skip(), gr.skip(), conversation, *working
            time.sleep(0.5)
        draft, searched = "", ""
        try:
            self._readiness.wait(1)
            for event in self._parts.chain.stream(Ask(text[:MAX_QUESTION], tuple(conversation.turns))):
                if event.name == "question":
                    searched = event.data if event.data != text.strip() else ""
                elif event.name == "restart":
                    draft = ""
                elif event.name == "token":
                    draft += event.data
                    yield said(answer_html(draft, number, searched=searched, phrases=words)), gr.skip(), gr.skip(), conversation, *working
                elif event.name == "answer":
                    answer = event.data
                    turns = [*conversation.turns, Turn("user", text), Turn("assistant", answer.text)]
                    conversation = Conversation(turns, [*conversation.answers, (number, tuple(cited(answer)))])
                    html = answer_html(answer.text, number, searched=searched, warnings=answer.warnings, phrases=words)
                    panel = sources_html(conversation.answers, self._parts.library.texts, words)
                    following = gr.update(samples=[[question] for question in answer.followups], visible=bool(answer.followups), label=words.try_next)
                    yield said(html), panel, following, conversation, *ready
        except (HkaiError, NotReady) as error:
            yield said(_notice(words.failed.format(message=error.message))), gr.skip(), gr.skip(), conversation, *ready

    def clear(self, lang: Lang) -> tuple[Any, ...]:
        """A new conversation."""
        return [], sources_html([], {}, PHRASES[lang]), gr.update(visible=False), Conversation()

    def translate(self, lang: Lang, conversation: Conversation) -> tuple[Any, ...]:
        """Every label in the language chosen."""
        words = PHRASES[lang]
        return (
            _heading(words),
            gr.update(placeholder=words.placeholder, label=words.placeholder),
            gr.update(value=words.send),
            gr.update(value=words.stop),
            gr.update(value=words.clear),
            f"<h2>{words.sources}</h2>",
            gr.update(samples=[[example] for example in words.examples], label=words.examples_title),
            self._mode(words),
            gr.update(placeholder=_placeholder(words)),
            gr.update(label=words.try_next),
            sources_html(conversation.answers, self._parts.library.texts, words),
        )

    def _mode(self, words: Phrases) -> str:
        writer = self._parts.chain.writer
        return f"<p>{words.mode_model.format(model=writer.name) if writer else words.mode_quotes}</p>"


def _heading(words: Phrases) -> str:
    return f"<h1>hkai</h1><p>{words.tagline}</p>"


def _placeholder(words: Phrases) -> str:
    return f'<div class="welcome"><p>{words.intro}</p></div>'


def _notice(message: str) -> str:
    return answer_html("", 0, warnings=[message], phrases=PHRASES["en"])
