"""Answers to safe HTML. Pure: text in, markup out; whatever comes from a question, a document or a model is escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from itertools import zip_longest
from urllib.parse import urlparse

from assistant.records import Answer, Citation
from corpus.text import Source, SourceText
from ui.chat.phrases import Phrases

_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+!|~$>:=^.@-]")
_CITED = re.compile(r"\[(\d{1,3})\]")
_BULLET = re.compile(r"^[-*] ")
_RULE = re.compile(r"^\|(?: *:?-+:? *\|)+$")


def plain(text: str) -> str:
    """Text as text: no HTML, no Markdown, no mathematics; line breaks kept."""
    safe = escape(text.replace("\0", "").strip(), quote=True)
    safe = re.sub(r"&(amp|lt|gt|quot|#x27);", lambda entity: entity.group().replace("#", "\0"), safe)
    safe = _MARKDOWN.sub(lambda mark: f"&#{ord(mark.group())};", safe)
    return re.sub(r"\n+", "<br>", safe.replace("\0", "#"))


def question_html(text: str) -> str:
    """A question as it was asked."""
    return f'<div class="asked">{plain(text)}</div>'


def answer_html(text: str, number: int, *, searched: str = "", warnings: Sequence[str] = (), phrases: Phrases) -> str:
    """An answer, finished or not, as paragraphs and lists; `[n]` becomes a chip that leads to source `n` of answer `number`."""
    parts = []
    if searched:
        parts.append(f'<div class="searched">{phrases.searched_for}: {plain(searched)}</div>')
    lines = [*text.splitlines(), ""]
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("| ") and _RULE.match(lines[at + 1]):
            until = _until(lines, at, lambda line: line.startswith("|"))
            parts.append(_table(lines[at:until], number))
        elif _BULLET.match(line):
            until = _until(lines, at, _BULLET.match)
            parts.append(f"<ul>{''.join(f'<li>{_chips(line[2:], number)}</li>' for line in lines[at:until])}</ul>")
        else:
            until = at + 1
            if line.strip():
                parts.append(f"<p>{_chips(line, number)}</p>")
        at = until
    parts += [f'<p class="warning">{plain(warning)}</p>' for warning in warnings]
    return f'<div class="answer">{"".join(parts)}</div>'


def sources_html(answers: Sequence[tuple[int, Sequence[Citation]]], texts: dict[str, SourceText], phrases: Phrases) -> str:
    """The panel: a card for each citation of each answer, those of the last answer shown."""
    if not any(citations for _, citations in answers):
        return f'<div class="sources"><p class="empty">{phrases.no_sources}</p></div>'
    groups = []
    last = max(number for number, citations in answers if citations)
    for number, citations in answers:
        cards = "".join(_card(citation, number, texts.get(citation.text_id), phrases) for citation in citations)
        groups.append(f'<section class="group" data-answer="{number}"{"" if number == last else " hidden"}>{cards}</section>')
    return f'<div class="sources">{"".join(groups)}</div>'


def cited(answer: Answer) -> Sequence[Citation]:
    """The citations of an answer, in order of number."""
    return sorted(answer.citations, key=lambda citation: citation.number)


def _until(lines: Sequence[str], start: int, fits: Callable[[str], object]) -> int:
    """Where the run of lines that fit ends, which begins at `start`."""
    return next((at for at in range(start, len(lines)) if not fits(lines[at])), len(lines))


def _table(lines: Sequence[str], number: int) -> str:
    """A Markdown table, its head in the first line; each cell names its column too, for screens too narrow to set them side by side."""
    head, _, *rows = ([cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")] for line in lines)
    names = [plain(cell) for cell in head]
    body = []
    for row in rows:
        cells = [f'<td title="{name}">{_chips(cell, number)}</td>' for name, cell in zip_longest(names, row[: len(names)], fillvalue="")]
        body.append(f"<tr>{''.join(cells)}</tr>")
    columns = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f'<table class="sides"><thead><tr>{columns}</tr></thead><tbody>{"".join(body)}</tbody></table>'


def _chips(line: str, number: int) -> str:
    parts = _CITED.split(line)
    pieces = []
    for at, part in enumerate(parts):
        if at % 2:
            pieces.append(f'<a class="cite" href="#source-{number}-{part}" aria-label="{part}">{part}</a>')
        else:
            pieces.append(plain(part) if part.strip() else "")
    return " ".join(piece for piece in pieces if piece)


def _card(citation: Citation, number: int, text: SourceText | None, phrases: Phrases) -> str:
    heading = plain(citation.heading)
    dated = f'<span class="asof">{phrases.as_of} {plain(citation.as_of)}</span>' if citation.as_of else ""
    sources = "".join(f"<li>{_source(source, phrases)}</li>" for source in citation.sources)
    return (
        f'<article class="card" id="source-{number}-{citation.number}" tabindex="-1">'
        f'<header><span class="number">{citation.number}</span><span class="heading">{heading}</span>{dated}</header>'
        f'<blockquote>{_in_surroundings(citation, text)}</blockquote><ul class="pages">{sources}</ul></article>'
    )


def _in_surroundings(citation: Citation, text: SourceText | None) -> str:
    """The quoted sentence marked between its neighbours in the paragraph; alone where the text has changed since."""
    marked = f"<mark>{plain(citation.quote)}</mark>"
    if text is None or text.text[citation.start : citation.end] != citation.quote:
        return marked
    at = next((at for at, statement in enumerate(text.statements) if statement.start == citation.start), None)
    if at is None:
        return marked
    before = text.statements[at - 1] if at else None
    after = text.statements[at + 1] if at + 1 < len(text.statements) else None
    parts = [marked]
    if before and "\n\n" not in text.text[before.end : citation.start]:
        parts.insert(0, plain(before.text))
    if after and "\n\n" not in text.text[citation.end : after.start]:
        parts.append(plain(after.text))
    return " ".join(parts)


def _source(source: Source, phrases: Phrases) -> str:
    title = plain(source.title or source.publisher)
    if source.url and urlparse(source.url).scheme in ("http", "https"):
        title = f'<a href="{escape(source.url, quote=True)}" target="_blank" rel="noopener noreferrer">{title}</a>'
    parts = [title]
    if source.title and source.publisher:
        parts.append(plain(source.publisher))
    if source.published:
        parts.append(f"{phrases.published} {plain(source.published)}")
    if source.page is not None:
        parts.append(f"{phrases.page} {source.page}")
    kind = f'<span class="kind {source.kind}">{phrases.kinds[source.kind]}</span>'
    note = f'<span class="nolink">{phrases.no_link}</span>' if source.kind == "copy" and not source.url else ""
    return f"{' · '.join(parts)} {kind}{note}"
