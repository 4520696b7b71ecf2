from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.chain import Chain
from assistant.evidence import load_weights
from evals.cases import Case
from evals.fit import OUTSIDE_WEIGHT, Example, as_asked, fit, fit_enough, fit_statements, of_outside, of_pairs, write
from evals.pairs import Pair
from index.judge import Judge
from index.library import Library


def _example(best: int, answerable: bool) -> Example:
    statements = np.eye(3)[:, [0, 1]] + np.array([[0.0, 0.1]] * 3)
    return Example(statements, np.arange(3) == best, np.array([1.0, 2.0 if answerable else -2.0]), answerable, 1.0)


def test_the_sign_that_marks_what_is_right_gets_the_weight() -> None:
    found = [_example(1, True)] * 10
    weights = fit_statements(found)
    assert weights[1] > weights[0]
    assert all(example.right[np.argmax(example.statements @ weights)] for example in found)


def test_what_nothing_answers_weighs_as_much_as_it_is_asked() -> None:
    weighed = as_asked([_example(1, True)] * 30 + [_example(1, False)] * 30, 0.25)
    assert sum(example.weight for example in weighed if not example.answerable) == pytest.approx(10)
    blind = [replace(example, enough=np.array([1.0])) for example in weighed]
    (bias,), _ = fit_enough(blind)
    assert 1 / (1 + np.exp(-bias)) == pytest.approx(0.75, abs=0.01)


def test_the_threshold_declines_no_more_than_it_may() -> None:
    found = [_example(1, True)] * 20 + [_example(1, False)] * 20
    weights, (threshold,) = fit_enough(found, 0.0)
    chances = [1 / (1 + np.exp(-example.enough @ weights)) for example in found]
    assert all((chance >= threshold) == example.answerable for chance, example in zip(chances, found, strict=True))


@pytest.fixture(scope="module")
def asked(library: Library) -> tuple[list[Case], list[Pair]]:
    """Questions on the small library, of both kinds."""
    statements = [statement for text in library.texts.values() if text.lang == "en" and not text.own for statement in text.statements][:6]
    kept = {"lang": "en", "split": "dev", "answerable": True, "required": [["x"]]}
    cases = [Case(id=f"c{at}", kind="single", question=one.text[:90], right=one.marks, **kept) for at, one in enumerate(statements)]
    cases += [
        Case(id=f"o{at}", kind="offtopic", lang="en", split="dev", question=question, answerable=False)
        for at, question in enumerate(("How do I boil rice?", "Who won the cup?"))
    ]
    pairs = [Pair(id=f"p{at}", question=one.text[-90:], lang="en", style="written", split="held", right=one.marks) for at, one in enumerate(statements)]
    return cases, [*pairs, Pair(id="n", question="How many toilets has Cyberport?", lang="en", style="near_miss", split="held", near=statements[0].marks)]


def test_what_is_outside_the_subject_is_fitted_on_but_for_the_test() -> None:
    pairs = [
        Pair(id=f"{style}-{split}", question=f"{style} {split}?", lang="en", style=style, split=split)
        for style in ("near_miss", "outside")
        for split in ("train", "held", "test")
    ]
    assert [(asked.question, asked.answerable, asked.weight) for asked in of_outside(pairs)] == [
        ("outside train?", False, OUTSIDE_WEIGHT),
        ("outside held?", False, OUTSIDE_WEIGHT),
    ]
    assert [asked.question for asked in of_pairs(pairs)] == ["near_miss held?"]


def test_weights_are_fitted_with_and_without_the_judge_and_read_again(
    library: Library, judge: Judge, asked: tuple[list[Case], list[Pair]], tmp_path: Path
) -> None:
    before = load_weights(library.embedder.name)
    plain = fit(Chain(library, before), *asked, before)
    assert plain.statement_judged == before.statement_judged
    fitted = fit(Chain(library, before, judge=judge), *asked, before)
    assert set(fitted.statement_judged) == {"score", "judge"}
    assert 0 < fitted.threshold_judged < 1
    write("other", False, fitted, tmp_path / "weights.toml")
    write("default", True, plain, tmp_path / "weights.toml")
    again = load_weights("other", tmp_path / "weights.toml")
    assert again.statement_judged == pytest.approx(fitted.statement_judged, abs=1e-3)
    assert again.threshold == pytest.approx(fitted.threshold, abs=1e-3)
