"""What the conversation page does with what is asked: keeps it, has it answered, keeps the answer. No widgets."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import cast

from assistant.build import Parts, keep_answer
from assistant.chain import Ask
from assistant.errors import Broken, HkaiError, NotFound
from assistant.records import Turn
from assistant.transcripts import Conversation, Feedback, Message, Transcript
from index.search import Filters
from ui.chat.phrases import Phrases, dated
from ui.chat.render import Exchange
from ui.http import Readiness
from ui.watch import log

# Seconds between two looks whether an answer is to end, and for which is waited until it has.
TICK, PATIENCE = 0.05, 5.0
# Which texts are asked: all, those of the corpus, or one's own documents.
SCOPES: dict[str, bool | None] = {"both": None, "corpus": False, "own": True}


class Talk:
    """Questions to answers, both kept for their owner."""

    def __init__(self, parts: Parts, readiness: Readiness) -> None:
        self._parts = parts
        self._kept = parts.conversations
        self._readiness = readiness

    def keep(self, owner: str, text: str, current: str, replaces: tuple[str, ...]) -> tuple[Conversation, Transcript, Message]:
        """The question, kept in its conversation or a new one, and what stands before it there."""
        try:
            before = self._kept.open(owner, current)
        except NotFound:
            started = self._kept.start(owner, text)
            return started.conversation, replace(started, messages=()), started.messages[0]
        message = self._kept.append(owner, current, text, replaces=replaces)
        return before.conversation, replace(before, messages=tuple(one for one in before.messages if one.id not in replaces)), message

    def written(self, owner: str, live: Exchange, turns: Sequence[Turn], scope: str, words: Phrases) -> Generator[Exchange]:
        """The exchange as its answer grows, the last time with the answer, which is then kept, or with what went wrong."""
        while not self._readiness.ready and not self._readiness.trouble:
            yield replace(live, step=words.preparing.format(step=self._readiness.step))
            time.sleep(0.5)
        try:
            self._readiness.wait(1)
            for event in self._parts.chain.stream(Ask(live.asked, tuple(turns), filters=Filters(own=SCOPES.get(scope)))):
                if event.name == "question":
                    live = replace(live, searched=event.data)
                elif event.name == "evidence":
                    live = replace(live, evidence=event.data)
                elif event.name == "restart":
                    live = replace(live, draft="")
                elif event.name == "token":
                    live = replace(live, draft=live.draft + event.data)
                elif event.name == "answer":
                    yield live  # an answer that was ended meanwhile is not kept
                    live = replace(live, answer=keep_answer(self._parts, owner, live.id, event.data), busy=False)
                yield live
        except HkaiError as error:
            yield replace(live, busy=False, trouble=trouble(error, words))
        except Exception as error:  # noqa: BLE001  # the outermost edge of an answer: whatever it is, the page says so and goes on
            log.exception("answering failed")
            broken = Broken(f"Answering failed ({type(error).__name__}).", "Try again; if it fails again, `hkai doctor` may say why.")
            yield replace(live, busy=False, trouble=trouble(broken, words))

    def rate(self, owner: str, current: str, identifier: str, value: str, reason: str, words: Phrases) -> list[Exchange]:
        """The conversation with `value`, up or down, kept for the answer `identifier`; given twice, it is taken back."""
        before = next((one for one in self._kept.open(owner, current).messages if one.id == identifier), None)
        if before and value in ("up", "down"):
            again = before.feedback == value and (before.reason == reason or not reason)
            self._kept.feedback(owner, before.id, cast(Feedback, "" if again else value), "" if again else reason)
        return [exchange_of(message, words) for message in self._kept.open(owner, current).messages]

    def known(self, words: Phrases) -> dict[str, object]:
        """What the corpus holds, in numbers, and the date of its latest fact."""
        statements = [statement for text in self._parts.corpus for statement in text.statements]
        publishers = {source.publisher for statement in statements for source in statement.sources}
        latest = dated(max((statement.as_of for statement in statements), default=""), words)
        return {"texts": len(self._parts.corpus), "statements": f"{len(statements):,}", "publishers": len(publishers), "date": latest}


class Writing:
    """The answer that one page is being written, at most one: whoever shows something else on that page ends it first.

    Gradio's own `cancels` waits until what it cancels has yielded, which a model may keep from it for a minute, and then cancels what was asked meanwhile.
    """

    def __init__(self) -> None:
        self.shows: str | None = None  # the conversation that the page shows, None where that is not known
        self._live: Exchange | None = None
        self._lock = threading.Lock()
        self._end, self._ended = threading.Event(), threading.Event()
        self._ended.set()

    def __deepcopy__(self, memo: object) -> Writing:
        """Every page begins with its own."""
        return Writing()

    @contextmanager
    def begun(self, conversation: str) -> Iterator[threading.Event | None]:
        """While the answer to a question of `conversation` is written; gives what is set when it is to end.

        None if the page has come to show another since it was asked. Should it be this that is mistaken, the next question is answered.
        """
        with self._lock:
            begins, self.shows = self.shows in (None, conversation), None
            if begins:
                self._stop()
                self._end, self._ended = threading.Event(), threading.Event()
            end, ended = self._end, self._ended
        try:
            yield end if begins else None
        finally:
            if begins:
                ended.set()

    def each(self, exchanges: Generator[Exchange], live: Exchange, end: threading.Event) -> Iterator[Exchange]:
        """The exchanges that follow `live` as they come, until `end` is set; what its thread makes after that is shown nowhere."""
        made: queue.Queue[Exchange | None] = queue.Queue(maxsize=1)  # so that it makes nothing ahead of what is shown
        self._live = live

        def put(exchange: Exchange | None) -> None:
            while not end.is_set():
                with suppress(queue.Full):
                    made.put(exchange, timeout=TICK)
                    return

        def run() -> None:
            try:
                with closing(exchanges):
                    for exchange in exchanges:
                        put(exchange)
                        if end.is_set():
                            return
            finally:
                put(None)

        threading.Thread(target=run, name="answer", daemon=True).start()
        try:
            while not end.is_set():
                try:
                    exchange = made.get(timeout=TICK)
                except queue.Empty:
                    continue
                if exchange is None:
                    self._live = None
                    return
                self._live = exchange
                yield exchange
        finally:
            end.set()

    def end(self, shows: str | None = None) -> Exchange | None:
        """Ends what is being written and returns how far it had come, if anything was; the page then shows the conversation `shows`, if another."""
        with self._lock:
            if shows is not None:
                self.shows = shows
            return self._stop()

    def _stop(self) -> Exchange | None:
        self._end.set()
        self._ended.wait(PATIENCE)
        live, self._live = self._live, None
        return live


def exchange_of(message: Message, words: Phrases) -> Exchange:
    """A message that was kept, as it is shown."""
    return Exchange(message.id, message.question, message.answer, rating=message.feedback, trouble="" if message.answer else words.stopped)


def trouble(error: HkaiError, words: Phrases) -> str:
    """What went wrong and what to do, in the language of `words`."""
    return words.troubles.get(error.code) or words.failed.format(message=error.message, remedy=error.remedy).strip()
