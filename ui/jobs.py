"""Long work, done one after the other in the background, and how far it is. Jobs live in this process: none survives it."""

from __future__ import annotations

import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from assistant.errors import Broken, Busy, HkaiError
from ui.watch import log

WAITING = 8
KEPT = 1_000

Kind = Literal["add", "replace", "delete"]
Progress = Callable[[int, int], None]
# Does the work, reporting its progress, and gives the id of the document.
Work = Callable[[Progress], str]


@dataclass(slots=True)
class Job:
    """One piece of work; `document` is the id that it is about, once known, and `error` why it failed."""

    id: str
    kind: Kind
    document: str
    status: Literal["waiting", "running", "done", "failed"] = "waiting"
    done: int = 0
    total: int = 0
    error: HkaiError | None = None


class Jobs:
    """The jobs of this process, the last thousand of them."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._waiting: queue.Queue[tuple[Job, Work]] = queue.Queue(WAITING)
        self._starting = threading.Lock()
        self._worker: threading.Thread | None = None

    def get(self, identifier: str) -> Job | None:
        """The job with this id, if this process has had it."""
        return self._jobs.get(identifier)

    def start(self, kind: Kind, work: Work, document: str = "") -> Job:
        """Puts work behind what is waiting; raises `Busy`."""
        job = Job(secrets.token_hex(8), kind, document)
        try:
            self._waiting.put_nowait((job, work))
        except queue.Full:
            raise Busy(f"{WAITING} documents are waiting to be read.", "Try again in a minute.") from None
        with self._starting:
            self._jobs[job.id] = job
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="hkai-jobs", daemon=True)
                self._worker.start()
        return job

    def _work(self) -> None:
        while True:
            job, work = self._waiting.get()
            job.status = "running"

            def report(done: int, total: int, job: Job = job) -> None:
                job.done, job.total = done, total

            try:
                job.document = work(report)
                job.status = "done"
            except HkaiError as error:
                job.error, job.status = error, "failed"
            except Exception as error:  # noqa: BLE001  # the outermost edge of this thread: whatever it is, its job says so and the next one runs
                log.exception("a job failed")
                job.error = Broken(f"It failed ({type(error).__name__}: {error}).", "Try again; if it fails again, `hkai doctor` may say why.")
                job.status = "failed"
