"""A gate: many read at once, or one changes what they read, alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Readers go in together; who changes waits until they are out, and new ones wait for it. Neither may go in twice at once."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._readers = 0
        self._taken = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """As one of many readers."""
        with self._moved:
            self._moved.wait_for(lambda: not self._taken)
            self._readers += 1
        try:
            yield
        finally:
            with self._moved:
                self._readers -= 1
                self._moved.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """With no reader, and nobody else who changes."""
        with self._moved:
            self._moved.wait_for(lambda: not self._taken)
            self._taken = True
            self._moved.wait_for(lambda: not self._readers)
        try:
            yield
        finally:
            with self._moved:
                self._taken = False
                self._moved.notify_all()
