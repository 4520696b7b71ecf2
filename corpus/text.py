"""The records of what is known: a text, its statements, and the pages that bear them out."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sentencex import segment

Lang = Literal["en", "zh"]
Kind = Literal["official", "established", "copy", "own"]
# How the ids of documents of a user's own begin.
OWN = "own-"

HAN = re.compile(r"[\u3400-\u9fff]")
# A letter with its full stop; right behind another full stop it belongs to that one's word, as in "GenA.I.".
_LETTER = re.compile(r"[A-Za-z]\.")
# Abbreviations that a number follows, beyond those that sentencex knows.
_BEFORE_NUMBER = re.compile(r"\b(?:approx|ca|caps?|ch|cl|paras?|pp|regs?|sched|sects?|vols?)\. ?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """A public page, or a document of the user's own.

    `published` is a date as far as it is known: `2024`, `2024-12`, `2024-12-09` or empty. `kind` is `official` (the
    body's own page), `established` (press, law firms, journals), `copy` (only a copy of the page was seen; it then
    carries no `url`) or `own`. `page` counts from 1, in documents that have pages.
    """

    publisher: str
    title: str = ""
    url: str = ""
    published: str = ""
    kind: Kind = "official"
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a text: the unit of evidence, of quotation and of citation.

    `text` equals `SourceText.text[start:end]`. `as_of` is the date at which it held (same form as `Source.published`).
    `marks` are the labels of its footnotes, the same in both languages of a topic; `series` names the figure over time
    to which it belongs, if any.
    """

    text: str
    start: int
    end: int
    sources: tuple[Source, ...]
    as_of: str = ""
    marks: tuple[str, ...] = ()
    series: str = ""


@dataclass(frozen=True)  # without slots, so that the hash can be kept
class SourceText:
    """A text with its statements in order. `text` is Markdown without footnotes; offsets count in it, in characters."""

    id: str
    lang: Lang
    title: str
    topic: str
    aliases: tuple[str, ...]
    updated: str
    text: str
    statements: tuple[Statement, ...]
    own: bool = False

    @cached_property
    def sha256(self) -> str:
        """Hash of everything that a search or an answer can show: a text with the same hash is the same text."""
        parts = (self.id, self.lang, self.title, self.topic, self.updated, self.text)
        return hashlib.sha256(repr((parts, self.aliases, self.statements)).encode()).hexdigest()


def written_in(text: str) -> Lang:
    """The language of a sentence: Chinese where it holds a Chinese character."""
    return "zh" if HAN.search(text) else "en"


def split(text: str) -> list[str]:
    """The sentences of a text in either language, each with the white space that follows it."""
    parts: list[str] = []
    for part in segment(written_in(text), text):
        before = parts[-1][-20:] if parts else ""
        if (part[:1].isdigit() and _BEFORE_NUMBER.search(before)) or (_LETTER.match(part) and before.endswith(".")):
            parts[-1] += part
        else:
            parts.append(part)
    return parts
