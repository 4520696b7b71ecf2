"""The corpus linter: every fault of the source texts as `file:line: what is wrong`.

    python -m corpus.check                  the texts alone; exit status 1 if there is a fault
    python -m corpus.check --facts FOLDER   and against a fact base: borrowed wording, and which facts are stated where

A fact base is a folder of JSONL files whose rows have `id`, `claim`, `as_of`, `confidence`, `url`, `publisher` and
`source_title`; facts listed in `corpus/exclusions.toml` are left out of the coverage.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path

from corpus.figures import Figure, figures
from corpus.markdown import TEXTS, Fault, Reading, paths, read, topic_id
from corpus.text import HAN

EXCLUSIONS = Path(__file__).parent / "exclusions.toml"

MAX_WORDS, MAX_CHARACTERS = 60, 100
TEXT_WORDS, TEXT_CHARACTERS = (80, 800), (130, 1300)
BORROWED_WORDS = 9
NEAR_DUPLICATE = 0.85

_PRONOUN = re.compile(r"(?:It|Its|They|Their|This|These|That|Those|He|She|His|Her|Such|There)\b|[它他她這此該其]|前者|後者")
_LINKS = re.compile(r"^(?:See also|另見)[:：]")
_TWO_SENTENCES = re.compile(r"[a-z)%][.!?] [A-Z]|[。！？](?=.)(?![」』）)])")
_WORD = re.compile(r"[A-Za-z0-9$%&'’.,-]*[A-Za-z0-9%]")


def words(text: str) -> list[str]:
    """The words of English text, figures and abbreviations whole."""
    return _WORD.findall(text)


def characters(text: str) -> int:
    """The length of Chinese text: Chinese characters, and one for each run of Latin letters or digits."""
    return len(HAN.findall(text)) + len(_WORD.findall(text))


def check(readings: Sequence[Reading], names: Sequence[Path]) -> list[Fault]:
    """Every fault of the texts in themselves; `names` are their files, in the same order."""
    found: list[Fault] = []
    for reading, path in zip(readings, names, strict=True):
        found += reading.faults
        found += _front_matter(reading, path)
        found += _sentences(reading, path)
    found += _pairs(readings, names)
    found += _duplicates(readings, names)
    return found


def _front_matter(reading: Reading, path: Path) -> Iterator[Fault]:
    text, where = reading.text, str(path)
    slug, lang, _ = path.name.rsplit(".", 2)
    if text.id != f"{slug}.{lang}":
        yield Fault(where, 1, f"`id` is {text.id}, the file says {slug}.{lang}")
    if text.topic != path.parent.name:
        yield Fault(where, 1, f"`topic` is {text.topic}, the folder says {path.parent.name}")
    if text.lang != lang:
        yield Fault(where, 1, f"`lang` is {text.lang}, the file says {lang}")
    if not _is_date(text.updated, whole=True):
        yield Fault(where, 1, f"`updated` is {text.updated!r}, not a date like 2026-11-22")
    folded = Counter(name.casefold().strip() for name in (text.title, *text.aliases))
    for name, times in folded.items():
        if times > 1 or not name:
            yield Fault(where, 1, f"dead alias {name!r}: it repeats the title or another alias")
    body = "\n".join(line for line in text.text.splitlines() if not line.startswith("#") and not _LINKS.match(line))
    size, (least, most), unit = (len(words(body)), TEXT_WORDS, "words") if lang == "en" else (characters(body), TEXT_CHARACTERS, "characters")
    if not least <= size <= most:
        yield Fault(where, 1, f"{size} {unit}; a text has {least} to {most}")
    if not text.text.startswith(f"# {text.title}\n"):
        yield Fault(where, 1, "the text does not begin with its title as `# title`")


def _sentences(reading: Reading, path: Path) -> Iterator[Fault]:
    where, lang = str(path), reading.text.lang
    for line, rest in reading.bare:
        if not _LINKS.match(rest):
            yield Fault(where, line, f"sentence without a footnote: {rest[:60]}")
    for statement, line in zip(reading.text.statements, reading.lines, strict=True):
        sentence = statement.text
        if lang == "en" and len(words(sentence)) > MAX_WORDS:
            yield Fault(where, line, f"sentence of {len(words(sentence))} words; at most {MAX_WORDS}")
        if lang == "zh" and characters(sentence) > MAX_CHARACTERS:
            yield Fault(where, line, f"sentence of {characters(sentence)} characters; at most {MAX_CHARACTERS}")
        if _PRONOUN.match(sentence):
            yield Fault(where, line, f"sentence opens with a pronoun that nothing resolves when it stands alone: {sentence[:40]}")
        if _TWO_SENTENCES.search(sentence):
            yield Fault(where, line, f"two sentences share a footnote; give each its own: {sentence[:60]}")
        if "**" in sentence or "](" in sentence:
            yield Fault(where, line, "a statement is plain text: no bold and no links, it is quoted as it stands")
        for value in (statement.as_of, *(source.published for source in statement.sources)):
            if value and not _is_date(value):
                yield Fault(where, line, f"{value!r} is not a date")
            elif value > reading.text.updated:
                yield Fault(where, line, f"{value} lies after the text's own `updated`")
        for source in statement.sources:
            if source.title.startswith("["):
                yield Fault(where, line, "a title in square brackets is not a page's title; leave it out")


def _is_date(value: str, *, whole: bool = False) -> bool:
    try:
        date.fromisoformat(value if whole or len(value) == 10 else (value + "-01-01")[:10])
    except ValueError:
        return False
    return True


def _pairs(readings: Sequence[Reading], names: Sequence[Path]) -> Iterator[Fault]:
    """English and Chinese of a topic: both there, the same figures and dates in each."""
    topics: dict[str, dict[str, tuple[Reading, Path]]] = defaultdict(dict)
    for reading, path in zip(readings, names, strict=True):
        topics[topic_id(reading.text)][reading.text.lang] = reading, path
    for topic, sides in topics.items():
        if len(sides) < 2:
            ((_, path),) = sides.values()
            yield Fault(str(path), 1, f"{topic} has no text in the other language beside it")
            continue
        for lang, other in (("en", "zh"), ("zh", "en")):
            reading, path = sides[lang]
            there = [figure for statement in sides[other][0].text.statements for figure in figures(statement.text, words=True)]
            for statement, line in zip(reading.text.statements, reading.lines, strict=True):
                for figure in figures(statement.text):
                    if not _is_small(figure) and not any(_same(figure, candidate) for candidate in there):
                        yield Fault(str(path), line, f"{figure.value} {figure.unit} is not in the {other} text of {topic}".replace("  ", " "))
        marks = {lang: {mark for statement in reading.text.statements for mark in statement.marks} for lang, (reading, _) in sides.items()}
        for mark in sorted(marks["en"] ^ marks["zh"]):
            missing = "zh" if mark in marks["en"] else "en"
            yield Fault(str(sides[missing][1]), 1, f"footnote [^{mark}] of the other language is missing here")


def _is_small(figure: Figure) -> bool:
    return figure.unit == "" and "." not in figure.value and int(figure.value) <= 12


def _same(one: Figure, other: Figure) -> bool:
    return one.agrees(other) or other.agrees(one)


def _duplicates(readings: Sequence[Reading], names: Sequence[Path]) -> Iterator[Fault]:
    """Statements of one language that say nearly the same in nearly the same words."""
    for lang in ("en", "zh"):
        rows = [(statement, line, str(path)) for reading, path in zip(readings, names, strict=True) if reading.text.lang == lang
                for statement, line in zip(reading.text.statements, reading.lines, strict=True)]  # fmt: skip
        grams = [_shingles(statement.text) for statement, _, _ in rows]
        where: dict[str, list[int]] = defaultdict(list)
        for at, own in enumerate(grams):
            for gram in own:
                where[gram].append(at)
        shared: Counter[tuple[int, int]] = Counter()
        for places in where.values():
            if len(places) <= 40:
                shared.update(combinations(places, 2))
        for (a, b), count in shared.items():
            if count / len(grams[a] | grams[b]) >= NEAR_DUPLICATE:
                yield Fault(rows[b][2], rows[b][1], f"repeats {rows[a][2]}:{rows[a][1]} almost word for word")


def _shingles(sentence: str, size: int = 5) -> frozenset[str]:
    folded = re.sub(r"\W+", "", sentence.casefold())
    return frozenset(folded[at : at + size] for at in range(max(1, len(folded) - size + 1)))


# Against a fact base


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of a fact base; `key` is `file:id`, `label` the id alone."""

    key: str
    label: str
    claim: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many facts of one confidence are stated in one language, and which are not."""

    confidence: str
    lang: str
    stated: int
    total: int
    missing: tuple[str, ...]


def facts_in(folder: Path) -> list[Fact]:
    """The facts of every JSONL file in `folder`."""
    return [Fact(f"{path.stem}:{row['id']}", row["id"], row["claim"], row["confidence"])
            for path in sorted(folder.glob("*.jsonl")) for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())]  # fmt: skip


def exclusions(path: Path = EXCLUSIONS) -> dict[str, str]:
    """Facts left out on purpose, each with the reason."""
    return dict(tomllib.loads(path.read_text(encoding="utf-8"))["exclusions"]) if path.exists() else {}


def borrowed(readings: Sequence[Reading], names: Sequence[Path], facts: Iterable[Fact]) -> Iterator[Fault]:
    """Statements that share a run of words with a claim, names and figures not counted."""
    runs: dict[tuple[str, ...], str] = {}
    for fact in facts:
        for run in _runs(fact.claim):
            runs[run] = fact.key
    for reading, path in zip(readings, names, strict=True):
        for statement, line in zip(reading.text.statements, reading.lines, strict=True):
            hit = next((run for run in _runs(statement.text) if run in runs), None)
            if hit:
                yield Fault(str(path), line, f"wording of {runs[hit]}: “{' '.join(hit)}”")


def _runs(sentence: str) -> Iterator[tuple[str, ...]]:
    """The shortest runs of words that hold `BORROWED_WORDS` words which are neither names nor figures."""
    found = words(sentence)
    plain = [at for at, word in enumerate(found) if word[0].islower() and not any(map(str.isdigit, word))]
    for first in range(len(plain) - BORROWED_WORDS + 1):
        run = found[plain[first] : plain[first + BORROWED_WORDS - 1] + 1]
        yield tuple(word.casefold().strip(".,") for word in run)


def coverage(readings: Sequence[Reading], facts: Sequence[Fact], excluded: Iterable[str]) -> list[Coverage]:
    """Which facts the texts state: a text has a statement with the fact's label, and every figure and date of its claim."""
    labels = Counter(fact.label for fact in facts)
    left_out = set(excluded)
    table = []
    for lang in ("en", "zh"):
        texts: dict[str, list[tuple[Figure, ...]]] = defaultdict(list)
        for reading in readings:
            if reading.text.lang == lang:
                held = figures(" ".join(f"{statement.text} {statement.as_of}" for statement in reading.text.statements), words=True)
                for mark in {mark for statement in reading.text.statements for mark in statement.marks}:
                    texts[mark].append(held)
        for confidence in ("high", "medium"):
            wanted = [fact for fact in facts if fact.confidence == confidence and fact.key not in left_out]
            missing = tuple(fact.key for fact in wanted if not any(_holds(held, fact) for held in texts[label_of(fact, labels)]))
            table.append(Coverage(confidence, lang, len(wanted) - len(missing), len(wanted), missing))
    return table


def _holds(held: Sequence[Figure], fact: Fact) -> bool:
    return all(_is_small(figure) or any(_same(figure, other) for other in held) for figure in figures(fact.claim))


def label_of(fact: Fact, labels: Counter[str]) -> str:
    """The footnote label of a fact: its id; where two files share an id, that and the initials of the file's first and last word."""
    if labels[fact.label] == 1:
        return fact.label
    parts = fact.key.split(":")[0].split("-")
    return f"{fact.label}-{parts[0][0] + parts[-1][0] if len(parts) > 1 else parts[0][:2]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m corpus.check", description="Checks the source texts.")
    parser.add_argument("--facts", type=Path, help="a folder of JSONL facts to compare with")
    parser.add_argument("--missing", action="store_true", help="list the facts that no text states")
    parser.add_argument("--texts", type=Path, default=TEXTS, help="the folder of texts")
    options = parser.parse_args(arguments)
    names = paths(options.texts)
    readings = [read(path) for path in names]
    found = check(readings, names)
    if options.facts:
        facts = facts_in(options.facts)
        found += borrowed(readings, names, facts)
        for row in coverage(readings, facts, exclusions()):
            sys.stdout.write(f"{row.lang} {row.confidence:6} {row.stated:4} of {row.total:4} facts stated ({row.stated / max(1, row.total):.1%})\n")
            if options.missing:
                sys.stdout.writelines(f"    {key}\n" for key in row.missing)
    sys.stdout.writelines(f"{fault}\n" for fault in sorted(found, key=lambda fault: (fault.path, fault.line)))
    sys.stdout.write(f"{len(names)} texts, {sum(len(reading.lines) for reading in readings)} statements, {len(found)} faults\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
