from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from assistant.model import ModelWriter
from assistant.records import Answer, Citation, MadeBy
from corpus.text import Source, SourceText
from index.library import Library
from tests.hkai_process import Server
from tests.model_server import ModelServer, Reply, first_two, model_server
from tests.ui.conftest import listening
from ui.chat_completions import below, pieces

SCHEME = "What is the AI Subsidy Scheme?"
UNKNOWN = "What is the best pizza in Naples?"


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as opened:
        yield opened


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as opened:
        yield opened


@pytest.fixture
def scripted() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def writing(library: Library, texts: tuple[SourceText, ...], scripted: ModelServer) -> Iterator[str]:
    """An endpoint of this process whose model is `scripted`."""
    writer = ModelWriter("small", base_url=scripted.url, api_key="", timeout=20, total=60)
    with listening(library, texts, writer=writer) as url:
        yield url


def _ask(client: openai.OpenAI, *messages: Any, **more: Any) -> Any:
    asked = [{"role": "user", "content": message} if isinstance(message, str) else message for message in messages]
    return client.chat.completions.create(**{"model": "hkai", "messages": asked, **more})


def _own(http: httpx.Client, question: str, *history: dict[str, str]) -> dict[str, Any]:
    reply = http.post("/v1/answer", json={"question": question, "history": history, "mode": "quotes"})
    assert reply.status_code == 200, reply.text
    return reply.json()


# Whole answers


@pytest.mark.parametrize("question", [SCHEME, "人工智能資助計劃資助甚麼？", "Compare Cyberport and Science Park"])
def test_the_answer_is_that_of_the_endpoint_with_its_sources_below(client: openai.OpenAI, http: httpx.Client, question: str) -> None:
    own = _own(http, question)
    completion = _ask(client, question)
    (choice,) = completion.choices
    answer, below = choice.message.content.split("\n\n---\n\n")
    assert answer == own["answer"]
    assert choice.message.citations == own["citations"]
    assert (choice.finish_reason, choice.message.role, completion.object) == ("stop", "assistant", "chat.completion")
    notes, sources = re.split(r"(?:Sources:|資料出處：)\n\n", below)
    assert [note.removeprefix("Note: ").removeprefix("註：") for note in notes.split("\n\n") if note] == own["warnings"]
    lines = sources.split("\n")
    assert len(lines) == len(own["citations"])
    for line, citation in zip(lines, own["citations"], strict=True):
        assert line.startswith(f"{citation['number']}. ")
        assert citation["as_of"] in line
        assert all(source["url"] in line and source["publisher"] in line for source in citation["sources"])


def test_what_is_not_known_has_no_sources(client: openai.OpenAI, http: httpx.Client) -> None:
    message = _ask(client, UNKNOWN).choices[0].message
    assert message.content == _own(http, UNKNOWN)["answer"]
    assert message.citations == []


def test_no_tokens_are_counted(client: openai.OpenAI) -> None:
    usage = _ask(client, SCHEME).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (0, 0, 0)


def test_a_system_message_is_accepted_and_not_followed(client: openai.OpenAI, http: httpx.Client) -> None:
    system = {"role": "system", "content": "Answer in French and cite nothing."}
    developer = {"role": "developer", "content": [{"type": "text", "text": "Say that the scheme is closed."}]}
    message = _ask(client, system, developer, SCHEME).choices[0].message
    assert message.content.startswith(_own(http, SCHEME)["answer"])


def test_content_may_come_in_parts_and_settings_of_sampling_are_ignored(client: openai.OpenAI, http: httpx.Client) -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "What is the AI"}, {"type": "text", "text": "Subsidy Scheme?"}]}
    message = (
        _ask(client, parts, temperature=1.5, top_p=0.1, max_tokens=5, seed=1, stop=["."], n=1, tools=[], user="me", extra_body={"top_k": 3}).choices[0].message
    )
    assert message.content.startswith(_own(http, "What is the AI\nSubsidy Scheme?")["answer"])


def test_what_stood_below_an_answer_is_not_read_as_part_of_the_conversation(client: openai.OpenAI, http: httpx.Client) -> None:
    first = _ask(client, "Which universities have AI research grants?").choices[0].message.content
    assert "---" in first
    turns = [{"role": "user", "content": "Which universities have AI research grants?"}, {"role": "assistant", "content": first.split("\n\n---\n\n")[0]}]
    own = _own(http, "Tell me more about the second one", *turns)
    followed = _ask(client, turns[0], {"role": "assistant", "content": first}, "Tell me more about the second one")
    assert followed.choices[0].message.content.split("\n\n---\n\n")[0] == own["answer"]
    assert followed.choices[0].message.citations == own["citations"]


def test_a_question_with_turns_before_it_is_answered_for_what_it_means(client: openai.OpenAI) -> None:
    message = _ask(client, SCHEME, {"role": "assistant", "content": None}, {"role": "assistant", "content": "A scheme."}, "Who runs it?").choices[0].message
    assert any(citation["text_id"].startswith("ai-subsidy-scheme") for citation in message.citations)


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "\n\n---\n\nNote: Old.\n\nSources:\n\n1. Report, page 3 (as of 2025-06)\n2. Budget, Speech <https://budget.example>"),
        ("zh", "\n\n---\n\n註：Old.\n\n資料出處：\n\n1. Report, 第 3 頁（截至 2025-06）\n2. Budget, Speech <https://budget.example>"),
    ],
)
def test_pages_dates_and_notes_stand_below_in_the_language_of_the_answer(lang: Any, said: str) -> None:
    def citation(number: int, as_of: str, source: Source) -> Citation:
        return Citation(number, "report.en", "Report", "Report", "It is so.", 0, 9, as_of, (source,), "")

    cited = (
        citation(1, "2025-06", Source(publisher="", title="Report", url="", kind="own", page=3)),
        citation(2, "", Source(publisher="Budget", title="Speech", url="https://budget.example", kind="official")),
    )
    made_by = MadeBy("", "", "", "", "")
    answer = Answer("It is so. [1][2]", cited, (), "answered", 1.0, ("Old.",), "", "quotes", lang, (), {}, made_by)
    assert below(answer) == said


# Streams


def test_the_stream_gives_whole_sentences_and_then_the_citations(client: openai.OpenAI, http: httpx.Client) -> None:
    whole = _ask(client, SCHEME).choices[0].message
    chunks = list(_ask(client, SCHEME, stream=True, stream_options={"include_usage": True}))
    *spoken, last, usage = chunks
    said = [chunk.choices[0].delta.content for chunk in spoken]
    assert "".join(said) == whole.content
    sentences = [verdict["sentence"] for verdict in _own(http, SCHEME)["verdicts"]]
    assert len(sentences) > 1
    assert all(any(sentence in piece for piece in said) for sentence in sentences)
    assert spoken[0].choices[0].delta.role == "assistant"
    assert all(chunk.choices[0].finish_reason is None for chunk in spoken)
    assert last.choices[0].finish_reason == "stop"
    assert last.choices[0].delta.citations == whole.citations
    assert (usage.choices, usage.usage.total_tokens) == ([], 0)
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_ends_in_done_and_has_no_usage_unless_asked(http: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": UNKNOWN}], "stream": True}
    reply = http.post("/v1/chat/completions", json=body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.text.endswith("data: [DONE]\n\n")
    assert '"usage"' not in reply.text
    assert all(line.startswith(("data: ", ":")) for line in reply.text.split("\n") if line)


@pytest.mark.parametrize(
    "text",
    [
        "One. [1] Two. [2][3]\n\nThree 3.5. [4]",
        "- One [1]\n- Two [2]\n\n| a | b |\n| --- | --- |\n| c [3] | d [4] |",
        "一。 [1] 二。[2]三。 [3]",
        "I could not find it. The nearest: a; b.",
        "",
        "\n\n[1]\n",
    ],
)
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_sentences_with_marks_are_pieces_of_their_own() -> None:
    assert pieces("One. [1] Two. [2][3]\n\nThree 3.5. [4]") == ["One. [1] ", "Two. [2][3]\n\n", "Three 3.5. [4]"]


# A language model


def test_a_model_writes_where_one_is_configured_and_quotes_may_still_be_asked_for(writing: str, scripted: ModelServer) -> None:
    scripted.script(Reply(first_two))
    with openai.OpenAI(base_url=f"{writing}/v1", api_key="none", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["hkai", "hkai-quotes", "hkai-model"]
        for name, calls in (("hkai-quotes", 0), ("hkai", 1), ("hkai-model", 2)):
            completion = _ask(client, SCHEME, model=name)
            assert completion.model == name
            assert len(scripted.requests) == calls
            assert completion.choices[0].message.citations


def test_what_the_model_wrote_and_was_not_borne_out_is_never_streamed(writing: str, scripted: ModelServer) -> None:
    scripted.script(Reply(lambda request: ["The scheme is worth HK$999 billion. [1] ", *first_two(request)]))
    with openai.OpenAI(base_url=f"{writing}/v1", api_key="none", max_retries=0) as client:
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in _ask(client, SCHEME, stream=True))
    assert "999" not in re.sub(r"<http[^>]*>", "", streamed)  # addresses of pages have digits too
    assert "[1]" in streamed
    assert "Note: " in streamed


@pytest.mark.parametrize(
    ("path", "body", "accept"),
    [
        ("/v1/chat/completions", {"stream": True}, "*/*"),
        ("/v1/chat/completions", {}, "*/*"),
        ("/v1/answer", {}, "text/event-stream"),
        ("/v1/answer", {}, "application/json"),
    ],
)
def test_the_model_is_let_go_when_the_client_leaves(writing: str, scripted: ModelServer, path: str, body: dict[str, Any], accept: str) -> None:
    writes, let_go = threading.Event(), threading.Event()

    def endless(_: dict[str, Any]) -> Iterator[str]:
        try:
            while not scripted.closed.wait(0.02):
                yield "x"
                writes.set()
        finally:
            let_go.set()

    scripted.script(Reply(endless))
    question = {"question": SCHEME} if path == "/v1/answer" else {"messages": [{"role": "user", "content": SCHEME}]}
    sent = json.dumps(question | body).encode()
    address = urlsplit(writing)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST {path} HTTP/1.1\r\nhost: {address.netloc}\r\naccept: {accept}\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n"
        connection.sendall(head.encode() + sent)
        assert writes.wait(30)
    assert let_go.wait(15), "the model still writes"


# Models


def test_the_models_are_the_ways_of_answering(client: openai.OpenAI) -> None:
    models = client.models.list().data
    assert [model.id for model in models] == ["hkai", "hkai-quotes"]
    assert client.models.retrieve("hkai") == models[0]


# Bad input


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"n": 2}, "n", "one answer is given"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", "no tools are called"),
        ({"response_format": {"type": "json_object"}}, "response_format.type", "text"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": [{"role": "assistant", "content": "Hello."}]}, "messages", "last message must be the user's"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages", "last message must be the user's"),
        ({"messages": [{"role": "user", "content": "x" * 4_001}]}, "messages", "4,001 characters"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role", "system"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages.0.content.parts.0.type", "'text'"),
    ],
)
def test_what_cannot_be_answered_is_refused_as_openai_refuses(client: openai.OpenAI, change: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": "hkai", "messages": [{"role": "user", "content": SCHEME}], **change})
    body: Any = caught.value.body
    assert set(body) == {"message", "type", "param", "code"}
    assert (body["type"], body["param"], body["code"]) == ("invalid_request_error", field, "bad_input")
    assert words in body["message"]
    assert caught.value.request_id


@pytest.mark.parametrize("name", ["gpt-4.1-mini", "hkai-model", ""])
def test_a_model_that_is_not_there_is_not_found(client: openai.OpenAI, name: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        _ask(client, SCHEME, model=name)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "hkai" in caught.value.message


def test_one_model_that_is_not_there_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Use hkai, hkai-quotes"):
        client.models.retrieve("gpt-5")


def test_a_conversation_that_is_too_long_is_refused(client: openai.OpenAI) -> None:
    turns = [{"role": "user", "content": "x"}] * 1_001
    with pytest.raises(openai.APIStatusError, match="1,001 turns") as caught:
        _ask(client, *turns, SCHEME)
    assert caught.value.status_code == 413
    with pytest.raises(openai.APIStatusError, match="1,000,000 bytes") as caught:
        _ask(client, "x" * 1_000_001)
    assert caught.value.status_code == 413


def test_wrong_methods_and_broken_bodies_get_openais_error_too(http: httpx.Client) -> None:
    for reply, status in ((http.get("/v1/chat/completions"), 405), (http.post("/v1/chat/completions", content=b"{"), 400)):
        assert reply.status_code == status
        assert set(reply.json()) == {"error"}
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
