"""What came of an evaluation, drawn for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from evals.corrupt import shares
from evals.metrics import wilson

if TYPE_CHECKING:
    from evals.bench import Bench
    from evals.compare import Comparison
    from evals.corrupt import Tried
    from evals.gate import Line
    from evals.judge import Measured, Read
    from evals.load import Served
    from evals.run import Result
    from evals.summary import Row, Summary

_STYLES = {"fell": "bold red", "other cases": "bold red", "rose": "green"}


def answers_table(summary: Summary) -> Table:
    """The figures by kind of question, by split and of all."""
    table = _table("Answers", "kind", "cases", "right", "share", "95%", "R@1", "R@5", "MRR")
    for rows in (summary.kinds, summary.splits, (summary.total,)):
        for row in rows:
            found = map(_figure, (row.found_1, row.found_5, row.mrr))
            table.add_row(row.name, str(row.cases), _right(row), _share(row.share), _interval(row.low, row.high), *found)
        table.add_section()
    return table


def means_table(summary: Summary, *, times: bool = True) -> Table:
    """Citations, faithfulness, declining and, with `times`, latency."""
    table = _table("All answers", "figure", "value", "95%")
    means = {
        "citation precision": summary.citation_precision,
        "citation recall": summary.citation_recall,
        "faithfulness": summary.faithfulness,
    }
    for name, mean in means.items():
        table.add_row(name, _share(mean.value), _interval(mean.low, mean.high))
    declining = summary.abstention
    for name, value in (("precision", declining.precision), ("recall", declining.recall), ("balanced accuracy", declining.balanced_accuracy)):
        table.add_row(f"declining: {name}", _share(value), "")
    table.add_row("confidence: expected calibration error", _figure(summary.calibration_error), "")
    judged = summary.agreement
    if judged:
        unjudged = f" ({judged.unjudged} without a verdict)" if judged.unjudged else ""
        table.add_row("model judge agrees with the check", f"{judged.agreed}/{judged.cases}{unjudged}", _interval(*wilson(judged.agreed, judged.cases)))
        table.add_row("model judge: Cohen's kappa", _figure(judged.kappa), "")
    if times:
        table.add_row("latency p50", f"{summary.p50:.0f} ms", "")
        table.add_row("latency p95", f"{summary.p95:.0f} ms", "")
    return table


def failures_table(results: Sequence[Result]) -> Table:
    """The cases that went wrong, with what is missing."""
    table = _table("Not right", "case", "question", "status", "rank", "missing")
    for result in results:
        if result.right is not True:
            status = result.error or (result.answer.status if result.answer else "")
            lacking = "; ".join(group[0] for group in result.missing)
            table.add_row(*map(escape, (result.case.id, result.case.question, status, "" if result.rank is None else str(result.rank), lacking)))
    return table


def changes_table(found: Comparison) -> Table:
    """The right answers by kind in both runs, what was lost and won, and whether that is more than chance."""
    table = _table("Right answers", "kind", "cases", "before", "after", "lost", "won", "difference", "95%", "p")
    for rows in (found.kinds, (found.total,)):
        for row in rows:
            cases = f"{row.cases}" if not row.unscored else f"{row.cases} ({row.unscored} not scored)"
            style = ("red" if row.difference < 0 else "green") if row.p < 0.05 else ""
            counts = map(str, (row.before, row.after, row.lost, row.won))
            table.add_row(row.name, cases, *counts, _points(row.difference), _points_interval(row.low, row.high), f"{row.p:.3f}", style=style)
        table.add_section()
    table.caption = "In percentage points; the interval by a paired bootstrap, p by McNemar's exact test, not adjusted for the number of kinds."
    table.caption_justify = "left"
    return table


def shifts_table(found: Comparison) -> Table:
    """The other figures of both runs."""
    table = _table("Other figures", "figure", "cases", "before", "after", "difference", "95%")
    for one in found.shifts:
        form = "{:.0f}" if one.name == "milliseconds" else "{:.3f}"
        signed = form.replace(":", ":+")
        interval = f"{signed.format(one.low)} to {signed.format(one.high)}"
        table.add_row(one.name, str(one.cases), form.format(one.before), form.format(one.after), signed.format(one.difference), interval)
    return table


def turned_table(title: str, pairs: Sequence[tuple[Result, Result]]) -> Table:
    """The cases that turned, with what is missing from whichever answer is wrong."""
    table = _table(title, "case", "kind", "question", "status", "rank", "missing")
    for before, after in pairs:
        wrong = before if after.right else after
        status = [result.answer.status if result.answer else "" for result in (before, after)]
        ranks = ["" if result.rank is None else str(result.rank) for result in (before, after)]
        lacking = "; ".join(group[0] for group in wrong.missing)
        cells = (before.case.id, before.case.kind, before.case.question, _to(status), _to(ranks), lacking)
        table.add_row(*map(escape, cells))
    return table


def retrieval_table(figures: Mapping[str, float]) -> Table:
    """The figures of a benchmark of retrieval."""
    table = _table("Retrieval", "metric", "value")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4f}")
    return table


def ablation_table(table: Mapping[str, Mapping[str, float]]) -> Table:
    """The figures of each stage, a row each."""
    names = list(next(iter(table.values())))
    drawn = _table("What each stage of finding adds", "stage", *names)
    for stage, figures in table.items():
        drawn.add_row(stage, *(f"{figures[name]:.3f}" for name in names))
    return drawn


def gate_table(lines: Sequence[Line]) -> Table:
    """The figures that are not as committed, each beside the committed one."""
    others = [line for line in lines if line.verdict != "as expected"]
    table = _table(f"{len(lines) - len(others)} of {len(lines)} figures are as committed", "figure", "now", "expected", "margin", "verdict")
    for line in others:
        values = (_figure(line.figure), _figure(line.expected), f"{line.margin:.3f}")
        table.add_row(f"{line.section}: {line.name}", *values, line.verdict, style=_STYLES[line.verdict])
    return table


def judge_table(measured: Sequence[Measured], made_up: Read) -> Table:
    """What is declined and what is found, each way of judging a column; `made_up` is what the judge alone reads."""
    table = _table("Judge: test questions written one by one", "figure", *(one.name for one in measured))
    for name in ("near_misses_declined", "outside_declined", "wrongly_declined"):
        shares = [getattr(one, name) for one in measured]
        table.add_row(name.replace("_", " "), *(f"{share[0]}/{share[1]}  {_interval(*wilson(*share))}" for share in shares))
    table.add_row("MRR of the right statement", *(f"{one.mean_reciprocal_rank:.3f}" for one in measured))
    table.add_row("right statement first", *(_share(one.first) for one in measured))
    table.add_row("expected calibration error", *(f"{one.calibration_error:.3f}" for one in measured))
    for coverage in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        table.add_row(f"risk at coverage {coverage:.0%}", *(_share(one.risk(coverage)) for one in measured))
    table.add_section()
    table.add_row("made-up statements: the right one first of four", f"{made_up.first[0]}/{made_up.first[1]}  {_interval(*wilson(*made_up.first))}")
    table.add_row("the same: answered told from near misses (AUC)", f"{made_up.told_apart:.3f}")
    return table


def verify_table(tried: Sequence[Tried]) -> Table:
    """What `verify` took as unsupported, by kind of change."""
    table = _table("Verification: sentences taken as unsupported", "change", "all", "English", "Chinese")
    by_lang = [shares(tried), shares(tried, "en"), shares(tried, "zh")]
    for change in by_lang[0]:
        counts = [found[change] for found in by_lang]
        table.add_row("false alarms on sound sentences" if change == "sound" else change, *(f"{n}/{of}  {_interval(*wilson(n, of))}" for n, of in counts))
    return table


def bench_table(bench: Bench) -> Table:
    """Times, each as a multiple of its floor."""
    table = _table("Benchmark", "what", "p50", "p95", "times the floor")
    for timing in bench.timings:
        ratio = timing.p50 / bench.floor.p50
        table.add_row(timing.name, f"{timing.p50:.1f} ms", f"{timing.p95:.1f} ms", f"{ratio:.2f}")
    table.add_row("finding adds to the embedding", f"{bench.adds:.1f} ms", "", "")
    if bench.scale:
        table.add_row(f"the same at {bench.scale:,} chunks", f"{bench.adds_at_scale:.1f} ms", "", "")
    table.add_section()
    build = bench.build
    work = {
        f"floor: encoding {build.chunks} chunks alone": build.encoding_chunks,
        f"the same with {build.statements} statements": build.encoding_all,
        f"building the index of {build.texts} texts, every entry encoded": build.building_anew,
        "building it from nothing, with the vectors that ship": build.building,
    }
    for name, seconds in work.items():
        table.add_row(name, f"{seconds:.1f} s", "", f"{seconds / build.encoding_chunks:.2f}")
    table.add_section()
    table.add_row("resident memory", f"{bench.megabytes:.0f} MB", "", "")
    return table


def load_table(served: Sequence[Served]) -> Table:
    """Requests a second over HTTP, each beside its floor."""
    table = _table("Requests a second over HTTP", "what", "floor", "hkai", "share of the floor", "failed")
    for one in served:
        table.add_row(one.name, f"{one.floor:.1f}", f"{one.hkai:.1f}", f"{one.share:.2f}", str(one.failed))
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in (first, *others):
        words = name in ("case", "kind", "question", "status", "missing")
        table.add_column(name, justify="left" if words or name == first else "right", overflow="fold", no_wrap=not words)
    return table


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{100 * low:.1f} - {100 * high:.1f}"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _points_interval(low: float, high: float) -> str:
    return f"{_points(low)} to {_points(high)}"


def _to(pair: Sequence[str]) -> str:
    """What was and what is, or what both are."""
    return pair[0] if pair[0] == pair[1] else " > ".join(pair)


def _right(row: Row) -> str:
    return f"{row.right}" if not row.unscored else f"{row.right} ({row.unscored} not scored)"


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1%}"


def _figure(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
