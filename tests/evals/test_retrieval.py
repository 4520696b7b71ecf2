from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.chain import Chain
from assistant.evidence import load_weights
from evals.ablate import STAGES
from evals.cases import SETS
from evals.cases import load as load_cases
from evals.fit import fit_own
from evals.retrieval import ablation_of, ablation_of_cases, labelled, ranking, retrieval
from index.embedder import MINILM, Embedder
from index.judge import Judge
from index.library import Library

PASSAGES = [
    {"_id": "otter", "title": "Otters", "text": "Otters hold hands while they sleep. They live in rivers and eat fish."},
    {"_id": "a#1:b", "title": "", "text": "Bread rises because yeast makes gas. A loaf bakes for forty minutes."},
    {"_id": "tram", "title": "Trams", "text": "The tram of Hong Kong Island has run since 1904. Its cars have two decks."},
    {"_id": "empty", "title": "", "text": "42"},
]
TURNS = [{"role": "user", "content": "Why does bread rise?"}, {"role": "assistant", "content": "Yeast makes gas."}]
QUERIES: list[dict[str, Any]] = [
    {"_id": "q1", "text": "How do otters sleep?"},
    {"_id": "q2", "text": "How long does it bake?", "history": TURNS},
    {"_id": "q3", "text": "Who painted the Mona Lisa?", "history": []},
]


def _beir(folder: Path, judged: str = "q1\totter\t1\nq2\ta#1:b\t2\nq3\ttram\t0\n") -> Path:
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", PASSAGES), ("queries", QUERIES)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged, encoding="utf-8")
    return folder


def _chain(folder: Path, embedder: Embedder) -> Chain:
    return Chain(Library(folder, embedder), load_weights(embedder.name))


def test_the_right_passages_come_first_and_queries_without_one_are_left_out(tmp_path: Path, embedder: Embedder) -> None:
    chain = _chain(tmp_path / "data", embedder)
    figures = retrieval(_beir(tmp_path / "beir"), chain)
    assert figures == dict.fromkeys(("nDCG@5", "nDCG@10", "R@1", "R@5", "R@10", "MRR"), 1.0)
    assert ranking(chain, {"_id": "x", "text": "trams of Hong Kong"})[0] == "tram"
    assert ranking(chain, {"_id": "x", "text": " "}) == []


def test_each_stage_of_finding_has_its_figures(tmp_path: Path, embedder: Embedder, judge: Judge) -> None:
    chain = _chain(tmp_path / "data", embedder)
    chain.judge = judge
    table = ablation_of(_beir(tmp_path / "beir"), chain)
    assert list(table) == [stage.name for stage in STAGES]
    assert all(figures["R@10"] == 1.0 for figures in table.values())


def test_without_a_judge_its_stage_is_left_out(chain: Chain) -> None:
    cases = [case for case in load_cases(SETS / "questions.jsonl") if case.kind == "single"][:5]
    table = ablation_of_cases(chain, cases)
    assert list(table) == [stage.name for stage in STAGES[:-1]]
    assert all(set(figures) == {"R@1", "R@5", "MRR"} for figures in table.values())


def test_weights_for_own_documents_are_fitted_on_a_benchmark(tmp_path: Path, embedder: Embedder) -> None:
    chain = Chain(Library(tmp_path / "data", embedder, second=Embedder(MINILM)), load_weights(embedder.name))
    asks, grades = labelled(_beir(tmp_path / "beir"), chain)
    assert [list(relevant) for relevant in grades] == [["otter"], ["a#1:b"]]
    fitted = fit_own(chain, asks, grades)
    assert fitted.weights["second_chunk"] > 0
    assert fitted.halves == (1.0, 1.0)
    chain.weights = replace(chain.weights, statement_own=fitted.weights)
    assert ranking(chain, QUERIES[0])[0] == "otter"


def test_without_a_second_encoder_there_is_nothing_to_fit(tmp_path: Path, embedder: Embedder) -> None:
    with pytest.raises(ValueError, match="second encoder"):
        fit_own(_chain(tmp_path / "data", embedder), [], [])


def test_a_library_in_use_is_refused(tmp_path: Path, chain: Chain) -> None:
    with pytest.raises(ValueError, match="not empty"):
        retrieval(_beir(tmp_path / "beir"), chain)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("queries.jsonl", "{", "queries.jsonl:1:"),
        ("queries.jsonl", '{"text": "x"}\n', "`_id` or `text` is missing"),
        ("qrels/test.tsv", "query\tpassage\tgrade\nq1 otter 1\n", "test.tsv:2: not a query"),
        ("qrels/test.tsv", "query\tpassage\tgrade\n", "no query has a relevant passage"),
        ("qrels/test.tsv", None, "cannot be read"),
        ("corpus.jsonl", None, "cannot be read"),
    ],
)
def test_a_folder_in_no_such_layout_is_named(tmp_path: Path, embedder: Embedder, name: str, content: str | None, what: str) -> None:
    file = _beir(tmp_path / "beir") / name
    if content is None:
        file.unlink()
    else:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="beir") as caught:
        retrieval(tmp_path / "beir", _chain(tmp_path / "data", embedder))
    assert what in str(caught.value)
