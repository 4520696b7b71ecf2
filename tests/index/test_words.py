from __future__ import annotations

from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.words import Words, fold, tokens

SENTENCES = [
    "Cyberport runs the AI Supercomputing Centre.",
    "The AI Subsidy Scheme pays for computing power at the Supercomputing Centre of Cyberport.",
    "Applications to the scheme opened in October 2024, and the scheme approved ten applications.",
    "Six unicorns came from Cyberport.",
    "Airport robots carry luggage for passengers who fly to Shenzhen.",
    "數碼港營運人工智能超算中心。",
    "人工智能資助計劃資助超算中心的算力。",
    "機場的機械人為旅客搬運行李。",
]


@pytest.fixture(scope="module")
def words() -> Words:
    index = Words()
    index.replace([], [(f"s{at}", f"t{at % 3}", sentence) for at, sentence in enumerate(SENTENCES)])
    return index


@pytest.mark.parametrize(
    "query", ["supercomputing centre of Cyberport", "applications to the scheme", "unicorns", "超算中心", "人工智能資助計劃", "Cyberport 的機械人"]
)
def test_scores_are_those_of_an_independent_bm25(words: Words, query: str) -> None:
    other = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    other.index([tokens(sentence) for sentence in SENTENCES], show_progress=False)
    expected = other.get_scores(tokens(query))
    found = dict(words.best(query, len(SENTENCES)))
    assert [f"s{at}" for at in np.argsort(-expected, kind="stable") if expected[at] > 0] == list(found)
    for identifier, score in found.items():
        assert score / 2.2 == pytest.approx(expected[int(identifier[1:])], abs=1e-3)  # tantivy keeps the factor k1 + 1, Lucene 8 dropped it


def test_words_match_by_stem_and_case(words: Words) -> None:
    assert {identifier for identifier, _ in words.best("APPLICATION approve", 3)} == {"s2"}


@pytest.mark.parametrize("query", ["機械人", "机械人", "ＣＹＢＥＲＰＯＲＴ"])
def test_scripts_and_widths_are_folded_for_matching(words: Words, query: str) -> None:
    assert words.best(query, 1)


def test_traditional_and_simplified_find_the_same(words: Words) -> None:
    assert words.best("人工智能資助計劃", 5) == words.best("人工智能资助计划", 5)


@pytest.mark.parametrize("query", ["", "the of and", "什麼是", "。？！", "zebra"])
def test_a_query_without_a_word_of_the_index_finds_nothing(words: Words, query: str) -> None:
    assert words.best(query, 5) == []


def test_only_the_texts_asked_for_are_searched(words: Words) -> None:
    everywhere = words.best("Cyberport", 5)
    assert {identifier for identifier, _ in words.best("Cyberport", 5, ["t0"])} == {"s0", "s3"}
    assert dict(words.best("Cyberport", 5, ["t0"])) == {identifier: score for identifier, score in everywhere if identifier in ("s0", "s3")}
    assert words.best("Cyberport", 5, []) == []


def test_entries_are_counted(words: Words) -> None:
    assert (words.count(), words.total) == (len(SENTENCES), len(SENTENCES))
    (cyberport,) = tokens("Cyberport")
    assert (words.frequency(cyberport), words.frequency("zebra")) == (3, 0)


def test_a_replaced_text_is_found_by_its_new_words_only(tmp_path: Path) -> None:
    index = Words(tmp_path / "words")
    index.replace([], [("a:0", "a", "robots at the airport"), ("a:1", "a", "robots in hospitals"), ("b:0", "b", "robots in banks")])
    index.replace(["a"], [("a:0", "a", "drones at the airport")])
    assert {identifier for identifier, _ in index.best("robots drones", 9)} == {"a:0", "b:0"}
    assert {identifier for identifier, _ in index.best("robots", 9)} == {"b:0"}
    assert index.count() == 2


def test_the_index_is_still_there_when_it_is_opened_again(tmp_path: Path) -> None:
    Words(tmp_path / "words").replace([], [("a:0", "a", "robots at the airport")])
    again = Words(tmp_path / "words")
    assert [identifier for identifier, _ in again.best("robot", 3)] == ["a:0"]
    again.clear()
    assert (again.count(), again.best("robot", 3)) == (0, [])


def test_what_looks_like_a_query_language_is_only_words(words: Words) -> None:
    for query in ('Cyberport AND ("unicorns" OR *)', "tokens:Cyberport^5 -unicorns ~2", "id:[s0 TO s9] {", "\\ \" ' /x/"):
        words.best(query, 3)
    assert words.best('+Cyberport -"unicorns"', 3)


def test_english_is_stemmed_and_chinese_cut_into_pairs() -> None:
    assert tokens("The universities' robots") == tokens("a university's robot")
    assert tokens("超算中心") == ["超算", "算中", "中心"]
    assert tokens("HK$3 billion, 2024-25") == ["hk", "3", "billion", "2024", "25"]
    assert tokens("貓") == ["猫"]


@given(st.text(max_size=80))
def test_tokens_of_any_text_are_single_words_and_fold_to_themselves(text: str) -> None:
    for token in tokens(text):
        assert token
        assert not any(map(str.isspace, token))
        assert fold(token) == token
