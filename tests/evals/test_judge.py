from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from assistant.chain import Chain
from assistant.evidence import load_weights
from evals import judge as training
from evals.judge import LAYERS, Course, Measured, average, base, measure, quantise, read, train
from evals.pairs import Example, Group, Pair, Said
from index import e5
from index.judge import Judge, seal
from index.library import Library


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """The untrained judge."""
    out = tmp_path_factory.mktemp("base") / "base"
    base(e5.folder(models), out, ["數碼港營運人工智能超算中心。"])
    return out


def test_the_base_is_half_the_encoder_with_a_trimmed_vocabulary(start: Path) -> None:
    config = json.loads((start / "config.json").read_text(encoding="utf-8"))
    assert config["num_hidden_layers"] == LAYERS
    assert 20_000 < config["vocab_size"] < 40_000


def test_training_teaches_and_what_it_writes_is_a_judge(start: Path, tmp_path: Path) -> None:
    cats, dogs = "The cat sat on the mat.", "Dogs bark at night."
    mined = [Example("What did the cat do?", cats, 1.0), Example("What did the cat do?", dogs, 0.0)] * 32
    mined += [Example("When do dogs bark?", dogs, 1.0), Example("When do dogs bark?", cats, 0.0)] * 32
    train(mined, start, tmp_path / "made", Course(40, 2e-4, (0.8, 0.2)))
    quantise(tmp_path / "made")
    seal(tmp_path / "made")
    trained = Judge(tmp_path / "made")
    assert int(np.argmax(trained.scores("What did the cat do?", [dogs, cats]))) == 1
    assert int(np.argmax(trained.scores("When do dogs bark?", [dogs, cats]))) == 0


def test_what_is_measured_is_counted_by_kind(library: Library, judge: Judge) -> None:
    statement = next(text for text in library.texts.values() if text.lang == "en" and not text.own).statements[0]
    pairs = [
        Pair(id="a", question="What is the AI Subsidy Scheme?", lang="en", style="written", split="test", right=statement.marks),
        Pair(id="b", question="How many parking spaces has the AI Subsidy Scheme?", lang="en", style="near_miss", split="test", near=statement.marks),
        Pair(id="d", question="How do I boil rice?", lang="en", style="outside", split="test"),
        Pair(id="c", question="ai subsidy scheme", lang="en", style="template", split="test", right=statement.marks),
    ]
    measured = measure("here", Chain(library, load_weights(library.embedder.name), judge=judge), pairs, ["How do I boil an egg?"])
    assert measured.near_misses_declined[1] == measured.wrongly_declined[1] == 1
    assert measured.outside_declined == (2, 2)
    assert len(measured.ranks) == 1
    assert len(measured.odds) == 4


def test_made_up_statements_are_read_and_ranked(judge: Judge) -> None:
    budget = Said(text="The Orlane fund holds 40 million crowns.", asked=("How much money is in the Orlane fund?",), missed=("Who runs the Orlane fund?",))
    street = Said(text="The harbour office is on Pell Street.", asked=("Which street is the harbour office on?",), missed=("When was Pell Street paved?",))
    found = read(judge, [Group(statements=(budget, street))])
    assert found.first == (2, 2)
    scores = {
        question: float(judge.scores(question, [budget.text, street.text]).max()) for said in (budget, street) for question in (*said.asked, *said.missed)
    }
    above = [scores[asked] > scores[missed] for asked in (*budget.asked, *street.asked) for missed in (*budget.missed, *street.missed)]
    assert found.told_apart == sum(above) / 4


def test_figures_of_what_was_measured() -> None:
    measured = Measured("x", (1, 2), (2, 2), (0, 2), (1, 2, 0), ((0.95, True), (0.85, True), (0.15, False), (0.05, True)))
    assert measured.mean_reciprocal_rank == pytest.approx(0.5)
    assert measured.first == pytest.approx(1 / 3)
    assert measured.calibration_error == pytest.approx((0.05 + 0.15 + 0.15 + 0.95) / 4)
    assert measured.risk(0.5) == 0
    assert measured.risk(1.0) == 0.25


def test_training_anew_replaces_the_weights_and_seals_them(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "FIRST", Course(1, 2e-4, (0.8, 0.2)))
    monkeypatch.setattr(training, "FURTHER", Course(4, 1e-4, (0.2, 0.2)))
    statement = next(text for text in library.texts.values() if text.lang == "en" and not text.own).statements[0]
    pair = Pair(id="a", question="What is the AI Subsidy Scheme?", lang="en", style="written", split="train", right=statement.marks)
    training.make(Chain(library, load_weights(library.embedder.name)), [pair] * 4, tmp_path)
    first, before = Judge(tmp_path).scores("What is it?", ["A scheme."]), load_file(tmp_path / "model.safetensors")
    training.make(Chain(library, load_weights(library.embedder.name)), [pair] * 4, tmp_path, further=True)
    second = Judge(tmp_path).scores("What is it?", ["A scheme."])
    assert first == pytest.approx(second, abs=1)
    assert first != second
    after = load_file(tmp_path / "model.safetensors")
    name = next(name for name in after if name.endswith("layer.0.attention.self.query.weight"))
    assert 0 < np.abs(after[name] - before[name]).max() < 1e-2


def test_what_was_trained_and_what_it_came_from_are_averaged(tmp_path: Path) -> None:
    for name, value in (("before", 1.0), ("made", 2.0)):
        (tmp_path / name).mkdir()
        save_file({"weight": np.full(3, value, dtype=np.float16)}, tmp_path / name / "model.safetensors")
    average(tmp_path / "before", tmp_path / "made")
    mean = load_file(tmp_path / "made" / "model.safetensors")["weight"]
    assert (mean.tolist(), mean.dtype) == ([1.5, 1.5, 1.5], np.float16)
