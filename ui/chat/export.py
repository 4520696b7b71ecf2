"""A conversation to take away: as Markdown, or as a page to print or to share, each answer with its numbered sources and their dates. Pure."""

from __future__ import annotations

import re

from assistant.records import Answer
from assistant.transcripts import Message, Transcript
from ui.chat.panel import source_html
from ui.chat.past import HERE, day_written
from ui.chat.phrases import Phrases, dated
from ui.chat.render import Exchange, attribute, described, exchange_html, plain

_MARKS = re.compile(r"([\\`*_{}\[\]<>#!|~$&])")


def markdown(transcript: Transcript, words: Phrases) -> str:
    """The conversation as Markdown; what it holds is text there too."""
    parts = [f"# {_text(transcript.conversation.title)}", words.printed.format(date=_day(transcript, words))]
    for message in transcript.messages:
        parts.append(f"## {_text(' '.join(message.question.split()))}")
        if message.answer is None:
            parts.append(words.stopped)
            continue
        parts.append("\n".join(_line(line) for line in message.answer.text.splitlines()))
        parts += [f"> {_text(warning)}" for warning in message.answer.warnings]
        if message.answer.citations:
            parts += [f"### {words.sources}", _sources(message.answer, words)]
    return "\n\n".join(parts) + "\n"


def page(transcript: Transcript, words: Phrases, *, style: str, note: str = "") -> str:
    """The conversation as a page of its own that needs no script and asks no host."""
    title = attribute(transcript.conversation.title)
    shown = "".join(_exchange(message, words) for message in transcript.messages)
    about = f"{note} " if note else ""
    return (
        f'<!doctype html><html lang="{"zh-HK" if words.lang == "zh" else "en"}"><head><meta charset="utf-8"><title>{title} · hkai</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'
        f"<style>{style}</style></head><body><main><header><h1>{plain(transcript.conversation.title)}</h1><p>{about}"
        f"{words.printed.format(date=_day(transcript, words))}</p></header>{shown}</main></body></html>"
    )


def _exchange(message: Message, words: Phrases) -> str:
    exchange = Exchange(message.id, message.question, message.answer, trouble="" if message.answer else words.stopped)
    items = "".join(
        f'<li id="source-{attribute(message.id)}-{citation.number}" value="{citation.number}"><q>{plain(citation.quote)}</q>'
        f"<p>{plain(citation.heading)}{f' · {words.as_of} {dated(citation.as_of, words)}' if citation.as_of else ''}</p>"
        f"{''.join(f'<p>{source_html(source, words)}{_address(source.url)}</p>' for source in citation.sources)}</li>"
        for citation in exchange.citations
    )
    sources = f"<h3>{words.sources}</h3><ol>{items}</ol>" if items else ""
    return exchange_html(exchange, words, last=False, shared=True) + sources


def _address(url: str) -> str:
    """The address in full, for paper."""
    return f' <span class="address">{plain(url)}</span>' if url else ""


def _sources(answer: Answer, words: Phrases) -> str:
    lines = []
    for citation in sorted(answer.citations, key=lambda citation: citation.number):
        lines.append(f"{citation.number}. {_text(described(citation, words))}. “{_text(citation.quote)}”")
        lines += [f"   <{source.url}>" for source in citation.sources if re.fullmatch(r"https?://[^\s<>]+", source.url)]
    return "\n".join(lines)


def _line(line: str) -> str:
    """A line of an answer: bullets and tables stay, what is in them is text."""
    if line.startswith("|"):
        return "|".join(part if re.fullmatch(r" *:?-+:? *", part) else _text(part) for part in line.split("|"))
    bullet, rest = (line[:2], line[2:]) if line.startswith(("- ", "* ")) else ("", line)
    return bullet + _text(rest)


def _text(text: str) -> str:
    return _MARKS.sub(r"\\\1", text.replace("\0", ""))


def _day(transcript: Transcript, words: Phrases) -> str:
    return day_written(transcript.conversation.updated.astimezone(HERE), words)
