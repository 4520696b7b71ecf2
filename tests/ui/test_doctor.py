from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from assistant.evidence import Weights
from tests.hkai_process import Server, free_port
from tests.model_server import Reply, model_server
from tests.ui.conftest import Run

THINGS = [
    "Python",
    "settings",
    "chromadb",
    "tantivy",
    "sentence-transformers",
    "onnxruntime",
    "gradio",
    "fastapi",
    "langchain-core",
    "torch",
    "data folder",
    "disk",
]
THINGS += ["clock", "index", "embedder", "database", "judge", "port"]


@pytest.fixture(autouse=True)
def _a_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_PORT", str(free_port()))


def test_the_doctor_finds_nothing_wrong(run: Run, data: Path) -> None:
    said = run("doctor")
    assert said.status == 0, said.out
    assert re.findall(r"^ok    ([^:]+):", said.out, re.MULTILINE) == THINGS
    assert str(data) in said.out


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://hkai@127.0.0.1:1/hkai", r"cannot be used: .* -> See that the server runs and that HKAI_DATABASE names it"),
        ("sqlite://nobody@nowhere:x/conversations", r"is not the URL of a database\. -> Give one like postgresql://"),
    ],
)
def test_a_database_that_cannot_be_used_is_named(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, url: str, said: str) -> None:
    monkeypatch.setenv("HKAI_DATABASE", url)
    found = run("doctor")
    assert found.status == 1
    assert re.search(rf"^WRONG database: .*{said}", found.out, re.MULTILINE), found.out


def test_a_model_without_an_endpoint_is_named(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_MODEL", "small")
    said = run("doctor")
    assert said.status == 1
    assert "WRONG model: HKAI_MODEL is set but no endpoint -> set OPENAI_BASE_URL or OPENAI_API_KEY" in said.out


def test_a_model_file_that_is_missing_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_MODEL", "none.gguf")
    (line,) = [line for line in run("doctor").out.splitlines() if line.startswith("WRONG model")]
    assert "There is no model file none.gguf" in line
    assert "Set HKAI_MODEL" in line


def test_a_model_is_asked_for_one_token(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_MODEL", "small")
    with model_server() as scripted:
        monkeypatch.setenv("OPENAI_BASE_URL", scripted.url)
        scripted.script(Reply(status=400), Reply(["Yes"]))
        said = run("doctor")
        assert said.status == 0, said.out
        assert "model: small answers at" in said.out
        assert [(request.get("max_tokens"), request.get("max_completion_tokens")) for request in scripted.requests] == [(1, None), (None, 1)]
        scripted.script(Reply(status=401))
        assert re.search(r"WRONG model: .* answers 401: .* -> set OPENAI_API_KEY to a key", run("doctor").out)
    said = run("doctor")
    assert said.status == 1
    assert re.search(r"WRONG model: \S+/chat/completions cannot be reached .* -> start the model's server", said.out)


def test_a_judge_that_is_off_is_named(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_JUDGE", "off")
    said = run("doctor")
    assert said.status == 0
    assert "judge: switched off by HKAI_JUDGE" in said.out


def test_an_embedder_without_weights_for_the_judge_is_named(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.evidence.load_weights", lambda embedder: Weights({}, {}, 0.5, 0.8))
    said = run("doctor")
    assert said.status == 0
    assert "judge: not used: no weights are fitted for" in said.out


def test_a_model_of_entailment_is_tried(run: Run, data: Path, nli: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_NLI", str(nli))
    assert f"nli: {nli}; not asked, since no model writes answers" in run("doctor").out
    monkeypatch.setenv("HKAI_NLI", str(nli.parent / "nowhere"))
    said = run("doctor")
    assert said.status == 1
    assert re.search(r"WRONG nli: .* -> unset HKAI_NLI, or name another", said.out)


def test_an_index_that_is_not_of_the_texts_is_named(run: Run, own_data: Path) -> None:
    manifest = json.loads((own_data / "manifest.json").read_text(encoding="utf-8"))
    manifest["texts"].pop("ai-subsidy-scheme.en")
    (own_data / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    said = run("doctor")
    assert said.status == 1
    assert re.search(r"WRONG index: .* -> hkai ingest --rebuild", said.out)


def test_vectors_and_words_of_different_texts_are_named(run: Run, own_data: Path) -> None:
    shutil.rmtree(own_data / "words")
    said = run("doctor")
    assert said.status == 1
    assert "WRONG index: vectors and words are not of the same texts -> hkai ingest --rebuild" in said.out


def test_an_embedder_that_cannot_be_loaded_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_EMBEDDER", "/no/such/model")
    said = run("doctor")
    assert said.status == 1
    assert re.search(r"WRONG embedder: .*/no/such/model.* -> unset HKAI_EMBEDDER, or name another", said.out)


def test_vectors_that_cannot_be_read_are_named(run: Run, own_data: Path) -> None:
    with closing(sqlite3.connect(own_data / "chroma" / "chroma.sqlite3")) as database:
        database.execute("DROP TABLE embeddings")
    said = run("doctor")
    assert said.status == 1
    assert re.search(r"WRONG index: Chroma does not answer .* -> hkai ingest --rebuild", said.out)


def test_a_port_that_another_program_has_is_named_and_one_where_hkai_serves_is_fine(
    run: Run, data: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("HKAI_PORT", str(taken.getsockname()[1]))
        said = run("doctor")
    assert said.status == 1
    assert re.search(r"WRONG port: 127\.0\.0\.1:\d+ cannot be listened on .* -> set PORT to another", said.out)
    monkeypatch.setenv("HKAI_PORT", server.url.rpartition(":")[2])
    assert "ok    port: hkai serves at" in run("doctor").out


def test_an_address_that_others_reach_without_keys_is_named(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_HOST", "0.0.0.0")
    assert "keys: none, and others can reach 0.0.0.0: the endpoint takes no changes" in run("doctor").out
