from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.table import Table

from assistant.chain import Chain
from evals.bench import Bench, Build, Timing
from evals.cases import Case
from evals.gate import Line
from evals.report import answers_table, bench_table, failures_table, gate_table, means_table, retrieval_table
from evals.run import each
from evals.summary import summary

CASES = [
    Case("rate", "single", "en", "dev", "What share of computing power does the AI Subsidy Scheme pay for?", True, required=(("70%",),), right=("x",)),
    Case("wrong", "list", "en", "test", "What is the AI Subsidy Scheme?", True, required=(("17 dragons",),), right=("no-such",)),
    Case("pie", "offtopic", "en", "dev", "How long does an apple pie bake?", False),
]


def _drawn(table: Table) -> str:
    text = StringIO()
    Console(file=text, width=140).print(table)
    return text.getvalue()


def test_the_tables_of_a_run(chain: Chain) -> None:
    results = list(each(chain, CASES))
    figures = summary(results)
    drawn = _drawn(answers_table(figures))
    assert all(name in drawn for name in ("single", "offtopic", "dev", "test", "all", "100.0%", "66.7%"))
    assert "latency p50" in _drawn(means_table(figures))
    assert "latency" not in _drawn(means_table(figures, times=False))
    assert "17 dragons" in _drawn(failures_table(results))
    assert "rate" not in _drawn(failures_table(results))


def test_a_case_that_was_not_scored_is_counted_as_such(chain: Chain) -> None:
    results = list(each(chain, CASES[:1], mode="model"))
    assert "1 not scored" in _drawn(answers_table(summary(results)))
    assert "No language model" in _drawn(failures_table(results))


def test_the_other_tables() -> None:
    assert "0.5000" in _drawn(retrieval_table({"MRR": 0.5}))
    assert "fell" in _drawn(gate_table([Line("right", "single", 0.4, 0.5, 0.02, "fell")]))
    drawn = _drawn(bench_table(Bench((Timing("floor", 10, 12), Timing("answer", 25, 30)), 700, Build(4, 10, 30, 2.0, 5.0, 5.5, 6.0), 7.5, 100_000, 31.0)))
    assert all(figure in drawn for figure in ("2.50", "3.00", "700 MB", "7.5 ms", "100,000 chunks", "31.0 ms"))
