"""How well `assistant/verify.py` tells a sound sentence from one that was made wrong: statements of the corpus, corrupted and reworded.

A corruption changes one thing that makes the sentence false or unsupported: a figure, a year, a name, the citation, or a "not" put in. A sound
sentence says the same as its statement, or less: a date without its day, the figure in another notation, another name of the same thing, the
opening clause left out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from assistant.chain import Chain
from assistant.question import Names
from assistant.records import Draft, Evidence, Sentence
from assistant.verify import verify
from corpus.figures import figures
from corpus.text import Lang

Change = Literal["figure", "year", "name", "citation", "negation", "sound"]
CORRUPTIONS: tuple[Change, ...] = ("figure", "year", "name", "citation", "negation")
SEED = 20261122

_YEAR = re.compile(r"(?<!\d)20[012]\d(?!\d)")
_NUMBER = re.compile(r"(?<![\d.,A-Za-z-])\d{1,3}(?:,\d{3})+|(?<![\d.,A-Za-z-])\d+(?:\.\d+)?(?![\d.,]*\d)")
_NOT = re.compile(r"\b(?:is|was|are|were|has|have|had|will|would|can|could|may|must)\b(?! not)")
_NOT_CHINESE = (("將不會", "將會"), ("不可以", "可以"), ("並未", "已經"), ("未有設立", "設立"), ("沒有設", "設有"), ("未獲", "獲"), ("並不是", "是"))
_DAY = re.compile(r"(?<!\d)\d{1,2} (?=(?:January|February|March|April|May|June|July|August|September|October|November|December) 20\d\d)")
_DAY_CHINESE = re.compile(r"(?<=月)\d{1,2}日")
_OPENING = re.compile(r"^(?:As of|In|By|On|From|Since) [^,]{3,30}, (?=[A-Z])|^(?:截至|在|至|自|據)[^，]{3,14}，")
_BILLION = re.compile(r"(?<![\d.,])(\d+(?:\.\d+)?) billion\b")


@dataclass(frozen=True, slots=True)
class Tried:
    """A sentence made from a statement, and whether `verify` let it pass."""

    change: Change
    lang: Lang
    statement: str
    sentence: str
    passed: bool


def measure(chain: Chain, each: int = 120, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Tried]:
    """`each` sentences of every kind of change, half of them Chinese, as far as the corpus has them, with what became of them.

    A citation is moved to a statement of another text, on the same theme where there is one. Raises `ValueError` for a corpus without statements.
    """
    told = [
        Evidence(1, text, chain.library.chunk_of(f"{text.id}:{number}"), statement, 1.0)
        for text in chain.library.texts.values()
        if not text.own
        for number, statement in enumerate(text.statements)
    ]
    if len(told) < 2:
        raise ValueError("there are no statements to corrupt")
    by_topic: dict[tuple[str, str], list[Evidence]] = {}
    for item in told:
        by_topic.setdefault((item.text.topic, item.text.lang), []).append(item)
    found: list[Tried] = []
    wanted: list[tuple[Change, Lang]] = [(change, lang) for change in (*CORRUPTIONS, "sound") for lang in ("en", "zh")]
    for done, (change, lang) in enumerate(wanted):
        choose = random.Random(f"{SEED} {change} {lang}")
        made = 0
        candidates = [item for item in told if item.text.lang == lang]
        for item in choose.sample(candidates, len(candidates)):
            if made == each // 2:
                break
            kin = [one for one in by_topic[item.text.topic, lang] if one.text.id != item.text.id and not set(one.statement.marks) & set(item.statement.marks)]
            other = choose.choice(kin or [one for one in told if one.text.id != item.text.id] or told)
            sentence = next((one for one in _made(change, item, other, chain.names, choose) if one != item.statement.text or change == "citation"), None)
            if sentence is None:
                continue
            cited = other if change == "citation" else item
            draft = Draft((Sentence("", sentence, (1,)),), "model")
            verified = verify(draft, (cited,), chain.names, chain.library.embedder, chain.weights.meaning, chain.entailment)
            found.append(Tried(change, lang, item.statement.text, sentence, not verified.dropped))
            made += 1
        progress(done + 1, len(wanted))
    return found


def _made(change: Change, item: Evidence, other: Evidence, names: Names, choose: random.Random) -> Iterator[str]:
    """Sentences that differ from the statement by the change, the likeliest first; none where it has nothing of the kind."""
    said = item.statement.text
    if change == "figure":
        years = {match.span() for match in _YEAR.finditer(said)}
        for match in _NUMBER.finditer(said):
            number = match.group().replace(",", "")
            changed = f"{float(number) + choose.choice((0.5, 1.5)):.1f}" if "." in number else f"{int(number) + choose.choice((1, 2, 3, 7, 20)):,}"
            sentence = f"{said[: match.start()]}{changed}{said[match.end() :]}"
            dates = [[figure for figure in figures(text) if figure.unit == "date"] for text in (said, sentence)]
            if match.span() not in years and dates[0] == dates[1] and figures(sentence) != figures(said):
                yield sentence
    elif change == "year":
        for match in _YEAR.finditer(said):
            changed = str(int(match.group()) + choose.choice((-3, -2, -1, 1, 2)))
            if changed not in f"{said} {item.statement.as_of} {item.text.title}":
                yield f"{said[: match.start()]}{changed}{said[match.end() :]}"
    elif change == "name":
        held = {topic for name in names.find(f"{said} {item.text.title} {' '.join(item.text.aliases)}") for topic in name.topics}
        for name in names.find(said):
            for instead in names.find(other.statement.text):
                if instead.written.isascii() == name.written.isascii() and not held & set(instead.topics):
                    yield f"{said[: name.start]}{instead.written}{said[name.end :]}"
    elif change == "citation":
        yield said
    elif change == "negation":
        if item.text.lang == "en":
            for match in _NOT.finditer(said):
                yield f"{said[: match.end()]} not{said[match.end() :]}"
        for negative, plain in _NOT_CHINESE:
            if plain in said and negative not in said and item.text.lang == "zh":
                yield said.replace(plain, negative, 1)
    else:
        yield from _reworded(item, names)


def _reworded(item: Evidence, names: Names) -> Iterator[str]:
    said = item.statement.text
    for name in names.find(said):
        for alias in item.text.aliases:
            (*_, same) = names.find(alias) or [name]
            if same.written == alias and same.topics == name.topics and alias.isascii() == name.written.isascii() and alias not in said:
                yield f"{said[: name.start]}{alias}{said[name.end :]}"
    yield _BILLION.sub(lambda match: f"{float(match[1]) * 1000:,.10g} million", said)
    yield re.sub(r"(\d)%", r"\1 per cent", said) if item.text.lang == "en" else said
    yield _DAY.sub("", said, count=1)
    yield _DAY_CHINESE.sub("", said, count=1)
    yield _OPENING.sub("", said)


def shares(tried: Sequence[Tried], lang: Lang | None = None) -> dict[Change, tuple[int, int]]:
    """By kind of change how many were taken as unsupported, of how many: for corruptions those caught, for sound sentences false alarms."""
    kept = [one for one in tried if lang in (None, one.lang)]
    return {
        change: (sum(one.change == change and not one.passed for one in kept), sum(one.change == change for one in kept)) for change in (*CORRUPTIONS, "sound")
    }
