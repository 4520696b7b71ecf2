"""The commands that measure, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evals import gate, quality
from evals.results import RESULTS, SUMMARY, read
from index.search import Hit, search
from tests.hkai_process import ROOT, environment
from tests.model_server import Reply, first_two, model_server
from tests.ui.conftest import Run

RATE: dict[str, Any] = {
    "id": "rate",
    "kind": "single",
    "lang": "en",
    "split": "dev",
    "question": "What share of computing power does the AI Subsidy Scheme pay for?",
    "answerable": True,
    "required": [["70%"]],
    "right": ["aiss-subsidy-rate"],
}
PIE: dict[str, Any] = {"id": "pie", "kind": "offtopic", "lang": "en", "split": "dev", "question": "How long does an apple pie bake?", "answerable": False}


def _set(folder: Path, *rows: dict[str, Any] | str, name: str = "set.jsonl") -> str:
    (folder / name).write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return str(folder / name)


def test_a_run_is_written_and_drawn_and_goes_on(run: Run, data: Path, tmp_path: Path) -> None:
    file, folder = _set(tmp_path, RATE, PIE), tmp_path / "out"
    said = run("eval", "answers", file, "--out", str(folder))
    assert said.status == 0, said.err
    assert "100.0% right" in said.err
    assert f"open {folder / 'report.html'}" in said.out
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == ["report.html", "results.jsonl", "run.json", "summary.json"]
    again = run("eval", "answers", file, "--out", str(folder))
    assert again.status == 0
    assert "2 of 2 cases were asked before" in again.err
    other = run("eval", "answers", _set(tmp_path, RATE, name="other.jsonl"), "--out", str(folder))
    assert other.status == 1
    assert "made otherwise" in other.err


def test_a_killed_command_goes_on_where_it_stopped(run: Run, data: Path, tmp_path: Path) -> None:
    rows = [{**RATE, "id": f"rate-{number}"} for number in range(20)]
    file, folder = _set(tmp_path, *rows), tmp_path / "run"
    asked = ("eval", "answers", file, "--out", str(folder))
    command = [sys.executable, "-c", "from ui.cli import main; main()", *asked]
    with subprocess.Popen(command, env=environment(data), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 300
        while not ((folder / RESULTS).exists() and (folder / RESULTS).read_bytes().count(b"\n") >= 3):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        process.kill()
    before = {result.case.id: result.milliseconds for result in read(folder).results}
    assert 3 <= len(before) < len(rows)
    assert not (folder / SUMMARY).exists()
    said = run(*asked)
    assert said.status == 0, said.err
    assert f"{len(before)} of {len(rows)} cases were asked before" in said.err
    results = read(folder).results
    assert len(results) == len(rows)
    assert {result.case.id: result.milliseconds for result in results if result.case.id in before} == before
    assert json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["total"]["cases"] == len(rows)
    assert (folder / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (["{not json"], "set.jsonl:1: Invalid JSON"),
        ([RATE, RATE], "set.jsonl:2: the id 'rate' is already that of"),
        ([{**RATE, "kind": "riddle"}], "set.jsonl:1: kind: Input should be"),
        ([PIE, {**RATE, "right": ["no-such-statement"]}], "set.jsonl:2: no text carries the label 'no-such-statement'"),
    ],
)
def test_a_set_with_a_fault_is_refused_and_nothing_is_run(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any] | str], what: str
) -> None:
    monkeypatch.setattr("assistant.chain.Chain.stream", lambda self, ask: pytest.fail("a case was asked"))
    said = run("eval", "answers", _set(tmp_path, *rows), "--out", str(tmp_path / "out"))
    assert said.status == 1
    assert what in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_run(run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.chain.Chain.stream", lambda self, ask: pytest.fail("a case was asked"))
    file = _set(tmp_path, RATE)
    said = run("eval", "answers", file, "--out", file)
    assert said.status == 1
    assert "File exists" in said.err
    assert file in said.err


def test_two_runs_are_compared(run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _set(tmp_path, RATE, PIE)
    assert run("eval", "answers", file, "--out", str(tmp_path / "a")).status == 0
    monkeypatch.setenv("HKAI_JUDGE", "off")
    assert run("eval", "answers", file, "--out", str(tmp_path / "b")).status == 0
    said = run("eval", "compare", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "figures.json"))
    assert said.status == 0, said.err
    assert "judge: hkai-judge" in said.out
    assert "From right to wrong: none" in said.out
    assert "McNemar" in said.out
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert (figures["total"]["cases"], figures["total"]["lost"], figures["total"]["won"], figures["total"]["p"]) == (2, 0, 0, 1.0)
    run("eval", "answers", _set(tmp_path, RATE, name="fewer.jsonl"), "--out", str(tmp_path / "c"))
    refused = run("eval", "compare", str(tmp_path / "a"), str(tmp_path / "c"))
    assert refused.status == 1
    assert "not over the same cases" in refused.err
    assert run("eval", "compare", str(tmp_path / "a"), str(tmp_path)).status == 1


def test_a_model_that_fails_on_a_case_is_said_by_the_exit_status_and_asked_again(run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = _set(tmp_path, RATE, {**RATE, "id": "again"}), str(tmp_path / "out")
    with model_server() as server:
        monkeypatch.setenv("HKAI_MODEL", "small")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        server.script(Reply(status=401), Reply(first_two))
        said = run("eval", "answers", file, "--mode", "model", "--out", folder)
        assert said.status == 1
        assert "1 not scored" in said.out
        better = run("eval", "answers", file, "--mode", "model", "--out", folder)
    assert better.status == 0, better.err
    assert "1 of 2 cases were asked before" in better.err
    assert "not scored" not in better.out


def test_a_model_as_judge_is_asked_where_one_is_named_and_apart_from_the_one_that_writes(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _set(tmp_path, RATE, PIE)
    nowhere = run("eval", "answers", file, "--judge-model", "strict")
    assert nowhere.status == 1
    assert "HKAI_JUDGE_MODEL_URL" in nowhere.err
    with model_server() as server:
        monkeypatch.setenv("HKAI_JUDGE_MODEL_URL", server.url)
        server.script(Reply(["RIGHT\nSo it is."]))
        assert "kappa" not in run("eval", "answers", file).out
        assert server.requests == []
        said = run("eval", "answers", file, "--judge-model", "strict", "--out", str(tmp_path / "out"))
        assert said.status == 0, said.err
        assert "2/2" in said.out
        assert [request["model"] for request in server.requests] == ["strict", "strict"]
        server.script(Reply(status=500))
        assert run("eval", "answers", file, "--judge-model", "strict").status == 1
    line = json.loads((tmp_path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert line["opinion"] == {"right": True, "why": "So it is.", "model": "strict"}
    assert json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["judge_model"] == "strict"


@pytest.fixture
def small_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two questions in place of all, and figures of them to be committed elsewhere."""
    (tmp_path / "sets").mkdir()
    _set(tmp_path / "sets", RATE, {**RATE, "id": "rate-2"}, {**RATE, "id": "rate-3"}, PIE)
    monkeypatch.setattr("evals.cases.SETS", tmp_path / "sets")
    monkeypatch.setattr(gate, "EXPECTED", tmp_path / "expected.toml")
    monkeypatch.setattr(gate, "OF_SAMPLE", tmp_path / "expected.sample.toml")
    return tmp_path


def test_the_gate_passes_on_the_figures_that_it_wrote_and_fails_on_better_ones(run: Run, data: Path, small_sets: Path) -> None:
    assert run("eval", "gate").status == 1
    assert "expected.sample.toml" in run("eval", "gate", "--write").out
    for arguments in (("eval", "gate"), ("eval", "gate", "--sample")):
        assert run(*arguments).status == 0
    for name in ("expected.toml", "expected.sample.toml"):
        text = (small_sets / name).read_text(encoding="utf-8")
        (small_sets / name).write_text(text.replace('"single R@1" = { expected = 1.0000', '"single R@1" = { expected = 9.0000'), encoding="utf-8")
    for arguments in (("eval", "gate"), ("eval", "gate", "--sample")):
        said = run(*arguments)
        assert said.status == 1
        assert "fell" in said.out
    assert run("eval", "gate", "--write", "--sample").status == 1


def test_a_broken_retriever_turns_the_gate_red(run: Run, data: Path, small_sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("eval", "gate", "--write").status == 0

    def without_the_best(*arguments: Any, **options: Any) -> list[Hit]:
        return search(*arguments, **options)[20:]

    monkeypatch.setattr("assistant.chain.search", without_the_best)
    said = run("eval", "gate")
    assert said.status == 1
    assert "right: single" in said.out
    assert "fell" in said.out


def test_the_page_on_quality_is_made_by_command(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality.write, "__defaults__", (tmp_path / "quality.md", tmp_path / "quality.svg"))
    assert run("eval", "quality").status == 0
    assert (tmp_path / "quality.md").read_text(encoding="utf-8") == quality.PAGE.read_text(encoding="utf-8")


def test_ci_runs_the_gate() -> None:
    assert "make eval GATE=--sample" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "hkai eval gate $(GATE)" in (ROOT / "Makefile").read_text(encoding="utf-8")
