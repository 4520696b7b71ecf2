from __future__ import annotations

from pathlib import Path

import pytest

from evals.load import LoadError, measure
from tests.hkai_process import Server


def test_hkai_is_measured_beside_a_bare_server_without_the_judge_and_with_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_DATA", str(server.data))
    served = measure(["What is the AI Subsidy Scheme?", "Who runs Cyberport?"], seconds=2, rounds=1)
    assert [one.name for one in served] == ["without the judge", "with the judge"]
    assert [one.failed for one in served] == [0, 0]
    assert all(one.floor > 0 and one.hkai > 0 and one.share == one.hkai / one.floor for one in served)


def test_a_server_that_does_not_start_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_DATA", str(tmp_path))
    monkeypatch.setenv("HKAI_PORT", "no number")
    with pytest.raises(LoadError, match="hkai doctor"):
        measure(["Why?"], seconds=1, rounds=1)
