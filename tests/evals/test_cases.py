from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evals.cases import SAMPLED, Case, load, load_all, only, sample

GOOD: dict[str, Any] = {
    "id": "one",
    "kind": "single",
    "lang": "en",
    "split": "dev",
    "question": "How much?",
    "answerable": True,
    "required": [["70%"]],
    "right": ["aiss-subsidy-rate"],
}


def _write(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return path


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def test_a_good_set_is_read(tmp_path: Path) -> None:
    turn = {"role": "user", "content": "Hello"}
    file = _write(tmp_path / "set.jsonl", GOOD, "", {**GOOD, "id": "two", "kind": "followup", "history": [turn]})
    one, two = load(file, {"aiss-subsidy-rate"})
    assert (one.id, one.required, one.history) == ("one", (("70%",),), ())
    assert (two.history[0].role, two.history[0].content) == ("user", "Hello")


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("{not json", "Invalid JSON"),
        ("[]", "object"),
        (_without("question"), "question: Field required"),
        ({**GOOD, "kind": "riddle"}, "kind: Input should be"),
        ({**GOOD, "lang": "fr"}, "lang: Input should be"),
        ({**GOOD, "split": "train"}, "split: Input should be"),
        ({**GOOD, "colour": "red"}, "colour: Unexpected"),
        ({**GOOD, "history": [{"role": "system", "content": ""}]}, "history.0.role: Input should be"),
        ({**GOOD, "question": "  "}, "may not be empty"),
        ({**GOOD, "required": []}, "`required` is empty"),
        ({**GOOD, "required": [[]]}, "empty group"),
        ({**GOOD, "required": [["a", ""]]}, "empty alternative"),
        ({**GOOD, "forbidden": [""]}, "`forbidden` has an empty string"),
        ({**GOOD, "right": []}, "`right` is empty"),
        ({**GOOD, "right": ["no-such"]}, "no text carries the label 'no-such'"),
        ({**GOOD, "kind": "offtopic"}, "is not answerable"),
        ({**GOOD, "answerable": False}, "is answerable"),
        ({**GOOD, "kind": "near_miss", "answerable": False}, "are of answerable cases"),
        ({**GOOD, "kind": "followup"}, "`history` is empty"),
        ({**GOOD, "kind": "own_documents"}, "`documents` are what makes"),
        ({**GOOD, "kind": "own_documents", "documents": ["gone.txt"]}, "there is no document gone.txt"),
    ],
)
def test_a_malformed_line_is_named_with_its_place(tmp_path: Path, row: dict[str, Any] | str, what: str) -> None:
    file = _write(tmp_path / "set.jsonl", {**GOOD, "id": "before"}, row)
    with pytest.raises(ValueError, match="set") as caught:
        load(file, {"aiss-subsidy-rate"})
    assert f"{file}:2: " in str(caught.value)
    assert what in str(caught.value)


def test_every_fault_of_every_file_is_named(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.jsonl", GOOD, "{", {**GOOD, "id": "x", "kind": "riddle"})
    second = _write(tmp_path / "b.jsonl", GOOD)
    with pytest.raises(ValueError, match="Invalid JSON") as caught:
        load_all([first, second, tmp_path / "none.jsonl", _write(tmp_path / "empty.jsonl")])
    lines = str(caught.value).splitlines()
    places = [f"{first}:2", f"{first}:3", f"{second}:1", f"{tmp_path / 'none.jsonl'}:0", f"{tmp_path / 'empty.jsonl'}:0"]
    assert [line.split(": ")[0] for line in lines] == places
    assert f"already that of {first}:1" in lines[2]


def test_a_document_is_found_beside_its_set(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("A note.", encoding="utf-8")
    file = _write(tmp_path / "set.jsonl", {**GOOD, "kind": "own_documents", "right": [], "documents": ["notes.txt"]})
    assert load(file)[0].documents == (str(tmp_path / "notes.txt"),)


def _cases(kind: str, split: str, number: int) -> list[Case]:
    return [Case(f"{kind}-{split}-{at}", kind, "en", split, "How much?", True, required=(("x",),), right=("y",)) for at in range(number)]


def test_a_sample_has_the_same_share_of_every_kind_and_split_in_the_order_given() -> None:
    cases = [*_cases("single", "dev", 100), *_cases("single", "test", 20), *_cases("list", "dev", 3)]
    chosen = sample(cases)
    counted = Counter((case.kind, case.split) for case in chosen)
    assert counted == {("single", "dev"): 100 * SAMPLED, ("single", "test"): 20 * SAMPLED, ("list", "dev"): 2}
    assert list(chosen) == [case for case in cases if case in chosen]
    assert set(sample(cases[::-1])) == set(chosen)


def test_a_case_more_leaves_the_rest_of_the_sample_as_it_was() -> None:
    cases = _cases("single", "dev", 101)
    assert len(set(sample(cases[:-1])) ^ set(sample(cases))) <= 2


def test_the_cases_that_a_file_names_are_taken_in_the_order_of_the_sets(tmp_path: Path) -> None:
    cases = load(_write(tmp_path / "set.jsonl", GOOD, {**GOOD, "id": "two"}, {**GOOD, "id": "three"}))
    (tmp_path / "ids.txt").write_text("# chosen\nthree\n\none\n", encoding="utf-8")
    assert [case.id for case in only(cases, tmp_path / "ids.txt")] == ["one", "three"]


@pytest.mark.parametrize(
    ("ids", "what"), [("one\nfour\n", "ids.txt:2: no case of these sets has the id 'four'"), ("\n", "it holds no case"), (None, "cannot be read")]
)
def test_a_file_of_ids_that_names_no_case_is_refused(tmp_path: Path, ids: str | None, what: str) -> None:
    cases = load(_write(tmp_path / "set.jsonl", GOOD))
    if ids is not None:
        (tmp_path / "ids.txt").write_text(ids, encoding="utf-8")
    with pytest.raises(ValueError, match=what):
        only(cases, tmp_path / "ids.txt")
