"""Each sentence against what it cites: figures, dates, names and meaning."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from assistant.question import Names
from assistant.records import Draft, Evidence, Sentence, Verdict
from corpus.figures import figures
from corpus.text import split, written_in
from index.embedder import Embedder
from index.judge import Entailment
from index.words import fold, tokens

# Words that turn a sentence into its contrary, phrases that hold one and do not, and others by which a source may deny.
_NEGATION = re.compile(r"\b(?:not|never|neither|none|cannot|without|no)\b|n['’]t\b|不|未(?![來来])|[沒没]|[並并]非|冇|唔|[無无毋]", re.IGNORECASE)
_NO_NEGATION = re.compile(
    r"\bnot[ -](?:only|just|for[ -]profit|(?:more|less|fewer|later|earlier) than)\b|\bno (?:later|earlier|less|more|fewer) than\b|\bno\. ?\d|\bno doubt\b"
    r"|不(?:少|過|过|同|斷|断|時|时|僅|仅|但|單|单|止|論|论|管|久|只|足|等|(?:多|少|低|高|遲|迟|早)[於于])|[無无](?:人|線|綫|线|障|論|论|縫|缝|限)|唔同",
    re.IGNORECASE,
)
_DENIES_TOO = re.compile(r"\b(?:exempt|unable|fail|refus|reject|declin|lack|ban|prohibit|rul(?:e|ed|ing) out|non-|nor\b)|免|拒|禁|欠", re.IGNORECASE)

# The share of a sentence's words that a statement must hold for the sentence to be a repetition of it, and of its words that are not the question's that
# what it cites must hold to bear it out at all: of 201 sentences that a small model wrote on dev questions 13 shared less, of which 11 were wrong.
REPEATED, SHARED = 0.8, 0.5
# The share of a statement's words that the sentences which cite it must hold for it to be told: "90% [1]" gives a figure, and tells nothing of it.
TOLD = 0.25
_BULLET = " \t\n-*•"
_MARKS = re.compile(r"((?:\[\d{1,4}\]\s*)+)")
# The number of an item of a list, at the start of a line.
_NUMBERED = re.compile(r"^([ \t]*)\(?\d{1,2}(?:[.)][ \t]+|[、）][ \t]*)", re.MULTILINE)
# Publisher and date as they stand behind a statement in what a model is sent.
_SOURCE = re.compile(r"\((?:[^()]|\([^()]*\)){1,400}as of [\d-]{4,10}(?:; SUPERSEDED)?\)$")
# Reasons of what is supported, but not as it was written.
CITED_ANEW = "its number was missing or wrong and was put right"
INSTEAD = "quoted in place of a sentence that was left out"
ADDED = "quoted because what was written left it out"
QUOTED = (INSTEAD, ADDED)


@dataclass(frozen=True, slots=True)
class Verified:
    """What stands of a draft, and the verdict on each sentence, numbered as the evidence is."""

    sentences: tuple[Sentence, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def dropped(self) -> int:
        """How many sentences were left out."""
        return sum(verdict.verdict == "unsupported" for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Numbered:
    """An answer with its citations numbered from 1 as they come: the text, the verdicts and the evidence cited."""

    text: str
    verdicts: tuple[Verdict, ...]
    cited: tuple[Evidence, ...]


def verify(
    draft: Draft, evidence: Sequence[Evidence], names: Names, embedder: Embedder, nearness: float, entailment: Entailment | None = None, asked: str = ""
) -> Verified:
    """Judges every sentence; one that nothing bears out is dropped, and so is one that was said before.

    A sentence that is a cited statement word for word is supported. Else each figure, date and name in it must stand in a statement that it cites (or in
    that one's title, names or date), it may not deny more than they do, half of the words that it adds to what was `asked` must be theirs where they are
    of its language, and its meaning must be near (cosine at least `nearness`); where there is a model of `entailment`, what is cited may not contradict it.

    Numbers that no evidence has vanish, and so do those of statements that add nothing to the others cited. A sentence without a number, or with a wrong
    one, gets that of the statement which it nearly repeats, if it passes the same; in place of one that was dropped stands the statement that holds most of
    its words, or else the first that it cites. The reason of a sentence that is supported says so; where nothing but such statements is left, nothing is.
    """
    by_number = {item.number: item for item in evidence}
    check = _Check(names, embedder, nearness, entailment, frozenset(tokens(asked)))
    verdicts: list[Verdict] = []
    kept: list[Sentence] = []
    judged: set[Sentence] = set()

    def keep(sentence: Sentence, reason: str = "") -> None:
        kept.append(sentence)
        verdicts.append(Verdict(sentence.text, sentence.cited, "supported", reason))

    for sentence in draft.sentences:
        said = replace(sentence, lead="")
        if "|" not in sentence.lead and (said in judged or any(sentence.text == other.text for other in kept)):  # the cells of a table all stand
            continue
        judged.add(said)
        cited = [by_number[number] for number in dict.fromkeys(sentence.cited) if number in by_number]
        reason = check.fault(sentence.text, cited)
        meant = _meant(sentence.text, evidence) if reason else None
        if not reason:
            keep(replace(sentence, cited=tuple(item.number for item in check.needed(sentence.text, cited))))
        elif meant and meant.share >= REPEATED and not check.fault(sentence.text, [meant.item]):
            keep(replace(sentence, cited=(meant.item.number,)), CITED_ANEW)
        else:
            verdicts.append(Verdict(sentence.text, tuple(item.number for item in cited), "unsupported", reason))
            quoted = meant.item if meant and meant.share >= SHARED else next(iter(cited), None)
            if quoted and not any(quoted.number in other.cited or quoted.statement.text == other.text for other in kept):
                keep(Sentence(sentence.lead, quoted.statement.text, (quoted.number,)), INSTEAD)
    if all(verdict.reason == INSTEAD for verdict in verdicts if verdict.verdict == "supported"):
        return Verified((), tuple(verdict for verdict in verdicts if verdict.verdict == "unsupported"))
    return Verified(tuple(kept), tuple(verdicts))


def told(verified: Verified, evidence: Sequence[Evidence]) -> list[Evidence]:
    """What is cited for more than a scrap: the sentences that cite it hold at least `TOLD` of its words, or one of them is in the other language."""
    said = {item.number: [sentence.text for sentence in verified.sentences if item.number in sentence.cited] for item in evidence}

    def translated(item: Evidence) -> bool:
        return any(written_in(text) != item.text.lang and any(map(str.isalpha, text)) for text in said[item.number])

    return [item for item in evidence if translated(item) or _share(item.statement.text, said[item.number]) >= TOLD]


def numbered(verified: Verified, evidence: Sequence[Evidence]) -> Numbered:
    """The answer as it is read, its citations numbered anew."""
    by_number = {item.number: item for item in evidence}
    order = {old: at for at, old in enumerate(dict.fromkeys(old for sentence in verified.sentences for old in sentence.cited), 1)}
    text = "".join(str(replace(sentence, cited=tuple(order[old] for old in sentence.cited))) for sentence in verified.sentences).strip()
    verdicts = (replace(verdict, citations=tuple(order[old] for old in verdict.citations if old in order)) for verdict in verified.verdicts)
    return Numbered(text, tuple(verdicts), tuple(replace(by_number[old], number=at) for old, at in order.items()))


@dataclass(frozen=True, slots=True)
class _Check:
    """What a sentence is held against beside the statements, and when its meaning is near theirs."""

    names: Names
    embedder: Embedder
    nearness: float
    entailment: Entailment | None
    asked: frozenset[str]

    def fault(self, sentence: str, cited: Sequence[Evidence]) -> str:
        """Why the cited statements do not bear the sentence out; empty if they do."""
        if not cited:
            return "cites nothing"
        if any(sentence == item.statement.text for item in cited):
            return ""
        reason = _unsaid(sentence, cited, self.names)
        if reason:
            return reason
        if self.shared(sentence, cited) < SHARED or max(self.near(sentence, cited)) < self.nearness:
            return "its meaning is far from what it cites"
        if self.entailment and self.entailment.contradicts([item.statement.text for item in cited], sentence):
            return "it contradicts what it cites"
        return ""

    def needed(self, sentence: str, cited: Sequence[Evidence]) -> list[Evidence]:
        """Of cited statements that together bear the sentence out, those without which they would not.

        Where some do so each alone, and hold about as many of its words as all together, the others are let go, and so are those that lie farther than
        halfway from the nearest to `nearness`.
        """
        if len(cited) == 1:
            return list(cited)
        least = REPEATED * self.shared(sentence, cited)
        alone = [
            item for item in cited if sentence == item.statement.text or not (_unsaid(sentence, [item], self.names) or self.shared(sentence, [item]) < least)
        ]
        near = self.near(sentence, alone)
        return [item for item, one in zip(alone, near, strict=True) if one >= (self.nearness + max(near)) / 2] or list(cited)

    def shared(self, sentence: str, cited: Sequence[Evidence]) -> float:
        """The share of the sentence's words, without those of the question, that the statements hold; 1 where one is of the other language."""
        same = {item.text.lang for item in cited} == {written_in(sentence)}
        return _share(sentence, [_held(item) for item in cited], self.asked) if same else 1.0

    def near(self, sentence: str, items: Sequence[Evidence]) -> list[float]:
        """The cosine of the sentence with each statement."""
        vectors = self.embedder.passages([sentence, *(item.statement.text for item in items)])
        return [float(vector @ vectors[0]) for vector in vectors[1:]]


@dataclass(frozen=True, slots=True)
class _Meant:
    """A statement, and the share of a sentence's words that it holds."""

    item: Evidence
    share: float


def _meant(sentence: str, evidence: Sequence[Evidence]) -> _Meant | None:
    """The statement that holds the most of the sentence's words, if it has any."""
    if not tokens(sentence):
        return None
    return max((_Meant(item, _share(sentence, [item.statement.text])) for item in evidence), key=lambda one: one.share, default=None)


def _held(item: Evidence) -> str:
    """What stands in a statement, with its text's title and other names."""
    return f"{item.statement.text} {item.text.title} {' '.join(item.text.aliases)}"


def _share(sentence: str, told: Sequence[str], besides: Collection[str] = ()) -> float:
    """The share of the sentence's words that are among those of what is told, of those not in `besides` if there are any; 1 where it has no words."""
    said = set(tokens(sentence))
    said = said.difference(besides) or said
    return len(said & {word for text in told for word in tokens(text)}) / len(said) if said else 1.0


def sentences(text: str) -> list[Sentence]:
    """The sentences of what a model wrote, in order, with the citations that follow each; that precede each, where the first thing written is one.

    A numbered list becomes one of bullets.
    """
    found: list[Sentence] = []
    text = _marks_behind(_NUMBERED.sub(r"\1- ", text))
    at = 0
    for marks in re.finditer(r"(?:\s*\[\d{1,4}\])+[.。]?", text):
        *bare, last = _split(text[at : marks.start()]) or [""]
        found += [Sentence(_lead(part), _words(part), ()) for part in bare if _words(part)]
        cited = tuple(map(int, re.findall(r"\d+", marks.group())))
        if _words(last):
            found.append(Sentence(_lead(last), _words(last), cited))
        elif found:
            found[-1] = Sentence(found[-1].lead, found[-1].text, (*found[-1].cited, *cited))
        at = marks.end()
    found += [Sentence(_lead(part), _words(part), ()) for part in _split(text[at:]) if _words(part)]
    return found


def _marks_behind(text: str) -> str:
    """The text, each run of marks behind what follows it if it begins with one."""
    before, *rest = _MARKS.split(text)
    if before.strip(_BULLET):
        return text
    for marks, said in zip(rest[::2], rest[1::2], strict=True):
        words = said.rstrip(_BULLET)
        before += f"{words} {marks.strip()}{said[len(words) :]}"
    return before


def _denials(text: str) -> int:
    return len(_NEGATION.findall(_NO_NEGATION.sub("", text)))


def _split(piece: str) -> list[str]:
    """The sentences of a piece, each with the white space before it."""
    parts: list[str] = []
    space = ""
    for part in split(piece):
        words = part.rstrip()
        if words:
            parts.append(space + words)
            space = ""
        space += part[len(words) :]
    return parts


def _words(part: str) -> str:
    """A sentence without its bullet, and without the publisher and date behind its statement, if a model copied them; nothing where no letter and no digit
    is left, as of a bracket that a model left open."""
    said = _SOURCE.sub("", part.strip().lstrip("-*•").strip()).rstrip()
    return said if any(character.isalnum() for character in said) else ""


def _lead(part: str) -> str:
    """The line breaks and the bullet with which a sentence begins; a space if there are none."""
    lead = re.match(r"(\s*)([-*•]\s+)?", part)
    space, bullet = (lead[1], lead[2]) if lead else ("", None)
    breaks = "\n" * min(2, space.count("\n"))
    return (breaks or "\n") + "- " if bullet else breaks or " "


def _unsaid(sentence: str, cited: Sequence[Evidence], names: Names) -> str:
    """Which figure, date or name of the sentence the cited statements do not hold, or that they do not deny as it does; empty if nothing is amiss."""
    held = [figure for item in cited for figure in figures(f"{item.statement.text} {item.statement.as_of} {item.text.title}", words=True)]
    for figure in figures(sentence):
        if not any(figure.agrees(other) for other in held):
            return f"{figure.value} {figure.unit}".strip() + " is not in what it cites"
    said = fold(" ".join(map(_held, cited)))
    topics = {topic for name in names.find(said) for topic in name.topics}
    for name in names.find(sentence):
        if fold(name.written) not in said and not topics & set(name.topics):
            return f"{name.written} is not in what it cites"
    if _denials(sentence) > sum(_denials(item.statement.text) + len(_DENIES_TOO.findall(item.statement.text)) for item in cited):
        return "it denies something that its source does not"
    return ""
