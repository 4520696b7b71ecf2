"""Each sentence against what it cites: figures, dates, names and meaning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sentencex import segment

from assistant.question import Names
from assistant.records import Draft, Evidence, Sentence, Verdict
from corpus.figures import figures
from index.embedder import Embedder
from index.judge import Entailment
from index.words import fold

# Words that turn a sentence into its contrary, phrases that hold one and do not, and others by which a source may deny.
_NEGATION = re.compile(r"\b(?:not|never|neither|none|cannot|without|no)\b|n['’]t\b|不|未(?![來来])|[沒没]|[並并]非|冇|唔|[無无毋]", re.IGNORECASE)
_NO_NEGATION = re.compile(
    r"\bnot[ -](?:only|just|for[ -]profit|(?:more|less|fewer|later|earlier) than)\b|\bno (?:later|earlier|less|more|fewer) than\b|\bno\. ?\d|\bno doubt\b"
    r"|不(?:少|過|过|同|斷|断|時|时|僅|仅|但|單|单|止|論|论|管|久|只|足|等|(?:多|少|低|高|遲|迟|早)[於于])|[無无](?:人|線|綫|线|障|論|论|縫|缝|限)|唔同",
    re.IGNORECASE,
)
_DENIES_TOO = re.compile(r"\b(?:exempt|unable|fail|refus|reject|declin|lack|ban|prohibit|rul(?:e|ed|ing) out|non-|nor\b)|免|拒|禁|欠", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verified:
    """What is left of a draft: its text with sentences that failed taken out, the verdicts, and the evidence cited."""

    text: str
    verdicts: tuple[Verdict, ...]
    cited: tuple[Evidence, ...]
    dropped: int


def verify(draft: Draft, evidence: Sequence[Evidence], names: Names, embedder: Embedder, nearness: float, entailment: Entailment | None = None) -> Verified:
    """Judges every sentence; one that its citations do not bear out, or that cites nothing, is dropped.

    A sentence that is a cited statement word for word is supported. Else each figure, date and name in it must stand in
    a statement that it cites (or in that one's title, names or date), it may not deny more than they do, and its meaning must be near (cosine
    at least `nearness`); where there is a model of `entailment`, what is cited may not contradict it. Numbers that no evidence has vanish.
    """
    by_number = {item.number: item for item in evidence}
    verdicts: list[Verdict] = []
    kept: list[Sentence] = []
    for sentence in draft.sentences:
        cited = tuple(number for number in dict.fromkeys(sentence.cited) if number in by_number)
        reason = _fault(sentence.text, [by_number[number] for number in cited], names, embedder, nearness, entailment)
        verdicts.append(Verdict(sentence.text, cited, "unsupported" if reason else "supported", reason))
        if not reason:
            kept.append(Sentence(sentence.lead, sentence.text, cited))
    order = {number: at for at, number in enumerate(dict.fromkeys(number for sentence in kept for number in sentence.cited), 1)}
    text = "".join(str(Sentence(sentence.lead, sentence.text, tuple(order[number] for number in sentence.cited))) for sentence in kept).strip()
    cited_evidence = tuple(Evidence(order[number], item.text, item.chunk, item.statement, item.score) for number in order for item in [by_number[number]])
    renumbered = tuple(Verdict(v.sentence, tuple(order[n] for n in v.citations if n in order), v.verdict, v.reason) for v in verdicts)
    return Verified(text, renumbered, cited_evidence, len(verdicts) - len(kept))


def sentences(text: str) -> list[Sentence]:
    """The sentences of what a model wrote, in order, with the citations that follow each."""
    found: list[Sentence] = []
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


def _denials(text: str) -> int:
    return len(_NEGATION.findall(_NO_NEGATION.sub("", text)))


def _split(piece: str) -> list[str]:
    """The sentences of a piece, each with the white space before it."""
    parts: list[str] = []
    space = ""
    for part in segment("zh" if re.search(r"[\u3400-\u9fff]", piece) else "en", piece):
        words = part.rstrip()
        if words:
            parts.append(space + words)
            space = ""
        space += part[len(words) :]
    return parts


def _words(part: str) -> str:
    """A sentence without its bullet; nothing where no letter and no digit is left, as of a bracket that a model left open."""
    said = part.strip().lstrip("-*•").strip()
    return said if any(character.isalnum() for character in said) else ""


def _lead(part: str) -> str:
    """The line breaks and the bullet with which a sentence begins; a space if there are none."""
    lead = re.match(r"(\s*)([-*•]\s+)?", part)
    space, bullet = (lead[1], lead[2]) if lead else ("", None)
    breaks = "\n" * min(2, space.count("\n"))
    return (breaks or "\n") + "- " if bullet else breaks or " "


def _fault(sentence: str, cited: list[Evidence], names: Names, embedder: Embedder, nearness: float, entailment: Entailment | None) -> str:
    """Why the cited statements do not bear the sentence out; empty if they do."""
    if not cited:
        return "cites nothing"
    if any(sentence == item.statement.text for item in cited):
        return ""
    held = [figure for item in cited for figure in figures(f"{item.statement.text} {item.statement.as_of} {item.text.title}", words=True)]
    for figure in figures(sentence):
        if not any(figure.agrees(other) for other in held):
            return f"{figure.value} {figure.unit}".strip() + " is not in what it cites"
    said = fold(" ".join(f"{item.statement.text} {item.text.title} {' '.join(item.text.aliases)}" for item in cited))
    topics = {topic for name in names.find(said) for topic in name.topics}
    for name in names.find(sentence):
        if fold(name.written) not in said and not topics & set(name.topics):
            return f"{name.written} is not in what it cites"
    if _denials(sentence) > sum(_denials(item.statement.text) + len(_DENIES_TOO.findall(item.statement.text)) for item in cited):
        return "it denies something that its source does not"
    vectors = embedder.passages([sentence, *(item.statement.text for item in cited)])
    if float(np.max(vectors[1:] @ vectors[0])) < nearness:
        return "its meaning is far from what it cites"
    if entailment and entailment.contradicts([item.statement.text for item in cited], sentence):
        return "it contradicts what it cites"
    return ""
