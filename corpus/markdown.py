"""Our text format: Markdown in which every sentence ends in a footnote, read into a `SourceText`.

    ---
    id: ai-subsidy-scheme.en
    title: The AI Subsidy Scheme
    topic: funding
    lang: en
    aliases: [AISS, 人工智能資助計劃]
    updated: 2026-11-22
    ---

    # The AI Subsidy Scheme

    The 2024-25 Budget of February 2024 set aside HK$3 billion for the AI Subsidy Scheme.[^aiss-launch]

    [^aiss-launch]: SME Link. "Artificial Intelligence Subsidy Scheme". As of 2024-02-28. Official. <https://…>

A footnote names its publisher, then in this order, each where it is known: the title in straight quotation marks, `Published DATE`,
`As of DATE`, the kind of source (`Official`, `Established` or `Copy`), `Series NAME` for a figure that changes over
time, and the address. A sentence that needs two pages carries two marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from corpus.text import Kind, Source, SourceText, Statement

TEXTS = Path(__file__).parent / "texts"

MARK = re.compile(r"\[\^([^\]\s]+)\]")
_MARKS = re.compile(r"(?:\[\^[^\]\s]+\])+")
_DEFINITION = re.compile(r"^\[\^([^\]\s]+)\]:\s*(.*)$")
_DATE = r"\d{4}(?:-\d{2}(?:-\d{2})?)?"
_FOOTNOTE = re.compile(
    r"^(?P<publisher>(?:(?! Published \d| As of \d).)+?)\."
    r'(?: "(?P<title>.+)"\.)?'
    rf"(?: Published (?P<published>{_DATE})\.)?"
    rf"(?: As of (?P<as_of>{_DATE})\.)?"
    r" (?P<kind>Official|Established|Copy)\."
    r"(?: Series (?P<series>[a-z0-9-]+)\.)?"
    r"(?: <(?P<url>https?://[^\s>]+)>)?$"
)
_FIELDS = ("id", "title", "topic", "lang", "aliases", "updated")
_BULLET = re.compile(r"^(?:[-*]|\d+\.)\s+")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a text, where it stands and what it is. `line` counts from 1."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a text gave: the text, the line of each statement, the lines of bare sentences, and the faults."""

    text: SourceText
    lines: tuple[int, ...]
    bare: tuple[tuple[int, str], ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Footnote:
    source: Source
    as_of: str
    series: str
    line: int


def load(folder: Path = TEXTS) -> tuple[SourceText, ...]:
    """All texts below `folder`, in order of path.

    Raises `ValueError` naming each fault as `file:line` when a text cannot be read as one.
    """
    readings = [read(path) for path in paths(folder)]
    faults = [fault for reading in readings for fault in reading.faults]
    if faults:
        raise ValueError("The source texts have faults; mend them first:\n" + "\n".join(map(str, faults)))
    return tuple(reading.text for reading in readings)


def paths(folder: Path = TEXTS) -> list[Path]:
    """The text files below `folder`: `<topic>/<slug>.<en or zh>.md`."""
    return sorted(folder.glob("*/*.??.md"))


def read(path: Path) -> Reading:
    """The text in the file `path`; never raises for what the file holds, only for a file that cannot be opened."""
    return parse(path.read_text(encoding="utf-8"), str(path))


def parse(raw: str, path: str = "text") -> Reading:
    """The text in `raw`, with every fault found on the way."""
    faults: list[Fault] = []
    lines = raw.splitlines()
    front, body_from = _front_matter(lines, path, faults)
    footnotes = _footnotes(lines, body_from, path, faults)
    clean: list[str] = []
    length = 0
    statements: list[Statement] = []
    statement_lines: list[int] = []
    bare: list[tuple[int, str]] = []
    used: set[str] = set()
    for number, line in _paragraph_lines(lines, body_from):
        at = 0
        shown = ""
        indent = _BULLET.match(line)
        if indent:
            shown, at = indent.group(), indent.end()
        for marks in _MARKS.finditer(line):
            piece = line[at : marks.start()]
            lead = len(piece) - len(piece.lstrip())
            start = length + len(shown) + lead
            shown += piece
            labels = tuple(MARK.findall(marks.group()))
            used.update(labels)
            known = [footnotes[label] for label in labels if label in footnotes]
            for label in labels:
                if label not in footnotes:
                    faults.append(Fault(path, number, f"footnote [^{label}] is used but not defined"))
            sentence = piece.strip()
            if not sentence:
                faults.append(Fault(path, number, f"footnote [^{labels[0]}] has no sentence before it"))
            else:
                statements.append(_statement(sentence, start, labels, known))
                statement_lines.append(number)
            at = marks.end()
        rest = line[at:]
        shown += rest
        if rest.strip() and not line.startswith("#"):
            bare.append((number, rest.strip()))
        clean.append(shown.rstrip())
        length += len(clean[-1]) + 1
    for label, footnote in footnotes.items():
        if label not in used:
            faults.append(Fault(path, footnote.line, f"footnote [^{label}] is defined but never used"))
    text = SourceText(text="\n".join(clean).rstrip() + "\n", statements=tuple(statements), **front)
    return Reading(text, tuple(statement_lines), tuple(bare), tuple(faults))


def _statement(text: str, start: int, labels: tuple[str, ...], known: list[_Footnote]) -> Statement:
    return Statement(
        text=text,
        start=start,
        end=start + len(text),
        sources=tuple(dict.fromkeys(footnote.source for footnote in known)),
        as_of=max((footnote.as_of for footnote in known), default=""),
        marks=labels,
        series=next((footnote.series for footnote in known if footnote.series), ""),
    )


def _front_matter(lines: list[str], path: str, faults: list[Fault]) -> tuple[dict[str, Any], int]:
    """The front matter as keyword arguments of `SourceText`, and the index of the first line after it."""
    front: dict[str, Any] = {"id": path, "title": "", "topic": "", "lang": "en", "aliases": (), "updated": ""}
    try:
        end = lines.index("---", 1) if lines and lines[0] == "---" else -1
    except ValueError:
        end = -1
    if end < 0:
        faults.append(Fault(path, 1, "no front matter between two lines of ---"))
        return front, 0
    try:
        data = yaml.safe_load("\n".join(lines[1:end])) or {}
    except (yaml.YAMLError, ValueError) as error:  # an impossible date is a ValueError
        faults.append(Fault(path, 2, f"front matter is not YAML: {str(error).splitlines()[0]}"))
        return front, end + 1
    if not isinstance(data, dict):
        faults.append(Fault(path, 2, "front matter is not a list of `name: value` lines"))
        return front, end + 1
    for name in _FIELDS:
        if name not in data:
            faults.append(Fault(path, 1, f"front matter lacks `{name}`"))
    for name in data:
        if name not in _FIELDS:
            faults.append(Fault(path, 1, f"front matter has an unknown field `{name}`"))
    aliases = data.get("aliases") or []
    if not isinstance(aliases, list):
        faults.append(Fault(path, 1, "`aliases` is not a list"))
        aliases = []
    if data.get("lang") not in ("en", "zh"):
        faults.append(Fault(path, 1, f"`lang` is {data.get('lang')!r}, not en or zh"))
    front.update({name: str(data[name]) for name in ("id", "title", "topic", "updated") if name in data})
    front["lang"] = "zh" if data.get("lang") == "zh" else "en"
    front["aliases"] = tuple(str(alias) for alias in aliases)
    return front, end + 1


def _footnotes(lines: list[str], body_from: int, path: str, faults: list[Fault]) -> dict[str, _Footnote]:
    found: dict[str, _Footnote] = {}
    for number, line in enumerate(lines[body_from:], body_from + 1):
        definition = _DEFINITION.match(line)
        if not definition:
            continue
        label, rest = definition.groups()
        fields = _FOOTNOTE.match(rest.strip())
        if label in found:
            faults.append(Fault(path, number, f"footnote [^{label}] is defined twice"))
        if not fields:
            faults.append(Fault(path, number, f'footnote [^{label}] is not `Publisher. "Title". Published DATE. As of DATE. Kind. <URL>`'))
            continue
        if not fields["url"] and fields["kind"] != "Copy":
            faults.append(Fault(path, number, f"footnote [^{label}] has no address, yet is not marked `Copy`"))
        source = Source(
            publisher=fields["publisher"],
            title=fields["title"] or "",
            url=fields["url"] or "",
            published=fields["published"] or "",
            kind=cast(Kind, fields["kind"].lower()),
        )
        found[label] = _Footnote(source, fields["as_of"] or fields["published"] or "", fields["series"] or "", number)
    return found


def _paragraph_lines(lines: list[str], body_from: int) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is shown, footnote definitions and leading blank lines left out."""
    started = False
    for number, line in enumerate(lines[body_from:], body_from + 1):
        if _DEFINITION.match(line):
            continue
        started = started or bool(line.strip())
        if started:
            yield number, line.rstrip()


def topic_id(text: SourceText) -> str:
    """The topic of a text in either language: `ai-subsidy-scheme` of `ai-subsidy-scheme.en`."""
    return text.id.rsplit(".", 1)[0]
