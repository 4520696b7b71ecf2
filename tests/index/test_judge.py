from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from index.judge import CHECKSUMS, WEIGHTS, Judge, JudgeError, seal

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


@pytest.fixture
def in_float32(monkeypatch: pytest.MonkeyPatch) -> Judge:
    """The judge as it is where the processor has no bfloat16."""
    monkeypatch.setattr("index.judge._computes_in_bfloat16", lambda: False)
    judge = Judge()
    judge.load()
    return judge


def test_a_score_does_not_depend_on_the_company(in_float32: Judge) -> None:
    alone = in_float32.scores("When did applications open?", STATEMENTS[1:2])[0]
    among = in_float32.scores("When did applications open?", [*STATEMENTS, "A long sentence that stands beside it, so that padding differs. " * 6])[1]
    assert alone == pytest.approx(among, abs=1e-3)


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_whatever_the_processor_computes_in_scores_are_the_same_within_a_tenth(in_float32: Judge, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("index.judge._computes_in_bfloat16", lambda: True)
    in_bfloat16 = Judge()
    for question in ("When did applications open?", "AI資助計劃幾時開始收申請？", "What is the best pizza in Naples?"):
        told = [STATEMENTS[at : at + at_once] for at in range(0, len(STATEMENTS), at_once)]
        scores = np.concatenate([in_bfloat16.scores(question, some) for some in told])
        assert scores == pytest.approx(in_float32.scores(question, STATEMENTS), abs=0.1)


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


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_weights_that_are_not_those_are_named_with_the_command_that_mends_them(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "judge"
    shutil.copytree(WEIGHTS, folder)
    (folder / file).write_bytes((folder / file).read_bytes()[:-1])
    with pytest.raises(JudgeError, match=rf"{file}.*git checkout index/judge_weights"):
        Judge(folder).load()
    (folder / file).unlink()
    with pytest.raises(JudgeError, match=rf"{file} cannot be read"):
        Judge(folder).load()


def test_weights_that_are_sealed_but_broken_are_said_to_be(tmp_path: Path) -> None:
    folder = tmp_path / "judge"
    shutil.copytree(WEIGHTS, folder)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    seal(folder)
    with pytest.raises(JudgeError, match="cannot be loaded"):
        Judge(folder).load()


def test_the_weights_that_are_committed_are_sealed_and_small() -> None:
    sums = json.loads((WEIGHTS / CHECKSUMS).read_text(encoding="utf-8"))
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(sums)
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 60e6
    assert (WEIGHTS / "README.md").is_file()
