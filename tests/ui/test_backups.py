"""`hkai backup` and `hkai restore` as they are typed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from assistant.conversations import Conversations
from assistant.transcripts import answer_from_json
from corpus.readers import from_bytes
from index.embedder import Embedder
from index.library import Library
from tests.assistant.test_transcripts import KEPT
from tests.ui.conftest import Run

OWNER = "an-unguessable-token"


@pytest.mark.parametrize("database", ["", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_folder_is_backed_up_and_restored_into_another(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, database: str
) -> None:
    where = request.getfixturevalue("postgres").database() if database else ""
    monkeypatch.setenv("HKAI_DATABASE", where)
    monkeypatch.setenv("HKAI_DATA", str(tmp_path / "one"))
    Library(tmp_path / "one", Embedder()).add([from_bytes(b"Zebras graze in the server hall.", "zebras.txt")])
    with closing(Conversations(where or tmp_path / "one" / "conversations.db")) as kept:
        identifier = kept.start(OWNER, "What is InnoHK?", answer_from_json(KEPT)).conversation.id
    file = tmp_path / "kept.zip"
    said = run("backup", str(file))
    assert said.status == 0, said.err
    assert "1 documents, 1 conversations, 1 messages" in said.out
    again = run("backup", str(file))
    assert again.status == 1
    assert "--force" in again.err
    assert run("backup", str(file), "--force").status == 0

    monkeypatch.setenv("HKAI_DATABASE", "")
    monkeypatch.setenv("HKAI_DATA", str(tmp_path / "two"))
    said = run("restore", str(file))
    assert said.status == 0, said.err
    assert "hkai ingest --rebuild" in said.out
    with closing(Conversations(tmp_path / "two" / "conversations.db")) as kept:
        assert kept.open(OWNER, identifier).messages[0].answer == answer_from_json(KEPT)
    assert "zebras.txt" in run("texts", "--own").out
    said = run("restore", str(file))
    assert said.status == 1
    assert "--force" in said.err
    assert run("restore", str(file), "--force").status == 0


def test_what_is_no_backup_ends_in_a_sentence(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_DATA", str(tmp_path / "data"))
    (tmp_path / "file").write_text("not a backup", encoding="utf-8")
    for name in ("file", "none"):
        said = run("restore", str(tmp_path / name))
        assert said.status == 1
        assert "hkai backup" in said.err or "Take another backup" in said.err
        assert "Traceback" not in said.err
