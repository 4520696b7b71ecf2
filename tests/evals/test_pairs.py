"""The committed pairs, their loader, and what is mined from them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from assistant.chain import Ask, Chain
from assistant.evidence import JUDGED, load_weights, rank
from corpus.markdown import load as load_texts
from evals.cases import SETS
from evals.cases import load as load_cases
from evals.pairs import DEEP, SOUNDING, Example, Group, Pair, Said, examples, load, load_reading, reading
from index.judge import Judge
from index.library import Library
from index.search import embed


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, ...]:
    return load()


def test_there_are_enough_questions_and_most_were_written_one_by_one(pairs: tuple[Pair, ...]) -> None:
    assert len(pairs) >= 8_000
    assert sum(pair.style == "template" for pair in pairs) <= len(pairs) / 3
    test = [pair for pair in pairs if pair.split == "test" and pair.style != "template"]
    assert len(test) >= 600
    assert sum(pair.lang == "zh" for pair in test) >= 200
    assert sum(pair.style == "near_miss" for pair in test) >= 200
    assert sum(pair.style == "outside" for pair in test) >= 200


def test_no_fact_nor_its_twin_is_on_two_sides(pairs: tuple[Pair, ...]) -> None:
    sides = defaultdict(set)
    for pair in pairs:
        for label in (*pair.right, *pair.near):
            sides[label].add(pair.split)
    told = [statement.marks for text in load_texts() for statement in text.statements]
    for marks in told:  # facts told in one sentence are twins
        together = set().union(*(sides[mark] for mark in marks))
        for mark in marks:
            sides[mark] |= together
    assert [label for label, found in sides.items() if len(found) > 1] == []


def test_no_fact_behind_a_test_case_was_trained_on(pairs: tuple[Pair, ...]) -> None:
    tested = {label for path in SETS.glob("*.jsonl") for case in load_cases(path) if case.split == "test" for label in case.right}
    assert [pair.id for pair in pairs if pair.split != "test" and tested & {*pair.right, *pair.near}] == []


def test_every_question_has_what_its_style_needs(pairs: tuple[Pair, ...]) -> None:
    assert [pair.id for pair in pairs if bool(pair.right) == (pair.style in ("near_miss", "outside"))] == []
    assert [pair.id for pair in pairs if pair.style == "outside" and pair.near] == []
    labels = {mark for text in load_texts() for statement in text.statements for mark in statement.marks}
    assert [pair.id for pair in pairs if not {*pair.right, *pair.near} <= labels] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Invalid JSON"),
        ('{"id": "a", "question": "", "lang": "en", "style": "written", "split": "train"}', "question"),
        ('{"id": "a", "question": "b", "lang": "fr", "style": "written", "split": "train"}', "lang"),
        ('{"id": "a", "question": "b", "lang": "en", "style": "written", "split": "train", "more": 1}', "more"),
    ],
)
def test_a_line_that_is_no_pair_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "train.jsonl").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"train\.jsonl:1: .*{said}"):
        load(tmp_path)


def test_of_a_question_that_several_statements_answer_each_is_right(library: Library) -> None:
    chain = Chain(library, load_weights(library.embedder.name))
    told = {mark: s.text for s in next(text for text in library.texts.values() if text.lang == "en" and not text.own).statements for mark in s.marks[:1]}
    labels = tuple(told)[:3]
    assert len(labels) > 1
    asked = {"id": "a", "question": "What is there to know?", "lang": "en", "split": "train", "right": labels}
    several = examples(chain, [Pair(style="several", **asked)])
    one = examples(chain, [Pair(style="written", **asked)])
    assert len({example.statement for example in several if example.label == 1}) > len(
        {e.statement for e in one if e.label == 1 and e.statement in told.values()}
    )


def test_what_is_outside_the_subject_is_held_against_the_first_that_the_judge_would_read(library: Library) -> None:
    chain = Chain(library, load_weights(library.embedder.name))
    mined = examples(chain, [Pair(id="a", question="How do I boil rice?", lang="en", style="outside", split="train")])
    asked = chain.understand(Ask("How do I boil rice?"))
    hits = rank(asked, chain.search(asked, embed(library.embedder, asked.views), k=DEEP), library, chain.weights)[:SOUNDING]
    assert {hit.statement.text for hit in hits} <= {example.statement for example in mined}
    assert {example.label for example in mined} == {0.0}


def test_some_is_read_across_languages_right_and_wrong(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.pairs.ACROSS", 100)
    chain = Chain(library, load_weights(library.embedder.name))
    statement = next(text for text in library.texts.values() if text.lang == "en" and not text.own).statements[0]
    asked = Pair(id="a", question=f"Tell me: {statement.text}", lang="en", style="written", split="train", right=statement.marks)
    mined = examples(chain, [asked])
    chinese = {one.text: set(one.marks) for text in library.texts.values() if text.lang == "zh" for one in text.statements}
    across = [(example.label, bool(chinese[example.statement] & set(statement.marks))) for example in mined if example.statement in chinese]
    assert (1.0, True) in across
    assert (0.0, False) in across
    assert {(1.0, False)}.isdisjoint(across)


def test_made_up_statements_are_read_beside_others_of_their_group() -> None:
    group = Group(statements=(Said(text="A opened.", asked=("When?",), missed=("Who?",)), Said(text="B closed.", asked=("B?",), missed=("C?",))))
    found = reading([group])
    assert [example for example in found if example.label] == [Example("When?", "A opened.", 1.0), Example("B?", "B closed.", 1.0)]
    assert {(example.question, example.statement) for example in found if not example.label} == {
        ("When?", "B closed."),
        ("Who?", "A opened."),
        ("Who?", "B closed."),
        ("B?", "A opened."),
        ("C?", "B closed."),
        ("C?", "A opened."),
    }


def test_no_question_about_made_up_statements_is_asked_twice_and_none_of_the_test_is_trained_on() -> None:
    groups = [*load_reading("train"), *load_reading("test")]
    asked = [question for group in groups for said in group.statements for question in (*said.asked, *said.missed)]
    assert len(asked) > 10_000
    assert len(asked) == len(set(asked))
    told = [said.text for group in groups for said in group.statements]
    assert len(told) == len(set(told))


def test_a_line_that_is_no_group_is_named(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text('{"statements": [{"text": "A opened.", "asked": [], "missed": ["Why?"]}]}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"test\.jsonl:1: .*asked"):
        load_reading("test", tmp_path)


def test_for_a_near_miss_what_the_judge_takes_for_right_is_mined(library: Library, judge: Judge) -> None:
    chain = Chain(library, load_weights(library.embedder.name), judge=judge)
    question = "How many parking spaces has Cyberport?"
    mined = [example.statement for example in examples(chain, [Pair(id="a", question=question, lang="en", style="near_miss", split="train")])]
    asked = chain.understand(Ask(question))
    hits = rank(asked, chain.search(asked, embed(library.embedder, asked.views), k=DEEP), library, chain.weights)[:JUDGED]
    odds = judge.scores(question, [hit.statement.text for hit in hits])
    worst = {hits[at].statement.text for at in odds.argsort()[-2:]}
    assert worst != {hit.statement.text for hit in hits[:2]}
    assert worst < set(mined)


def test_an_id_used_twice_is_named(tmp_path: Path) -> None:
    line = '{"id": "a", "question": "b", "lang": "en", "style": "near_miss", "split": "train"}\n'
    (tmp_path / "train.jsonl").write_text(line * 2, encoding="utf-8")
    with pytest.raises(ValueError, match=r":2: the id 'a' is used twice"):
        load(tmp_path)


def test_what_is_mined_is_right_where_a_label_says_so(library: Library) -> None:
    chain = Chain(library, load_weights(library.embedder.name))
    statement = next(text for text in library.texts.values() if text.lang == "en" and not text.own).statements[0]
    asked = Pair(id="a", question=f"Tell me: {statement.text}", lang="en", style="written", split="train", right=statement.marks)
    missed = Pair(id="b", question="How many parking spaces has it?", lang="en", style="near_miss", split="train", near=statement.marks)
    mined = examples(chain, [asked, missed])
    right = {example.statement for example in mined if example.label == 1}
    assert statement.text in right
    assert all(example.question == asked.question for example in mined if example.label == 1)
    wrong = [example for example in mined if example.label == 0]
    assert {example.question for example in wrong} >= {asked.question, missed.question}
    assert not right & {example.statement for example in wrong if example.question == asked.question}
