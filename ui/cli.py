"""The command line: `hkai serve, ask, chat, ingest, texts, eval, bench, backup, restore, doctor`.

What is heavy is imported by the command that needs it, so that `hkai ask --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from ui.backups import backup, restore
from ui.measure import bench, evaluate
from ui.terminal import LogProgress, Mode, bar, err, opened, out, put_together

if TYPE_CHECKING:
    from assistant.records import Answer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Answers about Hong Kong's AI ecosystem, each sentence with its source and date.",
)
app.add_typer(evaluate, name="eval")
app.command()(bench)
app.command()(backup)
app.command()(restore)


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
    parts = put_together()
    parts.conversations.prepare()
    import uvicorn

    from ui.chat.page import mount
    from ui.http import Readiness, create_app

    address, number = host or parts.settings.host, port or parts.settings.port
    readiness = Readiness(parts, LogProgress("Indexing"))
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
    parts = opened()
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
    parts = put_together()
    if parts.settings.database:
        parts.conversations.prepare()
    from assistant.build import open_index
    from assistant.chain import Ask
    from assistant.records import Turn

    open_index(parts)
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
    parts = put_together()
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
        if parts.library.remove(identifier):
            parts.conversations.forget(identifier)
        else:
            failed += 1
            err.print(f"There is no document {identifier}; `hkai texts --own` lists them.", markup=False)
    with bar("Indexing") as progress:
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
    parts = put_together()
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


@app.command()
def doctor() -> None:
    """Check what a stuck user would be asked about, with the remedy for each."""
    import importlib.metadata
    import platform

    from assistant.build import build, open_index
    from assistant.evidence import load_weights
    from assistant.settings import load
    from index.judge import Judge, JudgeError, Reranker

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
        parts = build(settings.model_copy(update={"judge": "off", "reranker": ""}))
        open_index(parts)
        line("index", True, f"{len(parts.library.texts)} texts, {parts.library.statements.meaning.count()} statements, version {parts.library.version}")
    except _known_errors() as error:
        line("index", False, str(error), "hkai ingest --rebuild")
    judge = Judge()
    try:
        unfitted = not load_weights(settings.embedder).statement_judged
        without = "switched off by HKAI_JUDGE" if settings.judge == "off" else f"not used: no weights are fitted for {settings.embedder}" if unfitted else ""
        if not without:
            judge.load()
        line("judge", True, f"{without}; questions that sound known but are not are answered" if without else judge.name)
    except JudgeError as error:
        line("judge", False, str(error), "git checkout index/judge_weights")
    if settings.reranker:
        try:
            Reranker(settings.reranker).load()
            line("reranker", True, settings.reranker)
        except JudgeError as error:
            line("reranker", False, str(error), "unset HKAI_RERANKER, or name another")
    if settings.model and not settings.writes:
        line("model", False, "HKAI_MODEL is set but no endpoint", "set OPENAI_BASE_URL or OPENAI_API_KEY")
    if wrong:
        raise typer.Exit(1)


def _known_errors() -> type[Exception]:
    from assistant.errors import HkaiError

    return HkaiError


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
