"""Traces for an OpenTelemetry collector: a span for each request, and within it one for its answer with a child for each step of the chain.

They hold what the metrics hold, in order: routes, statuses and times, never a question. An extra (`hkai[traces]`), asked for by HKAI_TRACES.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import FastAPI

from assistant.build import Parts
from assistant.chain import Ask
from assistant.errors import BadSettings
from assistant.records import Answer
from ui.watch import QUIET

# Seconds that a collector has to take what it is sent; a server that ends waits no longer for it.
PATIENCE = 5
MISSING = "HKAI_TRACES is set, but what sends traces is not installed ({error})."


def trace(app: FastAPI, parts: Parts) -> Callable[[], None]:
    """Sends a trace of every request of `app` to the collector at HKAI_TRACES; gives what sends the last ones and ends it. Raises `BadSettings`."""
    if not parts.settings.traces:
        return lambda: None
    try:
        from opentelemetry import trace as opentelemetry
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise BadSettings(MISSING.format(error=error), "pip install -c constraints.txt -e '.[traces]', or unset HKAI_TRACES.") from error

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "hkai", SERVICE_VERSION: app.version}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{parts.settings.traces.rstrip('/')}/v1/traces", timeout=PATIENCE)))
    tracer = provider.get_tracer("hkai")
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, excluded_urls=",".join(f"{path}$" for path in QUIET), exclude_spans=["receive", "send"])
    before = parts.chain.answered

    def answered(ask: Ask, answer: Answer) -> None:
        before(ask, answer)
        end = time.time_ns()
        start = end - sum(map(_nanoseconds, answer.timings.values()))
        seen = {"hkai.status": answer.status, "hkai.mode": answer.mode, "hkai.citations": len(answer.citations), "hkai.confidence": answer.confidence}
        span = tracer.start_span("answer", start_time=start, attributes=seen)
        within = opentelemetry.set_span_in_context(span)
        for step, milliseconds in answer.timings.items():
            child = tracer.start_span(step, within, start_time=start)
            start += _nanoseconds(milliseconds)
            child.end(start)
        span.end(end)

    parts.chain.answered = answered
    return provider.shutdown


def _nanoseconds(milliseconds: float) -> int:
    return round(milliseconds * 1_000_000)
