"""The command line: `hkai serve, ask, chat, ingest, texts, eval, bench, mcp, key, settings, backup, restore, doctor`.

What is heavy is imported by the command that needs it, so that `hkai ask --help` answers at once.
"""

from __future__ import annotations

import os
import re
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
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; the setting HKAI_PORT, or PORT.")] = 0,
) -> None:
    """Serve the chat page and the endpoint; index what is new first."""
    parts = put_together(host, port)
    parts.conversations.prepare()
    import uvicorn

    from ui.chat.page import mount
    from ui.guard import closed_to_writes
    from ui.http import Readiness, create_app
    from ui.watch import set_up_logs

    settings = parts.settings
    set_up_logs(settings.log)
    readiness = Readiness(parts, LogProgress("Indexing"))
    out.print(f"hkai serves on http://{settings.host}:{settings.port} (the page and, beside it, /v1/answer); Ctrl-C ends it.")
    if closed_to_writes(settings):
        err.print("Others can reach this address and no API key is set: the endpoint answers, and takes no changes. `hkai key` makes one.", style="yellow")
    uvicorn.run(
        mount(create_app(parts, readiness), parts, readiness),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,  # a page that stays open does not keep the server
        forwarded_allow_ips=settings.proxies,
    )


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
        if not parts.library.remove(identifier):
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
def mcp() -> None:
    """Offer search, answer and read_text to other assistants, over the Model Context Protocol on standard input and output."""
    from ui.mcp import server

    server(opened).run()


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="Whose it is; letters, digits, - . _")],
    scope: Annotated[Literal["read", "write"], typer.Option(help="`write` may add, replace and delete too.")] = "read",
) -> None:
    """Make an API key, shown this once, and its entry for HKAI_API_KEYS."""
    from ui.guard import new_key

    if not re.fullmatch(r"[\w.-]+", name):
        raise typer.BadParameter("a name is made of letters, digits, - . _")
    fresh, entry = new_key(name, scope)
    err.print("The key, for whoever asks; it is kept nowhere and shown this once:")
    out.print(fresh, markup=False)
    err.print("Its entry for HKAI_API_KEYS; several are separated by commas:")
    out.print(entry, markup=False)


@app.command()
def settings() -> None:
    """Print every setting with its default, as docs/settings.md has them."""
    from assistant.settings import described

    sys.stdout.write(described())


@app.command()
def doctor() -> None:
    """Check what a stuck user would be asked about, with the remedy for each."""
    from ui.doctor import examine

    wrong = 0
    for finding in examine():
        wrong += not finding.fine
        told = f"{'ok   ' if finding.fine else 'WRONG'} {finding.name}: {finding.detail}"
        out.print(told if finding.fine else f"{told} -> {finding.remedy}", markup=False)
    if wrong:
        raise typer.Exit(1)


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
