"""A conversation as safe HTML. Pure: records in, markup out; whatever comes from a question, a document or a model is escaped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import zip_longest
from types import MappingProxyType
from typing import Literal

from assistant.records import Answer, Citation
from ui.chat.icons import ICONS
from ui.chat.phrases import Phrases, dated, worded

_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+!|~$>:=^.@-]")
_CITED = re.compile(r"\[(\d{1,3})\]")
_BULLET = re.compile(r"^[-*] ")
_RULE = re.compile(r"^\|(?: *:?-+:? *\|)+$")

Rating = Literal["", "up", "down"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and what became of it: an answer; or, before there is one, what is written so far; or what went wrong."""

    id: str
    asked: str
    answer: Answer | None = None
    draft: str = ""
    searched: str = ""
    evidence: tuple[Citation, ...] = ()
    busy: bool = False
    step: str = ""
    trouble: str = ""
    rating: Rating = ""

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Those of the answer in order of number; while it is written, the evidence that it is written from."""
        return tuple(sorted(self.answer.citations, key=lambda citation: citation.number)) if self.answer else self.evidence


@lru_cache(maxsize=4_096)  # a conversation is drawn anew with each answer
def plain(text: str) -> str:
    """Text as text: no HTML, no Markdown, no mathematics; line breaks kept."""
    safe = escape(text.replace("\0", "").strip(), quote=True)
    safe = re.sub(r"&(amp|lt|gt|quot|#x27);", lambda entity: entity.group().replace("#", "\0"), safe)
    safe = _MARKDOWN.sub(lambda mark: f"&#{ord(mark.group())};", safe)
    return re.sub(r"\n+", "<br>", safe.replace("\0", "#"))


def attribute(text: str) -> str:
    """Text for an attribute in double quotes, or for a textarea: line breaks stay what they are."""
    return escape(text.replace("\0", ""), quote=True)


def button(do: str, label: str, *, icon: str = "", text: str = "", more: str = "") -> str:
    """A button that the page's script acts on: `do` names what, `text` is what it is done with."""
    shown = f'<span aria-hidden="true">{ICONS[icon]}</span>' if icon else plain(label)
    named = f' aria-label="{attribute(label)}" title="{attribute(label)}"' if icon else ""
    return f'<button type="button" data-do="{do}" data-text="{attribute(text)}"{named}{more}>{shown}</button>'


def exchange_html(exchange: Exchange, words: Phrases, *, last: bool, shared: bool = False) -> str:
    """A question and its answer with what can be done with them; `shared`: to be read only."""
    parts = [_asked(exchange, words, tools=not shared and not exchange.busy, last=last)]
    searched = exchange.answer.standalone if exchange.answer else exchange.searched
    if searched and searched.strip() != exchange.asked.strip():
        parts.append(_searched(exchange, searched, words, tools=last and not shared and not exchange.busy))
    text = exchange.answer.text if exchange.answer else exchange.draft
    waiting = ""
    if exchange.busy and not text:
        waiting = f'<p class="waiting"><span></span><span></span><span></span><em>{plain(exchange.step or words.working)}</em></p>'
    beside, below = _remarks(exchange.answer, words) if exchange.answer else ({}, [])
    parts.append(f'<div class="answer">{answer_html(text, exchange.id, exchange.citations, words, beside)}{waiting}</div>')
    if exchange.trouble:
        again = button("again", words.try_again) if last and not shared else ""
        parts.append(f'<p class="note trouble" role="alert">{plain(exchange.trouble)} {again}</p>')
    parts += [f'<p class="note">{plain(remark)}</p>' for remark in below]
    if exchange.answer and not shared:
        parts += [_tools(exchange, words, last=last), _following(exchange.answer, words) if last else ""]
    return f'<article class="exchange" data-id="{attribute(exchange.id)}" aria-busy="{str(exchange.busy).lower()}">{"".join(parts)}</article>'


def answer_html(text: str, key: str, citations: Sequence[Citation], words: Phrases, beside: Mapping[int, Sequence[str]] = MappingProxyType({})) -> str:
    """The text of an answer, finished or not, as paragraphs, lists and tables; `[n]` becomes a chip that leads to card `n` of exchange `key`.

    `beside` are the remarks by the number of a citation: they stand behind the last sentence that cites it.
    """
    by_number = {citation.number: citation for citation in citations}
    to_come = Counter(map(int, _CITED.findall(text)))

    def marked(line: str, *, remarks: bool = False) -> Iterator[str]:
        for at, part in enumerate(_CITED.split(line)):
            if at % 2 == 0:
                yield plain(part)
                continue
            number = int(part)
            yield _chip(number, key, by_number.get(number), words)
            to_come[number] -= remarks
            if remarks and not to_come[number]:
                yield from (f'<span class="aside">{" ".join(filter(None, marked(remark)))}</span>' for remark in beside.get(number, ()))

    def chips(line: str) -> str:
        return " ".join(filter(None, marked(line, remarks=True)))

    parts = []
    lines = [*text.splitlines(), ""]
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("| ") and _RULE.match(lines[at + 1]):
            until = _until(lines, at, lambda line: line.startswith("|"))
            parts.append(_table(lines[at:until], chips))
        elif _BULLET.match(line):
            until = _until(lines, at, _BULLET.match)
            parts.append(f"<ul>{''.join(f'<li>{chips(line[2:])}</li>' for line in lines[at:until])}</ul>")
        else:
            until = at + 1
            if line.strip():
                parts.append(f"<p>{chips(line)}</p>")
        at = until
    return "".join(parts)


def copied(answer: Answer, words: Phrases) -> str:
    """An answer as plain text with its sources numbered below, as it is copied."""
    lines = [answer.text]
    if answer.citations:
        lines += ["", words.sources]
    for citation in sorted(answer.citations, key=lambda citation: citation.number):
        lines.append(f"[{citation.number}] {described(citation, words)}")
        lines += [f"    {source.url}" for source in citation.sources if source.url]
    return "\n".join(lines)


def described(citation: Citation, words: Phrases) -> str:
    """A citation in a line: publisher, title, dates."""
    source = citation.sources[0] if citation.sources else None
    named = [part for part in ((source.publisher, source.title) if source else (citation.title,)) if part]
    if source and source.page is not None:
        named.append(words.on_page.format(page=source.page))
    if source and source.published:
        named.append(f"{words.published} {dated(source.published, words)}")
    if citation.as_of:
        named.append(f"{words.as_of} {dated(citation.as_of, words)}")
    return ", ".join(named)


def _asked(exchange: Exchange, words: Phrases, *, tools: bool, last: bool) -> str:
    said = f'<h2 class="asked">{plain(exchange.asked)}</h2>'
    if not tools:
        return said
    form = _form("edited", exchange.asked, words.edit, words.ask_again if last else words.ask_from_here, words, rows=min(6, 1 + exchange.asked.count("\n")))
    return f'<div class="question">{said}{button("edit", words.edit, icon="edit", more=" aria-expanded=false")}{form}</div>'


def _searched(exchange: Exchange, searched: str, words: Phrases, *, tools: bool) -> str:
    said = f'<span class="said">{words.searched_for}: <q>{plain(searched)}</q></span>'
    if not tools:
        return f'<div class="searched">{said}</div>'
    form = _form("edited", searched, words.edit_search, words.search_again, words)
    return f'<div class="searched">{said} {button("edit", words.edit_search, icon="edit", more=" aria-expanded=false")}{form}</div>'


def _form(do: str, text: str, label: str, send: str, words: Phrases, *, rows: int = 1) -> str:
    return (
        f'<form class="edit" data-do="{do}" hidden><textarea rows="{rows}" maxlength="4000" aria-label="{attribute(label)}">{attribute(text)}</textarea>'
        f'<span class="row"><button type="submit" class="primary">{send}</button>{button("cancel", words.cancel)}</span></form>'
    )


def _chip(number: int, key: str, citation: Citation | None, words: Phrases) -> str:
    about = f"{words.source} {number}"
    peek = ""
    if citation:
        source = citation.sources[0] if citation.sources else None
        publisher, title = (source.publisher, source.title or citation.title) if source else ("", citation.title)
        when = (words.as_of, citation.as_of) if citation.as_of else (words.published, source.published if source else "")
        day = f"{when[0]} {dated(when[1], words)}" if when[1] else ""
        about = ", ".join(part for part in (about, publisher, title, day) if part)
        peek = f' data-publisher="{attribute(publisher)}" data-title="{attribute(title)}" data-dated="{attribute(day)}"'
    return f'<a class="cite" href="#source-{attribute(key)}-{number}" aria-label="{attribute(about)}"{peek}>{number}</a>'


def _remarks(answer: Answer, words: Phrases) -> tuple[dict[int, list[str]], list[str]]:
    """What the reader should know, in plain words: by the citation beside whose sentence it stands, and what concerns the whole answer.

    A warning that names citations stands at the last of them, a sentence that was left out where it was.
    """
    shown = {citation.number for citation in answer.citations}
    beside: dict[int, list[str]] = {}
    below: list[str] = []
    for warning in answer.warnings:
        named = [number for number in map(int, _CITED.findall(warning)) if number in shown]
        (beside.setdefault(named[-1], []) if named else below).append(warning)
    before = 0
    for verdict in answer.verdicts:
        if verdict.verdict == "supported":
            before = verdict.citations[-1] if verdict.citations else before
            continue
        left_out = words.left_out.format(sentence=verdict.sentence, reason=worded(verdict.reason, words.faults))
        (beside.setdefault(before, []) if before in shown else below).append(left_out)
    return beside, below


def _tools(exchange: Exchange, words: Phrases, *, last: bool) -> str:
    if exchange.answer is None:
        return ""
    pressed = {True: " aria-pressed=true", False: " aria-pressed=false"}
    buttons = [
        button("copy", words.copy, icon="copy", text=copied(exchange.answer, words), more=f' data-done="{attribute(words.copied)}"'),
        button("again", words.regenerate, icon="again") if last else "",
        button("rate", words.helpful, icon="up", text="up", more=pressed[exchange.rating == "up"]),
        button("why", words.not_helpful, icon="down", text="down", more=pressed[exchange.rating == "down"] + " aria-expanded=false"),
    ]
    reasons = "".join(button("rate", reason, text=f"down {code}") for code, reason in words.reasons.items())
    thanks = f'<span class="thanks">{words.thanks}</span>' if exchange.rating else ""
    return (
        f'<div class="tools" role="group" aria-label="{words.about_answer}">{"".join(buttons)}{thanks}</div>'
        f'<div class="why" role="group" aria-label="{words.why}" hidden><span>{words.why}</span>{reasons}</div>'
    )


def _following(answer: Answer, words: Phrases) -> str:
    if not answer.followups:
        return ""
    title = words.nearest if answer.status == "not_found" else words.try_next
    questions = "".join(f"<li>{button('ask', question, text=question)}</li>" for question in answer.followups)
    return f'<nav class="next" aria-label="{title}"><h3>{title}</h3><ul>{questions}</ul></nav>'


def _until(lines: Sequence[str], start: int, fits: Callable[[str], object]) -> int:
    """Where the run of lines that fit ends, which begins at `start`."""
    return next((at for at in range(start, len(lines)) if not fits(lines[at])), len(lines))


def _table(lines: Sequence[str], chips: Callable[[str], str]) -> str:
    """A Markdown table, its head in the first line; each cell names its column too, for screens too narrow to set them side by side."""
    head, _, *rows = ([cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")] for line in lines)
    names = [plain(cell) for cell in head]
    body = []
    for row in rows:
        cells = [f'<td data-column="{name}">{chips(cell)}</td>' for name, cell in zip_longest(names, row[: len(names)], fillvalue="")]
        body.append(f"<tr>{''.join(cells)}</tr>")
    columns = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f'<table class="sides"><thead><tr>{columns}</tr></thead><tbody>{"".join(body)}</tbody></table>'


def welcome_html(known: Mapping[str, object], words: Phrases, *, note: str) -> str:
    """What a first visitor sees: what is known and to which date, and six questions by those who may ask them."""
    asks = "".join(
        f'<li><button type="button" data-do="ask" data-text="{attribute(question)}"><span class="who">{plain(who)}</span> {plain(question)}</button></li>'
        for who, question in zip(words.audiences, words.examples, strict=True)
    )
    return (
        f'<section class="welcome"><h1>{words.welcome}</h1><p class="lead">{words.intro}</p><p class="known">{words.known.format_map(dict(known))}</p>'
        f'<ul class="asks" aria-label="{words.examples_title}">{asks}</ul><p class="mode">{note}</p></section>'
    )
