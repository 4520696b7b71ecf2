from __future__ import annotations

import pytest

from assistant.chain import Ask, Chain
from assistant.manners import EXAMPLES, manner
from assistant.question import language


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
        ("Hello, who are you?", "self"),
        ("what can u help me with", "self"),
        ("Where do your answers come from?", "self"),
        ("你可以幫我做什麼？", "self"),
        ("你係邊個呀", "self"),
    ],
)
def test_a_message_that_asks_nothing_of_the_corpus_is_known(message: str, wanted: str) -> None:
    assert manner(message) == wanted


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
    ],
)
def test_a_question_is_none_of_these(message: str) -> None:
    assert manner(message) is None


@pytest.mark.parametrize("message", ["hello", "thanks", "bye", "who are you?", "你好", "唔該", "拜拜", "你可以做咩？"])
def test_it_is_answered_briefly_in_the_language_of_the_message_and_nothing_is_cited(chain: Chain, message: str) -> None:
    answer = chain.ask(Ask(message))
    assert answer.status == "answered"
    assert answer.language == language(message)[0]
    assert 0 < len(answer.text) < 500
    assert "{" not in answer.text
    assert (answer.citations, answer.verdicts, answer.timings) == ((), (), {})


def test_thanks_after_an_answer_do_not_ask_again(chain: Chain) -> None:
    first = chain.ask(Ask("What is the AI Subsidy Scheme?"))
    assert first.citations
    assert chain.ask(Ask("Thank you!", ())).citations == ()


def test_there_are_examples_in_both_languages() -> None:
    assert len(EXAMPLES["en"]) == len(EXAMPLES["zh"]) >= 3
