from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from assistant.model import ModelWriter
from assistant.settings import Settings
from corpus.readers import from_bytes
from corpus.text import SourceText
from index.library import Library
from tests.hkai_process import Server, environment
from tests.model_server import model_server
from tests.ui.conftest import listening
from ui.health import reach_model

SCHEME = "What does the AI Subsidy Scheme pay for?"
UNKNOWN = "What is the best pizza in Naples?"


@pytest.fixture(scope="module")
def http(library: Library, texts: tuple[SourceText, ...]) -> Iterator[httpx.Client]:
    """An endpoint whose model's server is away."""
    settings = {"model": "small", "openai_base_url": "http://127.0.0.1:1/v1"}
    writer = ModelWriter("small", base_url="http://127.0.0.1:1/v1", api_key="", timeout=5, total=5)
    with listening(library, texts, writer=writer, **settings) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


def _metrics(http: httpx.Client) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels, in the order of their names."""
    reply = http.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(reply.text)
    return {(sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def test_requests_answers_refusals_and_fallbacks_are_counted(http: httpx.Client, library: Library) -> None:
    before = _metrics(http)
    assert http.post("/v1/answer", json={"question": SCHEME}).json()["mode"] == "quotes"
    http.post("/v1/answer", json={"question": SCHEME, "mode": "quotes"})
    http.post("/v1/answer", json={"question": UNKNOWN, "mode": "quotes"})
    http.post("/v1/answer", json={"question": ""})
    for number in range(5):
        http.get(f"/v1/documents/{number}")
    after = _metrics(http)
    new = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
    assert new["hkai_requests_total", "POST", "/v1/answer", "200"] == 3
    assert new["hkai_requests_total", "POST", "/v1/answer", "422"] == 1
    assert new["hkai_requests_total", "GET", "/v1/documents/{identifier}", "404"] == 5
    assert new["hkai_answers_total", "quotes", "answered"] == 2
    assert new["hkai_tokens_total", "sent"] > 100
    assert ("hkai_tokens_total", "written") not in new  # its server is away
    assert new["hkai_answers_total", "quotes", "not_found"] == 1
    assert (new["hkai_refusals_total",], new["hkai_fallbacks_total",]) == (1, 1)
    assert new["hkai_step_seconds_count", "embed"] == 3
    assert new["hkai_request_seconds_count", "/v1/answer"] == 4
    assert after["hkai_texts", "false"] == sum(not text.own for text in library.texts.values())
    assert after["hkai_texts", "true"] == 1
    assert after["hkai_statements", "true"] >= 5


def test_what_is_asked_for_makes_no_new_series(http: httpx.Client) -> None:
    for number in range(20):
        http.get(f"/nowhere/{number}")
        http.get(f"/v1/texts/{number}")
    routes = {key[2] for key in _metrics(http) if key[0] == "hkai_requests_total"}
    assert not any(character.isdigit() for route in routes for character in route.removeprefix("/v1"))


def test_every_part_is_named_and_a_model_that_is_away_does_not_count(http: httpx.Client) -> None:
    reply = http.get("/readyz")
    body = reply.json()
    assert (reply.status_code, body["status"]) == (200, "ok")
    parts = {part["name"]: part for part in body["parts"]}
    assert [(name, part["ok"], part["needed"]) for name, part in parts.items()] == [
        ("index", True, True),
        ("embedder", True, True),
        ("database", True, False),
        ("model", False, False),
    ]
    assert "cannot be reached" in parts["model"]["detail"]


def test_a_server_that_indexes_is_ready(library: Library, texts: tuple[SourceText, ...], tmp_path: Path) -> None:
    shutil.copytree(library.folder, tmp_path / "library")
    changed = Library(tmp_path / "library", library.embedder)
    replies: list[httpx.Response] = []
    with listening(changed, texts) as url:
        changed.add([from_bytes(b"The harbour lantern of Sai Kung is blue.", "lantern.txt")])
        changed.sync(texts, lambda done, total: replies.append(httpx.get(f"{url}/readyz", trust_env=False, timeout=60)))
    assert [reply.status_code for reply in replies] == [200, 200]


@pytest.mark.parametrize(("key", "sent"), [("", None), ("k", "Bearer k")])
def test_a_model_is_reached_with_the_key_that_there_is(key: str, sent: str | None) -> None:
    with model_server() as scripted:
        assert reach_model(Settings(model="small", openai_base_url=scripted.url, openai_api_key=key)) == "small"
        assert scripted.keys == [sent]


def test_an_error_in_the_log_tells_where_and_not_what_was_at_hand(tmp_path: Path) -> None:
    code = """
from ui.watch import log, set_up_logs
def answers(cookie):
    return 1 // 0
for form in ("json", "console"):
    set_up_logs(form)
    try:
        answers("zyxwv")
    except ZeroDivisionError:
        log.exception("answering failed")
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr.count("ZeroDivisionError") >= 2, done.stderr
    assert "answering failed" in done.stderr
    assert '"zyxwv"' not in done.stderr.replace('answers("zyxwv")', "")
    assert "'zyxwv'" not in done.stderr


def test_what_was_seen_is_kept_some_seconds(http: httpx.Client) -> None:
    http.get("/readyz")
    started = time.monotonic()
    replies = [http.get("/readyz").json() for _ in range(20)]
    assert replies == [replies[0]] * 20
    assert time.monotonic() - started < 5


def test_the_log_tells_of_requests_by_id_and_not_what_was_asked(server: Server) -> None:
    question = "What is the Zyxwv Subsidy of Kowloon?"
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        client.post("/v1/answer", json={"question": question}, headers={"X-Request-ID": "from-the-test"})
    log = server.log.read_text(encoding="utf-8")
    assert "from-the-test" in log
    assert "Zyxwv" not in log


def test_the_openapi_document_describes_both_states(http: httpx.Client) -> None:
    described = http.get("/openapi.json").json()["paths"]
    assert set(described["/readyz"]["get"]["responses"]) >= {"200", "503"}
    assert "text/plain" in json.dumps(described["/metrics"])
