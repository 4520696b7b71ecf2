from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.question import ANSWERED, OPENING, OTHER_LANGUAGE, Names, kind, language, period, understand
from assistant.records import Period, Turn
from corpus.markdown import load
from tests.conftest import TEXTS

NAMES = Names(load(TEXTS))
SCHEME = (Turn("user", "What is the AI Subsidy Scheme?"), Turn("assistant", "The AI Subsidy Scheme is a three-year scheme worth HK$3 billion. [1]"))
SCHEME_CHINESE = (Turn("user", "人工智能資助計劃是甚麼？"), Turn("assistant", "人工智能資助計劃為期三年，涉款30億港元。[1]"))


def _standalone(asked: str, *turns: Turn) -> str:
    return understand(asked, turns, NAMES).standalone


# Names


def test_names_are_found_as_they_are_written_longest_first() -> None:
    (name,) = NAMES.find("Who runs the ai subsidy scheme today?")
    assert (name.written, name.topics) == ("ai subsidy scheme", ("ai-subsidy-scheme",))
    (name,) = NAMES.find("Cyberport supercomputer")
    assert name.topics == ("ai-supercomputing-centre",)


@pytest.mark.parametrize("written", ["人工智能資助計劃", "人工智能资助计划", "AISS", "aiss", "ＡＩＳＳ"])
def test_names_are_found_in_both_scripts_and_any_case(written: str) -> None:
    assert [name.topics for name in NAMES.find(f"{written}?")] == [("ai-subsidy-scheme",)]


def test_part_of_a_word_is_no_name() -> None:
    assert NAMES.find("Cyberports and paiss") == []


def test_a_title_is_given_in_the_language_asked_for() -> None:
    assert NAMES.title("ai-subsidy-scheme", "zh") == "人工智能資助計劃"
    assert NAMES.title("ai-subsidy-scheme", "en") == "The AI Subsidy Scheme"
    assert NAMES.title("nowhere", "en") == "nowhere"


def test_own_documents_bring_no_names(library) -> None:
    assert Names(text for text in library.texts.values() if text.own).find("article.txt Cyberport") == []


# Language, time and kind


@pytest.mark.parametrize(
    ("text", "lang", "foreign"),
    [
        ("What is Cyberport?", "en", False),
        ("AISS", "en", False),
        ("數碼港是甚麼？", "zh", False),
        ("数码港是什么？", "zh", False),
        ("Cyberport 係咩嚟？", "zh", False),
        ("Combien coûte le programme de subvention pour les entreprises ?", "en", True),
        ("Wie viel Geld bekommen kleine Firmen vom Staat?", "en", True),
        ("サイバーポートとは何ですか", "en", True),
        ("Что такое Киберпорт?", "en", True),
    ],
)
def test_the_language_of_a_question(text: str, lang: str, foreign: bool) -> None:
    assert language(text) == (lang, foreign)
    question = understand(text, (), NAMES)
    assert question.lang == lang
    assert question.warnings == ((OTHER_LANGUAGE,) if foreign else ())


def test_the_language_asked_for_goes_before_the_one_written_in() -> None:
    assert understand("What is Cyberport?", (), NAMES, "zh").lang == "zh"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("How many firms were there in 2024?", Period("2024", "2024")),
        ("the 2024-25 Budget", Period("2024", "2024")),
        ("from 2018 to 2023", Period("2018", "2023")),
        ("2024年有幾多間？", Period("2024", "2024")),
        ("the latest number", Period(latest=True)),
        ("最新數字", Period(latest=True)),
        ("How many firms?", Period()),
        ("1300 petaFLOPS and 20241", Period()),
    ],
)
def test_the_time_asked_about(text: str, time: Period) -> None:
    assert period(text) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("What changed last year?", Period(since="2025", until="2025")),
        ("舊年有幾多間初創？", Period(since="2025", until="2025")),
        ("How many so far this year?", Period(since="2026", until="2026")),
        ("What has happened since the last Budget?", Period(since="2026-02", until="2026-05", latest=True)),
        ("What is new since the Policy Address?", Period(since="2025-10", until="2026-05", latest=True)),
    ],
)
def test_a_time_counted_from_today(text: str, time: Period) -> None:
    assert period(text, date(2026, 5, 4)) == time


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("How much does the scheme pay?", "figure"),
        ("When did it open?", "figure"),
        ("資助幾多？", "figure"),
        ("Which universities study AI?", "list"),
        ("有哪些獨角獸？", "list"),
        ("What is the difference between Cyberport and the Science Park?", "compare"),
        ("數碼港同科學園有咩分別？", "compare"),
        ("Give me a timeline of Cyberport", "timeline"),
        ("數碼港的歷程", "timeline"),
        ("What is Cyberport?", "about"),
        ("介紹數碼港", "about"),
        ("Who may apply for the scheme?", "fact"),
        ("How do I apply for the scheme?", "how_to"),
        ("How can a start-up get into Cyberport?", "how_to"),
        ("點樣申請AI資助計劃？", "how_to"),
        ("申請手續係點？", "how_to"),
        ("How does Cyberport use AI?", "fact"),
        ("Does the scheme pay students?", "yes_no"),
        ("So can foreigners apply?", "yes_no"),
        ("計劃係咪政府出錢？", "yes_no"),
        ("計劃還接受申請嗎？", "yes_no"),
        ("Is there a scheme for students?", "fact"),
        ("Can you tell me who runs it?", "fact"),
    ],
)
def test_the_form_of_answer_that_a_question_calls_for(text: str, form: str) -> None:
    assert kind(text, NAMES.find(text)) == form


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("What is the difference between Cyberport and the AISC?", ("Cyberport", "AISC")),
        ("數碼港同人工智能資助計劃有咩分別？", ("數碼港", "人工智能資助計劃")),
        ("Cyberport or the AISC, who pays more?", ("Cyberport", "AISC")),
        ("Do Cyberport and the AI Subsidy Scheme each have an office?", ("Cyberport", "AI Subsidy Scheme")),
        ("Zhipu or MiniMax - who raised more?", ("Zhipu", "MiniMax")),
        ("Is Cyberport or the AISC bigger?", ("Cyberport", "AISC")),
        ("Did Alibaba or Tencent. Which?", ("Alibaba", "Tencent")),
        ("Cyberport與人工智能資助計劃有甚麼分別？", ("Cyberport", "人工智能資助計劃")),
        ("What is the difference between the AI Subsidy Scheme (AISS) and Cyberport?", ("AI Subsidy Scheme", "Cyberport")),
        ("How did round two of Cyberport's AISC compare with round one?", ()),
        ("How many people use Cyberport's AISC each month?", ()),
        ("Which was the first LLM developed at Cyberport?", ()),
        ("AAA AAB " * 400 + "or both?", ()),
        ("Is there a shuttle bus from Cyberport to the AISC?", ()),
        ("What is the difference between Cyberport and other places?", ()),
        ("Who runs Cyberport?", ()),
    ],
)
def test_the_things_that_a_question_compares(text: str, sides: tuple[str, ...]) -> None:
    question = understand(text, (), NAMES)
    assert tuple(side.names[0] for side in question.sides) == sides
    assert question.kind == "compare" or not sides


# Alone and in a conversation


def test_a_first_question_stands_alone() -> None:
    question = understand("  Who runs the AI Subsidy Scheme? ", (), NAMES)
    assert (question.asked, question.standalone) == ("Who runs the AI Subsidy Scheme?",) * 2
    assert question.views[0].text == question.asked
    assert question.names == ("ai-subsidy-scheme",)


def test_a_name_brings_the_title_in_the_language_of_the_answer() -> None:
    assert any("數碼港人工智能超算中心" in view.text for view in understand("AISC 有幾多算力？", (), NAMES).views)


@pytest.mark.parametrize(
    ("asked", "turns", "wanted"),
    [
        ("And how much is it?", SCHEME, ["AI Subsidy Scheme"]),
        ("Who runs it?", SCHEME, ["AI Subsidy Scheme"]),
        ("What are its rules?", SCHEME, ["AI Subsidy Scheme's rules"]),
        ("Who can apply to the scheme?", SCHEME, ["AI Subsidy Scheme"]),
        ("How many projects?", SCHEME, ["projects", "AI Subsidy Scheme"]),
        ("What about Cyberport?", SCHEME, ["What is", "Cyberport"]),
        ("What about HKSTP?", (Turn("user", "How many companies has Cyberport?"), Turn("assistant", "2,300. [1]")), ["How many companies", "HKSTP"]),
        ("No, I meant the AI Supercomputing Centre.", SCHEME, ["What is", "AI Supercomputing Centre"]),
        ("How about 2025?", (Turn("user", "How many companies had Cyberport in 2024?"), Turn("assistant", "2,100. [1]")), ["companies", "Cyberport", "2025"]),
        ("佢資助幾多？", SCHEME_CHINESE, ["人工智能資助計劃", "幾多"]),
        ("咁數碼港呢？", SCHEME_CHINESE, ["數碼港"]),
        ("該計劃由誰負責？", SCHEME_CHINESE, ["人工智能資助計劃"]),
        ("Sorry, English please. Who runs it?", SCHEME_CHINESE, ["Who runs", "AI Subsidy Scheme"]),
        ("Claude呢？", (Turn("user", "Gemini而家喺香港用唔用得？"), Turn("assistant", "分階段開放。 [1]")), ["Claude而家喺香港用唔用得"]),
    ],
)
def test_a_follow_up_is_completed_from_the_turns_before(asked: str, turns: tuple[Turn, ...], wanted: list[str]) -> None:
    question = understand(asked, turns, NAMES)
    assert all(word in question.standalone for word in wanted), question.standalone
    assert asked in [view.text for view in question.views]


@pytest.mark.parametrize(
    "asked",
    [
        "What is Cyberport's electricity bill?",
        "Which airports use robots to carry the luggage of passengers?",
        "機場如何使用機械人搬運旅客行李？",
    ],
)
def test_a_new_question_stays_as_it_is(asked: str) -> None:
    assert _standalone(asked, *SCHEME) == asked


def test_a_change_of_subject_is_taken_at_its_word() -> None:
    assert _standalone("On another topic: who runs the airport?", *SCHEME) == "who runs the airport?"


def test_an_ordinal_points_at_the_list_before() -> None:
    turns = (Turn("user", "Which bodies matter?"), Turn("assistant", "- Cyberport [1]\n- The AI Supercomputing Centre [2]\n- The AI Subsidy Scheme [3]"))
    assert "AI Supercomputing Centre" in _standalone("Tell me about the second one.", *turns)
    assert "AI Subsidy Scheme" in _standalone("Tell me about the third.", *turns)


def test_an_ordinal_points_past_an_answer_that_lists_nothing() -> None:
    turns = (Turn("user", "Which bodies matter?"), Turn("assistant", "Alpha, Beta and Gamma."), Turn("user", "How big is the first?"))
    assert "Gamma" in _standalone("And the third?", *turns, Turn("assistant", "It had a budget of HK$2 billion in the year that ended in March."))


def test_a_month_after_this_is_no_reference() -> None:
    asked = "How many self-driving licences had been given out in all by this January?"
    assert understand(asked, SCHEME, NAMES).standalone == asked


def test_a_message_without_a_name_may_also_be_about_what_was_talked_of() -> None:
    question = understand("How many people have registered for training so far?", SCHEME, NAMES)
    assert any("AI Subsidy Scheme" in other for other in question.others)


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ("What is Cyberport?", ()),
        ("How many companies are in Cyberport and the AI Supercomputing Centre?", ()),
        ("Who runs the AI Subsidy Scheme, and when did it start?", ("Who runs the AI Subsidy Scheme", "when did AI Subsidy Scheme start")),
        ("數碼港有幾多間公司？幾時成立？", ("數碼港有幾多間公司", "幾時成立 (數碼港)")),
        (
            "How many companies had Cyberport by October 2024, and by January 2026?",
            ("How many companies had Cyberport by October 2024", "How many companies had Cyberport by January 2026"),
        ),
    ],
)
def test_a_message_may_ask_several_things(asked: str, parts: tuple[str, ...]) -> None:
    assert understand(asked, (), NAMES).parts == parts


def test_a_name_alone_is_no_question_of_its_own() -> None:
    turns = (Turn("user", "How many companies are in the AI Supercomputing Centre?"), Turn("assistant", "Some. [1]"))
    question = understand("and Cyberport?", turns, NAMES)
    assert question.standalone == "How many companies are in the Cyberport?"
    assert question.asked not in question.others


def test_the_conversation_is_followed_over_several_turns() -> None:
    turns = (*SCHEME, Turn("user", "What about Cyberport?"), Turn("assistant", "Cyberport is managed by a company. [1]"))
    assert "Cyberport" in _standalone("How many companies does it have?", *turns)


def test_two_turns_of_one_role_and_empty_ones_do_no_harm() -> None:
    turns = (Turn("user", "Hello."), SCHEME[0], Turn("assistant", ""), Turn("assistant", "A scheme. [1]"), Turn("assistant", "Worth HK$3 billion. [1]"))
    assert "AI Subsidy Scheme" in _standalone("How much is it?", *turns)


def test_what_a_message_leans_on_is_looked_for_in_the_last_answer_too_for_less() -> None:
    turns = (*SCHEME, Turn("user", "What was its first batch?"), Turn("assistant", "Seven projects in October 2024. [1][2] " + "More. " * 99))
    leaning = understand("Which university had the most in that batch?", turns, NAMES)
    told = [view for view in leaning.views if "Seven projects in October 2024." in view.text]
    assert [(view.weight, "[1]" in view.text, view.words_only) for view in told] == [(ANSWERED, False, False)]
    assert told[0].text.startswith(leaning.asked)
    assert len(told[0].text) <= len(leaning.asked) + 1 + OPENING
    fresh = understand("Who runs Cyberport?", turns, NAMES)
    assert not any("Seven projects" in view.text for view in fresh.views)


def test_of_a_long_conversation_the_last_turns_count() -> None:
    turns = (*(Turn("user", f"Question {number} about robots?") for number in range(2000)), *SCHEME)
    assert "AI Subsidy Scheme" in _standalone("How much is it?", *turns)
    assert "AI Subsidy Scheme" in _standalone("How much is it?", Turn("user", "x" * 900_000), *SCHEME)


def test_the_question_before_weighs_less_than_what_is_asked_unless_a_name_is_meant_and_is_not_taken_apart() -> None:
    before = (Turn("user", "What do I pay for a licence? And who hands it out?"), Turn("assistant", "A fee, at the counter."))
    question = understand("How is that reckoned?", before, NAMES)
    weights = {view.text: view.weight for view in question.views}
    assert question.standalone.startswith("How is that reckoned? (")
    assert weights[question.standalone] < weights[question.asked]
    assert question.parts == ()
    assert question.others == ()

    named = understand("How is it reckoned?", SCHEME, NAMES)
    weights = {view.text: view.weight for view in named.views}
    assert "AI Subsidy Scheme" in named.standalone
    assert weights[named.standalone] > weights[named.asked]


@pytest.mark.parametrize("asked", ["邊個可以用？", "誰可以使用？", "點申請？", "幾錢一個月？"])
def test_a_short_chinese_question_leans_on_what_was_asked_about_however_many_pairs_its_characters_make(asked: str) -> None:
    assert "人工智能資助計劃" in _standalone(asked, Turn("user", "人工智能資助計劃幾時開始？"), Turn("assistant", "2024年10月。"))


def test_what_asks_by_itself_about_another_thing_does_not_lean_on_the_last() -> None:
    question = understand("What about the Macro Fund, how big is it and who can apply?", SCHEME, NAMES)
    assert question.standalone == "the Macro Fund, how big is it and who can apply"
    assert any("AI Subsidy Scheme" in other for other in question.others)


def test_a_correction_is_put_into_a_question_that_has_no_name_to_replace() -> None:
    before = (Turn("user", "How many people use the local tool?"), Turn("assistant", "It was tried by many officials."))
    question = understand("no, I meant the public one, Cyberport", before, NAMES)
    assert question.standalone == "How many people use the local tool, the public one, Cyberport?"


TWO_SUBJECTS = (
    Turn("user", "How many drones may fly over the harbour?"),
    Turn("assistant", "Ten at a time."),
    Turn("user", "And who runs Cyberport?"),
    Turn("assistant", "A company of the Government."),
)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("Back to the drones, who may fly them?", "who may fly them? (How many drones may fly over the harbour?)"),
        ("ok, going back to the first subject for a sec: who decides?", "who decides? (How many drones may fly over the harbour?)"),
        ("說回無人機，由誰決定？", "由誰決定？ (How many drones may fly over the harbour?)"),
        ("Back to the AI Subsidy Scheme: who runs it?", "who runs AI Subsidy Scheme?"),
    ],
)
def test_going_back_means_what_was_talked_of_before_and_not_the_last_subject(asked: str, wanted: str) -> None:
    assert _standalone(asked, *TWO_SUBJECTS) == wanted


@pytest.mark.parametrize("asked", ["As of when is that?", "source?", "How old is this number?", "When was that said?", "截至幾時？", "呢個數字係幾時嘅？"])
def test_what_asks_about_the_answer_asks_the_last_question_again(asked: str) -> None:
    last = "How many companies has Cyberport?"
    assert _standalone(asked, Turn("user", last), Turn("assistant", "2,300.")) == last
    heard = (Turn("user", last), Turn("assistant", "2,300."), Turn("user", asked), Turn("assistant", "2024."))
    assert "Cyberport" in _standalone("How much space do they have?", *heard)


def test_ordinals_are_said_in_more_than_one_way() -> None:
    turns = (Turn("user", "Which bodies matter?"), Turn("assistant", "- Cyberport [1]\n- The AI Supercomputing Centre [2]\n- The AI Subsidy Scheme [3]"))
    for asked in ("How big is number two?", "How big is the one  before last?", "How big is the second to last?", "How big is the \u017fecond?"):
        assert "AI Supercomputing Centre" in _standalone(asked, *turns)


def test_a_correction_may_say_first_what_was_not_meant() -> None:
    question = understand("Not Cyberport, sorry. I meant the AISC", (Turn("user", "Who runs Cyberport?"), Turn("assistant", "A company.")), NAMES)
    assert question.standalone == "Who runs AISC?"


def test_thanks_in_between_are_no_subject() -> None:
    thanks = (Turn("user", "thank you! you're a star"), Turn("assistant", "You are welcome."))
    assert understand("How many projects?", (*SCHEME, *thanks), NAMES) == understand("How many projects?", SCHEME, NAMES)


@pytest.mark.parametrize(
    "asked",
    [
        "When scientists return to Hong Kong, what support is there for Cyberport?",
        "回到香港工作的科學家，可以申請什麼計劃？",
        "How can industry move back to Hong Kong: which fund pays?",
        "話說回來，有咩資助？",
        "Is Hong Kong number one in Asia?",
        "What is Cyberport?",
    ],
)
def test_words_that_elsewhere_lean_on_the_conversation_may_belong_to_a_new_question(asked: str) -> None:
    assert _standalone(asked, *TWO_SUBJECTS) == asked


@pytest.mark.parametrize("asked", ["?", "😀", "……"])
def test_what_has_no_words_asks_for_no_language(asked: str) -> None:
    assert _standalone(asked, *SCHEME) != SCHEME[0].content


def test_a_question_about_the_subject_is_none_about_the_answer() -> None:
    for asked in ("How old is it?", "Where is it from?"):
        assert "Cyberport" in _standalone(asked, *TWO_SUBJECTS).removeprefix("And who runs Cyberport?")


def test_what_a_question_leans_on_is_no_part_of_what_it_asks_for() -> None:
    before = (Turn("user", "What is the difference between the AI Subsidy Scheme and Cyberport in 2021?"), Turn("assistant", "One is a scheme."))
    question = understand("Who can apply?", before, NAMES)
    assert question.standalone.startswith("Who can apply? (What is the difference")
    assert (question.kind, question.period, question.sides, question.parts) == ("fact", Period(), (), ())


def test_a_question_that_leaned_is_carried_on_with_its_subject() -> None:
    turns = (*SCHEME, Turn("user", "Who decides?"), Turn("assistant", "A committee."))
    assert _standalone("And in 2023?", *turns) == "Who decides in 2023? (AI Subsidy Scheme)"


def test_after_going_back_the_conversation_goes_on_from_there() -> None:
    turns = (*TWO_SUBJECTS, Turn("user", "Back to the drones, who may fly them?"), Turn("assistant", "Pilots."))
    question = understand("How heavy may they be?", turns, NAMES)
    assert "drones" in question.standalone
    assert "Cyberport" not in question.standalone


@pytest.mark.parametrize("asked", ["Can you answer in Chinese?", "answer in Chinese please", "改用中文"])
def test_what_asks_for_a_language_alone_asks_the_last_question_again(asked: str) -> None:
    question = understand(asked, SCHEME, NAMES)
    assert (question.standalone, question.lang) == (SCHEME[0].content, "zh")
    assert understand(asked, (), NAMES).standalone == asked


_WORDS = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(["it", "the second one", "what about", "no, I meant", "AISS", "Cyberport", "佢", "呢？", "2024", "另外", "- a\n- b", "?"]),
    ),
    max_size=8,
).map(" ".join)


@given(_WORDS, st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), _WORDS), max_size=5))
def test_any_message_is_understood_and_searched_for_as_it_was_asked(asked: str, turns: list[Turn]) -> None:
    question = understand(asked, turns, NAMES)
    assert question.asked == asked.strip()
    assert question.asked in [view.text for view in question.views]
    assert all(0 < view.weight <= 1 for view in question.views)
