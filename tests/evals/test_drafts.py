from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assistant.transcripts import Conversation, Message, Transcript, answer_from_json
from corpus.text import SourceText
from evals.cases import load
from evals.drafts import drafts
from tests.assistant.test_transcripts import KEPT

NOW = datetime(2026, 3, 4, tzinfo=UTC)
ANSWER = answer_from_json(KEPT)


@pytest.fixture
def draft(texts: tuple[SourceText, ...]) -> dict[str, Any]:
    """A draft of an answer that quotes the first statement of a real text."""
    text = next(text for text in texts if text.statements[0].marks)
    citation = replace(ANSWER.citations[0], text_id=text.id, quote=text.statements[0].text)
    messages = (
        Message("a", 1, NOW, "What is the scheme?", ANSWER),
        Message("b", 2, NOW, "stopped", None),
        Message("c", 3, NOW, "How much?", replace(ANSWER, citations=(citation, replace(citation, text_id="gone"))), "down", "wrong year"),
    )
    (made,) = drafts([Transcript(Conversation("x", "t", NOW, NOW), messages)], {text.id: text for text in texts})
    assert made["draft"].pop("cited") == list(text.statements[0].marks)
    return made


def _faults(tmp_path: Path, row: dict[str, Any]) -> str:
    file = tmp_path / "drafts.jsonl"
    file.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"drafts\.jsonl:1: ") as caught:
        load(file)
    return str(caught.value).partition(":1: ")[2]


def test_a_draft_holds_what_is_known(draft: dict[str, Any]) -> None:
    assert (draft["id"], draft["lang"], draft["question"]) == ("draft-c", "zh", "How much?")
    assert draft["history"] == [{"role": "user", "content": "What is the scheme?"}, {"role": "assistant", "content": ANSWER.text}]
    assert draft["draft"] == {"asked": "2026-03-04", "reason": "wrong year", "status": "answered", "answer": ANSWER.text}


def test_the_loader_says_what_is_missing_in_a_draft(draft: dict[str, Any], tmp_path: Path) -> None:
    everything = "`kind`, `split`, `answerable`, `required`, `right` (the last two only if it is answerable)"
    assert _faults(tmp_path, draft) == f"it is a draft: fill in {everything}, then take `draft` out"
    assert _faults(tmp_path, draft | {"kind": "list", "split": "dev", "answerable": True}) == (
        "it is a draft: fill in `required`, `right`, then take `draft` out"
    )
    assert _faults(tmp_path, draft | {"kind": "near_miss", "answerable": False}) == "it is a draft: fill in `split`, then take `draft` out"
    assert _faults(tmp_path, draft | {"kind": "near_miss", "split": "dev", "answerable": False}) == "it is a draft: look it through, then take `draft` out"


def test_a_draft_that_was_completed_is_a_case(draft: dict[str, Any], tmp_path: Path) -> None:
    done = {**draft, "kind": "followup", "split": "dev", "answerable": True, "required": [["70%"]], "right": ["aiss-subsidy-rate"]}
    del done["draft"]
    (tmp_path / "set.jsonl").write_text(json.dumps(done) + "\n", encoding="utf-8")
    (case,) = load(tmp_path / "set.jsonl")
    assert (case.id, case.question, len(case.history)) == ("draft-c", "How much?", 2)


def test_a_draft_from_which_only_the_help_was_taken_out_is_no_case(draft: dict[str, Any], tmp_path: Path) -> None:
    del draft["draft"]
    assert "kind: Input should be" in _faults(tmp_path, draft)


def test_an_unanswered_question_is_no_draft() -> None:
    assert drafts([Transcript(Conversation("x", "t", NOW, NOW), (Message("a", 1, NOW, "stopped", None, "down"),))], {}) == []
