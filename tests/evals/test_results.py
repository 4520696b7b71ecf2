from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from assistant.chain import Chain
from evals import run
from evals.cases import Case
from evals.results import RESULTS, RUN, SUMMARY, Kept, MadeBy, kept, made_by, ragas_samples, read
from evals.run import Result, each
from evals.summary import Summary
from tests.hkai_process import environment

ASKED = "What share of computing power does the AI Subsidy Scheme pay for?"
CASES = [Case(f"rate-{at}", "single", "en", "dev", ASKED, True, required=(("70%",),), right=("aiss-subsidy-rate",)) for at in range(4)]
OFFTOPIC = Case("pie", "offtopic", "en", "test", "How long does an apple pie bake?", False)


def _run(chain: Chain, folder: Path, cases: Sequence[Case], stop: int | None = None) -> Summary | None:
    """Asks the cases that the folder lacks, or as many as `stop`, as the command does."""
    with kept(folder, _made(chain, cases)) as open_folder:
        done = dict(open_folder.done)
        for result in each(chain, [case for case in cases if case.id not in done][:stop]):
            open_folder.add(result)
            done[result.case.id] = result
        return open_folder.finish([done[case.id] for case in cases]) if stop is None else None


def _made(chain: Chain, cases: Sequence[Case]) -> MadeBy:
    return made_by(chain, cases, mode="quotes", settings="s")


def _figures(folder: Path) -> dict[str, object]:
    return {**json.loads((folder / SUMMARY).read_text(encoding="utf-8")), "p50": 0, "p95": 0}


def _without_times(folder: Path) -> list[Result]:
    kept = read(folder).results
    return [replace(one, milliseconds=0, answer=replace(one.answer, timings={})) if one.answer else one for one in kept]


def test_what_is_written_is_read_again_as_it_was(chain: Chain, tmp_path: Path) -> None:
    results = list(each(chain, [*CASES, OFFTOPIC]))
    with kept(tmp_path / "run", _made(chain, [*CASES, OFFTOPIC])) as folder:
        folder.finish(results)
    run = read(tmp_path / "run")
    assert list(run.results) == results
    assert run.made_by == _made(chain, [*CASES, OFFTOPIC])


def test_answers_that_cite_are_samples_for_ragas(chain: Chain) -> None:
    results = list(each(chain, [CASES[0], OFFTOPIC]))
    (sample,) = ragas_samples(results)
    answer = results[0].answer
    assert answer is not None
    assert set(sample) == {"user_input", "response", "retrieved_contexts", "reference"}
    assert (sample["user_input"], sample["reference"]) == (ASKED, "70%")
    assert sample["retrieved_contexts"] == [citation.quote for citation in answer.citations]
    assert "[1]" in answer.text
    assert "[" not in str(sample["response"])
    assert str(sample["response"]).startswith(answer.text.split(" [1]")[0])


def test_a_line_has_question_answer_citations_verdicts_timings_and_what_made_it(chain: Chain, tmp_path: Path) -> None:
    _run(chain, tmp_path / "run", CASES[:1])
    line = json.loads((tmp_path / "run" / RESULTS).read_text(encoding="utf-8"))
    assert line["case"]["question"] == ASKED
    assert line["answer"]["citations"][0]["sources"][0]["url"].startswith("https://")
    assert line["answer"]["verdicts"][0]["verdict"] == "supported"
    assert {"understand", "search", "write", "verify"} <= line["answer"]["timings"].keys()
    assert line["answer"]["made_by"]["index"] == chain.library.version
    assert json.loads((tmp_path / "run" / RUN).read_text(encoding="utf-8")) == asdict(_made(chain, CASES[:1]))


def test_two_runs_have_the_same_figures_but_for_times(chain: Chain, tmp_path: Path) -> None:
    cases = [*CASES[:1], OFFTOPIC]
    for name in ("one", "two"):
        _run(chain, tmp_path / name, cases)
    assert _figures(tmp_path / "one") == _figures(tmp_path / "two")
    assert _without_times(tmp_path / "one") == _without_times(tmp_path / "two")
    assert "NaN" not in (tmp_path / "one" / SUMMARY).read_text(encoding="utf-8")


def test_a_run_that_was_stopped_goes_on_and_ends_like_one_that_was_not(chain: Chain, tmp_path: Path) -> None:
    cases = [*CASES, OFFTOPIC]
    _run(chain, tmp_path / "run", cases, stop=3)
    with (tmp_path / "run" / RESULTS).open("ab") as file:
        file.write('{"case": {"id": "rate-3", "question": "\u5341'.encode()[:-1])  # killed in the middle of a character
    assert len(read(tmp_path / "run").results) == 3
    with kept(tmp_path / "run", _made(chain, cases)) as folder:
        assert list(folder.done) == ["rate-0", "rate-1", "rate-2"]
    _run(chain, tmp_path / "run", cases)
    _run(chain, tmp_path / "whole", cases)
    assert [result.case.id for result in read(tmp_path / "run").results] == [case.id for case in cases]
    assert _figures(tmp_path / "run") == _figures(tmp_path / "whole")


def test_a_case_that_failed_is_asked_again(chain: Chain, tmp_path: Path) -> None:
    with kept(tmp_path / "run", _made(chain, CASES)) as folder:
        folder.add(Result(CASES[0], None, None, error="ModelError: it was down"))
        folder.add(next(each(chain, CASES[1:2])))
    with kept(tmp_path / "run", _made(chain, CASES)) as folder:
        assert list(folder.done) == ["rate-1"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"settings": "t"}, "settings 's', now 't'"),
        ({"index": "other"}, "now 'other'"),
        ({"mode": "model", "model": "small"}, "mode 'quotes', now 'model', model 'none', now 'small'"),
        ({"code": "other"}, "code "),
        ({"cases": "other"}, "cases "),
    ],
)
def test_a_run_does_not_go_on_under_other_settings(chain: Chain, tmp_path: Path, change: dict[str, str], what: str) -> None:
    _run(chain, tmp_path / "run", CASES, stop=2)
    before = (tmp_path / "run" / RESULTS).read_bytes()
    with pytest.raises(ValueError, match="made otherwise") as caught, kept(tmp_path / "run", replace(_made(chain, CASES), **change)):
        pass
    assert what in str(caught.value)
    assert "give another folder" in str(caught.value)
    assert (tmp_path / "run" / RESULTS).read_bytes() == before


def test_cases_are_the_same_wherever_their_set_lies_and_others_when_a_document_changes(chain: Chain, tmp_path: Path) -> None:
    def made(folder: str, said: str) -> str:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "notes.txt").write_text(said, encoding="utf-8")
        return _made(chain, [replace(CASES[0], documents=(str(tmp_path / folder / "notes.txt"),))]).cases

    assert made("one", "So.") == made("two", "So.") != made("three", "Not so.")


def test_a_run_is_made_by_all_code_that_scores_it(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[Path] = []
    read_bytes = Path.read_bytes

    def reads(path: Path) -> bytes:
        looked_at.append(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", reads)
    _made(chain, CASES)
    code = Path(run.__file__)
    used = re.findall(r"^from evals\.(\w+) import", code.read_text(encoding="utf-8"), re.MULTILINE)
    assert "opinion" in used
    assert {code, *(code.with_name(f"{name}.py") for name in used)} <= set(looked_at)


def test_a_folder_in_use_is_refused(chain: Chain, tmp_path: Path) -> None:
    with (
        kept(tmp_path / "run", _made(chain, CASES)),
        pytest.raises(ValueError, match="another run is writing"),
        kept(tmp_path / "run", _made(chain, CASES)),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        (RUN, None, "holds no run"),
        (RUN, "{", "run.json: Invalid JSON"),
        (RUN, "{}", "run.json: mode: Field required"),
        (RESULTS, '{"case": 3}\n', "results.jsonl:1: case: "),
        (RESULTS, "\n", "results.jsonl:1: Invalid JSON"),
    ],
)
def test_a_folder_that_holds_no_run_is_named_with_the_place(chain: Chain, tmp_path: Path, name: str, content: str | None, what: str) -> None:
    _run(chain, tmp_path / "run", CASES[:1])
    if content is None:
        (tmp_path / "run" / name).unlink()
    else:
        (tmp_path / "run" / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="run") as caught:
        read(tmp_path / "run")
    assert what in str(caught.value)


def test_results_of_an_unknown_run_are_not_added_to(chain: Chain, tmp_path: Path) -> None:
    _run(chain, tmp_path / "run", CASES[:1])
    (tmp_path / "run" / RUN).unlink()
    with pytest.raises(ValueError, match="no telling what made it"), kept(tmp_path / "run", _made(chain, CASES[:1])):
        pass


def test_what_was_added_outlives_a_kill(chain: Chain, tmp_path: Path) -> None:
    """A process that adds results for ever is killed with SIGKILL, again and again; no whole line is lost and none is garbled."""
    _run(chain, tmp_path / "run", CASES, stop=1)
    code = f"""
import sys
from dataclasses import replace
from pathlib import Path
from evals.results import Kept, read
run = read(Path({str(tmp_path / "run")!r}))
folder = Kept(run.folder, {{}})
at = 0
while True:
    folder.add(replace(run.results[0], case=replace(run.results[0].case, id=f"{{sys.argv[1]}}-{{at}}")))
    at += 1
    sys.stdout.write(f"{{at}}\\n"); sys.stdout.flush()
"""
    counted = 1
    for life in range(3):
        command = [sys.executable, "-c", code, str(life)]
        with subprocess.Popen(command, env=environment(tmp_path), cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            while int(process.stdout.readline() or "0") < 20:
                assert process.poll() is None
            os.kill(process.pid, signal.SIGKILL)
            told = [20, *(int(line) for line in process.stdout.read().split())]
        counted += max(told)
        with kept(tmp_path / "run", _made(chain, CASES)) as folder:
            assert isinstance(folder, Kept)
            assert counted <= len(folder.done) <= counted + 1
            counted = len(folder.done)
