from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from assistant.chain import Chain
from evals.cases import Case
from evals.compare import compare
from evals.metrics import mcnemar
from evals.report import changes_table, shifts_table, turned_table
from evals.results import MadeBy, Run
from evals.run import Result, each

MADE = MadeBy("quotes", "", "e5", "judge", "index", "settings", "", "code", "cases", 40)


def _case(at: int) -> Case:
    kind = "list" if at % 4 == 3 else "single"
    return Case(f"case-{at:02}", kind, "en", "dev", f"Question [{at}]?", True, required=(("x",),), right=("y",))


def _run(name: str, right: Sequence[bool | None], ranks: Sequence[int] = (), **made: object) -> Run:
    results = [
        Result(_case(at), None, one, missing=() if one else (("[/x]",),), rank=ranks[at] if ranks else 1, error="" if one is not None else "ModelError: down")
        for at, one in enumerate(right)
    ]
    return Run(Path(name), replace(MADE, total=len(results), **made), tuple(results))


def _drawn(*tables: Table) -> str:
    text = StringIO()
    Console(file=text, width=160).print(*tables)
    return text.getvalue()


BEFORE = [True] * 30 + [False] * 10
AFTER = [False] * 2 + [True] * 28 + [True] * 8 + [False] * 2


def test_the_cases_that_turned_are_named_both_ways_and_counted_by_kind() -> None:
    found = compare(_run("a", BEFORE), _run("b", AFTER))
    assert [before.case.id for before, _ in found.lost] == ["case-00", "case-01"]
    assert [before.case.id for before, _ in found.won] == [f"case-{at}" for at in range(30, 38)]
    total = found.total
    assert (total.cases, total.before, total.after, total.lost, total.won, total.unscored) == (40, 30, 36, 2, 8, 0)
    assert total.difference == pytest.approx(6 / 40)
    assert total.low < total.difference < total.high
    assert total.p == mcnemar(BEFORE, AFTER) == pytest.approx(0.109375)
    assert {row.name: (row.cases, row.lost, row.won) for row in found.kinds} == {"single": (30, 2, 6), "list": (10, 0, 2)}


def test_a_run_beside_itself_has_changed_nothing(chain: Chain) -> None:
    case = Case(
        "rate",
        "single",
        "en",
        "dev",
        "What share of computing power does the AI Subsidy Scheme pay for?",
        True,
        required=(("70%",),),
        right=("aiss-subsidy-rate",),
    )
    run = Run(Path("a"), replace(MADE, total=1), tuple(each(chain, [case])))
    found = compare(run, run)
    assert (found.lost, found.won, found.made_otherwise) == ((), (), ())
    assert (found.total.difference, found.total.low, found.total.high, found.total.p) == (0, 0, 0, 1)
    assert {shift.name for shift in found.shifts} == {"R@1", "R@5", "MRR", "citation precision", "citation recall", "faithfulness", "milliseconds"}
    assert all((shift.difference, shift.low, shift.high) == (0, 0, 0) for shift in found.shifts)


def test_other_figures_are_compared_over_the_cases_that_have_them() -> None:
    found = compare(_run("a", [True] * 4, [1, 2, 0, 6]), _run("b", [True] * 4, [1, 1, 2, 6]))
    shifts = {shift.name: shift for shift in found.shifts}
    assert set(shifts) == {"R@1", "R@5", "MRR"}
    assert (shifts["R@1"].before, shifts["R@1"].after) == (0.25, 0.5)
    assert shifts["MRR"].difference == pytest.approx(1 / 4)


def test_a_case_without_a_score_in_either_run_counts_in_neither() -> None:
    found = compare(_run("a", [True, None, False, True]), _run("b", [None, True, True, True]))
    assert (found.total.cases, found.total.unscored, found.total.before, found.total.after) == (2, 2, 1, 2)
    assert [before.case.id for before, _ in found.won] == ["case-02"]


def test_runs_in_which_nothing_was_scored_can_be_compared() -> None:
    total = compare(_run("a", [None, None]), _run("b", [None, None])).total
    assert (total.cases, total.unscored, total.difference, total.p) == (0, 2, 0, 1)


def test_what_made_the_two_differ_is_named() -> None:
    found = compare(_run("a", BEFORE), _run("b", AFTER, judge="", settings="other"))
    assert found.made_otherwise == (("judge", "judge", ""), ("settings", "settings", "other"))


def test_runs_over_different_cases_are_refused_and_the_cases_named() -> None:
    with pytest.raises(ValueError, match="not over the same cases") as caught:
        compare(_run("a", BEFORE), _run("b", AFTER[:33]))
    assert "a alone has 7 (case-33, case-34, case-35, case-36, case-37, ...)" in str(caught.value)
    changed = _run("b", BEFORE)
    other = replace(changed.results[3], case=replace(changed.results[3].case, required=(("z",),)))
    with pytest.raises(ValueError, match=r"what is asked or required differs in 1 \(case-03\)"):
        compare(_run("a", BEFORE), replace(changed, results=(*changed.results[:3], other, *changed.results[4:])))


def test_a_run_that_is_not_finished_is_refused() -> None:
    half = replace(_run("half", BEFORE), results=_run("half", BEFORE).results[:5])
    with pytest.raises(ValueError, match="half is not finished: 5 of 40") as caught:
        compare(_run("a", BEFORE), half)
    assert "hkai eval answers SET --out half" in str(caught.value)


def test_the_tables_show_what_turned_and_take_brackets_as_they_are() -> None:
    found = compare(_run("a", BEFORE, [1] * 40), _run("b", AFTER, [2] * 40))
    drawn = _drawn(changes_table(found), shifts_table(found), turned_table("From right to wrong: 2", found.lost))
    for text in ("From right to wrong: 2", "case-01", "Question [1]?", "[/x]", "1 > 2", "+15.0", "0.109", "McNemar", "single", "list", "MRR", "-0.500"):
        assert text in drawn, text
