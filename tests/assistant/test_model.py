from __future__ import annotations

import pytest

from assistant.errors import ModelError
from assistant.model import MAX_CHARACTERS, ModelWriter
from assistant.records import Evidence, Question, Turn
from index.library import Library
from index.search import View, search
from tests.model_server import ModelServer, Reply, evidence_of, first_two

QUESTION = Question("And how much?", "How much does the AI Subsidy Scheme pay?", (), "en")


def _writer(scripted: ModelServer, *, timeout: float = 20, total: float = 60) -> ModelWriter:
    return ModelWriter("small", base_url=scripted.url, api_key="secret", timeout=timeout, total=total)


@pytest.fixture(scope="module")
def evidence(library: Library) -> tuple[Evidence, ...]:
    hits = search(library, [View(QUESTION.standalone)], library.embedder.questions([QUESTION.standalone]), k=3)
    return tuple(Evidence(number, hit.text, hit.chunk, hit.statement, hit.score) for number, hit in enumerate(hits, 1))


def test_the_answer_comes_in_the_pieces_in_which_it_is_sent(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["The scheme ", "pays 70%. ", "[1]"]))
    assert list(_writer(scripted).write(QUESTION, evidence)) == ["The scheme ", "pays 70%. ", "[1]"]


def test_the_model_is_given_the_question_the_turns_and_numbered_statements(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(first_two))
    turns = [Turn("user", "What is the AI Subsidy Scheme?"), Turn("assistant", "A scheme. [1]"), Turn("user", "x" * 5000), Turn("user", "Again.")]
    list(_writer(scripted).write(QUESTION, evidence, turns))
    (request,) = scripted.requests
    assert (request["model"], request["temperature"], request["stream"]) == ("small", 0, True)
    assert scripted.keys == ["Bearer secret"]
    system, *earlier, asked = request["messages"]
    assert system["role"] == "system"
    assert "Answer in English" in system["content"]
    assert [message["role"] for message in earlier] == ["user", "assistant", "user", "user"]
    assert all(len(message["content"]) <= 600 for message in earlier)
    assert evidence_of(request) == [item.statement.text for item in evidence]
    assert asked["content"].endswith("Question: How much does the AI Subsidy Scheme pay?")
    assert "as of 2025" in asked["content"]


def test_a_chinese_question_asks_for_a_chinese_answer(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["好。"]))
    list(_writer(scripted).write(Question("資助幾多？", "資助幾多？", (), "zh"), evidence))
    assert "繁體中文" in scripted.requests[0]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("replies", "message", "remedy", "retryable", "asked"),
    [
        ([Reply(status=401)], "refused the key", "OPENAI_API_KEY", False, 1),
        ([Reply(status=403)], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(status=404)], "knows no model 'small'", "HKAI_MODEL", False, 1),
        ([Reply(status=429)], "limiting requests", "later", True, 3),
        ([Reply(status=500)], "failed", "OPENAI_BASE_URL", True, 3),
        ([Reply(status=400)], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply()], "returned nothing", "Try again", True, 1),
        ([Reply(body=b"data: {this is no JSON}\n\n")], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(body=b'data: {"error": {"message": "overloaded"}}\n\n')], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(body=b'data: []\n\ndata: [DONE]\n\n')], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(body=b"<html>A proxy's page</html>")], "returned nothing|failed", "OPENAI_BASE_URL|Try again", True, 1),
        ([Reply(["The scheme "], cut=True)], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(["word " * 400] * 10)], "does not stop writing", "another model", False, 1),
    ],
)  # fmt: skip
def test_every_failure_is_an_error_that_says_what_to_do(
    scripted: ModelServer, evidence: tuple[Evidence, ...], replies: list[Reply], message: str, remedy: str, retryable: bool, asked: int
) -> None:
    scripted.script(*replies)
    with pytest.raises(ModelError, match=message) as caught:
        list(_writer(scripted).write(QUESTION, evidence))
    assert any(word in caught.value.remedy for word in remedy.split("|"))
    assert caught.value.retryable is retryable
    assert len(scripted.requests) == asked


def test_a_failure_that_passes_is_not_noticed(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(status=503), Reply(status=429), Reply(["Well."]))
    assert list(_writer(scripted).write(QUESTION, evidence)) == ["Well."]


def test_silence_is_given_up(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["The scheme "], hang=True))
    written = []
    with pytest.raises(ModelError, match=r"sent nothing for 0\.2 s") as caught:
        written.extend(_writer(scripted, timeout=0.2).write(QUESTION, evidence))
    assert caught.value.retryable
    assert "HKAI_MODEL_TIMEOUT" in caught.value.remedy


def test_an_answer_that_takes_too_long_in_all_is_given_up(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["a ", "b "]))
    with pytest.raises(ModelError, match="did not finish within") as caught:
        list(_writer(scripted, total=1e-9).write(QUESTION, evidence))
    assert "HKAI_MODEL_TOTAL" in caught.value.remedy


def test_an_endpoint_that_is_not_there_is_an_error(evidence: tuple[Evidence, ...]) -> None:
    writer = ModelWriter("small", base_url="http://127.0.0.1:1/v1", api_key="", timeout=5, total=10)
    with pytest.raises(ModelError, match="failed") as caught:
        list(writer.write(QUESTION, evidence))
    assert caught.value.retryable


def test_a_long_answer_within_bounds_is_whole(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["word " * (MAX_CHARACTERS // 10)]))
    assert len("".join(_writer(scripted).write(QUESTION, evidence))) == MAX_CHARACTERS // 10 * 5
