from __future__ import annotations

import pytest

from assistant.chain import Ask, Chain
from assistant.manners import EXAMPLES, manner
from assistant.records import Turn


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("Hi", "greeting"),
        ("Good morning, hkai 👋", "greeting"),
        ("你好！", "greeting"),
        ("Thanks a lot!!", "thanks"),
        ("great, thank you", "thanks"),
        ("多謝晒！", "thanks"),
        ("bye bye", "farewell"),
        ("再見", "farewell"),
        ("ok thx", "thanks"),
        ("what’s your name please", "self"),
        ("Help me please", "self"),
        ("Hello, who are you?", "self"),
        ("what can u help me with", "self"),
        ("Where do your answers come from?", "self"),
        ("你可以幫我做什麼？", "self"),
        ("你係邊個呀", "self"),
    ],
)
def test_a_message_that_asks_nothing_of_the_corpus_is_known(message: str, wanted: str) -> None:
    assert manner(message, first=True) == wanted


@pytest.mark.parametrize(
    "message",
    [
        "",
        "???",
        "Hello, what is the AI Subsidy Scheme?",
        "thanks. and what about 2023?",
        "help with grants",
        "what do you know about Cyberport",
        "Who is Sun Dong?",
        "你好，咩係AI資助計劃",
        "hi " * 2_000 + "?",
        "a" + " " * 100_000 + "b",
    ],
)
def test_a_question_is_none_of_these(message: str) -> None:
    assert manner(message, first=True) is None


@pytest.mark.parametrize("message", ["How do I use it?", "What can this do?", "What is this?", "點用？", "使用方法"])
def test_after_an_answer_this_is_what_was_talked_of(message: str) -> None:
    assert manner(message, first=True) == "self"
    assert manner(message) is None


@pytest.mark.parametrize("message", ["hello", "thanks", "bye", "who are you?", "你好", "唔該", "拜拜", "你可以做咩？"])
def test_it_is_answered_briefly_in_the_language_of_the_message_and_nothing_is_cited(chain: Chain, message: str) -> None:
    answer = chain.ask(Ask(message))
    assert answer.status == "answered"
    assert answer.language == ("en" if message.isascii() else "zh")
    assert 0 < len(answer.text) < 500
    assert "{" not in answer.text
    assert (answer.citations, answer.verdicts, answer.timings) == ((), (), {})


def test_the_conversation_goes_on_behind_thanks(chain: Chain) -> None:
    asked = "What is the AI Subsidy Scheme?"
    turns = [Turn("user", asked), Turn("assistant", chain.ask(Ask(asked)).text)]
    thanks = chain.ask(Ask("Thank you!", tuple(turns)))
    assert thanks.citations == ()
    turns += [Turn("user", "Thank you!"), Turn("assistant", thanks.text)]
    for said, wanted in (("Who runs it?", "AI Subsidy Scheme"), ("what about Cyberport?", "What is the Cyberport")):
        assert wanted in chain.ask(Ask(said, tuple(turns))).standalone
    assert chain.ask(Ask("data centres", (Turn("user", "hi"), Turn("assistant", "Hello.")))).standalone == "data centres"


def test_there_are_examples_in_both_languages() -> None:
    assert len(EXAMPLES["en"]) == len(EXAMPLES["zh"]) >= 3
