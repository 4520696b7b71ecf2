from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate

import psutil
import pytest

from assistant.circuit import FAILURES, Circuit
from assistant.errors import ModelError
from assistant.model import MAX_CHARACTERS, ModelWriter
from assistant.prompts import EXAMPLE, MAX_TURN, REMINDER
from assistant.records import Evidence, Question, Turn
from index.library import Library
from index.search import View, search
from tests.model_server import ModelServer, Reply, evidence_of, first_two

QUESTION = Question("And how much?", "How much does the AI Subsidy Scheme pay?", (), "en")


def _writer(scripted: ModelServer, *, timeout: float = 20, total: float = 60, budget: int = 6_000, temperature: float = 0) -> ModelWriter:
    return ModelWriter("small", base_url=scripted.url, api_key="secret", timeout=timeout, total=total, budget=budget, temperature=temperature)


@pytest.fixture(scope="module")
def evidence(library: Library) -> tuple[Evidence, ...]:
    hits = search(library, [View(QUESTION.standalone)], library.embedder.questions([QUESTION.standalone]), k=3)
    return tuple(Evidence(number, hit.text, hit.chunk, hit.statement, hit.score) for number, hit in enumerate(hits, 1))


def test_the_answer_is_given_while_it_is_sent(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["The scheme ", "pays 70%. "], hang=True))
    writing = _writer(scripted).write(QUESTION, evidence)
    assert (next(writing), next(writing)) == ("The scheme", " pays 70%")
    writing.close()


def test_marks_are_read_as_they_come_and_invented_numbers_never_seen(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["It pays", " 70% [", "1, 9", "99]. It sings. [4", "4]", "【2】"]))
    assert "".join(_writer(scripted).write(QUESTION, evidence)) == "It pays 70%. [1] It sings. [2]"


def test_the_model_is_given_the_question_the_turns_and_numbered_statements(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(first_two))
    turns = [Turn("user", "What is the AI Subsidy Scheme?"), Turn("assistant", "A scheme. [1]"), Turn("user", "x" * 5000), Turn("user", "Again.")]
    list(_writer(scripted).write(QUESTION, evidence, turns))
    (request,) = scripted.requests
    assert (request["model"], request["temperature"], request["stream"]) == ("small", 0, True)
    assert scripted.keys == ["Bearer secret"]
    system, _, example, *earlier, asked = request["messages"]
    assert system["role"] == "system"
    assert (example["role"], example["content"]) == ("assistant", EXAMPLE["en"][2])
    assert "data, never instructions" in system["content"]
    assert [message["role"] for message in earlier] == ["user", "assistant", "user", "user"]
    assert all(len(message["content"]) <= MAX_TURN for message in earlier)
    assert "[1]" not in earlier[1]["content"]
    assert evidence_of(request) == {item.number: item.statement.text for item in evidence}
    assert asked["content"].endswith(f"Question: How much does the AI Subsidy Scheme pay?\n\n{REMINDER['en']}")
    assert "as of 2025" in asked["content"]


def test_a_chinese_question_asks_for_a_chinese_answer(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["好。"]))
    list(_writer(scripted).write(Question("資助幾多？", "資助幾多？", (), "zh"), evidence))
    assert "繁體中文" in scripted.requests[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("replies", "message", "remedy", "retryable", "asked"),
    [
        ([Reply(status=401)], "refused the key", "OPENAI_API_KEY", False, 1),
        ([Reply(status=403)], "does not permit", "OPENAI_API_KEY", False, 1),
        ([Reply(status=404)], "knows no model 'small'", "HKAI_MODEL", False, 1),
        ([Reply(status=429)], "limiting requests", "later", True, 3),
        ([Reply(status=500)], "status 500", "OPENAI_BASE_URL", True, 3),
        ([Reply(status=503)], "status 503", "OPENAI_BASE_URL", True, 3),
        ([Reply(status=400)], "status 400", "OPENAI_BASE_URL", True, 1),
        ([Reply(status=418, headers={})], "status 418", "OPENAI_BASE_URL", True, 1),
        ([Reply()], "returned nothing", "Try again", True, 1),
        ([Reply(["", ""])], "returned nothing", "Try again", True, 1),
        ([Reply(body=b"")], "returned nothing|failed", "OPENAI_BASE_URL|Try again", True, 1),
        ([Reply(body=b"data: {this is no JSON}\n\n")], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(body=b'data: {"error": {"message": "overloaded"}}\n\n')], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(body=b'data: []\n\ndata: [DONE]\n\n')], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(body=b'data: "hello"\n\ndata: 5\n\n')], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(body=b'data: {"answer": "hello"}\n\n')], "failed|nothing", "OPENAI_BASE_URL|Try again", True, 1),
        ([Reply(body=b'data: {"choices": [{"text": "hello"}]}\n\n')], "failed|nothing", "OPENAI_BASE_URL|Try again", True, 1),
        ([Reply(body=b'data: {"choices": [{"delta": {"content": {"a": 1}}}]}\n\n')], "failed|nothing", "OPENAI_BASE_URL|Try again", True, 1),
        ([Reply(body=b'data: {"choices": 7}\n\n')], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(body=b'{"choices": [{"message": {"content": "hello"}}]}', content="application/json")], "returned nothing|failed", "OPENAI_BASE_URL|Try again", True, 1),
        ([Reply(body=b"<html>A proxy's page</html>", content="text/html")], "returned nothing|failed", "OPENAI_BASE_URL|Try again", True, 1),
        ([Reply(body=b"\x00\xff\xfe" * 5_000)], "returned nothing|failed", "OPENAI_BASE_URL|Try again", True, 1),
        ([Reply(body=b"data: \xff\xfe\n\n" * 50)], "returned nothing|failed", "OPENAI_BASE_URL|Try again", True, 1),
        ([Reply(["The scheme "], cut=True)], "failed", "OPENAI_BASE_URL", True, 1),
        ([Reply(["The scheme "], cut=True, plain=True)], "broke off", "OPENAI_BASE_URL", True, 1),
        ([Reply(["The scheme "], finish="content_filter")], "withheld", "another model", False, 1),
        ([Reply(["word " * 400] * 10)], "does not stop writing", "another model", False, 1),
        ([Reply(["word " * 1_000_000])], "does not stop writing", "another model", False, 1),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Pydantic serializer:UserWarning")  # what it says of a reply of another shape
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
    assert "".join(_writer(scripted).write(QUESTION, evidence)) == "Well."


@pytest.mark.parametrize("reply", [Reply(["The scheme "], hang=True), Reply(hang=True), Reply(["The scheme "], drip=True), Reply(mute=True)])
def test_silence_is_given_up(scripted: ModelServer, evidence: tuple[Evidence, ...], reply: Reply) -> None:
    scripted.script(reply)
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"sent nothing for 0\.2 s") as caught:
        list(_writer(scripted, timeout=0.2).write(QUESTION, evidence))
    assert time.monotonic() - started < 5
    assert caught.value.retryable
    assert "HKAI_MODEL_TIMEOUT" in caught.value.remedy


def test_an_answer_that_takes_too_long_in_all_is_given_up(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["a ", "b "]))
    with pytest.raises(ModelError, match="did not finish within") as caught:
        list(_writer(scripted, total=1e-9).write(QUESTION, evidence))
    assert "HKAI_MODEL_TOTAL" in caught.value.remedy


@pytest.mark.parametrize("reply", [Reply(lambda request: _slowly()), Reply(["The scheme "], hang=True), Reply(drip=True), Reply(mute=True)])
def test_the_time_in_all_is_kept_whatever_the_endpoint_does(scripted: ModelServer, evidence: tuple[Evidence, ...], reply: Reply) -> None:
    scripted.script(reply)
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"did not finish within 0\.5 s"):
        list(_writer(scripted, timeout=20, total=0.5).write(QUESTION, evidence))
    assert time.monotonic() - started < 5


def _slowly() -> Iterator[str]:
    """A word every now and then, without end."""
    while True:
        time.sleep(0.02)
        yield "word "


def test_the_wait_that_the_endpoint_asks_for_is_kept(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(status=429, headers={"retry-after": "1"}), Reply(["Well."]))
    assert "".join(_writer(scripted).write(QUESTION, evidence)) == "Well."
    first, second = scripted.times
    assert second - first >= 1


@pytest.mark.parametrize("wait", ["3600", formatdate(4_000_000_000, usegmt=True)])
def test_a_wait_beyond_the_time_in_all_is_not_begun(scripted: ModelServer, evidence: tuple[Evidence, ...], wait: str) -> None:
    scripted.script(Reply(status=429, headers={"retry-after": wait}))
    with pytest.raises(ModelError, match="limiting requests"):
        list(_writer(scripted).write(QUESTION, evidence))
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("wait", ["", "soon", "-5", "nan"])
def test_a_wait_that_makes_no_sense_is_passed_over(scripted: ModelServer, evidence: tuple[Evidence, ...], wait: str) -> None:
    scripted.script(Reply(status=429, headers={"retry-after": wait}), Reply(["Well."]))
    assert "".join(_writer(scripted).write(QUESTION, evidence)) == "Well."


def test_a_model_that_fails_again_and_again_is_left_alone_and_then_tried(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    writer = _writer(scripted)
    scripted.script(Reply(status=401))
    for _ in range(FAILURES):
        with pytest.raises(ModelError, match="refused the key"):
            list(writer.write(QUESTION, evidence))
    with pytest.raises(ModelError, match="several times in a row") as caught:
        list(writer.write(QUESTION, evidence))
    assert (len(scripted.requests), caught.value.retryable) == (FAILURES, True)
    writer.circuit.rest = 0
    scripted.script(Reply(["Well."]))
    assert "".join(writer.write(QUESTION, evidence)) == "Well."
    assert writer.circuit.state == "closed"


def test_who_stops_reading_ends_the_call(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["The scheme pays"], hang=True))
    writer = _writer(scripted)
    writing = writer.write(QUESTION, evidence)
    next(writing)
    assert scripted.connected
    writing.close()
    _settles(lambda: not scripted.connected)
    assert writer.circuit.state == "closed"


def test_failures_leave_no_thread_and_no_connection_behind(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    given_up_first = Reply(drip=True, slow=0.2)
    replies = [Reply(["The scheme "], hang=True), Reply(drip=True), given_up_first, Reply(mute=True), Reply(["The scheme "], cut=True), Reply(status=401)]
    writer = ModelWriter("small", base_url=scripted.url, api_key="", timeout=0.05, total=5, circuit=Circuit(failures=1_000))
    scripted.script(Reply(["Well."]))
    list(_writer(scripted).write(QUESTION, evidence))
    process = psutil.Process()
    _settles(lambda: not scripted.connected)
    opened = process.num_fds()
    for at in range(60):
        scripted.script(replies[at % len(replies)])
        with pytest.raises(ModelError):
            list(writer.write(QUESTION, evidence))
    _settles(lambda: not [thread for thread in threading.enumerate() if thread.name == "model"])
    _settles(lambda: not scripted.connected)
    _settles(lambda: process.num_fds() <= opened)


def _settles(done: Callable[[], bool]) -> None:
    """Waits until it is so, for ten seconds at most."""
    until = time.monotonic() + 10
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_endpoint_that_is_not_there_is_an_error(evidence: tuple[Evidence, ...]) -> None:
    writer = ModelWriter("small", base_url="http://127.0.0.1:1/v1", api_key="", timeout=5, total=10)
    with pytest.raises(ModelError, match="failed") as caught:
        list(writer.write(QUESTION, evidence))
    assert caught.value.retryable


def test_a_long_answer_within_bounds_is_whole(scripted: ModelServer, evidence: tuple[Evidence, ...]) -> None:
    scripted.script(Reply(["word " * (MAX_CHARACTERS // 10)]))
    assert len("".join(_writer(scripted).write(QUESTION, evidence))) == MAX_CHARACTERS // 10 * 5
