from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.quotes import MOST, NOT_FOUND, choose, not_found, write
from assistant.records import Evidence, Question
from index.library import Library
from index.search import View, search


def _question(standalone: str, **fields: object) -> Question:
    return Question(standalone, standalone, (View(standalone),), "en", **fields)


def _evidence(library: Library, query: str, k: int = 12) -> tuple[Evidence, ...]:
    hits = search(library, [View(query)], library.embedder.questions([query]), k=k, lang="en")
    return tuple(Evidence(number, hit.text, hit.chunk, hit.statement, hit.score) for number, hit in enumerate(hits, 1))


@pytest.mark.parametrize("kind", ["fact", "figure", "list", "compare", "about"])
def test_an_answer_is_made_of_exact_statements_each_with_its_number(library: Library, kind: str) -> None:
    evidence = _evidence(library, "What does the AI Subsidy Scheme pay for?")
    draft = write(_question("What does the AI Subsidy Scheme pay for?", kind=kind), evidence)
    assert draft.mode == "quotes"
    assert 2 <= len(draft.sentences) <= MOST[kind]
    by_number = {item.number: item for item in evidence}
    for sentence in draft.sentences:
        (number,) = sentence.cited
        assert sentence.text == by_number[number].statement.text
    assert len({sentence.cited for sentence in draft.sentences}) == len(draft.sentences)


def test_a_list_is_written_as_one(library: Library) -> None:
    draft = write(_question("Which?", kind="list"), _evidence(library, "companies and start-ups of Cyberport"))
    text = "".join(map(str, draft.sentences))
    assert len(text.split("\n")) == len(draft.sentences) > 2
    assert all(line.startswith("- ") for line in text.split("\n"))


def test_two_things_that_are_compared_both_have_their_say(library: Library) -> None:
    evidence = _evidence(library, "AI Subsidy Scheme and AI Supercomputing Centre") + _evidence(library, "AI Supercomputing Centre capacity")
    evidence = tuple(replace(item, number=number) for number, item in enumerate(evidence, 1))
    names = ("ai-subsidy-scheme", "ai-supercomputing-centre")
    chosen = choose(_question("What is the difference?", kind="compare", names=names), evidence)
    assert {"ai-subsidy-scheme.en", "ai-supercomputing-centre.en"} <= {item.text.id for item in chosen}


def test_statements_about_a_subject_stand_in_the_order_of_their_text(library: Library) -> None:
    chosen = choose(_question("What is Cyberport?", kind="about"), _evidence(library, "What is Cyberport?"))
    starts = [item.statement.start for item in chosen if item.text.id == chosen[0].text.id]
    assert starts == sorted(starts)


def test_nothing_is_chosen_from_nothing() -> None:
    assert choose(_question("What?"), ()) == []


def test_what_is_not_found_is_said_with_what_is_near(library: Library) -> None:
    evidence = _evidence(library, "zebras")
    english = not_found(_question("Zebras?"), evidence)
    assert english.startswith(NOT_FOUND["en"])
    assert evidence[0].text.title in english
    chinese = not_found(replace(_question("斑馬？"), lang="zh"), ())
    assert chinese == NOT_FOUND["zh"]
