from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from assistant.chain import Ask, Chain
from assistant.evidence import (
    ANSWERS,
    JUDGED,
    JUDGED_FIRST,
    LIMIT,
    WEIGHTS,
    Weights,
    calibrated,
    confidence,
    differing,
    everyday,
    gather,
    judged_signs,
    load_weights,
    outdated,
    overtaken,
    rank,
    reorder,
    rerank,
    statement_signs,
)
from assistant.question import Names, language, understand
from assistant.records import Evidence, Period, Question
from corpus.figures import figures
from corpus.text import Source
from index.chunks import statement_id
from index.embedder import DEFAULT, MINILM
from index.judge import WEIGHTS as JUDGE
from index.judge import Judge, Reranker
from index.library import Library
from index.search import Hit, View, embed, search
from index.words import tokens


def _hits(library: Library, question: Question, k: int = 40) -> list[Hit]:
    return search(library, question.views, embed(library.embedder, question.views), k=k, lang=question.lang)


def _question(text: str, library: Library) -> Question:
    return understand(text, (), Names(library.texts.values()))


# The order of statements


def test_ranking_is_the_weighted_sum_of_the_signs(library: Library) -> None:
    question = _question("How many companies has Cyberport?", library)
    hits = _hits(library, question)
    weights = Weights({"said": 2.0, "figure": 1.0}, {}, 0.5, 0.8)
    ranked = rank(question, hits, library, weights)
    assert {hit.id for hit in ranked} <= {hit.id for hit in hits}
    assert [hit.score for hit in ranked] == sorted((hit.score for hit in ranked), reverse=True)
    rarity = {token: library.rarity(token) for token in tokens(question.standalone)}
    for hit in ranked:
        signs = statement_signs(question, hit, rarity)
        assert hit.score == pytest.approx(2 * signs["said"] + signs["figure"])


def test_what_the_second_encoder_knows_has_weights_of_its_own_where_there_are_any(library: Library) -> None:
    question = _question("What does the AI Subsidy Scheme pay for?", library)
    hits = _hits(library, question)
    twice = [replace(hit, signals=hit.signals | {"second_statement": 1.0, "second_chunk": 1.0}) for hit in hits]
    weights = load_weights(DEFAULT)
    plain = [hit.score for hit in rank(question, hits, library, weights)]
    assert [hit.score for hit in rank(question, twice, library, replace(weights, statement_own={}))] == plain
    assert {hit.score for hit in rank(question, twice, library, replace(weights, statement_own={"second_chunk": 5.0}))} == {5.0}


def test_of_texts_that_tell_the_same_the_one_that_fits_best_is_kept(library: Library) -> None:
    question = _question("Cyberport unicorns 獨角獸", library)
    hits = _hits(library, question, 60)
    hit = next(hit for hit in hits if hit.statement.marks)
    other = replace(hit, text=replace(hit.text, id="another.en"), signals=dict.fromkeys(hit.signals, 0.0))
    ranked = rank(question, [other, *hits], library, load_weights(library.embedder.name))
    assert hit.id in [one.id for one in ranked]
    assert other.id not in [one.id for one in ranked]
    told: dict[tuple[str, ...], set[str]] = {}
    for one in ranked:
        if one.statement.marks:
            told.setdefault((one.text.lang, *one.statement.marks), set()).add(one.text.id)
    assert told
    assert all(len(texts) == 1 for texts in told.values())


def test_the_judge_reorders_the_best_and_leaves_the_others_behind(library: Library, judge: Judge) -> None:
    question = _question("List what the AI Subsidy Scheme pays for", library)
    ranked = rank(question, _hits(library, question), library, load_weights(library.embedder.name))
    judged = reorder(question, ranked, judge, Weights({}, {}, 0.5, 0.8, statement_judged={"judge": 1.0}))
    assert {hit.id for hit in judged[:JUDGED]} == {hit.id for hit in ranked[:JUDGED]}
    assert [hit.id for hit in judged[JUDGED:]] == [hit.id for hit in ranked[JUDGED:]]
    assert [hit.score for hit in judged] == sorted((hit.score for hit in judged), reverse=True)
    odds = judge.scores(question.standalone, [hit.statement.text for hit in judged[:JUDGED] if not hit.text.own])
    assert odds.max() == pytest.approx(max(hit.signals["judge"] for hit in judged[:JUDGED] if not hit.text.own), abs=0.5)
    assert judged_signs(judged)["judge"] >= judged_signs(judged)["judge_third"]


def test_the_judge_reads_few_where_one_answers_a_plain_question_and_else_a_dozen(library: Library, judge: Judge) -> None:
    weights = load_weights(library.embedder.name)
    for asked, expected in (
        ("Who settles how much each user of the AI Subsidy Scheme receives?", JUDGED_FIRST),
        ("How many women sit on the committee of the AI Subsidy Scheme?", JUDGED),  # none answers
        ("List what the AI Subsidy Scheme pays for", JUDGED),  # several may
        ("When did the AI Subsidy Scheme open its latest round for applications?", JUDGED),  # the newest of several
    ):
        question = _question(asked, library)
        ranked = rank(question, _hits(library, question), library, weights)
        ordered = reorder(question, ranked, judge, weights)
        assert sum("judge" in hit.signals for hit in ordered) == min(expected, len(ordered)), asked
        few = reorder(question, ranked, judge, weights, few=True)  # with the newest of a series, where the latest is asked for
        assert JUDGED_FIRST <= sum("judge" in hit.signals for hit in few) < JUDGED, asked


def test_the_newest_of_a_series_is_judged_too_and_leads_if_it_answers(library: Library, judge: Judge) -> None:
    weights = load_weights(library.embedder.name)
    question = _question("How many AI Subsidy Scheme projects have been approved?", library)
    approvals = sorted(_approvals(library), key=lambda hit: hit.statement.as_of)
    newest = next(hit.statement for hit in reversed(approvals) if any(figure.unit != "date" for figure in figures(hit.statement.text)))
    others = [hit for hit in _hits(library, question) if not hit.statement.series]
    hits = [replace(hit, score=9.0 - at) for at, hit in enumerate([*approvals[:JUDGED_FIRST], *others, *approvals[JUDGED_FIRST:]])]
    assert newest not in [hit.statement for hit in hits[: JUDGED_FIRST + len(others)]]

    ordered = reorder(question, hits, judge, weights)
    judged = {hit.statement: hit.signals["judge"] for hit in ordered if "judge" in hit.signals}
    assert max(judged.values()) >= ANSWERS
    assert newest in judged
    answering = [item.statement for item in gather(question, ordered) if judged.get(item.statement, -1.0) >= ANSWERS and item.statement.series]
    assert [statement.as_of for statement in answering] == sorted((statement.as_of for statement in answering), reverse=True)
    assert gather(question, ordered)[0].statement == max(answering, key=lambda statement: statement.as_of)

    of_then = replace(question, period=Period("2025-02", "2025-02"))
    assert newest not in [hit.statement for hit in reorder(of_then, hits, judge, weights) if "judge" in hit.signals]


def test_another_cross_encoder_by_its_folder_reorders_the_best_dozen(library: Library, judge: Judge) -> None:
    question = _question("What share of the computing price does the AI Subsidy Scheme pay?", library)
    ranked = rank(question, _hits(library, question), library, load_weights(library.embedder.name))
    reranker = Reranker(str(JUDGE))
    again = rerank(question, ranked, reranker)
    assert {hit.id for hit in again[:LIMIT]} == {hit.id for hit in ranked[:LIMIT]}
    assert again[LIMIT:] == ranked[LIMIT:]
    assert [hit.score for hit in again] == [hit.score for hit in ranked]
    scores = reranker.scores(question.standalone, [hit.statement.text for hit in again[:LIMIT]])
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert [hit.id for hit in again] != [hit.id for hit in ranked]


def test_what_a_thing_is_stands_first_where_that_is_asked(library: Library) -> None:
    question = _question("What is the AI Subsidy Scheme?", library)
    assert question.kind == "about"
    ranked = sorted(_hits(library, question), key=lambda hit: hit.number == 0)
    assert gather(question, ranked)[0].statement == library.texts["ai-subsidy-scheme.en"].statements[0]


def test_signs_lie_between_nought_and_one(library: Library) -> None:
    question = _question("What is Cyberport, and how many companies had it in 2024?", library)
    rarity = {token: library.rarity(token) for token in tokens(question.standalone)}
    for hit in _hits(library, question):
        assert all(-0.01 <= value <= 1.01 for value in statement_signs(question, hit, rarity).values())


def test_the_year_asked_for_is_a_sign(library: Library) -> None:
    question = _question("How many companies had Cyberport in 2024?", library)
    signs = {hit.statement.marks[0]: statement_signs(question, hit, {}) for hit in _hits(library, question) if hit.text.id == "cyberport.en"}
    of_2024, of_2020 = signs["cyberport-community-2024"], signs["cyberport-state-level-incubator-2020"]
    assert (of_2024["year"], of_2024["other_year"]) == (1, 0)
    assert (of_2020["year"], of_2020["other_year"]) == (0, 1)


def test_evidence_is_numbered_from_one_and_no_longer_than_asked(library: Library) -> None:
    question = _question("What does the AI Subsidy Scheme pay for?", library)
    evidence = gather(question, _hits(library, question), 5)
    assert [item.number for item in evidence] == [1, 2, 3, 4, 5]
    assert gather(question, [], 5) == ()


def _approvals(library: Library) -> list[Hit]:
    """The statements of one series, the oldest with the best score."""
    text = library.texts["ai-subsidy-scheme.en"]
    found = [at for at, statement in enumerate(text.statements) if statement.series == "aiss-approvals"]
    assert len({text.statements[at].as_of for at in found}) > 2
    chunk = library.chunk_of(statement_id(text.id, 0))
    return [Hit(text, chunk, text.statements[at], at, 5.0 - 0.01 * place) for place, at in enumerate(found)]


@pytest.mark.parametrize(
    ("dates", "old"),
    [
        (("2023", "2024-06-01"), "2024-06-01"),
        (("2024",), "2024"),
        (("2025",), ""),
        (("2025", "2025-03"), ""),
        (("2025-11",), ""),
        (("2025-10-31", ""), "2025-10-31"),
        (("2026-10-01", "2020"), ""),
        (("",), ""),
        ((), ""),
    ],
)
def test_statements_older_than_a_year_are_outdated(library: Library, dates: tuple[str, ...], old: str) -> None:
    (hit, *_) = _hits(library, _question("Cyberport", library))
    cited = [Evidence(at, hit.text, hit.chunk, replace(hit.statement, as_of=as_of), 1.0) for at, as_of in enumerate(dates)]
    found = outdated(cited, date(2026, 11, 22))
    assert (found.statement.as_of if found else "") == old


@pytest.mark.parametrize(
    ("dated", "expected"),
    [
        ((("a", "2024-12-31"), ("a", "2025")), {1}),
        ((("a", "2025"), ("a", "2025-06")), set()),  # of that year, perhaps later
        ((("a", "2025-06"), ("b", "2026")), set()),
        ((("", "2024"), ("", "2025")), set()),
        ((("a", "2025-02-26"), ("a", "2025-06"), ("a", "2026-02-25")), {1, 2}),
        ((), set()),
    ],
)
def test_of_a_series_all_but_the_newest_are_overtaken(library: Library, dated: tuple[tuple[str, str], ...], expected: set[int]) -> None:
    (hit, *_) = _hits(library, _question("Cyberport", library))
    statements = [
        replace(hit.statement, text=f"By {as_of or 'then'} it had {7 + at} members.", series=series, as_of=as_of) for at, (series, as_of) in enumerate(dated)
    ]
    items = [Evidence(at, hit.text, hit.chunk, statement, 1.0) for at, statement in enumerate(statements, 1)]
    question = _question("How many members has Cyberport?", library)
    assert overtaken(question, items) == expected
    assert overtaken(replace(question, period=Period("2025", "2025")), items) == set()
    assert overtaken(replace(question, kind="timeline"), items) == set()
    silent = [replace(item, statement=replace(item.statement, text="Its members are of many kinds.")) for item in items]
    assert overtaken(question, silent) == set()


@pytest.mark.parametrize(
    ("other", "as_of", "differ"),
    [
        ("Start-ups at Incu-Bio 2.0 get up to HK$6 million each.", "2025-10", True),
        ("Start-ups at Incu-Bio 2.0 get up to HK$6 million each.", "2024-10", False),  # another time
        ("Start-ups at Incu-Bio 2.0 get up to HK$6 million each.", "", True),  # a document without a date
        ("Start-ups at Incu-Bio 2.0 get up to HK$40 million each.", "2025-10", False),  # rounded
        ("Start-ups at Incu-Bio 2.0 get HK$1 million in cash and up to HK$39 million each in all.", "2025-10", False),  # which of the two is meant?
        ("HKIC put HK$6 million into a robot maker.", "2025-10", False),  # another matter
        ("Start-ups at Incu-Bio 2.0 get up to 50% of their costs each.", "2025-10", False),  # another measure
    ],
)
def test_statements_that_give_one_things_figure_otherwise_differ(library: Library, other: str, as_of: str, differ: bool) -> None:
    (hit, *_) = _hits(library, _question("Cyberport", library))
    pages = [Source("Ta Kung Pao", url="https://a.example/1"), Source("SCMP", url="https://b.example/2")]
    told = [("A start-up at Incu-Bio 2.0 gets up to HK$39.7 million.", "2025-10"), (other, as_of)]
    cited = [
        Evidence(at, hit.text, hit.chunk, replace(hit.statement, text=text, as_of=date, sources=(page,)), 1.0)
        for at, ((text, date), page) in enumerate(zip(told, pages, strict=True), 1)
    ]
    assert differing(cited) == (tuple(cited) if differ else None)
    same_page = [cited[0], replace(cited[1], statement=replace(cited[1].statement, sources=(pages[0],)))]
    assert differing(same_page) is None


def test_of_a_series_the_newest_leads(library: Library) -> None:
    question = Question("How many projects?", "How many projects?", (View("How many projects?"),), "en")
    evidence = gather(question, _approvals(library), 9)
    dates = [item.statement.as_of for item in evidence]
    assert dates == sorted(dates, reverse=True)
    assert [item.score for item in evidence] == sorted((item.score for item in evidence), reverse=True)


def test_of_a_series_the_time_asked_for_keeps_its_place(library: Library) -> None:
    question = Question("How many in 2025?", "How many in 2025?", (), "en", period=Period("2025", "2025"))
    hits = _approvals(library)
    assert [item.statement for item in gather(question, hits, 9)] == [hit.statement for hit in hits]


def test_a_statement_far_behind_does_not_lead_for_being_new(library: Library) -> None:
    hits = _approvals(library)
    hits[-1] = replace(hits[-1], score=-20.0)
    question = Question("How many projects?", "How many projects?", (), "en")
    assert gather(question, hits, 9)[-1].statement == hits[-1].statement


# Enough or not


@pytest.mark.parametrize(
    "question",
    [
        "What is the AI Subsidy Scheme?",
        "How much of the price of computing power does the AI Subsidy Scheme cover?",
        "How many petaFLOPS has the AI Supercomputing Centre?",
        "Which unicorns came from Cyberport?",
        "人工智能資助計劃資助甚麼？",
        "數碼港有幾多間企業？",
    ],
)
def test_what_the_texts_say_is_enough(chain: Chain, question: str) -> None:
    found = chain.find(Ask(question))
    assert found.decided.enough, found.decided.confidence


@pytest.mark.parametrize(
    "question",
    ["What is the best pizza in Naples?", "Who won the World Cup in 1998?", "How do I repot an orchid?", "點樣整菠蘿包？", "明天天氣如何？", "asdf qwer zxcv"],
)
def test_what_the_texts_do_not_say_is_not_enough(chain: Chain, question: str) -> None:
    found = chain.find(Ask(question))
    assert not found.decided.enough, found.decided.confidence
    assert 0 <= found.decided.confidence <= 1


def test_what_the_search_says_is_made_a_probability_in_the_same_order() -> None:
    weights = load_weights("multilingual-e5-small")
    assert weights.calibration["slope"] > 0
    made = [calibrated(confident, weights) for confident in (0.0, 0.2, 0.5, 0.8, 1.0)]
    assert made == sorted(made)
    assert all(0 <= one <= 1 for one in made)
    assert calibrated(0.3, replace(weights, calibration={})) == pytest.approx(0.3)


def test_confidence_is_a_probability_however_far_the_signs_go() -> None:
    for value in (-1e9, -1.0, 0.0, 1.0, 1e9):
        assert 0 <= confidence({"bias": value}, Weights({}, {"bias": 1.0}, 0.5, 0.8)) <= 1
    assert confidence({"bias": 0.0}, Weights({}, {"bias": 1.0}, 0.5, 0.8)) == 0.5


# What was fitted


@pytest.mark.parametrize("embedder", [DEFAULT, MINILM, "some/other-model"])
def test_there_are_weights_for_every_embedder(embedder: str) -> None:
    weights = load_weights(embedder)
    assert 0 < weights.threshold < 1
    assert weights.statement
    assert weights.enough
    assert (weights == load_weights(DEFAULT)) is (embedder != MINILM)


def test_every_weight_is_that_of_a_sign(library: Library, chain: Chain) -> None:
    question = _question("What is Cyberport?", library)
    (hit, *_) = _hits(library, question)
    weights = load_weights(DEFAULT, WEIGHTS)
    assert set(weights.statement) <= set(statement_signs(question, hit, {}))


def test_everyday_questions_are_in_both_languages() -> None:
    questions = everyday()
    assert {language(question)[0] for question in questions} == {"en", "zh"}
    assert len(questions) == len(set(questions)) >= 20
