"""The texts of the library as safe HTML: listed, and one of them to read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from corpus.text import SourceText, Statement
from index.chunks import chunks
from index.search import Filters
from index.words import fold
from ui.chat.page_phrases import PagePhrases
from ui.chat.panel import source_html
from ui.chat.phrases import Phrases, dated
from ui.chat.render import attribute, button, plain

# The first year that is offered as a beginning; facts are rarely older.
EARLIEST = 2016


def fitting(texts: Sequence[SourceText], looked_for: str, filters: Filters) -> list[SourceText]:
    """The texts that hold every word and pass the filters, by topic and title."""
    wanted = fold(looked_for).split()
    found = [
        text
        for text in texts
        if filters.admits(text)
        and (not (filters.publisher or filters.since) or any(map(filters.admits_statement, text.statements)))
        and (not wanted or all(word in fold(f"{text.title} {' '.join(text.aliases)} {text.text}") for word in wanted))
    ]
    return sorted(found, key=lambda text: (text.topic, text.lang, text.title))


def years(texts: Sequence[SourceText]) -> list[str]:
    """The years from that of the newest fact back to `EARLIEST`."""
    newest = max((statement.as_of for text in texts for statement in text.statements), default="")
    return [str(year) for year in range(int(newest[:4] or EARLIEST), EARLIEST - 1, -1)]


def shelf_html(texts: Sequence[SourceText], words: PagePhrases, *, current: str) -> str:
    """The texts by topic."""
    if not texts:
        return f'<nav class="shelf" aria-label="{words.title}"><p class="empty" role="status">{words.none}</p></nav>'
    parts = [f'<p class="counted" role="status">{words.counted.format(count=len(texts))}</p>']
    for topic, listed in groupby(texts, key=lambda text: text.topic):
        parts.append(f"<h2>{plain(words.topics.get(topic, topic))}</h2><ul>{''.join(_entry(text, current) for text in listed)}</ul>")
    return f'<nav class="shelf" aria-label="{words.title}">{"".join(parts)}</nav>'


def text_html(text: SourceText | None, words: PagePhrases, common: Phrases) -> str:
    """A text with its statements under their headings, each with its date and pages."""
    if text is None:
        return f'<article class="text"><p class="empty">{words.choose}</p></article>'
    parts = [f'<h1 tabindex="-1">{plain(text.title)}</h1><p class="about">{about(text, words, common)}</p>']
    for heading, run in groupby(chunks(text), key=lambda chunk: chunk.heading):
        pieces = list(run)
        name = heading.removeprefix(text.title).removeprefix(" › ")
        held = text.statements[pieces[0].first : pieces[-1].last]
        parts.append((f"<h2>{plain(name)}</h2>" if name else "") + f"<ol>{''.join(_statement(one, common) for one in held)}</ol>")
    return f'<article class="text" lang="{"zh-HK" if text.lang == "zh" else "en"}">{"".join(parts)}</article>'


def own_html(texts: Iterable[SourceText], words: PagePhrases, common: Phrases, *, said: Sequence[str] = (), closed: bool = False) -> str:
    """The documents that were added, to be removed unless `closed`, and what was just said of some."""

    def remove(text: SourceText) -> str:
        return "" if closed else button("remove", words.remove.format(name=text.title), icon="remove", text=text.id)

    items = "".join(
        f'<li data-id="{attribute(text.id)}"><a href="/library?t={attribute(text.id)}" data-do="open" data-text="{attribute(text.id)}">{plain(text.title)}</a>'
        f'<span class="about">{understood(text, words)}</span>{remove(text)}</li>'
        for text in sorted((text for text in texts if text.own), key=lambda text: text.title)
    )
    listed = f"<ul>{items}</ul>" if items else f'<p class="empty">{words.no_own}</p>'
    told = "".join(f"<p>{plain(line)}</p>" for line in said)
    return f'<div class="own">{listed}<div class="said" role="status">{told}</div></div>'


def about(text: SourceText, words: PagePhrases, common: Phrases) -> str:
    """Topic, date and size of a text."""
    parts = [words.topics.get(text.topic, text.topic), words.updated.format(date=dated(text.updated, common)), understood(text, words)]
    return " · ".join(map(plain, parts))


def understood(text: SourceText, words: PagePhrases) -> str:
    """What was made of a document: its pages, where it has some, and its statements."""
    pages = max((source.page or 0 for statement in text.statements for source in statement.sources), default=0)
    counted = words.statements.format(count=len(text.statements))
    return f"{words.pages.format(count=pages)}, {counted}" if pages else counted


def _entry(text: SourceText, current: str) -> str:
    here = ' aria-current="true"' if text.id == current else ""
    return f'<li><a href="/library?t={attribute(text.id)}" data-do="open" data-text="{attribute(text.id)}"{here}>{plain(text.title)}</a></li>'


def _statement(statement: Statement, common: Phrases) -> str:
    held = f'<span class="asof">{common.as_of} {plain(dated(statement.as_of, common))}</span> · ' if statement.as_of else ""
    pages = "; ".join(source_html(source, common) for source in statement.sources)
    return f'<li><p>{plain(statement.text)}</p><p class="pages">{held}{pages}</p></li>'
