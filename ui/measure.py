"""`hkai eval` and `hkai bench`: how good and how fast it is. The only module of `ui` that imports `evals`."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.terminal import Mode, bar, err, opened, out, put_together

if TYPE_CHECKING:
    from assistant.build import Parts
    from assistant.chain import Chain
    from evals.run import Result

evaluate = typer.Typer(no_args_is_help=True, help="Measure retrieval and answers on question sets.")


@evaluate.command("answers")
def eval_answers(
    sets: Annotated[list[Path], typer.Argument(help="Question sets (JSONL); `evals/README.md` describes them.")],
    to: Annotated[Path | None, typer.Option("--out", help="Folder for `results.jsonl` and `summary.json`.")] = None,
    mode: Annotated[Mode, typer.Option(help="`quotes`, or `model`, which needs a language model.")] = "quotes",
    failures: Annotated[bool, typer.Option("--failures", help="List the cases that were not right.")] = False,
) -> None:
    """Run question sets; exit status 1 if a case could not be scored."""
    from evals import report, run

    results = _evaluated(opened(), sets, mode)
    if failures:
        out.print(report.failures_table(results), soft_wrap=False)
    out.print(report.answers_table(run.summary(results)), report.means_table(run.summary(results)), soft_wrap=False)
    if to:
        run.write(results, to)
        out.print(f"Written to {to}.", markup=False)
    if any(result.error for result in results):
        raise typer.Exit(1)


@evaluate.command("gate")
def eval_gate(write: Annotated[bool, typer.Option("--write", help="Write the figures of this run as those expected.")] = False) -> None:
    """Run all sets in quotes and compare with `evals/expected.toml`; exit status 1 on a fall."""
    from assistant.errors import BadInput
    from evals import cases, gate, report, run

    summary = run.summary(_evaluated(opened(), sorted(cases.SETS.glob("*.jsonl")), "quotes"))
    out.print(report.answers_table(summary), report.means_table(summary, times=False), soft_wrap=False)
    if write:
        gate.write(summary)
        out.print(f"Written to {gate.EXPECTED}.", markup=False)
        return
    try:
        lines = gate.compare(summary)
    except ValueError as error:
        raise BadInput(str(error)) from error
    out.print(report.gate_table(lines), soft_wrap=False)
    if not gate.passes(lines):
        raise typer.Exit(1)


@evaluate.command("retrieval")
def eval_retrieval(
    beir: Annotated[
        Path | None, typer.Option(help="Folder in BEIR's layout: corpus.jsonl, queries.jsonl, qrels/test.tsv; without it, the question sets.")
    ] = None,
    ablate: Annotated[bool, typer.Option("--ablate", help="Show what each stage of finding adds; without --beir always so.")] = False,
    to: Annotated[Path | None, typer.Option("--out", help="JSON file for the figures.")] = None,
) -> None:
    """Rank the passages of a benchmark, in an index that is thrown away, or the statements of the question sets."""
    from tempfile import TemporaryDirectory

    from assistant.build import build
    from assistant.errors import BadInput
    from assistant.settings import load
    from evals import cases, report, retrieval

    figures: object
    with TemporaryDirectory() as data, bar("Indexing") as indexing, bar("Asking") as asking:
        chain = opened().chain if beir is None else build(load().model_copy(update={"data": Path(data), "chroma": ""})).chain
        try:
            if beir and not ablate:
                figures = plain = retrieval.retrieval(beir, chain, indexing=indexing, asking=asking)
                table = report.retrieval_table(plain)
            else:
                sets = cases.load_all(sorted(cases.SETS.glob("*.jsonl")))
                stages = retrieval.ablation_of(beir, chain, indexing=indexing, asking=asking) if beir else retrieval.ablation_of_cases(chain, sets, asking)
                figures, table = stages, report.ablation_table(stages)
        except ValueError as error:
            raise BadInput(str(error)) from error
    out.print(table, soft_wrap=False)
    if to:
        to.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


@evaluate.command("judge")
def eval_judge(
    train: Annotated[bool, typer.Option("--train", help="Train it anew from evals/pairs first, and write its weights (over an hour on 2 cores).")] = False,
    further: Annotated[bool, typer.Option("--further", help="Train the present weights further first, and write them (45 minutes on 2 cores).")] = False,
) -> None:
    """Measure the judge on questions about facts it was not trained on, beside the same without it."""
    from assistant.build import build, open_index
    from assistant.errors import BadInput
    from assistant.settings import load
    from evals import cases, judge, pairs, report

    if train and further:
        raise BadInput("--train and --further were both given.", "Give one: --train begins anew, --further goes on from the present weights.")
    questions = pairs.load()
    parts = build(load().model_copy(update={"judge": "off", "reranker": ""}))
    open_index(parts)
    if train or further:
        with bar("Mining") as mining:
            judge.make(parts.chain, [pair for pair in questions if pair.split == "train"], further=further, progress=mining)
        err.print("Trained. Run `hkai eval fit` next: its weights go with the judge's.")
    judged = _with_judge(parts.chain)
    outside = [case.question for case in cases.load(cases.SETS / "declined.jsonl") if case.kind == "offtopic" and case.split == "test"]
    measured = []
    for name, chain in (("with the judge", judged), ("without it", parts.chain)):
        with bar(f"Asking {name}") as asking:
            measured.append(judge.measure(name, chain, [pair for pair in questions if pair.split == "test"], outside, asking))
    out.print(report.judge_table(measured), soft_wrap=False)


@evaluate.command("verify")
def eval_verify(
    each: Annotated[int, typer.Option(min=2, help="How many sentences of each kind.")] = 120,
    missed: Annotated[bool, typer.Option("--missed", help="List the sentences that were judged wrongly.")] = False,
) -> None:
    """Measure the checking of sentences on statements that were corrupted, and reworded, on purpose."""
    from evals import corrupt, report

    with bar("Checking") as progress:
        tried = corrupt.measure(opened().chain, each, progress)
    if missed:
        for one in tried:
            if one.passed == (one.change != "sound"):
                out.print(f"{one.change}: {one.sentence}\n    {one.statement}", markup=False)
    out.print(report.verify_table(tried), soft_wrap=False)


@evaluate.command("draft")
def eval_draft(to: Annotated[Path | None, typer.Option("--out", help="File for the drafts, a new one; without it they are printed.")] = None) -> None:
    """Export the answers marked wrong on the page as draft cases; `evals/README.md` says how to complete them."""
    from assistant.errors import BadInput
    from evals import drafts

    parts = put_together()
    texts = {text.id: text for text in (*parts.corpus, *parts.library.own())}
    with closing(parts.conversations) as conversations:
        found = drafts.drafts(conversations.disliked(), texts)
    rows = "".join(json.dumps(draft, ensure_ascii=False) + "\n" for draft in found)
    if to is None:
        sys.stdout.write(rows)
    else:
        try:
            with to.open("x", encoding="utf-8") as file:
                file.write(rows)
        except OSError as error:
            raise BadInput(f"{to} cannot be written ({error.strerror}).", "Name a new file in a folder of yours.") from error
    err.print(f"Drafts{f' in {to}' if to else ''}: {len(found)}.", markup=False)


@evaluate.command("fit")
def eval_fit() -> None:
    """Fit the weights of ranking and declining on the dev questions and the held pairs, and write them."""
    from assistant.evidence import load_weights
    from evals import cases, fit, pairs
    from index.embedder import DEFAULT

    parts = opened()
    sets = cases.load_all(sorted(cases.SETS.glob("*.jsonl")))
    name = parts.settings.embedder
    with bar("Asking") as progress:
        fit.write(name, name == DEFAULT, fit.fit(_with_judge(parts.chain), sets, pairs.load(), load_weights(name), progress))


def bench(
    rounds: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 3,
    texts: Annotated[int, typer.Option(min=1, help="How many texts the index is made of.")] = 40,
    scale: Annotated[int, typer.Option(min=0, help="How many chunks the large index has; 0 leaves it out.")] = 100_000,
) -> None:
    """Measure speed and memory, each beside its floor; minutes, most of them for the large index."""
    from evals import bench, cases, report

    asked = [case.question for case in cases.load(cases.SETS / "questions.jsonl") if case.kind == "single" and case.split == "dev"]
    parts = opened()
    with bar("Asking") as progress:
        measured = bench.bench(parts.chain, asked, rounds=rounds, texts=texts, scale=scale, progress=progress)
    out.print(report.bench_table(measured), soft_wrap=False)


def _with_judge(chain: Chain) -> Chain:
    """The chain with the judge, also where there are no weights for it yet; raises `NotReady`."""
    import copy

    from assistant.errors import NotReady
    from index.judge import Judge, JudgeError

    judged = copy.copy(chain)
    judged.judge = Judge()
    try:
        judged.judge.load()
    except JudgeError as error:
        raise NotReady(str(error)) from error
    return judged


def _evaluated(parts: Parts, sets: list[Path], mode: Mode) -> list[Result]:
    """What came of every case of the sets; raises `BadInput`, before anything is run, naming all that is wrong with them."""
    from assistant.errors import BadInput
    from evals import cases, run

    labels = {mark for text in parts.corpus for statement in text.statements for mark in statement.marks}
    try:
        loaded = cases.load_all(sets, labels)
    except ValueError as error:
        raise BadInput(str(error)) from error
    with bar("Asking") as progress:
        return run.answers(parts.chain, loaded, mode=mode, progress=progress)
