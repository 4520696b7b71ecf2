"""The conversation: widgets and events only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import gradio as gr

from assistant.build import Parts
from assistant.chain import MAX_QUESTION
from assistant.errors import HkaiError, NotFound
from assistant.transcripts import Conversation, Transcript
from corpus.text import Lang
from ui.chat.frame import QUIET, acts, brand_html, head, speak
from ui.chat.panel import sources_html
from ui.chat.past import HERE, bar_html, past_html
from ui.chat.phrases import PHRASES, Phrases
from ui.chat.render import Exchange, exchange_html, plain, welcome_html
from ui.chat.talk import SCOPES, Talk, Writing, exchange_of, trouble
from ui.chat.visitor import visitor
from ui.http import Readiness

# Puts the conversation that is shown into the address, so that a reload shows it again.
ADDRESS = "(id) => { window.hkai.address(id); }"
OPENED = "() => window.hkai.opened()"
UNSENT = "() => window.hkai.unsent()"
# What a question that is not answered changes.
NOTHING = tuple(gr.skip() for _ in range(10))


class ConversationPage:
    """The page at `/`: what was asked before, the conversation, and the sources."""

    def __init__(self, parts: Parts, readiness: Readiness) -> None:
        self._parts = parts
        self._kept = parts.conversations
        self._talk = Talk(parts, readiness)

    def draw(self, blocks: Any) -> None:
        """Draws the page into `blocks`."""
        words = PHRASES["en"]
        top = head("")
        current = gr.Textbox(visible="hidden", elem_id="current")
        writing = gr.State(Writing())
        with gr.Sidebar(open=True, width=280, elem_id="past"):
            new = gr.Button(words.new, elem_id="new")
            find = gr.Textbox(placeholder=words.look_for, label=words.look_for, show_label=False, container=False, elem_id="find", max_length=200)
            past = gr.HTML(elem_id="list", js_on_load=acts(), apply_default_css=False)
        with gr.Row(elem_id="main"):
            with gr.Column(scale=3, min_width=240, elem_id="talk"):
                bar = gr.HTML(elem_id="bar", js_on_load=acts(), apply_default_css=False)
                with gr.Column(elem_id="scroll"):
                    log = gr.HTML(elem_id="log", js_on_load=acts(), apply_default_css=False)
                    live = gr.HTML(elem_id="live", js_on_load=acts(), apply_default_css=False)
                status = gr.HTML(elem_id="status", apply_default_css=False)
                with gr.Row(elem_id="ask"):
                    box = gr.Textbox(
                        placeholder=words.placeholder, show_label=False, label=words.placeholder, container=False, scale=8, max_length=MAX_QUESTION,
                        autofocus=True, elem_id="question", lines=1, max_lines=8,
                    )  # fmt: skip
                    send = gr.Button(words.send, variant="primary", scale=0, min_width=72, elem_id="send")
                    stop = gr.Button(words.stop, scale=0, min_width=72, visible=False, elem_id="stop")
                scope = gr.Radio(_scopes(words), value="both", show_label=False, label=words.scope, container=False, visible=False, elem_id="scope")
            with gr.Column(scale=2, min_width=240, elem_id="side"):
                sources = gr.HTML(sources_html([], {}, words), elem_id="sources", apply_default_css=False)

        shown = [log, live, sources, bar, past, status]
        running = [*shown, box, send, stop, current]
        given = [writing, current, top.lang, scope]
        answers: Any = {"outputs": running, **QUIET, "concurrency_id": "answer", "concurrency_limit": 8}
        gr.on([box.submit, send.click], self.ask, [box, *given], **answers)
        for part in (log, live):
            part.ask(self.ask_chosen, given, **answers)
            part.edited(self.ask_edited, given, **answers)
            part.again(self.ask_again, given, **answers)
            part.rate(self.rate, [current, top.lang], [log, live], **QUIET)
        stop.click(self.stop, [writing, top.lang], [live, status, send, stop], concurrency_limit=None, **QUIET)
        # A change of conversation ends the answer that is being written: it would go on in the one that is shown.
        changed: Any = {"outputs": [*shown, current, send, stop], "concurrency_limit": None, **QUIET}
        past.open(self.open, [writing, top.lang], **changed)
        new.click(self.new, [writing, top.lang], **changed)
        find.change(self.find, [find, current, top.lang], past, trigger_mode="always_last", **QUIET)
        past.rename(self.rename, [find, current, top.lang], [past, bar], **QUIET)
        past.remove(self.remove, [writing, find, current, top.lang], **changed)
        past.restore(self.restore, [writing, find, current, top.lang], **changed)
        bar.publish(self.share, [top.lang], bar, **QUIET)
        bar.withdraw(self.unshare, [top.lang], bar, **QUIET)
        current.change(None, current, None, js=ADDRESS, **QUIET)
        blocks.load(None, None, box, js=UNSENT, **QUIET)
        speak(blocks, top, self.labels, [current, scope], [new, find, box, send, stop, scope, *shown, current], opened=(current, OPENED))

    # Asking

    def ask(self, text: str, writing: Writing, current: str, lang: Lang, scope: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Answers what was typed."""
        yield from self._answer(writing, _owner(request), text, current, (), lang, scope)

    def ask_chosen(self, writing: Writing, current: str, lang: Lang, scope: str, event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Answers a question that was offered."""
        yield from self._answer(writing, _owner(request), _of(event, "text"), current, (), lang, scope)

    def ask_edited(self, writing: Writing, current: str, lang: Lang, scope: str, event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Answers a question as it was edited, in place of it and of what the page shows after it."""
        yield from self._answer(writing, _owner(request), _of(event, "text"), current, tuple(_of(event, "onwards").split()), lang, scope)

    def ask_again(self, writing: Writing, current: str, lang: Lang, scope: str, event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Answers a question once more, in place of its answer."""
        owner, asked = _owner(request), _of(event, "id")
        with _told(PHRASES[lang]):
            messages = self._kept.open(owner, current).messages
        for message in messages:
            if message.id == asked:
                yield from self._answer(writing, owner, message.question, current, (asked,), lang, scope)

    def _answer(self, writing: Writing, owner: str, text: str, current: str, replaces: tuple[str, ...], lang: Lang, scope: str) -> Iterator[tuple[Any, ...]]:
        """Keeps the question, streams the answer, and keeps that."""
        words, text = PHRASES[lang], text.strip()[:MAX_QUESTION]
        if not text:
            yield NOTHING
            return
        with writing.begun(current) as end:
            if end is None:
                yield NOTHING
                return
            try:
                conversation, before, message = self._talk.keep(owner, text, current, replaces)
            except HkaiError as error:
                gr.Warning(plain(trouble(error, words)))
                yield *NOTHING[:7], *_ready(), gr.skip()
                return
            settled = [exchange_of(one, words) for one in before.messages]
            first = live = Exchange(message.id, text, busy=True)
            yield (
                _log(settled, words), _live(live, words), gr.skip(), bar_html(conversation, words), self._past(owner, conversation.id, lang),
                _status(words.working), "", gr.update(visible=False), gr.update(visible=True), conversation.id,
            )  # fmt: skip
            for live in writing.each(self._talk.written(owner, first, before.turns, scope, words), first, end):
                yield gr.skip(), _live(live, words), *NOTHING[2:]
            if live.busy:  # it was ended by what also says how the page goes on
                yield NOTHING  # Gradio sends the last changes again at the end
                return
            said = words.done.format(count=len(live.citations)) if live.answer else live.trouble
            yield (
                gr.skip(), _live(live, words), self._sources([*settled, live], words), gr.skip(), gr.skip(), _status(said),
                gr.skip(), *_ready(), gr.skip(),
            )  # fmt: skip

    def stop(self, writing: Writing, lang: Lang) -> tuple[Any, ...]:
        """Leaves what is written so far; the question stays kept and can be asked again."""
        words, live = PHRASES[lang], writing.end()
        if live is None or not live.busy:
            return gr.skip(), gr.skip(), *_ready()
        return _live(replace(live, busy=False, trouble=words.stopped), words), _status(words.stopped), *_ready()

    def rate(self, current: str, lang: Lang, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Keeps thumbs up or down with the reason; what was given before is taken back."""
        (value, _, reason), words = _of(event, "text").partition(" "), PHRASES[lang]
        with _told(words):
            exchanges = self._talk.rate(_owner(request), current, _of(event, "id"), value, reason, words)
        return _log(exchanges[:-1], words), _live(exchanges[-1] if exchanges else None, words)

    # Conversations

    def new(self, writing: Writing, lang: Lang, request: gr.Request) -> tuple[Any, ...]:
        """An empty page; the conversation begins with its first question."""
        with _told(PHRASES[lang]):
            return *self._changed(writing, _owner(request), "", lang), "", *_ready()

    def open(self, writing: Writing, lang: Lang, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Shows a conversation as it was."""
        opened = _of(event, "id")
        with _told(PHRASES[lang]):
            return *self._changed(writing, _owner(request), opened, lang), opened, *_ready()

    def find(self, looked_for: str, current: str, lang: Lang, request: gr.Request) -> str:
        """Lists the conversations that hold the words."""
        with _told(PHRASES[lang]):
            return self._past(_owner(request), current, lang, looked_for)

    def rename(self, looked_for: str, current: str, lang: Lang, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Gives a conversation another title."""
        owner = _owner(request)
        with _told(PHRASES[lang]):
            renamed = self._kept.rename(owner, _of(event, "id"), _of(event, "text"))
            return self._past(owner, current, lang, looked_for), bar_html(renamed, PHRASES[lang]) if renamed.id == current else gr.skip()

    def remove(self, writing: Writing, looked_for: str, current: str, lang: Lang, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Deletes a conversation, which can be undone."""
        owner, gone = _owner(request), _of(event, "id")
        left = "" if gone == current else current
        with _told(PHRASES[lang]):
            removed = self._kept.open(owner, gone).conversation
            self._kept.delete(owner, gone)
            *shown, _, status = self._changed(writing, owner, left, lang)
            return *shown, self._past(owner, left, lang, looked_for, removed), status, left, *_ready()

    def restore(self, writing: Writing, looked_for: str, current: str, lang: Lang, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Undoes that, and shows the conversation."""
        owner = _owner(request)
        with _told(PHRASES[lang]):
            back = self._kept.restore(owner, _of(event, "id"))
            *shown, _, status = self._changed(writing, owner, back.id, lang)
            return *shown, self._past(owner, back.id, lang, looked_for), status, back.id, *_ready()

    def share(self, lang: Lang, event: gr.EventData, request: gr.Request) -> str:
        """Shares the conversation as it is now."""
        owner = _owner(request)
        with _told(PHRASES[lang]):
            link = self._kept.share(owner, _of(event, "id"))
            shared = self._kept.open(owner, _of(event, "id")).conversation
        origin = str(dict(request.headers).get("origin", ""))
        return bar_html(shared, PHRASES[lang], link=f"{origin}/shared/{link}")

    def unshare(self, lang: Lang, event: gr.EventData, request: gr.Request) -> str:
        """Takes the link back."""
        owner = _owner(request)
        with _told(PHRASES[lang]):
            self._kept.unshare(owner, _of(event, "id"))
            return bar_html(self._kept.open(owner, _of(event, "id")).conversation, PHRASES[lang])

    # What is shown

    def _changed(self, writing: Writing, owner: str, current: str, lang: Lang) -> tuple[Any, ...]:
        """As `_shown`, where the page comes to show another conversation: what is being written on it ends."""
        shown = self._shown(owner, current, lang)
        writing.end(shows=current)
        return shown

    def labels(self, lang: Lang, current: str, scope: str, request: gr.Request) -> tuple[Any, ...]:
        """Every word of the page in the language, and the conversation; what cannot be read is said, and the page is labelled all the same."""
        words, own = PHRASES[lang], False
        shown: tuple[Any, ...] = (*self._drawn(None, words), "", "")
        try:
            shown = self._shown(_owner(request), current, lang)
            with self._parts.chain.reading() as library:
                own = any(text.own for text in library.texts.values())
        except HkaiError as error:
            gr.Warning(plain(trouble(error, words)))
        return (
            brand_html("", words),
            words.new,
            gr.update(placeholder=words.look_for, label=words.look_for),
            gr.update(placeholder=words.placeholder, label=words.placeholder),
            words.send,
            words.stop,
            gr.update(choices=_scopes(words), label=words.scope, visible=own, value=scope if own and scope in SCOPES else "both"),
            *shown,
            current,
        )

    def _shown(self, owner: str, current: str, lang: Lang) -> tuple[Any, ...]:
        """Log, live, sources, bar, past and status for a conversation; those of a new one where there is none of that id."""
        words, transcript = PHRASES[lang], None
        try:
            transcript = self._kept.open(owner, current) if current else None
        except NotFound:
            gr.Info(words.gone)
        return *self._drawn(transcript, words), self._past(owner, current, lang), ""

    def _drawn(self, transcript: Transcript | None, words: Phrases) -> tuple[str, str, str, str]:
        """Log, live, sources and bar."""
        exchanges = [exchange_of(message, words) for message in transcript.messages] if transcript else []
        live = _live(exchanges[-1], words) if exchanges else self._welcome(words)
        return _log(exchanges[:-1], words), live, self._sources(exchanges, words), bar_html(transcript.conversation if transcript else None, words)

    def _welcome(self, words: Phrases) -> str:
        writer = self._parts.chain.writer
        return welcome_html(self._talk.known(words), words, note=words.mode_model.format(model=writer.name) if writer else words.mode_quotes)

    def _sources(self, exchanges: Sequence[Exchange], words: Phrases) -> str:
        return sources_html(exchanges, self._parts.library.texts, words)

    def _past(self, owner: str, current: str, lang: Lang, looked_for: str = "", removed: Conversation | None = None) -> str:
        listed = self._kept.search(owner, looked_for[:200]) if looked_for.strip() else self._kept.list(owner)
        return past_html(listed, PHRASES[lang], current=current, today=datetime.now(HERE).date(), looked_for=looked_for, removed=removed)


def _owner(request: gr.Request) -> str:
    """The visitor of a request; where a browser keeps no cookie, its session, so that the conversation lasts as long as the page."""
    cookies = str(dict(request.headers).get("cookie", ""))
    return visitor(cookies) or f"session without a cookie {request.session_hash}"


def _ready() -> tuple[Any, Any]:
    """The buttons to send and to stop while nothing is being written."""
    return gr.update(visible=True), gr.update(visible=False)


def _of(event: gr.EventData, name: str) -> str:
    """What an event of the page's script says; whatever it is, text."""
    value = event._data.get(name, "") if isinstance(event._data, dict) else ""
    return value if isinstance(value, str) else ""


@contextmanager
def _told(words: Phrases) -> Iterator[None]:
    """What goes wrong is said to the visitor in words."""
    try:
        yield
    except HkaiError as error:
        raise gr.Error(plain(trouble(error, words)), print_exception=False) from error


def _log(exchanges: Sequence[Exchange], words: Phrases) -> str:
    shown = "".join(exchange_html(exchange, words, last=False) for exchange in exchanges)
    return f"<div>{shown}</div>" if shown else ""


def _live(exchange: Exchange | None, words: Phrases) -> str:
    shown = exchange_html(exchange, words, last=True) if exchange else ""
    return f'<div role="log" aria-label="{words.conversation}">{shown}</div>' if shown else ""


def _status(text: str) -> str:
    return f'<p role="status">{plain(text)}</p>'


def _scopes(words: Phrases) -> list[tuple[str, str]]:
    return [(name, scope) for scope, name in words.scopes.items()]
