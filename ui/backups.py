"""`hkai backup` and `hkai restore`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ui.terminal import out, put_together


def backup(
    file: Annotated[Path, typer.Argument(help="File to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write your own documents, the conversations and the feedback into one file; the server may go on meanwhile."""
    from assistant import backup

    parts = put_together()
    with closing(parts.conversations) as conversations:
        counted = backup.backup(parts.library, conversations, file, force=force)
    out.print(f"Written to {file}: {counted}. It holds what people asked: keep it safe.", markup=False)


def restore(
    file: Annotated[Path, typer.Argument(help="File that `hkai backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Put what it holds in the place of the documents and conversations there are.")] = False,
) -> None:
    """Bring back what a backup holds; it is checked whole before anything is changed."""
    from assistant import backup

    parts = put_together()
    with closing(parts.conversations) as conversations:
        counted = backup.restore(parts.library, conversations, file, force=force)
    out.print(f"Restored: {counted}. Bring the index up to date now: `hkai ingest --rebuild`, or start the server.", markup=False)
