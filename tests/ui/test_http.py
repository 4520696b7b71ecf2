from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from assistant.build import build
from assistant.errors import NotReady
from assistant.settings import Settings
from index.embedder import DEFAULT, MINILM
from tests.hkai_process import UNTIL_READY, Server, serving
from ui import contract, documents, examples, health
from ui.chat_completions import Completion, ModelList
from ui.http import Readiness
from ui.streams import CLIENT_LEFT

SCHEME = "What is the AI Subsidy Scheme?"


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client


def _answer(http: httpx.Client, question: str, **fields: object) -> dict[str, Any]:
    reply = http.post("/v1/answer", json={"question": question, **fields})
    assert reply.status_code == 200, reply.text
    return reply.json()


def _refused(reply: httpx.Response, status: int, code: str) -> str:
    """The message of an error, after a look at its form."""
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert set(body) == {"code", "message", "remedy", "retryable", "request_id"}
    assert body["code"] == code
    assert body["message"]
    assert body["remedy"]
    return body["message"]


# Answers


@pytest.mark.parametrize(
    ("question", "language"),
    [
        (SCHEME, "en"),
        ("What does the AI Subsidy Scheme pay for?", "en"),
        ("How much computing power does the AI Supercomputing Centre have?", "en"),
        ("人工智能資助計劃資助甚麼？", "zh"),
        ("数码港有哪些独角兽？", "zh"),
    ],
)
def test_every_sentence_is_cited_and_every_quote_stands_in_its_text(http: httpx.Client, question: str, language: str) -> None:
    answer = _answer(http, question)
    assert (answer["status"], answer["language"], answer["mode"]) == ("answered", language, "quotes")
    citations = answer["citations"]
    assert len(citations) >= 2
    assert citations[0]["text_id"].endswith(f".{language}")
    assert [citation["number"] for citation in citations] == list(range(1, len(citations) + 1))
    for citation in citations:
        text = http.get(f"/v1/texts/{citation['text_id']}").json()
        assert text["text"][citation["start"] : citation["end"]] == citation["quote"]
        assert text["text_sha256"] == citation["text_sha256"]
        assert citation["quote"] in answer["answer"]
        assert citation["title"] == text["title"]
        assert citation["heading"].startswith(text["title"])
        assert citation["sources"]
        assert all(source["url"] or source["kind"] == "copy" for source in citation["sources"])
    numbers = [int(number) for number in re.findall(r"\[(\d+)\]", answer["answer"])]
    assert list(dict.fromkeys(numbers)) == [citation["number"] for citation in citations]
    assert [verdict["verdict"] for verdict in answer["verdicts"]] == ["supported"] * len(answer["verdicts"])
    assert answer["answer"].endswith("]")


def test_an_answer_says_what_made_it(http: httpx.Client) -> None:
    made_by = _answer(http, SCHEME)["made_by"]
    assert made_by["embedder"] == DEFAULT
    assert re.fullmatch(r"[0-9a-f]{12}", made_by["index"])
    assert re.fullmatch(r"[0-9a-f]{8}", made_by["settings"])


def test_the_same_question_has_the_same_answer(http: httpx.Client) -> None:
    first, second = _answer(http, SCHEME), _answer(http, SCHEME)
    assert {**first, "timings_ms": {}} == {**second, "timings_ms": {}}
    assert all(lap >= 0 for lap in first["timings_ms"].values())


@pytest.mark.parametrize("question", ["What is the best pizza in Naples?", "Who won the World Cup in 1998?", "點樣整菠蘿包？"])
def test_what_is_not_known_is_declined_without_citations(http: httpx.Client, question: str) -> None:
    answer = _answer(http, question)
    assert (answer["status"], answer["citations"], answer["verdicts"]) == ("not_found", [], [])
    assert answer["answer"]


def test_a_follow_up_is_answered_for_what_it_means(http: httpx.Client) -> None:
    history = [{"role": "user", "content": SCHEME}, {"role": "assistant", "content": "A three-year scheme. [1]"}]
    answer = _answer(http, "Who runs it?", history=history)
    assert "AI Subsidy Scheme" in answer["standalone_question"]
    assert any(citation["text_id"].startswith("ai-subsidy-scheme") for citation in answer["citations"])


def test_two_turns_of_one_role_running_are_taken(http: httpx.Client) -> None:
    history = [
        {"role": "user", "content": "Hello."},
        {"role": "user", "content": SCHEME},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": "A scheme."},
    ]
    assert "AI Subsidy Scheme" in _answer(http, "Who runs it?", history=history)["standalone_question"]


def test_a_thousand_turns_are_taken(http: httpx.Client) -> None:
    history = [{"role": "user", "content": f"Question {number}?"} for number in range(998)]
    history += [{"role": "user", "content": SCHEME}, {"role": "assistant", "content": "A scheme."}]
    assert "AI Subsidy Scheme" in _answer(http, "Who runs it?", history=history)["standalone_question"]


def test_the_language_of_the_answer_can_be_chosen(http: httpx.Client) -> None:
    answer = _answer(http, SCHEME, language="zh")
    assert answer["language"] == "zh"
    assert any(citation["text_id"].endswith(".zh") for citation in answer["citations"])


def test_a_question_in_another_language_is_answered_in_english_with_a_note(http: httpx.Client) -> None:
    answer = _answer(http, "Qu'est-ce que le AI Subsidy Scheme et combien paie-t-il aux universités pour leurs calculs ?")
    assert answer["language"] == "en"
    assert any("English and Chinese" in warning for warning in answer["warnings"])


def test_fewer_statements_can_be_asked_for(http: httpx.Client) -> None:
    assert len(_answer(http, SCHEME, k=1)["citations"]) == 1


def test_the_model_mode_without_a_model_says_what_to_do(http: httpx.Client) -> None:
    reply = http.post("/v1/answer", json={"question": SCHEME, "mode": "model"})
    assert "No language model is configured" in _refused(reply, 422, "bad_input")
    assert "HKAI_MODEL" in reply.json()["remedy"]


def test_html_in_a_question_is_only_text(http: httpx.Client) -> None:
    question = "<script>alert(1)</script> What is the AI Subsidy Scheme?"
    assert _answer(http, question)["standalone_question"] == question


# The stream


def _events(http: httpx.Client, question: str, **fields: object) -> list[tuple[str, Any]]:
    with http.stream("POST", "/v1/answer", json={"question": question, **fields}, headers={"accept": "text/event-stream"}) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(reply.iter_text()).replace("\r\n", "\n").strip().split("\n\n")
    events = []
    for block in blocks:
        fields_of = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        events.append((fields_of["event"], json.loads(fields_of["data"])))
    return events


def test_the_stream_gives_question_evidence_tokens_and_the_answer_last(http: httpx.Client) -> None:
    events = _events(http, SCHEME)
    names = [name for name, _ in events]
    assert names[:2] == ["question", "evidence"]
    assert set(names[2:-1]) == {"token"}
    assert names[-1] == "answer"
    streamed, answer = dict(events), _answer(http, SCHEME)
    assert {**streamed["answer"], "timings_ms": {}} == {**answer, "timings_ms": {}}
    assert streamed["question"] == SCHEME
    evidence = {citation["quote"] for citation in streamed["evidence"]}
    assert evidence >= {citation["quote"] for citation in answer["citations"]}
    written = "".join(data for name, data in events if name == "token")
    assert all(citation["quote"] in written for citation in answer["citations"])


def test_the_stream_of_a_question_that_is_declined_has_no_evidence(http: httpx.Client) -> None:
    events = _events(http, "What is the best pizza in Naples?")
    assert [name for name, _ in events] == ["question", "token", "answer"]
    assert events[-1][1]["status"] == "not_found"


def test_an_error_in_the_stream_is_an_event(http: httpx.Client) -> None:
    name, data = _events(http, SCHEME, mode="model")[-1]
    assert name == "error"
    assert data["code"] == "bad_input"
    assert set(data) == {"code", "message", "remedy", "retryable", "request_id"}


# Search and texts


def test_search_gives_chunks_best_first(http: httpx.Client) -> None:
    hits = http.post("/v1/search", json={"query": "AI Subsidy Scheme rate of subsidy", "k": 5}).json()["hits"]
    assert len(hits) == 5
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert len({hit["chunk_id"] for hit in hits}) == 5
    assert any("70%" in hit["text"] for hit in hits)
    for hit in hits:
        assert set(hit) == {"chunk_id", "text_id", "title", "heading", "text", "score"}
        assert hit["chunk_id"].startswith(f"{hit['text_id']}#")
        assert hit["text"].startswith(hit["heading"])


@pytest.mark.parametrize(
    ("filters", "admits"),
    [
        ({"topic": "funding"}, lambda text: text["topic"] == "funding"),
        ({"lang": "zh"}, lambda text: text["lang"] == "zh"),
        ({"topic": "parks", "lang": "en"}, lambda text: (text["topic"], text["lang"]) == ("parks", "en")),
        (
            {"publisher": "Cyberport"},
            lambda text: "Cyberport" in str([source["publisher"] for statement in text["statements"] for source in statement["sources"]]),
        ),
        ({"from": "2025-01", "to": "2025-12"}, lambda text: any("2025-01" <= statement["as_of"] < "2026" for statement in text["statements"])),
        ({"own": False}, lambda text: not text["own"]),
    ],
)
def test_search_can_be_narrowed(http: httpx.Client, filters: dict[str, object], admits: Any) -> None:
    hits = http.post("/v1/search", json={"query": "money for start-ups", "k": 10, "filters": filters}).json()["hits"]
    assert hits
    assert all(admits(http.get(f"/v1/texts/{hit['text_id']}").json()) for hit in hits)


def test_own_documents_are_none_here(http: httpx.Client) -> None:
    assert http.post("/v1/search", json={"query": "money", "filters": {"own": True}}).json() == {"hits": []}


def test_search_follows_a_conversation(http: httpx.Client) -> None:
    history = [{"role": "user", "content": SCHEME}]
    hits = http.post("/v1/search", json={"query": "Who runs it?", "history": history, "k": 3}).json()["hits"]
    assert any(hit["text_id"].startswith("ai-subsidy-scheme") for hit in hits)


def test_the_texts_are_listed_and_shown_whole(http: httpx.Client) -> None:
    listed = http.get("/v1/texts").json()["texts"]
    assert len(listed) >= 48
    assert {text["lang"] for text in listed} == {"en", "zh"}
    (summary,) = (text for text in listed if text["id"] == "ai-subsidy-scheme.en")
    whole = http.get("/v1/texts/ai-subsidy-scheme.en").json()
    assert summary["statements"] == len(whole["statements"])
    assert all(summary[field] == whole[field] for field in ("id", "lang", "title", "topic", "aliases", "updated", "own"))
    for statement in whole["statements"]:
        assert whole["text"][statement["start"] : statement["end"]] == statement["text"]


def test_the_texts_are_listed_a_page_at_a_time(http: httpx.Client) -> None:
    whole = http.get("/v1/texts").json()
    assert whole["total"] == len(whole["texts"])
    pages = [http.get("/v1/texts", params={"limit": 100, "offset": offset}).json() for offset in range(0, whole["total"], 100)]
    assert [text for page in pages for text in page["texts"]] == whole["texts"]
    assert {(page["total"], page["limit"]) for page in pages} == {(whole["total"], 100)}
    assert [page["offset"] for page in pages] == list(range(0, whole["total"], 100))
    assert http.get("/v1/texts", params={"offset": whole["total"]}).json()["texts"] == []


@pytest.mark.parametrize(("field", "value"), [("limit", 0), ("limit", 1_001), ("limit", "all"), ("offset", -1), ("offset", 10**30)])
def test_a_wrong_page_is_refused_by_the_name_of_its_field(http: httpx.Client, field: str, value: object) -> None:
    assert f"`{field}`" in _refused(http.get("/v1/texts", params={field: str(value)}), 422, "bad_input")


# The state of the server


def test_before_it_is_ready_it_lives_and_says_so(tmp_path: Path) -> None:
    with serving(tmp_path) as starting, httpx.Client(base_url=starting.url, timeout=30, trust_env=False) as client:
        starting.wait("/healthz", 120)
        ready = client.get("/readyz")
        asked = client.post("/v1/answer", json={"question": "What is Cyberport?"})
        chatted = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "What is Cyberport?"}]})
        assert client.get("/healthz").json()["status"] == "ok"
    assert (ready.status_code, ready.json()["status"]) == (503, "loading")
    assert "still being built" in _refused(asked, 503, "not_ready")
    assert asked.json()["retryable"]
    assert (chatted.status_code, chatted.json()["error"]["type"]) == (503, "server_error")


def test_a_server_whose_index_cannot_be_made_is_not_ready_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "data" / "manifest.json").mkdir(parents=True)
    readiness = Readiness(build(Settings(data=tmp_path / "data", embedder=MINILM)))
    readiness.start()
    with pytest.raises(NotReady, match="IsADirectoryError"):
        readiness.wait(UNTIL_READY)
    assert (readiness.ready, readiness.state[0]) == (False, "failed")


def test_once_it_is_ready_it_says_so(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "ok", "detail": ""}
    assert http.get("/readyz").json()["status"] == "ok"


def test_the_interface_is_described(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    assert {"/v1/answer", "/v1/search", "/v1/texts", "/v1/texts/{text_id}", "/healthz", "/readyz"} <= set(paths)
    assert {"/v1/chat/completions", "/v1/models", "/v1/models/{model}"} <= set(paths)


def test_every_route_has_an_example_of_what_comes_back_and_of_what_is_sent(http: httpx.Client) -> None:
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        for operation in methods.values():
            (success,) = (reply for status, reply in operation["responses"].items() if status.startswith("2"))
            assert success["content"], path
            assert all(content["example"] for content in success["content"].values()), path
            if "requestBody" in operation:
                assert len(operation["requestBody"]["content"]["application/json"]["examples"]) >= 2, path
            if path.startswith("/v1/"):
                assert set(operation["responses"]) >= {"401", "403", "408", "429"} or "4XX" in operation["responses"], path


@pytest.mark.parametrize(
    ("path", "named"), [("/v1/answer", examples.ANSWER_REQUESTS), ("/v1/search", examples.SEARCH_REQUESTS), ("/v1/chat/completions", examples.CHAT_REQUESTS)]
)
def test_the_examples_of_what_is_sent_are_answered(http: httpx.Client, path: str, named: dict[str, Any]) -> None:
    for name, body in named.items():
        assert http.post(path, json=body).status_code == 200, name


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (contract.AnswerModel, examples.ANSWER),
        (contract.SearchModel, examples.SEARCH),
        (contract.TextList, examples.TEXTS),
        (contract.TextModel, examples.TEXT),
        (contract.HealthModel, examples.HEALTH),
        (documents.DocumentList, examples.DOCUMENTS),
        (contract.TextModel, examples.DOCUMENT),
        (documents.JobModel, examples.WAITING),
        (documents.JobModel, examples.JOB),
        (health.ReadyModel, examples.READY),
        (Completion, examples.CHAT),
        (ModelList, examples.MODELS),
    ],
)
def test_the_examples_of_what_comes_back_are_what_comes_back(model: type[BaseModel], example: dict[str, Any]) -> None:
    assert model.model_validate(example).model_dump() == example


def test_its_log_holds_no_traceback(http: httpx.Client, server: Server) -> None:
    _answer(http, SCHEME)
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


# Bad input


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"question": ""}, "question"),
        ({"question": " \n\t"}, "question"),
        ({"question": "x" * 20_000}, "question"),
        ({"question": None}, "question"),
        ({"question": 7}, "question"),
        ({}, "question"),
        ({"question": "Why?", "colour": "red"}, "colour"),
        ({"question": "Why?", "history": [{"role": "robot", "content": "x"}]}, "history.0.role"),
        ({"question": "Why?", "history": [{"role": "user"}]}, "history.0.content"),
        ({"question": "Why?", "history": [{"role": "user", "content": "x", "name": "me"}]}, "history.0.name"),
        ({"question": "Why?", "history": "none"}, "history"),
        ({"question": "Why?", "language": "fr"}, "language"),
        ({"question": "Why?", "mode": "magic"}, "mode"),
        ({"question": "Why?", "k": 0}, "k"),
        ({"question": "Why?", "k": 51}, "k"),
        (["question"], "body"),
    ],
)
def test_a_wrong_question_is_refused_by_the_name_of_its_field(http: httpx.Client, body: object, field: str) -> None:
    assert f"`{field}`" in _refused(http.post("/v1/answer", json=body), 422, "bad_input")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": ""}, "query"),
        ({"query": "x", "k": 500}, "k"),
        ({"query": "x", "filters": {"colour": "red"}}, "filters.colour"),
        ({"query": "x", "filters": {"from": "yesterday"}}, "filters.from"),
        ({"query": "x", "filters": {"lang": "fr"}}, "filters.lang"),
        ({"query": "x", "filters": {"own": "maybe"}}, "filters.own"),
    ],
)
def test_a_wrong_search_is_refused_by_the_name_of_its_field(http: httpx.Client, body: object, field: str) -> None:
    assert f"`{field}`" in _refused(http.post("/v1/search", json=body), 422, "bad_input")


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b"question=Why", b'{"question": "Why?"'])
def test_what_is_no_json_is_refused(http: httpx.Client, body: bytes) -> None:
    reply = http.post("/v1/answer", content=body, headers={"content-type": "application/json"})
    assert re.search(r"not valid JSON|`body`", _refused(reply, 422, "bad_input"))


@pytest.mark.parametrize("path", ["/v1/answer", "/v1/search", "/v1/chat/completions"])
@pytest.mark.parametrize(
    "text",
    [b'"\xff\xfe"', b'"\\ud800"', b"[" * 100_000, b"1" * 5_000, b"NaN", b'"' + b"\\u0000" * 5_000 + b'"'],
    ids=["not UTF-8", "half a character", "deep", "a long number", "no number", "zeros"],
)
def test_hostile_json_is_refused(http: httpx.Client, path: str, text: bytes) -> None:
    body = b'{"question": ' + text + b', "query": ' + text + b', "messages": [{"role": "user", "content": ' + text + b"}]}"
    reply = http.post(path, content=body, headers={"content-type": "application/json"})
    assert reply.status_code == (400 if "chat" in path else 422), reply.text


@pytest.mark.parametrize(("path", "field"), [("/v1/answer", "question"), ("/v1/search", "query"), ("/v1/chat/completions", "messages")])
def test_half_a_character_is_refused_in_the_turns_before_too(http: httpx.Client, path: str, field: str) -> None:
    turns = b'[{"role": "user", "content": "\\ud800"}'
    body = b'{"history": ' + turns + b'], "' + field.encode() + b'": "x"}'
    if field == "messages":
        body = b'{"messages": ' + turns + b', {"role": "user", "content": "x"}]}'
    assert http.post(path, content=body, headers={"content-type": "application/json"}).status_code in (400, 422)


@pytest.mark.parametrize(
    ("path", "kind", "rest"),
    [
        ("/v1/answer", "application/json", ""),
        ("/v1/answer", "application/json", '{"question": "Wh'),
        ("/v1/documents", "application/json", '{"url": "ht'),
        ("/v1/documents", "multipart/form-data; boundary=x", '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nA sen'),
    ],
)
def test_a_body_that_breaks_off_harms_nobody(http: httpx.Client, server: Server, path: str, kind: str, rest: str) -> None:
    def left() -> int:
        return server.log.read_text(encoding="utf-8").count(f"status={CLIENT_LEFT}")

    before, end = left(), time.monotonic() + 30
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: 500\r\n\r\n"
    with socket.create_connection((http.base_url.host, http.base_url.port or 80)) as connection:
        connection.sendall((head + rest).encode())
    while left() == before and time.monotonic() < end:
        time.sleep(0.05)
    assert left() == before + 1
    assert http.get("/healthz").status_code == 200
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


def test_more_than_a_thousand_turns_are_too_many(http: httpx.Client) -> None:
    history = [{"role": "user", "content": "x"}] * 1_001
    assert "`history` has 1,001 turns" in _refused(http.post("/v1/answer", json={"question": "Why?", "history": history}), 413, "too_large")
    assert "1,001" in _refused(http.post("/v1/search", json={"query": "Why?", "history": history}), 413, "too_large")


def test_a_megabyte_is_taken_and_more_is_too_much(http: httpx.Client) -> None:
    turn = {"role": "user", "content": "x" * 999_000}
    _answer(http, SCHEME, history=[turn])
    turn["content"] = "x" * 1_000_001
    assert "1,000,000 bytes" in _refused(http.post("/v1/answer", json={"question": SCHEME, "history": [turn]}), 413, "too_large")


def test_a_body_of_unknown_length_is_measured_as_it_comes(http: httpx.Client) -> None:
    def body(size: int) -> Iterator[bytes]:
        yield b'{"question": "' + SCHEME.encode() + b'", "history": [{"role": "user", "content": "'
        for _ in range(size // 1000):
            yield b"x" * 1000
        yield b'"}]}'

    headers = {"content-type": "application/json"}
    assert http.post("/v1/answer", content=body(50_000), headers=headers).status_code == 200
    _refused(http.post("/v1/answer", content=body(2_000_000), headers=headers), 413, "too_large")


@pytest.mark.parametrize("identifier", ["nowhere.en", "..%2F..%2Fetc%2Fpasswd", "%00", "<script>"])
def test_a_text_that_is_not_there_is_not_found(http: httpx.Client, identifier: str) -> None:
    reply = http.get(f"/v1/texts/{identifier}")
    assert re.search("There is no", _refused(reply, 404, "not_found"))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/answer", "POST"),
        ("DELETE", "/v1/answer", "POST"),
        ("OPTIONS", "/v1/search", "POST"),
        ("POST", "/v1/texts", "GET"),
        ("PUT", "/v1/texts/innohk.en", "GET"),
        ("POST", "/healthz", "GET"),
        ("POST", "/openapi.json", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(http: httpx.Client, method: str, path: str, allowed: str) -> None:
    reply = http.request(method, path)
    assert f"does not take {method}" in _refused(reply, 405, "method_not_allowed")
    assert allowed in reply.headers["allow"].split(", ")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/answer/", "/v1/texts/a/b", "/v1/%2e%2e/etc/passwd"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_is_not_there_is_not_found(http: httpx.Client, method: str, path: str) -> None:
    url = http.base_url.copy_with(raw_path=path.encode())
    assert "There is no /v1" in _refused(http.request(method, url), 404, "not_found")


# The id of a request


@pytest.mark.parametrize("path", ["/v1/texts/nowhere.en", "/healthz", "/v1/nothing", "/v1/texts"])
def test_a_request_keeps_the_id_that_it_brings(http: httpx.Client, path: str) -> None:
    reply = http.get(path, headers={"X-Request-ID": "portal-17:a.b_c"})
    assert reply.headers["x-request-id"] == "portal-17:a.b_c"
    if reply.status_code == 404:
        assert reply.json()["request_id"] == "portal-17:a.b_c"


@pytest.mark.parametrize("brought", ["", "two words", "x" * 65, "<script>", 'a"b', "\u4f60".encode()])
def test_an_id_that_is_not_sane_is_replaced(http: httpx.Client, brought: str | bytes) -> None:
    reply = http.get("/v1/texts/nowhere.en", headers={"X-Request-ID": brought})
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
    assert reply.json()["request_id"] == reply.headers["x-request-id"]


def test_every_request_has_an_id_of_its_own(http: httpx.Client) -> None:
    assert len({http.get("/healthz").headers["x-request-id"] for _ in range(20)}) == 20


def test_the_stream_and_its_errors_carry_the_id(http: httpx.Client) -> None:
    headers = {"accept": "text/event-stream", "X-Request-ID": "mine"}
    reply = http.post("/v1/answer", json={"question": SCHEME, "mode": "model"}, headers=headers)
    assert reply.headers["x-request-id"] == "mine"
    assert '"request_id": "mine"' in reply.text
