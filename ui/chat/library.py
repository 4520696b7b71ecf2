"""The library: the texts to browse and read, and documents of one's own to add and remove. Widgets and events only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.build import Parts, add_documents, sync_index
from assistant.errors import HkaiError
from corpus.readers import SUFFIXES, Unreadable, documents
from corpus.text import Lang, SourceText
from index.search import Filters
from ui.chat.frame import QUIET, acts, brand_html, head, speak
from ui.chat.page_phrases import PAGE_PHRASES, PagePhrases
from ui.chat.phrases import PHRASES, worded
from ui.chat.render import attribute
from ui.chat.shelf import fitting, own_html, shelf_html, text_html, understood, years
from ui.guard import closed_to_writes

MOST_FILES = 20
OPENED = "() => new URLSearchParams(location.search).get('t') || ''"
# The text that is read stands in the address, and on a phone comes into view.
ADDRESS = "(id) => { window.hkai.reading(id); }"


class LibraryPage:
    """The page at `/library`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._years = years(parts.corpus)
        # The page takes no key: where the endpoint asks for one, or takes no changes, nor does the page.
        self._closed = bool(parts.settings.api_keys) or closed_to_writes(parts.settings)

    def draw(self, blocks: Any) -> None:
        """Draws the page into `blocks`."""
        words = PAGE_PHRASES["en"]
        top = head("library")
        current = gr.Textbox(visible="hidden", elem_id="current")
        with gr.Row(elem_id="library"):
            with gr.Column(scale=2, min_width=240, elem_id="shelves"):
                intro = gr.HTML(elem_id="library-intro", apply_default_css=False)
                find = gr.Textbox(label=words.look_for, elem_id="library-find", max_length=200)
                with gr.Row(elem_id="filters"):
                    topic = gr.Dropdown(_topics(words), value="", label=words.topic, min_width=130, elem_id="topic")
                    publisher = gr.Textbox(label=words.publisher, min_width=130, max_length=200, elem_id="publisher")
                    language = gr.Dropdown(_languages(words), value="", label=words.language, min_width=110, elem_id="text-language")
                    since = gr.Dropdown(self._since(words), value="", label=words.since, min_width=110, elem_id="since")
                listed = gr.HTML(elem_id="library-list", js_on_load=acts(), apply_default_css=False)
            with gr.Column(scale=3, min_width=240, elem_id="reading"):
                own_intro = gr.HTML(elem_id="own-intro", apply_default_css=False)
                add = gr.File(
                    label=words.drop, file_count="multiple", file_types=list(SUFFIXES), elem_id="add", height=110, visible=not self._closed
                )  # fmt: skip
                own = gr.HTML(elem_id="own", js_on_load=acts(), apply_default_css=False)
                reading = gr.HTML(elem_id="text", js_on_load=acts(), apply_default_css=False)
        filters: list[Any] = [find, topic, publisher, language, since]
        gr.on([one.change for one in filters], self.shown, [top.lang, current, *filters], listed, trigger_mode="always_last", **QUIET)
        for part in (listed, own):
            part.open(self.open, [top.lang, *filters], [current, listed, reading], **QUIET)
        current.change(None, current, None, js=ADDRESS, **QUIET)
        add.upload(self.add, [top.lang, add], [own, add], **QUIET, concurrency_limit=1)
        own.remove(self.remove, top.lang, own, **QUIET)
        speak(blocks, top, self.labels, [current, *filters], [intro, *filters, listed, own_intro, add, own, reading], opened=(current, OPENED))

    def shown(self, lang: Lang, current: str, looked_for: str, topic: str, publisher: str, language: str, since: str) -> str:
        """The texts that pass the filters."""
        filters = Filters(topic=topic or "", publisher=publisher.strip(), lang=language or "", since=since or "")
        return shelf_html(fitting(self._parts.corpus, looked_for, filters), PAGE_PHRASES[lang], current=current)

    def open(self, lang: Lang, looked_for: str, topic: str, publisher: str, language: str, since: str, event: gr.EventData) -> tuple[str, str, str]:
        """Shows the text that was chosen."""
        chosen = str(event._data.get("text", ""))
        return chosen, self.shown(lang, chosen, looked_for, topic, publisher, language, since), self._read(chosen, lang)

    def add(self, lang: Lang, files: list[str] | None) -> Iterator[tuple[Any, ...]]:
        """Adds documents, one after the other, and says of each what became of it."""
        words = PAGE_PHRASES[lang]
        said: list[str] = []
        sent = [Path(file) for file in files or []]
        try:
            if self._closed or len(sent) > MOST_FILES:
                yield self._own(lang, [words.closed if self._closed else words.too_many.format(count=len(sent), most=MOST_FILES)]), None
                return
            for file in sent:
                yield self._own(lang, [*said, words.reading.format(name=file.name)]), gr.skip()
                for _, found in documents(str(file), max_mb=self._parts.settings.max_file_mb):
                    said.append(self._added(file.name, found, lang))
            yield self._own(lang, said), None
        finally:
            for file in sent:
                file.unlink(missing_ok=True)  # what was understood is kept, the upload is not

    def remove(self, lang: Lang, event: gr.EventData) -> str:
        """Takes a document out."""
        words, identifier = PAGE_PHRASES[lang], str(event._data.get("text", ""))
        if self._closed:
            return self._own(lang, [words.closed])
        text = self._held().get(identifier)
        if text is None or not text.own:
            return self._own(lang, [])
        try:
            self._parts.library.remove(identifier)
            sync_index(self._parts, lambda done, total: None)
        except HkaiError as error:
            return self._own(lang, [words.not_removed.format(name=text.title, reason=_because(error, lang))])
        return self._own(lang, [words.removed.format(name=text.title)])

    def labels(self, lang: Lang, current: str, looked_for: str, topic: str, publisher: str, language: str, since: str) -> tuple[Any, ...]:
        """Every word of the page in the language, and what is shown on it: at first the texts in that language."""
        words = PAGE_PHRASES[lang]
        megabytes = f"{self._parts.settings.max_file_mb:g}"
        too_large = attribute(words.too_large.format(name="{name}", mb=megabytes))
        return (
            brand_html("library", PHRASES[lang]),
            f'<header class="intro"><h1>{words.title}</h1><p>{words.lead}</p></header>',
            gr.update(label=words.look_for),
            gr.update(label=words.topic, choices=_topics(words), value=topic or ""),
            gr.update(label=words.publisher),
            gr.update(label=words.language, choices=_languages(words), value=lang),
            gr.update(label=words.since, choices=self._since(words), value=since or ""),
            self.shown(lang, current, looked_for, topic, publisher, lang, since),
            f'<header class="intro" id="limits" data-megabytes="{megabytes}" data-said="{too_large}"><h2>{words.own}</h2>'
            f"<p>{words.closed if self._closed else words.own_lead.format(mb=megabytes)}</p></header>",
            gr.update(label=words.drop),
            self._own(lang, []),
            self._read(current, lang),
        )

    def _added(self, name: str, found: SourceText | Unreadable, lang: Lang) -> str:
        words = PAGE_PHRASES[lang]
        if isinstance(found, Unreadable):
            return words.refused.format(name=name, reason=worded(str(found), words.refusals))
        try:
            add_documents(self._parts, [found], lambda done, total: None)
        except HkaiError as error:
            return words.refused.format(name=name, reason=_because(error, lang))
        return words.added.format(name=name, understood=understood(found, words))

    def _own(self, lang: Lang, said: list[str]) -> str:
        return own_html(self._held().values(), PAGE_PHRASES[lang], PHRASES[lang], said=said, closed=self._closed)

    def _read(self, identifier: str, lang: Lang) -> str:
        held = self._held() or {text.id: text for text in self._parts.corpus}
        return text_html(held.get(identifier), PAGE_PHRASES[lang], PHRASES[lang])

    def _held(self) -> Mapping[str, SourceText]:
        """The texts as they are now; where the index cannot be opened, as they were: the page is for reading all the same."""
        try:
            with self._parts.chain.reading() as library:
                return library.texts
        except HkaiError:
            return self._parts.library.texts

    def _since(self, words: PagePhrases) -> list[tuple[str, str]]:
        return [(words.any, ""), *((year, year) for year in self._years)]


def _topics(words: PagePhrases) -> list[tuple[str, str]]:
    return [(words.any, ""), *((name, topic) for topic, name in words.topics.items() if topic != "own")]


def _languages(words: PagePhrases) -> list[tuple[str, str]]:
    return [(words.any, ""), *((name, lang) for lang, name in words.languages.items())]


def _because(error: HkaiError, lang: Lang) -> str:
    """Why something failed, to stand within a sentence."""
    return PHRASES[lang].troubles.get(error.code, error.message).rstrip(".。")
