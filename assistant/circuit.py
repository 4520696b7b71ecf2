"""A circuit breaker: what failed several times in a row is left alone for a while, then tried once.

closed ──failures in a row──► open ──rest over──► trial ──success──► closed
                                ▲                   └────failure───────┐
                                └──────────────────────────────────────┘
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "trial"]

FAILURES = 3
REST = 30.0


class Circuit:
    """Shared by threads. Who is let in by `enter` reports `succeeded`, `failed` or `left` once.

    `failures` in a row open the circuit for `rest` seconds by `clock`.
    """

    def __init__(self, *, failures: int = FAILURES, rest: float = REST, clock: Callable[[], float] = time.monotonic) -> None:
        self.rest = rest
        self._most = failures
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened = 0.0
        self._state: State = "closed"

    @property
    def state(self) -> State:
        """`closed`: all are let in; `open`: nobody is; `trial`: one is in to try, nobody else."""
        return self._state

    def enter(self) -> bool:
        """Whether the call may be made; after the rest, the first that asks is the trial."""
        with self._lock:
            if self._state == "open" and self._clock() - self._opened >= self.rest:
                self._state = "trial"
                return True
            return self._state == "closed"

    def succeeded(self) -> None:
        """The call did what it should."""
        with self._lock:
            self._failures = 0
            self._state = "closed"

    def failed(self) -> None:
        """The call failed."""
        with self._lock:
            self._failures += 1
            if self._state == "trial" or self._failures >= self._most:
                self._state = "open"
                self._opened = self._clock()

    def left(self) -> None:
        """The caller went away before there was an outcome; if it was the trial, the next that asks is."""
        with self._lock:
            if self._state == "trial":
                self._state = "open"
