from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.quotes import MOST, NOT_FOUND, NOTHING_LEFT, choose, complete, not_found, say_earlier, unheard, write
from assistant.records import Evidence, Period, Question, Sentence, Side, Verdict
from assistant.verify import ADDED, Verified
from corpus.figures import figures
from index.chunks import statement_id
from index.library import Library
from index.search import View, search


def _question(standalone: str, **fields: object) -> Question:
    return Question(standalone, standalone, (View(standalone),), "en", **fields)


def _evidence(library: Library, query: str, k: int = 12) -> tuple[Evidence, ...]:
    hits = search(library, [View(query)], library.embedder.questions([query]), k=k, lang="en")
    return tuple(Evidence(number, hit.text, hit.chunk, hit.statement, hit.score) for number, hit in enumerate(hits, 1))


@pytest.mark.parametrize("kind", ["fact", "figure", "yes_no", "list", "timeline", "compare", "about", "how_to"])
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
    sides = (Side(("AI Subsidy Scheme",), ("ai-subsidy-scheme",)), Side(("Supercomputing Centre",), ("ai-supercomputing-centre",)))
    question = _question("What is the difference?", kind="compare", sides=sides)
    chosen = choose(question, evidence)
    assert {"ai-subsidy-scheme.en", "ai-supercomputing-centre.en"} <= {item.text.id for item in chosen}
    text = "".join(map(str, write(question, evidence).sentences))
    leading, _, table = text.partition("| AI Subsidy Scheme | Supercomputing Centre |\n| --- | --- |\n")
    rows = [row.split("|")[1:3] for row in table.splitlines()]
    assert len(rows) > 1
    assert all("Supercomputing Centre" not in first and "AI Subsidy Scheme" not in second for first, second in rows)
    assert any(first.strip() for first, _ in rows)
    assert any(second.strip() for _, second in rows)
    assert all(item.statement.text in text for item in chosen)
    assert leading == "" or leading.endswith("\n\n")


def test_what_speaks_of_both_things_compared_stands_before_the_table(library: Library) -> None:
    evidence = _evidence(library, "AI Supercomputing Centre")
    both = replace(evidence[0], statement=replace(evidence[0].statement, text="The Scheme pays for time at the Centre."))
    one, other = (
        replace(evidence[0], number=at, statement=replace(evidence[0].statement, text=said)) for at, said in ((2, "The Scheme pays."), (3, "The Centre runs."))
    )
    question = _question("Scheme or Centre?", kind="compare", sides=(Side(("Scheme",)), Side(("Centre",))))
    assert "".join(map(str, write(question, (both, one, other)).sentences)) == (
        "The Scheme pays for time at the Centre. [1]\n\n| Scheme | Centre |\n| --- | --- |\n| The Scheme pays. [2] | The Centre runs. [3]"
    )
    table = write(question, (one, replace(one, number=4), other)).sentences
    assert "".join(map(str, table)).splitlines()[2:] == ["| The Scheme pays. [2] | The Centre runs. [3] |", "| The Scheme pays. [4]"]
    unfit = replace(other, statement=replace(other.statement, text="The Centre | runs."))
    assert "---" not in "".join(map(str, write(question, (one, unfit)).sentences))


def test_a_thing_compared_of_which_nothing_is_held_is_named(library: Library) -> None:
    evidence = _evidence(library, "AI Subsidy Scheme")
    scheme, other = Side(("AI Subsidy Scheme",), ("ai-subsidy-scheme",)), Side(("Zurich Fund",))
    assert unheard(_question("Which?", kind="compare", sides=(scheme, other)), evidence) == ("Zurich Fund",)
    assert unheard(_question("Which?", kind="compare", sides=(scheme, Side(("Cyberport",), ("cyberport",)))), evidence) == ()
    assert unheard(_question("Which?", kind="compare", sides=(other, Side(("Basel Fund",)))), evidence) == ()


TOLD = (
    "The AI Subsidy Scheme is run by Cyberport.",
    "Applications are submitted online.",
    "Universities and start-ups may apply.",
    "A project gets up to HK$10 million.",
    "A committee vets each application.",
)


def test_how_to_apply_is_told_in_the_order_in_which_one_asks(library: Library) -> None:
    (item,) = _evidence(library, "AI Subsidy Scheme", k=1)
    evidence = [replace(item, number=at, statement=replace(item.statement, text=text)) for at, text in enumerate(TOLD, 1)]
    draft = write(_question("How do I apply?", kind="how_to"), evidence)
    assert "".join(map(str, draft.sentences)) == (
        "The AI Subsidy Scheme is run by Cyberport. [1]\n\nEligibility:\n- Universities and start-ups may apply. [3]\n\n"
        "Amount:\n- A project gets up to HK$10 million. [4]\n\nSteps:\n- Applications are submitted online. [2]\n- A committee vets each application. [5]"
    )
    few = write(_question("How do I apply?", kind="how_to"), evidence[:2])
    assert "".join(map(str, few.sentences)) == "The AI Subsidy Scheme is run by Cyberport. [1] Applications are submitted online. [2]"


def test_a_timeline_goes_by_date(library: Library) -> None:
    chosen = choose(_question("Timeline of Cyberport?", kind="timeline"), _evidence(library, "Cyberport"))
    dates = [item.statement.as_of for item in chosen]
    assert dates == sorted(dates)
    assert len(set(dates)) > 1


def test_statements_about_a_subject_stand_in_the_order_of_their_text(library: Library) -> None:
    chosen = choose(_question("What is Cyberport?", kind="about"), _evidence(library, "What is Cyberport?"))
    starts = [item.statement.start for item in chosen if item.text.id == chosen[0].text.id]
    assert starts == sorted(starts)


def test_nothing_is_chosen_from_nothing() -> None:
    assert choose(_question("What?"), ()) == []


def test_an_answer_may_not_leave_out_what_is_as_good_or_newer_or_most_of_a_list(library: Library) -> None:
    text = library.texts["ai-subsidy-scheme.en"]
    chunk = library.chunk_of(statement_id(text.id, 0))
    told = [Evidence(at, text, chunk, replace(text.statements[at], series=""), score) for at, score in enumerate((9.0, 8.0, 5.5), 1)]
    best, second, third = told

    def completed(question: Question, *cited: Evidence, of: list[Evidence] = told, scrap: str = "", lead: str = "") -> str:
        sentences = tuple(Sentence(lead, scrap or item.statement.text, (item.number,)) for item in cited)
        written = tuple(Verdict(sentence.text, sentence.cited, "supported", "") for sentence in sentences)
        found = complete(question, Verified(sentences, written), of)
        assert [verdict.citations for verdict in found.verdicts] == [sentence.cited for sentence in found.sentences]
        assert [verdict.reason for verdict in found.verdicts].count(ADDED) == len(found.sentences) - len(sentences)
        return "".join(f"{sentence.lead}[{sentence.cited[0]}]" for sentence in found.sentences)

    question = _question("How much?")
    assert completed(question, best, second) == "[1][2]"
    assert completed(question, second) == "[2] [1]"
    assert completed(question, third) == "[3] [1] [2]"
    assert completed(question, third, lead="\n- ") == "\n- [3]\n- [1]\n- [2]"
    assert completed(question, best, second, scrap="2024.") == "[1][2] [1] [2]"  # cited, and not told
    assert completed(question, best, second, scrap="計劃自2024年起。") == "[1][2]"  # nobody knows how much of it
    for several in (replace(question, kind="list"), replace(question, parts=("How much?", "Since when?"))):
        assert completed(several, third) == "[3] [1] [2]"
        assert completed(several, best) == "[1] [2] [3]"
        assert completed(several, best, second) == "[1][2]"  # more than half
    words = {item.number: f"It had {item.number} members." for item in told}
    series = [replace(one, statement=replace(one.statement, text=words[one.number], series="members", as_of=f"202{one.number}")) for one in told]
    assert completed(question, series[0], of=series) == " [3]Earlier: [1]"  # the newest first
    assert completed(question, series[2], of=series) == "[3]"
    assert completed(replace(question, kind="timeline"), series[0], series[1], of=series) == "[1][2]"


def test_what_is_not_found_is_said_with_what_is_near(library: Library) -> None:
    evidence = _evidence(library, "zebras")
    english = not_found(_question("Zebras?"), evidence)
    assert english.startswith(NOT_FOUND["en"])
    assert evidence[0].text.title in english
    chinese = not_found(replace(_question("斑馬？"), lang="zh"), ())
    assert chinese == NOT_FOUND["zh"]
    assert not_found(_question("Zebras?"), (), narrowed=True) == NOTHING_LEFT["en"]
    assert not_found(_question("Zebras?"), evidence, narrowed=True) == english


def test_an_older_figure_is_called_so_unless_its_time_is_asked_for(library: Library) -> None:
    text = library.texts["ai-subsidy-scheme.en"]
    series = [one for one in text.statements if one.series == "aiss-approvals" and any(figure.unit == "" for figure in figures(one.text))]
    first, second, *_, newest = sorted({one.as_of: one for one in series}.values(), key=lambda one: one.as_of)
    chunk = library.chunk_of(statement_id(text.id, 0))
    told = (newest, first, text.statements[0], second)
    evidence = tuple(Evidence(number, text, chunk, statement, 1.0) for number, statement in enumerate(told, 1))
    question = _question("How many projects?", kind="figure")
    said = "".join(map(str, say_earlier(question, write(question, evidence).sentences, evidence)))
    assert said == f"{newest.text} [1] {text.statements[0].text} [3] Earlier: {second.text} [4] {first.text} [2]"
    in_chinese = replace(question, lang="zh")
    assert f" 較早前：{second.text} [4]" in "".join(map(str, say_earlier(in_chinese, write(in_chinese, evidence).sentences, evidence)))
    for other in (replace(question, period=Period("2025", "2025")), replace(question, kind="timeline")):
        assert say_earlier(other, write(other, evidence).sentences, evidence) == write(other, evidence).sentences
    both = (Sentence("", "It rose.", (1, 2)),)
    assert say_earlier(question, both, evidence) == both


def test_the_numbers_of_a_statements_own_notes_are_no_citations() -> None:
    assert str(Sentence(" ", "Transformers [3] dominate the field [12].", (1,))) == " Transformers (3) dominate the field (12). [1]"
