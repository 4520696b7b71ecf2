"""A text cut into chunks along its headings and statements, never through a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from corpus.text import SourceText, Statement

MAX_CHARACTERS = {"en": 700, "zh": 240}
_HEADING = re.compile(r"^(#{1,6}) +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring statements under one heading: `statements[first:last]` of the text `text_id`.

    `heading` is the path of headings, title first, joined by ` › `; `text` is what is searched: heading and sentences.
    """

    id: str
    text_id: str
    heading: str
    text: str
    first: int
    last: int


def chunks(text: SourceText) -> list[Chunk]:
    """The chunks of `text` in order; together they hold each statement exactly once."""
    cut: list[Chunk] = []
    for heading, first, last in _runs(text):
        sentences = " ".join(statement.text for statement in text.statements[first:last])
        cut.append(Chunk(f"{text.id}#{len(cut)}", text.id, heading, f"{heading}\n{sentences}", first, last))
    return cut


def statement_id(text_id: str, number: int) -> str:
    """The id of the statement `number` (from 0) of a text, as both indexes know it."""
    return f"{text_id}:{number}"


def statement_place(identifier: str) -> tuple[str, int]:
    """Text id and number of a statement; the inverse of `statement_id`."""
    text_id, _, number = identifier.rpartition(":")
    return text_id, int(number)


def _runs(text: SourceText) -> Iterator[tuple[str, int, int]]:
    """Heading path and statement range of each chunk."""
    limit = MAX_CHARACTERS[text.lang]
    paths = _heading_paths(text)
    first, size = 0, 0
    for number, statement in enumerate(text.statements):
        path = _path_at(paths, statement)
        full = size + len(statement.text) > limit
        if number > first and (full or path != _path_at(paths, text.statements[first])):
            yield _path_at(paths, text.statements[first]), first, number
            first, size = number, 0
        size += len(statement.text)
    if first < len(text.statements):
        yield _path_at(paths, text.statements[first]), first, len(text.statements)


def _heading_paths(text: SourceText) -> list[tuple[int, str]]:
    """Offset at which each heading path begins to hold."""
    stack: list[tuple[int, str]] = [(1, text.title)]
    paths = [(0, text.title)]
    for match in _HEADING.finditer(text.text):
        level, name = len(match[1]), match[2].strip()
        if name != text.title:
            stack = [entry for entry in stack if entry[0] < level or entry == (1, text.title)] + [(level, name)]
        paths.append((match.start(), " › ".join(name for _, name in stack)))
    return paths


def _path_at(paths: list[tuple[int, str]], statement: Statement) -> str:
    return next(path for start, path in reversed(paths) if start <= statement.start)
