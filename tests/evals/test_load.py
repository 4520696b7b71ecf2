from __future__ import annotations

from pathlib import Path

import pytest

from evals.load import LoadError, measure


def test_hkai_is_measured_beside_a_bare_server(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_DATA", str(indexed))
    (served,) = measure(["What is the AI Subsidy Scheme?", "Who runs Cyberport?"], seconds=2, rounds=1, judges=["on"])
    assert (served.name, served.failed) == ("with the judge", 0)
    assert min(served.floor, served.hkai) > 0
    assert served.share == served.hkai / served.floor


def test_a_server_that_does_not_start_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_DATA", str(tmp_path))
    monkeypatch.setenv("HKAI_PORT", "no number")
    with pytest.raises(LoadError, match="hkai doctor"):
        measure(["Why?"], seconds=1, rounds=1)
