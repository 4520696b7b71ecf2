"""Examples for the OpenAPI document: what is sent to each route and what comes back. Tests send the one and hold the other against the models."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

_SOURCE = {
    "publisher": "SME Link (HKSAR Government)",
    "title": "Artificial Intelligence Subsidy Scheme",
    "url": "https://www.smelink.gov.hk/en/web/sme-portal/w/artificial-intelligence-subsidy-scheme.html",
    "published": "",
    "kind": "official",
    "page": None,
}
_QUOTE = "The AI Subsidy Scheme (AISS) is a three-year scheme worth HK$3 billion, announced in the 2024-25 Budget of 28 February 2024 and run by Cyberport."
_PLACE = {"start": 25, "end": 25 + len(_QUOTE), "as_of": "2024-02-28", "sources": [_SOURCE]}
_SHA = "e3275de86b0daf8a86acc7fd9563892cb8a5e74e98c1cadbf2e9fbba1f18ed81"
_TITLE = "The AI Subsidy Scheme"
_CITATION = {"number": 1, "text_id": "ai-subsidy-scheme.en", "title": _TITLE, "heading": _TITLE, "quote": _QUOTE, **_PLACE, "text_sha256": _SHA}
_TURNS = [{"role": "user", "content": "What is the AI Subsidy Scheme?"}, {"role": "assistant", "content": f"{_QUOTE} [1]"}]

ANSWER_REQUESTS: dict[str, Any] = {
    "question": {"question": "How long does the AI Subsidy Scheme run?", "k": 1},
    "conversation": {"question": "Who runs it?", "history": _TURNS, "language": "auto", "mode": "quotes"},
}
ANSWER: dict[str, Any] = {
    "answer": f"{_QUOTE} [1]",
    "citations": [_CITATION],
    "verdicts": [{"sentence": _QUOTE, "citations": [1], "verdict": "supported", "reason": ""}],
    "status": "answered",
    "confidence": 0.974,
    "warnings": [],
    "standalone_question": "How long does the AI Subsidy Scheme run?",
    "mode": "quotes",
    "language": "en",
    "followups": ["Tell me about Schemes with similar names or sums"],
    "timings_ms": {"understand": 2.1, "embed": 11.5, "search": 13.7, "judge": 92.7, "gather": 0.1, "write": 0.5, "verify": 0.1},
    "made_by": {"model": "", "embedder": "multilingual-e5-small", "judge": "hkai-judge-1ca947a4", "index": "1608562b6898", "settings": "0435459e"},
}
SEARCH_REQUESTS: dict[str, Any] = {
    "words": {"query": "rate of subsidy for computing power", "k": 3},
    "filters": {"query": "cross-border data", "filters": {"topic": "privacy", "lang": "en", "from": "2023", "to": "2025"}},
}
SEARCH: dict[str, Any] = {
    "hits": [
        {
            "chunk_id": "ai-subsidy-scheme.en#0",
            "text_id": "ai-subsidy-scheme.en",
            "title": _TITLE,
            "heading": _TITLE,
            "text": f"{_TITLE}\n{_QUOTE}",
            "score": 10.8,
        }
    ]
}
_SUMMARY = {"id": "ai-subsidy-scheme.en", "lang": "en", "title": _TITLE, "topic": "funding", "aliases": ["AISS"], "updated": "2026-07-01", "own": False}
TEXTS: dict[str, Any] = {"texts": [{**_SUMMARY, "statements": 24}], "total": 326, "limit": 1, "offset": 0}
TEXT: dict[str, Any] = {**_SUMMARY, "text": f"{_TITLE}\n\n\n{_QUOTE}", "text_sha256": _SHA, "statements": [{"text": _QUOTE, **_PLACE}]}

DOCUMENT_REQUESTS: dict[str, Any] = {"page": {"url": "https://www.cyberport.hk/en/"}, "file": {"url": "https://portal.example/report.pdf"}}
_OWN = {"id": "own-5f3b1c2d9e07", "lang": "en", "title": "report.pdf", "topic": "own", "aliases": [], "updated": "2026-07-01", "own": True}
_SENTENCE = "Our laboratory in Kwun Tong opened in 2025."
_PAGE = {"publisher": "", "title": "report.pdf", "url": "", "published": "", "kind": "own", "page": 1}
DOCUMENTS: dict[str, Any] = {"documents": [{**_OWN, "statements": 1}], "total": 1}
DOCUMENT: dict[str, Any] = {
    **_OWN,
    "text": _SENTENCE,
    "text_sha256": hashlib.sha256(_SENTENCE.encode()).hexdigest(),
    "statements": [{"text": _SENTENCE, "start": 0, "end": len(_SENTENCE), "as_of": "", "sources": [_PAGE]}],
}
WAITING: dict[str, Any] = {"id": "9f86d081884c7d65", "kind": "add", "status": "waiting", "done": 0, "total": 0, "document": "", "error": None}
JOB: dict[str, Any] = {**WAITING, "status": "done", "done": 1, "total": 1, "document": _OWN["id"]}

HEALTH: dict[str, Any] = {"status": "ok", "detail": ""}
READY: dict[str, Any] = {
    "status": "ok",
    "detail": "",
    "parts": [
        {"name": "index", "ok": True, "needed": True, "detail": "326 texts, version 1608562b6898"},
        {"name": "embedder", "ok": True, "needed": True, "detail": "multilingual-e5-small"},
        {"name": "judge", "ok": True, "needed": True, "detail": "hkai-judge-1ca947a4"},
        {"name": "database", "ok": True, "needed": False, "detail": "12 conversations"},
    ],
}
METRICS = (
    "# HELP hkai_answers_total Answers of the page and the endpoint, by status and mode.\n# TYPE hkai_answers_total counter\n"
    'hkai_answers_total{mode="quotes",status="answered"} 7.0\n'
)

CHAT_REQUESTS: dict[str, Any] = {
    "question": {"model": "hkai", "messages": [{"role": "user", "content": "How long does the AI Subsidy Scheme run?"}]},
    "conversation": {"model": "hkai-quotes", "messages": [*_TURNS, {"role": "user", "content": [{"type": "text", "text": "Who runs it?"}]}]},
}
_HEAD = {"id": "chatcmpl-2f0a6c1b7f7d4b1c9d3e5a8f60718293", "created": 1795000000, "model": "hkai"}
CHAT: dict[str, Any] = {
    **_HEAD,
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": f"{_QUOTE} [1]\n\n---\n\nSources:\n\n1. {_SOURCE['publisher']}, {_SOURCE['title']} <{_SOURCE['url']}> (as of 2024-02-28)",
                "refusal": None,
                "citations": [_CITATION],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
}
MODEL: dict[str, Any] = {"id": "hkai", "object": "model", "created": 1795000000, "owned_by": "hkai"}
MODELS: dict[str, Any] = {"object": "list", "data": [MODEL, {**MODEL, "id": "hkai-quotes"}]}

ANSWER_STREAM = (
    'event: question\ndata: "How long does the AI Subsidy Scheme run?"\n\nevent: evidence\ndata: [{"number": 1, …}]\n\n'
    'event: token\ndata: "The AI Subsidy Scheme …"\n\nevent: answer\ndata: {"answer": "The AI Subsidy Scheme … [1]", …}\n\n'
)
CHAT_STREAM = (
    'data: {"id": "chatcmpl-…", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "The AI Subsidy Scheme … [1]"}, '
    '"finish_reason": null}], …}\n\n'
    'data: {"choices": [{"index": 0, "delta": {"citations": [{"number": 1, …}]}, "finish_reason": "stop"}], …}\n\ndata: [DONE]\n\n'
)


def requests(named: dict[str, Any]) -> dict[str, Any]:
    """Examples of a body, as FastAPI takes them."""
    return {name: {"value": value} for name, value in named.items()}


def reply(example: dict[str, Any], stream: str = "", events: Sequence[str] = (), *, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The example of a route's reply, and of its stream if it has one, whose events have these names."""
    named = {"event": {"type": "string", "enum": list(events)}} if events else {}
    event = {"type": "object", "properties": {**named, "data": {"type": "string"}}, "required": [*named, "data"]}
    streamed = {"text/event-stream": {"itemSchema": event, "example": stream}} if stream else {}
    return {status: {"content": {"application/json": {"example": example}, **streamed}}}
