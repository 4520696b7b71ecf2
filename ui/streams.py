"""Work done in a thread for a client over HTTP, which ends when the client goes, and server-sent events made of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.abc import TaskGroup
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

# Seconds of silence after which a comment is sent, so that no proxy takes the connection for dead.
SILENCE = 15.0
# The status of a request whose client did not wait; nobody reads it but the log.
CLIENT_LEFT = 499
KEEP_ALIVE = b": still at work\n\n"

T = TypeVar("T")


async def follow(
    work: Generator[T, None, None],
    receive: Receive,
    take: Callable[[T], Awaitable[None]],
    *,
    idle: Callable[[], Awaitable[None]] | None = None,
    silence: float = SILENCE,
) -> bool:
    """Runs `work` in one thread and gives `take` each thing that it yields; False if the client left first.

    `receive` tells of the client, the request having been read. When it is gone, `work` is closed in its thread as soon as it yields, so that
    what it has open is closed too. `idle` is called after every `silence` seconds without anything. Raises what `work` raises.
    """
    made, taken = anyio.create_memory_object_stream[T](0)
    finished = False

    def run() -> None:
        try:
            for thing in work:
                anyio.from_thread.run(made.send, thing)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, CancelledError):
            pass  # nobody takes it: the client is gone
        finally:
            work.close()
            anyio.from_thread.run_sync(made.close)

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()

    async with _plain_errors() as group, taken, made:
        group.start_soon(watch)
        group.start_soon(anyio.to_thread.run_sync, run)
        while not finished:
            try:
                with anyio.fail_after(silence):
                    thing = await taken.receive()
            except TimeoutError:
                if idle:
                    await idle()
            except anyio.EndOfStream:
                finished = True
            else:
                await take(thing)
        group.cancel_scope.cancel()
    return finished


@asynccontextmanager
async def _plain_errors() -> AsyncIterator[TaskGroup]:
    """A task group that raises the one error of its tasks as it is."""
    try:
        async with anyio.create_task_group() as group:
            yield group
    except ExceptionGroup as errors:  # anyio raises nothing else, also for one error
        if len(errors.exceptions) > 1:
            raise
        raise errors.exceptions[0] from errors.exceptions[0].__cause__


async def last(work: Generator[T, None, None], receive: Receive) -> T | None:
    """The last thing that `work` yields; None if the client left before it."""
    things: list[T] = []

    async def take(thing: T) -> None:
        things[:] = [thing]

    return things[0] if await follow(work, receive, take) else None


class EventStream(Response):
    """Server-sent events, each as its bytes; empty ones are not sent, and are only a place at which the work can end."""

    media_type = "text/event-stream"

    def __init__(self, events: Generator[bytes, None, None], *, silence: float = SILENCE) -> None:
        super().__init__(headers={"cache-control": "no-cache", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._silence = silence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the events as they come, and comments while none does."""

        async def take(event: bytes) -> None:
            if event:
                await send(_body(event))

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await follow(self._events, receive, take, idle=lambda: send(_body(KEEP_ALIVE)), silence=self._silence)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _body(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": True}
