from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from assistant.errors import BadSettings
from corpus.text import SourceText
from index.library import Library
from tests.ui.conftest import listening

SCHEME = "What does the AI Subsidy Scheme pay for?"


@contextmanager
def _collector(bodies: list[bytes]) -> Iterator[str]:
    """An OpenTelemetry collector that keeps what it is sent; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _spans(bodies: list[bytes]) -> list[Span]:
    resources = [resource for body in bodies for resource in ExportTraceServiceRequest.FromString(body).resource_spans]
    return [span for resource in resources for scope in resource.scope_spans for span in scope.spans]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_an_answer_is_a_span_of_its_request_and_each_step_one_of_the_answer(library: Library, texts: tuple[SourceText, ...], accept: str) -> None:
    bodies: list[bytes] = []
    with _collector(bodies) as url:
        with listening(library, texts, traces=url) as site, httpx.Client(base_url=site, trust_env=False, timeout=60) as http:
            assert http.post("/v1/answer", json={"question": SCHEME}, headers={"accept": accept}).status_code == 200
            assert http.get("/v1/texts/nowhere").status_code == 404
            assert http.get("/healthz").status_code == 200
        spans = _spans(bodies)  # the last are sent as the server ends
    requests = {span.name: span for span in spans if span.kind == Span.SPAN_KIND_SERVER}
    assert set(requests) == {"POST /v1/answer", "GET /v1/texts/{text_id}"}
    (answer,) = (span for span in spans if span.name == "answer")
    request = requests["POST /v1/answer"]
    assert (answer.trace_id, answer.parent_span_id) == (request.trace_id, request.span_id)
    said = {one.key: one.value for one in answer.attributes}
    assert (said["hkai.status"].string_value, said["hkai.mode"].string_value) == ("answered", "quotes")
    steps = sorted((span for span in spans if span.parent_span_id == answer.span_id), key=lambda span: span.start_time_unix_nano)
    assert [span.name for span in steps] == ["understand", "embed", "search", "gather", "write", "verify"]
    assert all(one.end_time_unix_nano <= other.start_time_unix_nano for one, other in pairwise(steps))
    assert answer.start_time_unix_nano <= steps[0].start_time_unix_nano
    assert steps[-1].end_time_unix_nano <= answer.end_time_unix_nano <= request.end_time_unix_nano
    assert not any(word in b"".join(bodies) for word in (b"Subsidy", SCHEME.encode()))


def test_a_collector_that_is_away_hinders_no_answer(library: Library, texts: tuple[SourceText, ...]) -> None:
    with listening(library, texts, traces="http://127.0.0.1:1") as site:
        assert httpx.post(f"{site}/v1/answer", json={"question": SCHEME}, trust_env=False, timeout=60).json()["status"] == "answered"


def test_traces_without_their_extra_are_refused_with_the_remedy(library: Library, texts: tuple[SourceText, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.fastapi", None)
    with pytest.raises(BadSettings) as refused, listening(library, texts, traces="http://127.0.0.1:1"):
        pass
    assert "'.[traces]'" in refused.value.remedy
