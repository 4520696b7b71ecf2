from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from index.judge import CHECKSUMS, INT8, WEIGHTS, Entailment, Judge, JudgeError, Reranker, seal

# How far rounding to eight bits may move scores, in log odds, on the average.
NEAR = 0.4
STATEMENTS = [
    "As of 2025, the AI Subsidy Scheme normally met 70% of the list price of computing power at Cyberport's AI Supercomputing Centre.",
    "The AI Subsidy Scheme took its first applications on 7 October 2024.",
    "The Airport Authority's robots carry luggage at the airport.",
    "人工智能資助計劃由2024年10月7日起接受申請。",
]


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("What share of the computing bill does the AI Subsidy Scheme pay?", 0),
        ("Since when can one apply for the AI Subsidy Scheme?", 1),
        ("what carries bags at the airport", 2),
    ],
)
def test_the_statement_that_answers_scores_highest(judge: Judge, question: str, right: int) -> None:
    assert int(np.argmax(judge.scores(question, STATEMENTS[:3]))) == right


def test_a_cantonese_question_finds_the_chinese_statement(judge: Judge) -> None:
    assert int(np.argmax(judge.scores("AI資助計劃幾時開始收申請？", [STATEMENTS[2], "機場的機械人負責搬運行李。", STATEMENTS[3]]))) == 2


def test_a_near_miss_scores_below_the_question_that_is_answered(judge: Judge) -> None:
    answered = judge.scores("What share of the computing bill does the AI Subsidy Scheme pay?", STATEMENTS).max()
    assert judge.scores("How many women sit on the committee of the AI Subsidy Scheme?", STATEMENTS).max() < answered - 2


def test_a_score_does_not_depend_on_the_company(judge: Judge) -> None:
    alone = judge.scores("When did applications open?", STATEMENTS[1:2])[0]
    among = judge.scores("When did applications open?", [*STATEMENTS, "A long sentence that stands beside it. " * 6])[1]
    assert alone == among


def test_in_int8_scores_are_near_those_in_float(judge: Judge) -> None:
    in_float = Reranker(str(WEIGHTS))
    questions = (
        "When did applications open?",
        "AI資助計劃幾時開始收申請？",
        "What share of the computing bill does the AI Subsidy Scheme pay?",
        "best pizza in Naples",
    )
    apart = [abs(judge.scores(question, STATEMENTS) - in_float.scores(question, STATEMENTS)) for question in questions]
    assert np.mean(apart) < NEAR


def test_a_model_of_entailment_tells_a_contradiction(nli: Path) -> None:
    entailment = Entailment(str(nli))
    rose, other = "Spending on research rose in 2024.", "The scheme opened in 2024."
    assert entailment.contradicts([rose], "Spending on research fell.")
    assert not entailment.contradicts([rose], "Spending on research rose.")
    assert not entailment.contradicts([rose], "The scheme rose.")
    assert entailment.contradicts([other, rose], "Spending on research fell.")
    assert not entailment.contradicts([rose, "Spending on research fell in 2024."], "Spending on research fell.")


@pytest.mark.parametrize("other", [WEIGHTS, WEIGHTS.parent])
def test_what_tells_no_entailment_is_named(other: Path) -> None:
    with pytest.raises(JudgeError, match="HKAI_NLI"):
        Entailment(str(other)).load()


HOSTILE = ["", " ", "x" * 100_000, "七" * 50_000, "😀🇭🇰", "שלום עולם", "\u202e\u200b", "\x00\x01", "<script>alert(1)</script>", "ありがとう", "a\nb\tc"]


def test_anything_gets_a_score_in_bounded_time(judge: Judge) -> None:
    started = time.perf_counter()
    for question in HOSTILE:
        scores = judge.scores(question, HOSTILE)
        assert scores.shape == (len(HOSTILE),)
        assert np.isfinite(scores).all()
    assert time.perf_counter() - started < 60


def test_nothing_in_gives_nothing_out(judge: Judge) -> None:
    assert judge.scores("What?", []).shape == (0,)


def test_without_weights_it_is_not_there(tmp_path: Path) -> None:
    missing = Judge(tmp_path)
    assert not missing.present
    assert missing.name == ""
    with pytest.raises(JudgeError, match="HKAI_JUDGE=off"):
        missing.load()


@pytest.mark.parametrize("file", [INT8, "model.safetensors", "tokenizer.json"])
def test_weights_that_are_not_those_are_named_with_the_command_that_mends_them(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "judge"
    shutil.copytree(WEIGHTS, folder)
    (folder / file).write_bytes((folder / file).read_bytes()[:-1])
    with pytest.raises(JudgeError, match=rf"{file}.*git checkout index/judge_weights"):
        Judge(folder).load()
    (folder / file).unlink()
    with pytest.raises(JudgeError, match=rf"{file} cannot be read"):
        Judge(folder).load()


@pytest.mark.parametrize("file", [INT8, "model.safetensors", "tokenizer.json"])
def test_weights_that_are_sealed_but_broken_are_said_to_be(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "judge"
    shutil.copytree(WEIGHTS, folder)
    (folder / file).write_text("{}", encoding="utf-8")
    seal(folder)
    with pytest.raises(JudgeError, match="cannot be loaded"):
        Judge(folder).load()


def test_the_weights_that_are_committed_are_sealed_and_small() -> None:
    sums = json.loads((WEIGHTS / CHECKSUMS).read_text(encoding="utf-8"))
    assert {INT8, "model.safetensors", "tokenizer.json", "config.json"} <= set(sums)
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 60e6
    assert (WEIGHTS / "README.md").is_file()
