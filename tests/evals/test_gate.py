from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.chain import Chain
from evals.cases import SETS, Case, load_all, sample
from evals.gate import EXPECTED, OF_SAMPLE, committed, compare, passes, write
from evals.run import each
from evals.summary import Summary, summary

CASES = [
    Case(f"case-{at}", "single", "en", "dev", question, True, required=((required,),), right=(label,))
    for at, (question, required, label) in enumerate(
        [
            ("What share of computing power does the AI Subsidy Scheme pay for?", "70%", "aiss-subsidy-rate"),
            ("When did the AI Supercomputing Centre of Cyberport begin operation?", "9 December 2024", "aisc-open-2024-12-09"),
            ("Which unicorns came from Cyberport?", "Klook", "cyberport-six-unicorns-2023"),
            ("Since when has the AI Subsidy Scheme taken applications?", "7 October 2024", "aiss-opened-oct2024"),
        ]
    )
]


@pytest.fixture(scope="module")
def healthy(chain: Chain) -> Summary:
    return summary(list(each(chain, CASES)))


def test_the_same_run_passes(healthy: Summary, tmp_path: Path) -> None:
    write(healthy, tmp_path / "expected.toml")
    assert healthy.total.right >= 3
    assert passes(compare(healthy, tmp_path / "expected.toml"))


def test_a_broken_retriever_turns_it_red(healthy: Summary, broken_chain: Chain, tmp_path: Path) -> None:
    write(healthy, tmp_path / "expected.toml")
    lines = compare(summary(list(each(broken_chain, CASES))), tmp_path / "expected.toml")
    assert not passes(lines)
    assert {"single", "dev", "all", "single R@5"} <= {line.name for line in lines if line.verdict == "fell"}


def test_a_fall_within_the_margin_passes_and_one_beyond_fails(healthy: Summary, tmp_path: Path) -> None:
    many = replace(healthy.total, cases=400, right=320, share=0.8)
    write(replace(healthy, total=many), tmp_path / "expected.toml")
    for share, verdict in [(0.8, "as expected"), (0.781, "as expected"), (0.779, "fell"), (0.83, "rose"), (float("nan"), "fell")]:
        lines = compare(replace(healthy, total=replace(many, share=share)), tmp_path / "expected.toml")
        assert next(line.verdict for line in lines if (line.section, line.name) == ("right", "all")) == verdict
        assert passes(lines) == (verdict != "fell")


def test_other_cases_than_those_measured_fail(healthy: Summary, tmp_path: Path) -> None:
    write(healthy, tmp_path / "expected.toml")
    fewer = replace(healthy, total=replace(healthy.total, cases=3))
    assert not passes(compare(fewer, tmp_path / "expected.toml"))
    without = replace(healthy, kinds=())
    assert "other cases" in {line.verdict for line in compare(without, tmp_path / "expected.toml") if line.name == "single"}


@pytest.mark.parametrize("content", [None, "right = 3", "[right]\nall = 1", "[[", '[right]\n"all" = { expected = "x", margin = 1, cases = 4 }'])
def test_a_file_of_no_figures_says_what_to_do(healthy: Summary, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "expected.toml").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="hkai eval gate --write"):
        compare(healthy, tmp_path / "expected.toml")


def test_the_committed_figures_can_be_read(healthy: Summary) -> None:
    assert {line.section for line in compare(healthy, EXPECTED)} == {"right", "found"}


def test_the_figures_of_the_sample_are_of_the_cases_that_it_draws_and_of_at_least_400() -> None:
    chosen = sample(load_all(sorted(SETS.glob("*.jsonl"))))
    counted = Counter(case.kind for case in chosen) + Counter(case.split for case in chosen) + Counter({"all": len(chosen)})
    held = {name: figure.cases for (section, name), figure in committed(OF_SAMPLE).items() if section == "right"}
    assert held == dict(counted), "run `hkai eval gate --write`"
    assert held["all"] >= 400


def test_the_sample_is_near_the_whole() -> None:
    assert committed(OF_SAMPLE)["right", "all"].expected == pytest.approx(committed()["right", "all"].expected, abs=0.04)


def test_a_margin_is_two_cases_or_two_points_whichever_is_more() -> None:
    for figures in (committed(), committed(OF_SAMPLE)):
        for figure in figures.values():
            assert figure.margin >= max(0.02, 2 / figure.cases) - 1e-9
