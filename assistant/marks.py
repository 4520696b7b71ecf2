"""Citation marks: read as a model streams, brought to one form, without numbers that no evidence has; and told from those of a statement's own notes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

_STOP = "[.。!！?？]"
_SPACE = r"[ \t]{0,4}"
_MARK = rf"{_SPACE}[\[【［]\s?\^?\d{{1,4}}(?:\s?[,，、;；]\s?\d{{1,4}}){{0,11}}\s?[\]】］]"
_MARKS = re.compile(rf"(?P<before>{_STOP}?)(?P<marks>(?:{_MARK}){{1,12}})(?P<after>{_SPACE}{_STOP}?)")
# The end of what has come so far, if it may still become marks, or marks with a full stop behind them.
_UNDECIDED = re.compile(rf"{_STOP}?(?:{_MARK}){{0,12}}{_SPACE}(?:[\[【［][\d\s^,，、;；]{{0,60}})?$")
# A number in brackets as a statement has it.
_BRACKETED = re.compile(r"\[(\d{1,4})\]")


def unmarked(statement: str) -> str:
    """A statement with the numbers of its own notes in round brackets, so that none is taken for a citation."""
    return _BRACKETED.sub(r"(\1)", statement)


def read(pieces: Iterable[str], known: Collection[int]) -> Iterator[str]:
    """The text in pieces, its marks as ` [1][2]` behind the full stop, without numbers that are not in `known`.

    `[1, 2]`, `【1】` and `[^1]` are marks too. What is given does not depend on where the pieces are cut.
    """
    held = ""
    for piece in pieces:
        held += piece
        undecided = _UNDECIDED.search(held)
        cut = undecided.start() if undecided else len(held)
        cut = next((match.end() for match in _MARKS.finditer(held) if match.start() < cut < match.end()), cut)
        ready, held = held[:cut], held[cut:]
        if ready:
            yield _MARKS.sub(lambda match: _one_form(match, known), ready)
    if held:
        yield _MARKS.sub(lambda match: _one_form(match, known), held)


def unnumbered(answer: str) -> str:
    """An answer without its marks, whose numbers mean nothing beyond it."""
    return "".join(read([answer], ()))


def _one_form(match: re.Match[str], known: Collection[int]) -> str:
    numbers = dict.fromkeys(number for number in map(int, re.findall(r"\d+", match["marks"])) if number in known)
    marks = "".join(f"[{number}]" for number in numbers)
    after = match["after"].strip()
    return (match["before"] or after) + (f" {marks}" if marks else "") + ("" if after else match["after"])
