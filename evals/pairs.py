"""The questions that the judge is trained and measured on, each with the statements that answer it, and the wrong ones mined for it; and groups of
made-up statements of other matters, with questions of their own, so that it learns to read and not these texts by heart.

`evals/pairs/*.jsonl`: `id`, `question`, `lang`, `style` (`written`, `several`, `template`, `near_miss` or `outside`), `split` (`train`, `held`
or `test`, by fact), `right` (labels of the statements that answer it; none in a near miss, nor in what is outside the subject) and `near` (labels
on the same matter: neither right nor wrong, and in a near miss what it sounds like). `evals/pairs/reading/*.jsonl`: a group a line, `statements`,
each with its `text`, the questions that it alone answers, `asked`, and those that sound as if it did and that none of the group answers, `missed`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assistant.chain import Ask, Chain
from assistant.evidence import JUDGED, rank
from corpus.text import Lang
from evals.cases import field, lines
from index.embedder import Embedder, Vectors
from index.library import statement_passages
from index.search import embed
from index.words import fold

PAIRS = Path(__file__).parent / "pairs"
READING = PAIRS / "reading"
DEEP = 30
# What is outside the subject is held against so many of the statements that the search, or the judge, puts first.
SOUNDING = 4
# Of the examples so many in a hundred once more with the statement as it stands in the other language.
ACROSS = 15
# Of the statements that each answer a part of a question, so many are shown to the judge.
SEVERAL = 4
# Bodies of other places, put in the stead of a name that a statement is about.
ELSEWHERE = (
    "A*STAR",
    "Singapore",
    "Shenzhen",
    "深圳",
    "新加坡",
    "澳門",
    "Macau",
    "Taiwan's ITRI",
    "Tsinghua University",
    "清華大學",
    "SoftBank",
    "台積電",
    "the EU",
    "AI Singapore",
)
Split = Literal["train", "held", "test"]


class Pair(BaseModel):
    """A question and what answers it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    lang: Lang
    style: Literal["written", "several", "template", "near_miss", "outside"]
    split: Split
    right: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


class Said(BaseModel):
    """A made-up statement, the questions that it answers, and those that it seems to answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(min_length=1)
    asked: tuple[str, ...] = Field(min_length=1)
    missed: tuple[str, ...] = Field(min_length=1)


class Group(BaseModel):
    """Made-up statements on one matter, of which no other answers what one of them answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    statements: tuple[Said, ...] = Field(min_length=2)


@dataclass(frozen=True, slots=True)
class Example:
    """A question, a statement, and 1.0 if the statement answers it, else 0.0."""

    question: str
    statement: str
    label: float


class _Told(NamedTuple):
    """A statement, and the passage that the index holds of it."""

    lang: Lang
    statement: str
    passage: str


def load(folder: Path = PAIRS) -> tuple[Pair, ...]:
    """Every pair below `folder`; raises `ValueError` naming every line that is none, and every id used twice."""
    pairs: dict[str, Pair] = {}
    faults: list[str] = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in lines(path, faults):
            try:
                pair = Pair.model_validate_json(line)
            except ValidationError as error:
                faults += [f"{path}:{number}: {field(fault['loc'])}{fault['msg']}" for fault in error.errors()]
                continue
            if pair.id in pairs:
                faults.append(f"{path}:{number}: the id {pair.id!r} is used twice")
            pairs[pair.id] = pair
    if faults:
        raise ValueError("\n".join(faults))
    return tuple(pairs.values())


def load_reading(split: Literal["train", "test"], folder: Path = READING) -> tuple[Group, ...]:
    """The groups of one split; raises `ValueError` naming every line that is none."""
    faults: list[str] = []
    groups = []
    path = folder / f"{split}.jsonl"
    for number, line in lines(path, faults):
        try:
            groups.append(Group.model_validate_json(line))
        except ValidationError as error:
            faults += [f"{path}:{number}: {field(fault['loc'])}{fault['msg']}" for fault in error.errors()]
    if faults:
        raise ValueError("\n".join(faults))
    return tuple(groups)


def reading(groups: Iterable[Group], seed: int = 0) -> list[Example]:
    """What the judge learns from made-up statements: what one answers with it, and with another of its group; what none answers with the one that it
    sounds like, and with another."""
    choose = random.Random(seed)
    found = []
    for group in groups:
        for said in group.statements:
            others = [other.text for other in group.statements if other is not said]
            for question in said.asked:
                found += [Example(question, said.text, 1.0), Example(question, choose.choice(others), 0.0)]
            for question in said.missed:
                found += [Example(question, said.text, 0.0), Example(question, choose.choice(others), 0.0)]
    return found


def examples(chain: Chain, pairs: Sequence[Pair], seed: int = 0, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Example]:
    """What the judge learns from: for each question a right statement in its language, and wrong ones from among those that the search takes
    for right: two of the first five and one further down. What nothing answers gives wrong ones alone: the statement that a near miss sounds like, the
    first two found and one further down; where the chain has a judge, the two that it takes for right most (Xiong et al. 2021, "Approximate nearest
    neighbor negative contrastive learning") instead of the first two. What is outside the subject gives the first `SOUNDING` of these. Now and then
    there is one more, right or wrong, with the statement as it stands in the other language.

    Of the statements that carry one of the labels the one that the encoder finds nearest counts, since a fact may be told in two sentences of
    which one answers; of a question that several answer, each a part, the nearest of each label. The others, and those on the same matter, are left out.
    """
    choose = random.Random(seed)
    told: dict[str, list[_Told]] = {}
    for text in chain.library.texts.values():
        for statement, (_, passage) in zip(text.statements, statement_passages(text), strict=True):
            for mark in statement.marks:
                told.setdefault(mark, []).append(_Told(text.lang, statement.text, passage))
    found = []
    for done, pair in enumerate(pairs):
        progress(done, len(pairs))
        question = chain.understand(Ask(pair.question))
        vectors = embed(chain.library.embedder, question.views)
        hits = chain.search(question, vectors, k=DEEP)
        related = {*pair.right, *pair.near}
        nearest = partial(_nearest, chain.library.embedder, vectors[0], told)  # the first view is the question as asked
        if not pair.right:
            hits = rank(question, hits, chain.library, chain.weights)[:JUDGED]
            if chain.judge:
                odds = chain.judge.scores(pair.question, [hit.statement.text for hit in hits]).tolist()
                hits = [hit for _, hit in sorted(zip(odds, hits, strict=True), key=lambda one: -one[0])]
            sounding = hits[:SOUNDING] if pair.style == "outside" else [*hits[:2], *choose.sample(hits[2:], min(1, len(hits[2:])))]
            wrong = dict.fromkeys([*nearest(pair.near, pair.lang), *(hit.statement.text for hit in sounding)])
            found += [Example(pair.question, statement, 0.0) for statement in wrong]
            continue
        asked_for = [(label,) for label in choose.sample(pair.right, min(SEVERAL, len(pair.right)))] if pair.style == "several" else [pair.right]
        right = list(dict.fromkeys(statement for labels in asked_for for statement in nearest(labels, pair.lang)))
        found += [Example(pair.question, statement, 1.0) for statement in right]
        found += [Example(question, right[0], 0.0) for question in _missing(chain, pair.question, right[0], choose) if choose.random() < 0.6] if right else []
        others = [hit for hit in hits if not related & set(hit.statement.marks)]
        chosen = choose.sample(others[:5], min(2, len(others[:5]))) + choose.sample(others[5:], min(1, len(others[5:])))
        found += [Example(pair.question, hit.statement.text, 0.0) for hit in chosen]
    progress(len(pairs), len(pairs))
    twins = _twins(told)
    across = [replace(one, statement=twins[one.statement]) for one in found if one.statement in twins and choose.random() * 100 < ACROSS]
    return found + across


def _twins(told: Mapping[str, Sequence[_Told]]) -> dict[str, str]:
    """Statements, and what says the same in the other language: the only one there with a label that only one here has."""
    found: dict[str, str] = {}
    for all_of in told.values():
        english, chinese = ([one.statement for one in all_of if one.lang == lang] for lang in ("en", "zh"))
        if len(english) == len(chinese) == 1:
            found |= {english[0]: chinese[0], chinese[0]: english[0]}
    return found


def _missing(chain: Chain, question: str, statement: str, choose: random.Random) -> Iterator[str]:
    """The question about another year, and about another body, than those of the statement that answers it."""
    years = [year for year in re.findall(r"(?<!\d)20[0-2]\d(?!\d)", question) if year in statement]
    if years:
        yield question.replace(years[0], str(int(years[0]) + choose.choice((-6, -4, -3, 3, 5))))
    names = chain.names.find(question)
    said = fold(statement)
    others = [name for name in ELSEWHERE if fold(name) not in said]
    if names and len(fold(question)) == len(question) and fold(names[0].written) in said:
        yield f"{question[: names[0].start]}{choose.choice(others)}{question[names[0].end :]}"


def _nearest(embedder: Embedder, asked: Vectors, told: Mapping[str, Sequence[_Told]], labels: Iterable[str], lang: Lang) -> list[str]:
    """Of the statements in a language that carry one of the labels the one nearest to the question, whose embedding is `asked`; none if there is none."""
    of_labels = sorted({one for label in labels for one in told.get(label, []) if one.lang == lang})
    return [of_labels[int(np.argmax(embedder.passages([one.passage for one in of_labels]) @ asked))].statement] if of_labels else []
