"""The sources of answers as cards, in safe HTML; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import urlparse

from assistant.records import Citation
from corpus.text import Source, SourceText
from ui.chat.phrases import Phrases, dated
from ui.chat.render import Exchange, attribute, plain


def sources_html(exchanges: Sequence[Exchange], texts: Mapping[str, SourceText], words: Phrases) -> str:
    """The panel: a card for each citation of each answer, those of the last answer shown."""
    cited = [exchange for exchange in exchanges if exchange.answer and exchange.citations]
    head = f'<header class="head"><h2>{words.sources}</h2><button type="button" class="close" data-close aria-label="{words.close}">×</button></header>'
    if not cited:
        return f'<div class="sources">{head}<p class="empty">{words.no_sources}</p></div>'
    groups = []
    for exchange in cited:
        cards = "".join(_card(citation, exchange.id, texts.get(citation.text_id), words) for citation in exchange.citations)
        hidden = "" if exchange is exchanges[-1] or exchange is cited[-1] else " hidden"
        groups.append(f'<section class="group" data-answer="{attribute(exchange.id)}" aria-label="{attribute(exchange.asked[:80])}"{hidden}>{cards}</section>')
    return f'<div class="sources">{head}{"".join(groups)}</div>'


def source_html(source: Source, words: Phrases) -> str:
    """A page in a line: its title, linked where there is an address, its publisher, date and kind."""
    title = plain(source.title or source.publisher)
    if source.url and urlparse(source.url).scheme in ("http", "https"):
        title = f'<a href="{escape(source.url, quote=True)}" target="_blank" rel="noopener noreferrer">{title}</a>'
    parts = [title]
    if source.title and source.publisher:
        parts.append(plain(source.publisher))
    if source.published:
        parts.append(f"{words.published} {plain(dated(source.published, words))}")
    if source.page is not None:
        parts.append(words.on_page.format(page=source.page))
    kind = f'<span class="kind {source.kind}">{words.kinds[source.kind]}</span>'
    note = f'<span class="nolink">{words.no_link}</span>' if source.kind == "copy" and not source.url else ""
    return f"{' · '.join(parts)} {kind}{note}"


def _card(citation: Citation, key: str, text: SourceText | None, words: Phrases) -> str:
    held = f'<span class="asof">{words.as_of} {plain(dated(citation.as_of, words))}</span>' if citation.as_of else ""
    sources = "".join(f"<li>{source_html(source, words)}</li>" for source in citation.sources)
    named = f"source-{attribute(key)}-{citation.number}"
    # The heading is a path, from the title of the text downwards.
    path = plain(citation.heading or citation.title)
    return (
        f'<article class="card" id="{named}" tabindex="-1" aria-labelledby="{named}-heading">'
        f'<header><span class="number">{citation.number}</span><h3 class="heading" id="{named}-heading">{path}</h3>{held}</header>'
        f'<blockquote>{_in_surroundings(citation, text)}</blockquote><ul class="pages">{sources}</ul></article>'
    )


def _in_surroundings(citation: Citation, text: SourceText | None) -> str:
    """The quoted sentence marked within its paragraph; alone where the text has changed since."""
    marked = f"<mark>{plain(citation.quote)}</mark>"
    if text is None or text.text[citation.start : citation.end] != citation.quote:
        return marked
    first = text.text.rfind("\n\n", 0, citation.start) + 1
    last = text.text.find("\n\n", citation.end)
    around = [one for one in text.statements if first <= one.start and one.end <= (last if last >= 0 else len(text.text))]
    return " ".join(marked if one.start == citation.start else f'<span class="around">{plain(one.text)}</span>' for one in around) if around else marked
