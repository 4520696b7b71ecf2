from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.records import Answer, Citation, MadeBy, Turn, Verdict
from assistant.transcripts import Conversation, Message, Transcript, answer_from_json, answer_to_json, without
from corpus.text import Source

NUMBERS = st.floats(allow_nan=False)
ANSWERS = st.builds(Answer, confidence=NUMBERS, timings=st.dictionaries(st.text(), NUMBERS))

# As version 1 of the database keeps it. Never to be changed: conversations kept years ago are to be read.
KEPT = """{"text": "數碼港有 [1]", "citations": [{"number": 1, "text_id": "cyberport.zh", "title": "數碼港", "heading": "概覽", "quote": "數碼港有。", "start": 3,
"end": 8, "as_of": "2024-12", "sources": [{"publisher": "Cyberport", "title": "", "url": "https://example.org/", "published": "2024", "kind": "official",
"page": null}], "text_sha256": "ab12"}], "verdicts": [{"sentence": "數碼港有", "citations": [1], "verdict": "supported", "reason": ""}], "status": "answered",
"confidence": 0.5, "warnings": ["old"], "standalone": "", "mode": "quotes", "language": "zh", "followups": ["?"], "timings": {"search": 1.5},
"made_by": {"model": "", "embedder": "e5", "judge": "", "index": "1", "settings": "2"}}"""


@given(ANSWERS)
def test_an_answer_comes_back_as_it_was_kept(answer: Answer) -> None:
    kept = answer_to_json(answer)
    assert answer_from_json(kept) == answer
    assert "\x00" not in kept
    kept.encode("utf-8")


def test_an_answer_kept_by_the_first_version_is_read() -> None:
    source = Source("Cyberport", "", "https://example.org/", "2024", "official", None)
    citation = Citation(1, "cyberport.zh", "數碼港", "概覽", "數碼港有。", 3, 8, "2024-12", (source,), "ab12")
    answer = answer_from_json(KEPT)
    assert answer.citations == (citation,)
    assert answer.verdicts == (Verdict("數碼港有", (1,), "supported", ""),)
    assert answer.made_by == MadeBy("", "e5", "", "1", "2")
    assert (answer.text, answer.warnings, answer.timings) == ("數碼港有 [1]", ("old",), {"search": 1.5})


def test_a_lone_surrogate_is_kept_as_one_character_so_that_offsets_hold() -> None:
    answer = replace(answer_from_json(KEPT), text="a\ud800b\udc00")
    assert answer_from_json(answer_to_json(answer)).text == "a\ufffdb\ufffd"


@pytest.mark.parametrize("wrong", ["", "[]", "{}", "null", '"text"', KEPT[:-1], json.dumps({**json.loads(KEPT), "citations": [{}]})])
def test_json_that_is_no_answer_is_refused(wrong: str) -> None:
    with pytest.raises((AttributeError, TypeError, ValueError)):
        answer_from_json(wrong)


def test_of_a_deleted_text_nothing_is_left_in_an_answer_and_all_else_stays() -> None:
    answer = answer_from_json(KEPT)
    (kept,) = answer.citations
    gone = Citation(2, "own-1", "plan.pdf", "Budget", "We spend HK$7 million.", 3, 25, "2026", (Source("", "plan.pdf", kind="own", page=4),), "cd34")
    own, dropped = Verdict("The plan is HK$7 million.", (2,), "supported"), Verdict("They spend HK$8 million.", (), "unsupported", "HK$8 million")
    both = replace(
        answer,
        text="數碼港有 [1] The plan is HK$7 million. [2] We spend HK$7 million. [2]",
        citations=(kept, gone),
        verdicts=(*answer.verdicts, own, dropped),
        followups=("?", "介紹plan.pdf"),
        warnings=("old", "plan.pdf is old"),
        language="en",
    )
    left = without(both, "own-1")
    assert left.text == "數碼港有 [1] [source deleted] [2] [source deleted] [2]"
    assert left.citations == (kept, Citation(2, "", "[source deleted]", "", "[source deleted]", 0, 0, "", (), ""))
    assert left.followups == ("?",)
    assert left.verdicts[0] == answer.verdicts[0]
    assert not any(word in answer_to_json(left) for word in ("own-1", "plan.pdf", "million", "Budget", "cd34", "2026"))
    assert without(both, "own-2") == both
    assert without(left, "own-1") == left


def test_an_answer_whose_sentences_cannot_be_told_apart_is_struck_whole() -> None:
    answer = replace(answer_from_json(KEPT), text="另有說法：數碼港 有 [1]")
    assert without(answer, "cyberport.zh").text == "［來源已刪除］"


def test_what_comes_from_the_text_that_is_there_now_stays() -> None:
    answer = answer_from_json(KEPT)
    assert without(answer, "cyberport.zh", "ab12") == answer
    assert without(answer, "cyberport.zh", "another") == without(answer, "cyberport.zh") != answer


def test_a_title_is_not_struck_within_other_words() -> None:
    kept = replace(answer_from_json(KEPT), language="en", followups=(), text="數碼港有 [1] The government plan of 2024: en, 介紹en。")
    answer = replace(kept, citations=(replace(kept.citations[0], title="en"),), warnings=("en is old", "parents are new"))
    left = without(answer, "cyberport.zh")
    assert left.text == "[source deleted] [1] The government plan of 2024: [source deleted], 介紹[source deleted]。"
    assert left.warnings == ("[source deleted] is old", "parents are new")


def test_a_sentence_that_stands_only_within_another_word_is_not_told_apart() -> None:
    answer = replace(answer_from_json(KEPT), text="the plan2 [1]", language="en", verdicts=(Verdict("plan", (1,), "supported"),))
    assert without(answer, "cyberport.zh").text == "[source deleted]"


@given(ANSWERS)
def test_no_citation_of_a_deleted_text_is_left(answer: Answer) -> None:
    for citation in answer.citations:
        left = without(answer, citation.text_id)
        assert len(left.citations) == len(answer.citations)
        assert citation.text_id == "" or citation.text_id not in [one.text_id for one in left.citations]


def test_the_turns_of_a_transcript_are_the_messages_that_were_answered() -> None:
    answer, now = answer_from_json(KEPT), datetime(2026, 1, 1, tzinfo=UTC)
    transcript = Transcript(Conversation("c", "t", now, now), (Message("a", 1, now, "first", answer), Message("b", 2, now, "stopped", None)))
    assert transcript.turns == (Turn("user", "first"), Turn("assistant", "數碼港有 [1]"))
