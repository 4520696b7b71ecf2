"""The committed sets: enough of each kind, scorable, and in words of their own."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from assistant.question import Names
from corpus.markdown import load as load_texts
from corpus.text import SourceText
from evals.cases import SETS, Case, load_all, only
from evals.metrics import holds, missing
from index.words import fold

AT_LEAST = {
    "single": 60,
    "list": 25,
    "compare": 25,
    "temporal": 25,
    "followup": 80,
    "chinese": 80,
    "colloquial": 30,
    "near_miss": 60,
    "offtopic": 20,
    "injection": 30,
}
RUN, RUN_CHINESE = 5, 8


@pytest.fixture(scope="module")
def corpus() -> tuple[SourceText, ...]:
    return load_texts()


@pytest.fixture(scope="module")
def cases(corpus: tuple[SourceText, ...]) -> tuple[Case, ...]:
    return load_all(sorted(SETS.glob("*.jsonl")), {mark for text in corpus for statement in text.statements for mark in statement.marks})


def test_there_are_enough_cases_of_every_kind(cases: tuple[Case, ...]) -> None:
    counted = Counter(case.kind for case in cases)
    assert {kind: counted[kind] for kind, least in AT_LEAST.items() if counted[kind] < least} == {}
    assert len(cases) >= 400


def test_both_splits_hold_a_good_part_and_no_fact_is_in_both(cases: tuple[Case, ...]) -> None:
    splits = defaultdict(set)
    for case in cases:
        for label in case.right:
            splits[label].add(case.split)
    assert [label for label, found in splits.items() if len(found) > 1] == []
    share = sum(case.split == "dev" for case in cases) / len(cases)
    assert 0.4 < share < 0.6


def test_a_model_is_measured_on_120_test_cases_of_every_kind_that_it_writes_on(cases: tuple[Case, ...]) -> None:
    drawn = only(cases, SETS / "model-120.txt")
    assert (len(drawn), {case.split for case in drawn}) == (120, {"test"})
    kinds = ("single", "list", "compare", "temporal", "followup", "chinese", "colloquial")
    there = {kind: sum(case.kind == kind and case.split == "test" for case in cases) for kind in kinds}
    for kind in kinds:
        share = sum(case.kind == kind for case in drawn) / 120
        assert abs(share - there[kind] / sum(there.values())) < 0.05, kind


def test_the_right_statements_hold_what_is_required_and_nothing_forbidden(cases: tuple[Case, ...], corpus: tuple[SourceText, ...]) -> None:
    said: dict[tuple[str, str], list[str]] = defaultdict(list)
    for text in corpus:
        for statement in text.statements:
            for mark in statement.marks:
                said[mark, text.lang].append(statement.text)
    wrong = []
    for case in cases:
        answer = "\n".join(sentence for label in case.right for sentence in said[label, case.lang])
        if case.right and (missing(answer, case.required) or any(holds(answer, string) for string in case.forbidden)):
            wrong.append((case.id, missing(answer, case.required)))
    assert wrong == []


def test_no_question_repeats_the_words_of_a_statement(cases: tuple[Case, ...], corpus: tuple[SourceText, ...]) -> None:
    """Names aside, which have no other words."""
    names = Names(corpus)
    runs = {run for text in corpus for statement in text.statements for run in _runs(statement.text)}
    repeated = []
    for case in cases:
        question = case.question
        for name in reversed(names.find(fold(question))):
            question = f"{fold(question)[: name.start]} ¦ {fold(question)[name.end :]}"
        repeated += [(case.id, run) for run in _runs(question) if run in runs]
    assert repeated == []


def _runs(text: str) -> list[str]:
    runs = []
    for part in fold(text).split("¦"):
        words = re.findall(r"[a-z0-9]+(?:[.,'%-][a-z0-9]+)*%?", part)
        runs += [" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
        for characters in re.findall(r"[\u3400-\u9fff]+", part):
            runs += [characters[at : at + RUN_CHINESE] for at in range(len(characters) - RUN_CHINESE + 1)]
    return runs
