"""What the commands share: the consoles, the progress bars, and the parts they open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from assistant.build import Parts

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Mode = Literal["auto", "quotes", "model"]


class Shown(Protocol):
    """What tells a progress bar how far the work is, with a note to stand beside its label."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Shows it."""


def put_together(host: str = "", port: int = 0) -> Parts:
    """The parts by the settings, nothing loaded yet; `host` and `port` take the place of those set."""
    from assistant.build import build
    from assistant.settings import load

    settings = load()
    return build(settings.model_copy(update={"host": host or settings.host, "port": port or settings.port}))


def opened() -> Parts:
    """The parts, the index loaded for asking."""
    from assistant.build import open_index

    parts = put_together()
    open_index(parts)
    return parts


@contextmanager
def bar(label: str) -> Iterator[Shown]:
    """A progress bar as a callback of (done, total) and, where there is more to say, a note."""
    with _progress() as progress:
        task = progress.add_task(label, total=None, visible=False)

        def show(done: int, total: int, note: str = "") -> None:
            progress.update(task, completed=done, total=total, visible=True, description=f"{label} {note}".rstrip())

        yield show


class LogProgress:
    """A progress bar that begins with the first report and ends with the last."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._progress: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        """Shows how far the work is."""
        if self._progress is None:
            self._progress = _progress()
            self._progress.start()
            self._progress.add_task(self._label, total=total)
        self._progress.update(self._progress.task_ids[0], completed=done)
        if done >= total:
            self._progress.stop()


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err)
