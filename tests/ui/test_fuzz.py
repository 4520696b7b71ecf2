"""Requests made up from the OpenAPI document: whatever is sent, there is no 5xx and no reply outside the document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpus.text import SourceText
from index.library import Library
from tests.hkai_process import clean
from tests.ui.conftest import listening

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "unsupported_method",
)


@pytest.fixture(scope="module")
def address(library: Library, texts: tuple[SourceText, ...]) -> Iterator[str]:
    with listening(library, texts) as url:
        yield url


def _cut(text: str) -> str:
    """`text` without what a line has beyond 500 characters."""
    return "\n".join(line[:500] for line in text.splitlines())


def _fuzzed(address: str, folder: Path, *, examples: int) -> dict[str, Any]:
    """The report of schemathesis on the endpoint at `address`, with at most so many examples of each kind for each route."""
    report = folder / "report.json"
    options = [f"--checks={','.join(CHECKS)}", f"--max-examples={examples}", "--seed=1", "--generation-database=none", "--no-color", "--workers=1"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", *options, f"--report-json-path={report}"]
    done = subprocess.run(command, cwd=folder, env=clean(dict(os.environ)), capture_output=True, text=True, timeout=1_800, check=False)
    assert done.returncode == 0, _cut(done.stdout)[-8_000:]
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def test_some_hundred_requests_get_what_the_document_says(address: str, tmp_path: Path) -> None:
    report = _fuzzed(address, tmp_path, examples=5)
    assert report["operations"]["tested"] == report["operations"]["total"] >= 9
    assert report["test_cases"]["generated"] >= 300


@pytest.mark.soak
def test_five_thousand_requests_get_what_the_document_says(address: str, tmp_path: Path) -> None:
    assert _fuzzed(address, tmp_path, examples=600)["test_cases"]["generated"] >= 5_000
