from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.evidence import load_weights
from assistant.question import Names
from assistant.records import Draft, Evidence, Sentence
from assistant.verify import CITED_ANEW, INSTEAD, Numbered, Verified, numbered, sentences, told, verify
from index.chunks import statement_id
from index.judge import Entailment
from index.library import Library

RATE = "As of 2025, the AI Subsidy Scheme normally met 70% of the list price of computing power at Cyberport's AI Supercomputing Centre."
OPENED = "Cyberport has taken applications to the AI Subsidy Scheme from eligible organisations since 7 October 2024."
UNICORNS = "Six unicorns had come from Cyberport by Peter Yan's count of 2023: GOGOX, Klook, WeLab, TNG, Animoca Brands and ZA International."


@pytest.fixture(scope="module")
def evidence(library: Library) -> tuple[Evidence, ...]:
    found = []
    for number, sentence in enumerate((RATE, OPENED, UNICORNS), 1):
        text, at = next((text, at) for text in library.texts.values() for at, statement in enumerate(text.statements) if statement.text == sentence)
        chunk = library.chunk_of(statement_id(text.id, at))
        found.append(Evidence(number, text, chunk, text.statements[at], 1.0))
    return tuple(found)


def _verified(library: Library, evidence: tuple[Evidence, ...], *written: tuple[str, tuple[int, ...]]) -> Numbered:
    draft = Draft(tuple(Sentence(" " if at else "", text, cited) for at, (text, cited) in enumerate(written)), "model", "small")
    found = verify(draft, evidence, Names(library.texts.values()), library.embedder, load_weights(library.embedder.name).meaning)
    return numbered(found, evidence)


def _dropped(found: Numbered) -> list[str]:
    return [verdict.sentence for verdict in found.verdicts if verdict.verdict == "unsupported"]


@pytest.mark.parametrize(
    ("sentence", "cited"),
    [
        (RATE, (1,)),
        ("The AI Subsidy Scheme covers 70% of the price of computing power.", (1,)),
        ("The AISS pays 70 per cent of the list price of computing power.", (1,)),
        ("Applications to the AI Subsidy Scheme opened in October 2024.", (2,)),
        ("Cyberport has produced six unicorns, among them Klook and WeLab.", (3,)),
        ("The AI Subsidy Scheme has taken applications since 2024 and pays 70% of the price of computing power.", (1, 2)),
        ("自2024年10月起，數碼港接受人工智能資助計劃（AI Subsidy Scheme）的申請，Cyberport takes applications.", (2,)),
    ],
)
def test_a_sentence_that_its_source_bears_out_stays(library: Library, evidence: tuple[Evidence, ...], sentence: str, cited: tuple[int, ...]) -> None:
    found = _verified(library, evidence, (sentence, cited))
    assert [verdict.verdict for verdict in found.verdicts] == ["supported"], found.verdicts
    assert found.text.startswith(sentence)
    assert [item.statement for item in found.cited] == [evidence[number - 1].statement for number in cited]


@pytest.mark.parametrize(
    ("sentence", "cited", "reason"),
    [
        ("The AI Subsidy Scheme covers 75% of the price of computing power.", (1,), "75 % is not in what it cites"),
        ("Applications to the AI Subsidy Scheme opened on 8 October 2024.", (2,), "2024-10-08 date is not in what it cites"),
        ("The AI Subsidy Scheme of Cyberport covers 70% of what its members pay for offices.", (2,), "70 % is not in what it cites"),
        ("Cyberport brought forth six unicorns, and the AI Supercomputing Centre helped them.", (3,), "AI Supercomputing Centre is not in what it cites"),
        ("Whales sing in the cold sea at night.", (1,), "its meaning is far from what it cites"),
        ("Eligible organisations are glad of it.", (), "cites nothing"),
        ("Eligible organisations are glad of it.", (9,), "cites nothing"),
    ],
)
def test_a_sentence_that_its_source_does_not_bear_out_is_dropped(
    library: Library, evidence: tuple[Evidence, ...], sentence: str, cited: tuple[int, ...], reason: str
) -> None:
    found = _verified(library, evidence, (RATE, (1,)), (sentence, cited))
    assert [(verdict.verdict, verdict.reason) for verdict in found.verdicts if verdict.reason != INSTEAD] == [("supported", ""), ("unsupported", reason)]
    assert sentence not in found.text
    assert _dropped(found) == [sentence]


@pytest.mark.parametrize("cited", [(), (9,), (2,), (2, 3)])
@pytest.mark.parametrize(
    "repeated",
    [
        "As of 2025 the AI Subsidy Scheme met 70% of the list price of computing power at Cyberport's AI Supercomputing Centre.",
        "The AI Subsidy Scheme covers 70% of the price of computing power.",
    ],
)
def test_a_sentence_without_a_number_or_with_a_wrong_one_gets_that_of_the_statement_it_repeats(
    library: Library, evidence: tuple[Evidence, ...], repeated: str, cited: tuple[int, ...]
) -> None:
    found = _verified(library, evidence, (repeated, cited))
    assert found.text == f"{repeated} [1]"
    assert [item.statement.text for item in found.cited] == [RATE]
    assert [verdict.reason for verdict in found.verdicts] == [CITED_ANEW]
    changed = _verified(library, evidence, (repeated.replace("70%", "75%"), cited))
    assert "75%" not in changed.text


@pytest.mark.parametrize(
    ("sentence", "cited", "left"),
    [
        ("The AI Subsidy Scheme covers 70% of the price of computing power.", (1, 2), [RATE]),  # the other does not say how much
        ("The AI Subsidy Scheme pays 70% and has taken applications since October 2024.", (2, 1), [OPENED, RATE]),  # each says a half
        (RATE, (2, 1), [RATE]),
        ("The AI Subsidy Scheme has taken applications from eligible organisations, and Cyberport counts GOGOX and Klook.", (2, 3), [OPENED, UNICORNS]),
    ],
)
def test_a_statement_that_adds_nothing_is_not_cited(
    library: Library, evidence: tuple[Evidence, ...], sentence: str, cited: tuple[int, ...], left: list[str]
) -> None:
    assert [item.statement.text for item in _verified(library, evidence, (sentence, cited)).cited] == left


def test_in_place_of_what_was_left_out_stands_what_it_tried_to_say(library: Library, evidence: tuple[Evidence, ...]) -> None:
    wrong = RATE.replace("70%", "75%")
    found = _verified(library, evidence, (UNICORNS, (3,)), (wrong, (2,)), ("It covers a hundred teams.", (2,)), ("It covers Klook's rent.", (3,)))
    assert found.text == f"{UNICORNS} [1] {RATE} [2] {OPENED} [3]"
    assert [(verdict.sentence, verdict.reason) for verdict in found.verdicts if verdict.verdict == "supported"] == [
        (UNICORNS, ""),
        (RATE, INSTEAD),
        (OPENED, INSTEAD),
    ]
    assert len(_dropped(found)) == 3
    assert _verified(library, evidence, (wrong, (1,))).text == ""  # nothing that the model wrote is left


def test_what_was_said_before_is_left_out(library: Library, evidence: tuple[Evidence, ...]) -> None:
    wrong = "Whales sing in the cold sea at night."
    found = _verified(library, evidence, (RATE, (1,)), (RATE, (1,)), (RATE, ()), (wrong, ()), (wrong, ()))
    assert found.text == f"{RATE} [1]"
    assert _dropped(found) == [wrong]
    cells = Draft(tuple(Sentence(lead, RATE, (1,)) for lead in ("\n| ", " | ")), "quotes")  # a table keeps its cells
    assert len(verify(cells, evidence, Names(()), library.embedder, 0.0).sentences) == 2


def test_what_has_no_word_repeats_nothing(library: Library, evidence: tuple[Evidence, ...]) -> None:
    found = _verified(library, evidence, ("是的。", ()), (UNICORNS, (3,)))
    assert found.text == f"{UNICORNS} [1]"
    assert _dropped(found) == ["是的。"]


def test_what_is_cited_for_a_scrap_is_not_told(library: Library, evidence: tuple[Evidence, ...]) -> None:
    def said(*written: str) -> list[int]:
        draft = Draft(tuple(Sentence("", text, (1,)) for text in written), "model")
        return [item.number for item in told(verify(draft, evidence, Names(()), library.embedder, 0.0), evidence)]

    assert said("70%") == []
    assert said("70%", "The AI Subsidy Scheme met 70% of the list price of computing power.") == [1]
    assert said("資助計劃支付70%。") == [1]  # how much of it is told cannot be counted in another language
    chinese = (replace(evidence[0], text=replace(evidence[0].text, lang="zh"), statement=replace(evidence[0].statement, text="計劃在2025年支付70%。")),)
    assert told(Verified((Sentence("", "70%", (1,)),), ()), chinese) == []


def test_citations_are_numbered_anew_in_the_order_of_the_text(library: Library, evidence: tuple[Evidence, ...]) -> None:
    again = UNICORNS.replace("Six", "6")
    found = _verified(library, evidence, (UNICORNS, (3,)), ("Whales sing in the cold sea at night.", (9,)), (RATE, (1, 9, 1)), (again, (3,)))
    assert found.text == f"{UNICORNS} [1] {RATE} [2] {again} [1]"
    assert [(item.number, item.statement.text) for item in found.cited] == [(1, UNICORNS), (2, RATE)]
    assert [verdict.citations for verdict in found.verdicts] == [(1,), (), (2,), (1,)]


def test_nothing_is_left_of_nothing(library: Library, evidence: tuple[Evidence, ...]) -> None:
    assert _verified(library, evidence) == Numbered("", (), ())


DENIALS = ("The Scheme does not pay salaries.", "Cyberport does not pay rent.", "Non-profit bodies are exempt from the fee.", "每間企業毋須繳費。")


@pytest.mark.parametrize(
    ("sentence", "cited", "stays"),
    [
        ("The Scheme does not pay salaries, and Cyberport does not pay rent.", (1, 2), True),
        ("The Scheme pays neither salaries nor wages.", (1,), True),
        ("Not-for-profit bodies do not pay the fee.", (3,), True),
        ("不僅企業毋須繳費。", (4,), True),
        ("企業不需要繳費。", (4,), True),
        ("The Scheme pays not only salaries.", (1,), True),
        ("The Scheme does not pay salaries and never pays wages.", (1,), False),
    ],
)
def test_a_sentence_may_not_deny_more_than_its_sources(
    library: Library, evidence: tuple[Evidence, ...], sentence: str, cited: tuple[int, ...], stays: bool
) -> None:
    denying = tuple(replace(evidence[0], number=at, statement=replace(evidence[0].statement, text=text)) for at, text in enumerate(DENIALS, 1))
    draft = Draft((Sentence("", sentence, cited),), "model", "small")
    (verdict,) = verify(draft, denying, Names(()), library.embedder, 0.0).verdicts
    assert (verdict.verdict, verdict.reason) == (("supported", "") if stays else ("unsupported", "it denies something that its source does not"))


def test_a_sentence_may_not_contradict_its_source_where_there_is_a_model_of_entailment(library: Library, evidence: tuple[Evidence, ...], nli: Path) -> None:
    source = replace(evidence[0], statement=replace(evidence[0].statement, text="Spending on research rose in 2024."))
    draft = Draft((Sentence("", "Spending on research rose.", (1,)), Sentence(" ", "Spending on research fell.", (1,))), "model", "small")
    assert verify(draft, (source,), Names(()), library.embedder, 0.0).dropped == 0
    kept, dropped = verify(draft, (source,), Names(()), library.embedder, 0.0, Entailment(str(nli))).verdicts
    assert (kept.verdict, kept.reason) == ("supported", "")
    assert (dropped.verdict, dropped.reason) == ("unsupported", "it contradicts what it cites")


# What a model wrote, cut into sentences


@pytest.mark.parametrize(
    ("written", "cut"),
    [
        ("One. [1] Two. [2][3]", [("One.", (1,)), ("Two.", (2, 3))]),
        ("One [1]. Two [2].", [("One", (1,)), ("Two", (2,))]),
        ("One. Two. [1]", [("One.", ()), ("Two.", (1,))]),
        ("One. [1] [2]", [("One.", (1, 2))]),
        ("- One. [1]\n- Two. [2]", [("One.", (1,)), ("Two.", (2,))]),
        ("1. One. [1]\n2. Two. [2]", [("One.", (1,)), ("Two.", (2,))]),
        ("1) One. [1]\n(2) Two. [2]", [("One.", (1,)), ("Two.", (2,))]),
        ("1、一句。[1]\n2、二句。[2]", [("一句。", (1,)), ("二句。", (2,))]),
        ("3.5 million. [1]\n2024. Two. [2]", [("3.5 million.", (1,)), ("2024.", ()), ("Two.", (2,))]),
        ("一句。[1]二句。[2]", [("一句。", (1,)), ("二句。", (2,))]),
        ("一句[1]。二句[2]。", [("一句", (1,)), ("二句", (2,))]),
        ("One. [1] Bare.", [("One.", (1,)), ("Bare.", ())]),
        ("One. [1] [", [("One.", (1,))]),
        ("HKSTP arose under Cap. 565 then. [1]", [("HKSTP arose under Cap. 565 then.", (1,))]),
        ("The GenA.I. Sandbox opened. [1]", [("The GenA.I. Sandbox opened.", (1,))]),
        ("[1] One. [2] Two.", [("One.", (1,)), ("Two.", (2,))]),  # a model that puts its numbers first
        ("- [1] One.\n- [2][3] Two.", [("One.", (1,)), ("Two.", (2, 3))]),
        ("[1]", []),
        ("", []),
    ],
)
def test_sentences_keep_the_citations_that_follow_them(written: str, cut: list[tuple[str, tuple[int, ...]]]) -> None:
    assert [(sentence.text, sentence.cited) for sentence in sentences(written)] == cut


def test_lists_and_paragraphs_keep_their_form() -> None:
    written = "- One. [1]\n- Two. [2]\n\nThree. [3]"
    assert "".join(map(str, sentences(written))).strip() == written


@given(
    st.lists(st.one_of(st.text(max_size=10), st.sampled_from(["[1]", "[2][3]", "One. ", "二句。", "\n- ", "\n\n", "[12345]", "[x]"])), max_size=12).map("".join)
)
def test_any_writing_is_cut_without_losing_a_word(written: str) -> None:
    cut = sentences(written)
    words = re.sub(r"\[\d{1,4}\]|[\W_]", "", written)
    assert re.sub(r"[\W_]", "", "".join(sentence.text for sentence in cut)) == words
    assert all(sentence.text.strip() == sentence.text != "" for sentence in cut)
    assert all(0 <= number <= 9999 for sentence in cut for number in sentence.cited)
