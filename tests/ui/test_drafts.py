"""Answers marked wrong, exported by the command."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from assistant.conversations import Conversations
from assistant.transcripts import answer_from_json
from tests.assistant.test_transcripts import KEPT
from tests.ui.conftest import Run

OWNER = "an-unguessable-token"


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer with thumbs down, kept in the folder of the settings."""
    monkeypatch.setenv("HKAI_DATA", str(tmp_path / "data"))
    with closing(Conversations(tmp_path / "data" / "conversations.db")) as kept:
        started = kept.start(OWNER, "數碼港有多少算力？", answer_from_json(KEPT))
        kept.feedback(OWNER, started.messages[0].id, "down", "年份不對")


def test_what_was_marked_wrong_is_printed_or_written_and_what_is_missing_is_said(run: Run, tmp_path: Path) -> None:
    printed = run("eval", "draft")
    assert printed.status == 0
    assert json.loads(printed.out)["draft"]["reason"] == "年份不對"
    file = tmp_path / "drafts.jsonl"
    assert run("eval", "draft", "--out", str(file)).err.endswith("drafts.jsonl: 1.\n")
    assert file.read_text(encoding="utf-8") == printed.out


def test_a_file_that_is_there_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "drafts.jsonl").write_text("completed by hand", encoding="utf-8")
    said = run("eval", "draft", "--out", str(tmp_path / "drafts.jsonl"))
    assert said.status == 1
    assert "Name a new file" in said.err
    assert (tmp_path / "drafts.jsonl").read_text(encoding="utf-8") == "completed by hand"
