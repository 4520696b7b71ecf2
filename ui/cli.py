"""The command line: `hkai serve, ask, chat, ingest, texts, eval, bench, doctor`.

What is heavy is imported by the command that needs it, so that `hkai ask --help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from assistant.build import Parts
    from assistant.records import Answer
    from evals.run import Result

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Answers about Hong Kong's AI ecosystem, each sentence with its source and date.",
)
evaluate = typer.Typer(no_args_is_help=True, help="Measure retrieval and answers on question sets.")
app.add_typer(evaluate, name="eval")

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Mode = Literal["auto", "quotes", "model"]


def main() -> None:
    """The console script: known errors end in a sentence and exit status 1, never in a traceback."""
    from assistant.errors import HkaiError

    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        app()
    except HkaiError as error:
        err.print(f"[red]{escape(error.message)}[/] {escape(error.remedy)}")
        sys.exit(1)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; the setting HKAI_HOST.")] = "",
    port: Annotated[int, typer.Option(help="Port to listen on; the setting HKAI_PORT, or PORT.")] = 0,
) -> None:
    """Serve the chat page and the endpoint; index what is new first."""
    parts = _parts()
    import uvicorn

    from ui.chat.page import mount
    from ui.http import Readiness, create_app

    address, number = host or parts.settings.host, port or parts.settings.port
    readiness = Readiness(parts, _LogProgress("Indexing"))
    out.print(f"hkai serves on http://{address}:{number} (the page and, beside it, /v1/answer); Ctrl-C ends it.")
    uvicorn.run(mount(create_app(parts, readiness), parts, readiness), host=address, port=number, log_level="warning")


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as the endpoint gives it.")] = False,
    mode: Annotated[Mode, typer.Option(help="`quotes` composes exact statements, `model` needs a language model.")] = "auto",
    language: Annotated[Literal["auto", "en", "zh"], typer.Option(help="Language of the answer.")] = "auto",
) -> None:
    """Answer one question."""
    parts = _opened()
    from assistant.chain import Ask

    answer = parts.chain.ask(Ask(question, lang=None if language == "auto" else language, mode=mode))
    if as_json:
        from ui.contract import answer_model

        sys.stdout.write(answer_model(answer).model_dump_json(indent=2) + "\n")
    else:
        _show(answer)


@app.command()
def chat(mode: Annotated[Mode, typer.Option(help="`quotes` or `model`; `auto` takes the model if there is one.")] = "auto") -> None:
    """Converse; an empty line or Ctrl-D ends it."""
    parts = _opened()
    from assistant.chain import Ask
    from assistant.records import Turn

    turns: list[Turn] = []
    while True:
        try:
            question = input("> ").strip()
        except EOFError:
            break
        if not question:
            break
        answer = parts.chain.ask(Ask(question, tuple(turns), mode=mode))
        _show(answer)
        turns += [Turn("user", question), Turn("assistant", answer.text)]


@app.command()
def ingest(
    places: Annotated[list[str] | None, typer.Argument(help="Files, folders or URLs: Markdown, text, HTML, PDF, DOCX, PPTX.")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Bring the index up to date with the texts and the embedder.")] = False,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="Id of a document of your own to take out.")] = None,
) -> None:
    """Add documents of your own, or bring the index up to date."""
    if not places and not rebuild and not remove:
        raise typer.BadParameter("name a file, folder or URL to add, or give --rebuild or --remove ID")
    parts = _parts()
    from assistant.build import open_index, sync_index
    from corpus.readers import Unreadable, documents

    if not rebuild and (parts.settings.data / "manifest.json").exists():
        open_index(parts)
    failed = 0
    for place in places or []:
        for name, found in documents(place, max_mb=parts.settings.max_file_mb):
            if isinstance(found, Unreadable):
                failed += 1
                err.print(f"[red]not added[/] {escape(name)}: {escape(str(found))}")
            else:
                parts.library.add([found])
                out.print(f"read {name}: {len(found.statements)} statements, id {found.id}", markup=False)
    for identifier in remove or []:
        if not parts.library.remove(identifier):
            failed += 1
            err.print(f"There is no document {identifier}; `hkai texts --own` lists them.", markup=False)
    with _bar("Indexing") as progress:
        changes = sync_index(parts, progress)
    out.print(str(changes))
    if failed:
        raise typer.Exit(1)


@app.command()
def texts(
    query: Annotated[str, typer.Argument(help="An id to show that text whole, or words to look for in titles, names and sentences.")] = "",
    own: Annotated[bool, typer.Option("--own", help="Only documents of your own.")] = False,
    lang: Annotated[str, typer.Option(help="Only texts in this language: en or zh.")] = "",
    topic: Annotated[str, typer.Option(help="Only this topic folder.")] = "",
) -> None:
    """List, search and show the texts with their sources."""
    parts = _parts()
    from index.search import Filters
    from index.words import fold

    filters = Filters(topic=topic, lang=lang, own=own or None)
    held = [text for text in (*parts.corpus, *parts.library.own()) if filters.admits(text)]
    exact = next((text for text in held if text.id == query), None)
    if exact:
        out.print(f"# {exact.title}  ({exact.id}, updated {exact.updated})", markup=False)
        for statement in exact.statements:
            out.print(f"\n{statement.text}", markup=False)
            for source in statement.sources:
                dated = f", as of {statement.as_of}" if statement.as_of else ""
                out.print(f"    {source.publisher or source.title}{dated}  {source.url}", style="dim", markup=False)
        return
    found = [text for text in held if fold(query) in fold(f"{text.id} {text.title} {' '.join(text.aliases)} {text.text}")]
    for text in found:
        out.print(f"{text.id:55} {text.topic:16} {text.title}", markup=False)
    if not found:
        err.print(f"No text holds {query!r}.", markup=False)
        raise typer.Exit(1)


@evaluate.command("answers")
def eval_answers(
    sets: Annotated[list[Path], typer.Argument(help="Question sets (JSONL); `evals/README.md` describes them.")],
    to: Annotated[Path | None, typer.Option("--out", help="Folder for `results.jsonl` and `summary.json`.")] = None,
    mode: Annotated[Mode, typer.Option(help="`quotes`, or `model`, which needs a language model.")] = "quotes",
    failures: Annotated[bool, typer.Option("--failures", help="List the cases that were not right.")] = False,
) -> None:
    """Run question sets; exit status 1 if a case could not be scored."""
    from evals import report, run

    results = _evaluated(_opened(), sets, mode)
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

    summary = run.summary(_evaluated(_opened(), sorted(cases.SETS.glob("*.jsonl")), "quotes"))
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
    beir: Annotated[Path, typer.Option(help="Folder in BEIR's layout; queries may carry `history`.")],
    to: Annotated[Path | None, typer.Option("--out", help="JSON file for the figures.")] = None,
) -> None:
    """Rank the passages of a benchmark, in an index that is thrown away."""
    from tempfile import TemporaryDirectory

    from assistant.build import build
    from assistant.errors import BadInput
    from assistant.settings import load
    from evals import report
    from evals.retrieval import retrieval

    with TemporaryDirectory() as data, _bar("Indexing") as indexing, _bar("Asking") as asking:
        chain = build(load().model_copy(update={"data": Path(data), "chroma": ""})).chain
        try:
            figures = retrieval(beir, chain, indexing=indexing, asking=asking)
        except ValueError as error:
            raise BadInput(str(error)) from error
    out.print(report.retrieval_table(figures), soft_wrap=False)
    if to:
        to.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


@app.command()
def bench(
    rounds: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 3,
    texts: Annotated[int, typer.Option(min=1, help="How many texts the index is made of.")] = 40,
) -> None:
    """Measure speed and memory, each beside its floor."""
    from evals import bench, cases, report

    asked = [case.question for case in cases.load(cases.SETS / "questions.jsonl") if case.kind == "single" and case.split == "dev"]
    parts = _opened()
    with _bar("Asking") as progress:
        measured = bench.bench(parts.chain, asked, rounds=rounds, texts=texts, progress=progress)
    out.print(report.bench_table(measured), soft_wrap=False)


def _evaluated(parts: Parts, sets: list[Path], mode: Mode) -> list[Result]:
    """What came of every case of the sets; raises `BadInput`, before anything is run, naming all that is wrong with them."""
    from assistant.errors import BadInput
    from evals import cases, run

    labels = {mark for text in parts.corpus for statement in text.statements for mark in statement.marks}
    try:
        loaded = cases.load_all(sets, labels)
    except ValueError as error:
        raise BadInput(str(error)) from error
    with _bar("Asking") as progress:
        return run.answers(parts.chain, loaded, mode=mode, progress=progress)


@app.command()
def doctor() -> None:
    """Check what a stuck user would be asked about, with the remedy for each."""
    import importlib.metadata
    import platform

    from assistant.settings import load

    wrong = 0

    def line(name: str, fine: bool, detail: str, remedy: str = "") -> None:
        nonlocal wrong
        wrong += not fine
        out.print(f"{'ok   ' if fine else 'WRONG'} {name}: {detail}" + ("" if fine else f" -> {remedy}"), markup=False)

    line("Python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or newer")
    settings = load()
    line("settings", True, f"data in {settings.data.absolute()}, embedder {settings.embedder}, model {settings.model or 'none (answers are quoted)'}")
    for package in ("chromadb", "tantivy", "sentence-transformers", "gradio", "langchain-core", "torch"):
        try:
            line(package, True, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            line(package, False, "not installed", "make install")
    writable = os.access(next(folder for folder in (settings.data.absolute(), *settings.data.absolute().parents) if folder.exists()), os.W_OK)
    line("data folder", writable, str(settings.data.absolute()), "set HKAI_DATA to a folder that can be written")
    try:
        parts = _opened()
        line("index", True, f"{len(parts.library.texts)} texts, {parts.library.statements.meaning.count()} statements, version {parts.library.version}")
    except _known_errors() as error:
        line("index", False, str(error), "hkai ingest --rebuild")
    if settings.model and not settings.writes:
        line("model", False, "HKAI_MODEL is set but no endpoint", "set OPENAI_BASE_URL or OPENAI_API_KEY")
    if wrong:
        raise typer.Exit(1)


def _known_errors() -> type[Exception]:
    from assistant.errors import HkaiError

    return HkaiError


def _parts() -> Parts:
    from assistant.build import build
    from assistant.settings import load

    return build(load())


def _opened() -> Parts:
    from assistant.build import open_index

    parts = _parts()
    open_index(parts)
    return parts


def _show(answer: Answer) -> None:
    if answer.standalone:
        out.print(f"({answer.standalone})", style="dim", markup=False)
    out.print(answer.text, markup=False)
    for citation in answer.citations:
        for source in citation.sources:
            dated = f", as of {citation.as_of}" if citation.as_of else ""
            out.print(f"  [{citation.number}] {source.publisher or source.title}{dated}  {source.url}", style="dim", markup=False)
    for warning in answer.warnings:
        out.print(f"Note: {warning}", style="yellow", markup=False)


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar as a callback of (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=False) as progress:
        task = progress.add_task(label, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


class _LogProgress:
    """A progress bar that begins with the first report and ends with the last."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._progress: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._progress is None:
            self._progress = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err)
            self._progress.start()
            self._progress.add_task(self._label, total=total)
        self._progress.update(self._progress.task_ids[0], completed=done)
        if done >= total:
            self._progress.stop()
