"""`hkai eval` and `hkai bench`: how good and how fast it is. The only module of `ui` that imports `evals`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.terminal import Mode, bar, err, opened, out, put_together

if TYPE_CHECKING:
    from assistant.build import Parts
    from assistant.chain import Chain
    from evals.cases import Case
    from evals.opinion import Grader
    from evals.results import Kept
    from evals.run import Result

evaluate = typer.Typer(no_args_is_help=True, help="Measure retrieval and answers on question sets.")


@evaluate.command("answers")
def eval_answers(
    sets: Annotated[list[Path], typer.Argument(help="Question sets (JSONL); `evals/README.md` describes them.")],
    to: Annotated[Path | None, typer.Option("--out", help="Folder for the results and their report; a run that was stopped goes on there.")] = None,
    mode: Annotated[Mode, typer.Option(help="`quotes`, or `model`, which needs a language model.")] = "quotes",
    judge_model: Annotated[str, typer.Option(help="A language model whose opinion of each answer is asked; the setting HKAI_JUDGE_MODEL.")] = "",
    failures: Annotated[bool, typer.Option("--failures", help="List the cases that were not right.")] = False,
    only: Annotated[Path | None, typer.Option(help="File of case ids, a line each: the others are left out.")] = None,
) -> None:
    """Run question sets; exit status 1 if a case could not be scored."""
    from assistant.build import open_index
    from evals import page, report, results, summary

    parts = put_together()
    cases = _loaded(parts, sets, only)
    open_index(parts)
    grader = _grader(parts, judge_model)
    if to:
        made = results.made_by(parts.chain, cases, mode=mode, settings=parts.settings.fingerprint, judge_model=grader.name if grader else "")
        with ExitStack() as stack:
            with _bad_input():
                kept = stack.enter_context(results.kept(to, made))
            found = _asked(parts, cases, mode, grader, kept)
            figures = kept.finish(found)
            page.write(to, made, found, figures)
    else:
        found = _asked(parts, cases, mode, grader)
        figures = summary.summary(found)
    if failures:
        out.print(report.failures_table(found), soft_wrap=False)
    out.print(report.answers_table(figures), report.means_table(figures), soft_wrap=False)
    if to:
        out.print(f"Written to {to}: open {to / page.NAME}.", markup=False)
    if any(result.failed for result in found):
        raise typer.Exit(1)


@evaluate.command("compare")
def eval_compare(
    before: Annotated[Path, typer.Argument(help="Folder of a run, as `hkai eval answers --out` writes it.")],
    after: Annotated[Path, typer.Argument(help="Folder of another run over the same cases.")],
    to: Annotated[Path | None, typer.Option("--out", help="JSON file for the figures.")] = None,
) -> None:
    """Show what changed from one run to another: the cases that turned, and whether the difference is more than chance."""
    from dataclasses import asdict

    from evals import compare, report, results

    with _bad_input():
        found = compare.compare(results.read(before), results.read(after))
    for name, one, other in found.made_otherwise:
        out.print(f"{name}: {one or 'none'} > {other or 'none'}", markup=False)
    for title, pairs in (("From right to wrong", found.lost), ("From wrong to right", found.won)):
        out.print(report.turned_table(f"{title}: {len(pairs)}", pairs) if pairs else f"{title}: none", soft_wrap=False)
    out.print(report.changes_table(found), report.shifts_table(found), soft_wrap=False)
    if to:
        with _bad_input():
            to.write_text(json.dumps(results.without_nan(asdict(found)), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


@evaluate.command("gate")
def eval_gate(
    write: Annotated[bool, typer.Option("--write", help="Write the figures of this run, and those of the sample in it, as those expected.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Only the fixed sample that CI asks, against `evals/expected.sample.toml`.")] = False,
) -> None:
    """Run all sets in quotes and compare with `evals/expected.toml`; exit status 1 on a fall."""
    from assistant.build import open_index
    from assistant.errors import BadInput
    from evals import cases, gate, report
    from evals.summary import summary

    if write and sample:
        raise BadInput("--write and --sample were both given.", "Give --write alone: it writes the figures of the sample too.")
    parts = put_together()
    loaded = _loaded(parts, sorted(cases.SETS.glob("*.jsonl")))
    open_index(parts)
    found = _asked(parts, cases.sample(loaded) if sample else loaded, "quotes")
    figures = summary(found)
    out.print(report.answers_table(figures), report.means_table(figures, times=False), soft_wrap=False)
    if write:
        chosen = {case.id for case in cases.sample(loaded)}
        gate.write(figures, gate.EXPECTED)
        gate.write(summary([result for result in found if result.case.id in chosen]), gate.OF_SAMPLE)
        out.print(f"Written to {gate.EXPECTED} and {gate.OF_SAMPLE}. Run `hkai eval quality` next.", markup=False)
        return
    with _bad_input():
        lines = gate.compare(figures, gate.OF_SAMPLE if sample else gate.EXPECTED)
    out.print(report.gate_table(lines), soft_wrap=False)
    if not gate.passes(lines):
        raise typer.Exit(1)


@evaluate.command("quality")
def eval_quality() -> None:
    """Write the page of the documentation on quality, `docs/quality.md`, from the committed figures."""
    from evals import quality

    with _bad_input():
        quality.write()
    out.print(f"Written to {quality.PAGE} and {quality.CHART}.", markup=False)


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

    from assistant.errors import BadInput
    from evals import cases, report, retrieval

    figures: object
    with TemporaryDirectory() as data, bar("Indexing") as indexing, bar("Asking") as asking:
        chain = (opened() if beir is None else _of_benchmark(Path(data))).chain
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
    train: Annotated[bool, typer.Option("--train", help="Train it anew from evals/pairs first, and write its weights (an hour on 2 cores).")] = False,
    further: Annotated[bool, typer.Option("--further", help="Train the present weights further first, and write them (an hour on 2 cores).")] = False,
) -> None:
    """Measure the judge on questions about facts it was not trained on, beside the same without it."""
    from assistant.build import build, open_index
    from assistant.errors import BadInput
    from assistant.settings import load
    from evals import cases, judge, pairs, report
    from index.judge import Judge

    if train and further:
        raise BadInput("--train and --further were both given.", "Give one: --train begins anew, --further goes on from the present weights.")
    questions = pairs.load()
    parts = build(load().model_copy(update={"judge": "off", "reranker": "", "nli": ""}))
    open_index(parts)
    if train or further:
        with bar("Mining") as mining:
            chain = _with_judge(parts.chain) if further else parts.chain
            judge.make(chain, [pair for pair in questions if pair.split == "train"], further=further, progress=mining)
        err.print("Trained. Run `hkai eval fit --judge` next: its weights go with the judge's.")
    judged = _with_judge(parts.chain)
    outside = [case.question for case in cases.load(cases.SETS / "declined.jsonl") if case.kind == "offtopic" and case.split == "test"]
    measured = []
    for name, chain in (("with the judge", judged), ("without it", parts.chain)):
        with bar(f"Asking {name}") as asking:
            measured.append(judge.measure(name, chain, [pair for pair in questions if pair.split == "test"], outside, asking))
    made_up = judge.read(Judge(), pairs.load_reading("test"))
    out.print(report.judge_table(measured, made_up), soft_wrap=False)


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
    from evals import drafts

    parts = put_together()
    texts = {text.id: text for text in (*parts.corpus, *parts.library.own())}
    with closing(parts.conversations) as conversations:
        found = drafts.drafts(conversations.disliked(), texts)
    _lines("Drafts", found, to)


@evaluate.command("ragas")
def eval_ragas(
    run: Annotated[Path, typer.Argument(help="Folder of a run, as `hkai eval answers --out` writes it.")],
    to: Annotated[Path | None, typer.Option("--out", help="File for the samples, a new one; without it they are printed.")] = None,
) -> None:
    """Export the answers of a run as samples for ragas; `evals/README.md` says how it reads them."""
    from evals import results

    with _bad_input():
        found = results.ragas_samples(results.read(run).results)
    _lines("Samples", found, to)


@evaluate.command("fit")
def eval_fit(
    own: Annotated[
        Path | None, typer.Option("--own", help="Fit the ranking of documents of one's own instead, on a development benchmark in BEIR's layout.")
    ] = None,
    judge: Annotated[bool, typer.Option("--judge", help="Fit only what goes with the judge, as after every training.")] = False,
) -> None:
    """Fit the weights of ranking and declining on the dev questions and the held pairs, and write them."""
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from assistant.errors import BadInput
    from assistant.evidence import load_weights
    from evals import cases, fit, pairs, retrieval
    from index.embedder import DEFAULT

    if own and judge:
        raise BadInput("--own and --judge were both given.", "Give one: each fits weights of its own.")
    with TemporaryDirectory() as data, bar("Indexing") as indexing, bar("Asking") as progress:
        parts = opened() if own is None else _of_benchmark(Path(data))
        name = parts.settings.embedder
        if own is None:
            sets = cases.load_all(sorted(cases.SETS.glob("*.jsonl")))
            weights = (fit.fit_judged if judge else fit.fit)(_with_judge(parts.chain), sets, pairs.load(), load_weights(name), progress)
        else:
            with _bad_input():
                found = fit.fit_own(parts.chain, *retrieval.labelled(own, parts.chain, indexing), progress)
            weights = replace(load_weights(name), statement_own=found.weights)
        fit.write(name, name == DEFAULT, weights)
    if own:
        out.print(f"nDCG@5 on each half with the weights of the other: {found.halves[0]:.3f}, {found.halves[1]:.3f}.")


def _of_benchmark(data: Path) -> Parts:
    """The parts over an empty library in the folder `data`, for the passages of a benchmark."""
    from assistant.build import build
    from assistant.settings import load

    return build(load().model_copy(update={"data": data, "chroma": ""}))


def bench(
    rounds: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 3,
    texts: Annotated[int, typer.Option(min=1, help="How many texts the index is made of.")] = 40,
    scale: Annotated[int, typer.Option(min=0, help="How many chunks the large index has; 0 leaves it out.")] = 100_000,
    serve: Annotated[bool, typer.Option("--serve", help="Measure requests a second over HTTP instead, beside a bare server.")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="With --serve, how long a round is.")] = 10,
) -> None:
    """Measure speed and memory, each beside its floor; minutes, most of them for the large index."""
    from evals import bench, cases, report

    if serve:
        _bench_serving(rounds, seconds)
        return

    asked = [case.question for case in cases.load(cases.SETS / "questions.jsonl") if case.kind == "single" and case.split == "dev"]
    parts = opened()
    with bar("Asking") as progress:
        measured = bench.bench(parts.chain, asked, rounds=rounds, texts=texts, scale=scale, progress=progress)
    out.print(report.bench_table(measured), soft_wrap=False)


def _bench_serving(rounds: int, seconds: float) -> None:
    """Raises `NotReady`."""
    from assistant.errors import NotReady
    from evals import cases, load, report

    opened()
    mixed = [case.question for case in cases.load_all(sorted(cases.SETS.glob("*.jsonl"))) if case.split == "dev" and not case.history]
    try:
        with bar("Asking") as progress:
            served = load.measure(mixed, seconds=seconds, rounds=rounds, progress=progress)
    except load.LoadError as error:
        raise NotReady(str(error)) from error
    out.print(report.load_table(served), soft_wrap=False)


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


def _lines(what: str, rows: Sequence[Mapping[str, object]], to: Path | None) -> None:
    """Writes the rows as JSONL into a new file, or prints them."""
    from assistant.errors import BadInput

    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if to is None:
        sys.stdout.write(lines)
    else:
        try:
            with to.open("x", encoding="utf-8") as file:
                file.write(lines)
        except OSError as error:
            raise BadInput(f"{to} cannot be written ({error.strerror}).", "Name a new file in a folder of yours.") from error
    err.print(f"{what}{f' in {to}' if to else ''}: {len(rows)}.", markup=False)


def _loaded(parts: Parts, sets: list[Path], only: Path | None = None) -> tuple[Case, ...]:
    """The cases of the sets; raises `BadInput`, before anything is run, naming all that is wrong with them."""
    from evals import cases

    labels = {mark for text in parts.corpus for statement in text.statements for mark in statement.marks}
    with _bad_input():
        loaded = cases.load_all(sets, labels)
        return cases.only(loaded, only) if only else loaded


def _asked(parts: Parts, cases: Sequence[Case], mode: Mode, grader: Grader | None = None, kept: Kept | None = None) -> list[Result]:
    """What came of every case, in order: those kept from before, and the others as they are asked."""
    from evals.run import each

    done = dict(kept.done) if kept else {}
    if done:
        err.print(f"{len(done)} of {len(cases)} cases were asked before; the run goes on.")
    left = [case for case in cases if case.id not in done]
    with bar("Asking") as progress:
        for result in each(parts.chain, left, mode=mode, grader=grader):
            done[result.case.id] = result
            if kept:
                kept.add(result)
            scored = [one.right for one in done.values() if one.right is not None]
            progress(len(done), len(cases), f"{sum(scored) / len(scored):.1%} right" if scored else "")
    return [done[case.id] for case in cases]


def _grader(parts: Parts, name: str) -> Grader | None:
    """The model whose opinion is asked, by the option or by the settings; None where neither names one. Raises `BadSettings`."""
    from assistant.errors import BadSettings
    from evals.opinion import Grader

    settings = parts.settings
    name = name or settings.judge_model
    if name and not (settings.judge_model_url or settings.judge_model_key):
        raise BadSettings(f"The judge {name} has no endpoint.", "Set HKAI_JUDGE_MODEL_URL or HKAI_JUDGE_MODEL_KEY.")
    return Grader(name, base_url=settings.judge_model_url, api_key=settings.judge_model_key, timeout=settings.model_timeout) if name else None


@contextmanager
def _bad_input() -> Iterator[None]:
    """What is wrong with files and folders that were named, as the error that ends a command."""
    from assistant.errors import BadInput

    try:
        yield
    except (ValueError, OSError) as error:
        raise BadInput(str(error)) from error
