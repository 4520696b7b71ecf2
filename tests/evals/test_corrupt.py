from __future__ import annotations

from itertools import groupby

import pytest

from assistant.chain import Chain
from evals.corrupt import CORRUPTIONS, Tried, measure, shares
from index.library import Library


@pytest.fixture(scope="module")
def tried(chain: Chain) -> list[Tried]:
    return measure(chain, 12)


def test_every_kind_of_change_is_made_in_both_languages(tried: list[Tried]) -> None:
    for change in (*CORRUPTIONS, "sound"):
        assert {one.lang for one in tried if one.change == change} == {"en", "zh"}, change


def test_what_is_made_differs_from_its_statement_unless_the_citation_was_moved(tried: list[Tried]) -> None:
    assert all((one.sentence == one.statement) == (one.change == "citation") for one in tried)


def test_most_corruptions_are_caught_and_few_sound_sentences(tried: list[Tried]) -> None:
    counts = shares(tried)
    for change in CORRUPTIONS:
        caught, of = counts[change]
        assert caught >= 0.8 * of, change
    assert counts["sound"][0] <= 0.1 * counts["sound"][1]


def test_the_same_sentences_are_made_every_time(chain: Chain, tried: list[Tried]) -> None:
    assert measure(chain, 12) == tried


def test_shares_are_by_change_and_language(tried: list[Tried]) -> None:
    by_change = {change: list(ones) for change, ones in groupby(sorted(tried, key=lambda one: one.change), lambda one: one.change)}
    for change, (n, of) in shares(tried).items():
        assert of == len(by_change[change])
        assert n == sum(not one.passed for one in by_change[change])
        assert of == shares(tried, "en")[change][1] + shares(tried, "zh")[change][1]


def test_without_statements_there_is_nothing_to_corrupt(chain: Chain, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "texts", {})
    with pytest.raises(ValueError, match="no statements"):
        measure(chain, 2)
