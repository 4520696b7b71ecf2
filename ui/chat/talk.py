"""What the conversation page does with what is asked: keeps it, has it answered, keeps the answer. No widgets."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from assistant.build import Parts, keep_answer
from assistant.chain import Ask
from assistant.errors import HkaiError, NotFound
from assistant.records import Turn
from assistant.transcripts import Conversation, Feedback, Message, Transcript
from index.search import Filters
from ui.chat.phrases import Phrases, dated
from ui.chat.render import Exchange
from ui.http import Readiness

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

    def written(self, owner: str, live: Exchange, turns: Sequence[Turn], scope: str, words: Phrases) -> Iterator[Exchange]:
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
                    live = replace(live, answer=keep_answer(self._parts, owner, live.id, event.data), busy=False)
                yield live
        except HkaiError as error:
            yield replace(live, busy=False, trouble=trouble(error, words))

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


def exchange_of(message: Message, words: Phrases) -> Exchange:
    """A message that was kept, as it is shown."""
    return Exchange(message.id, message.question, message.answer, rating=message.feedback, trouble="" if message.answer else words.stopped)


def trouble(error: HkaiError, words: Phrases) -> str:
    """What went wrong and what to do, in the language of `words`."""
    return words.troubles.get(error.code) or words.failed.format(message=error.message, remedy=error.remedy).strip()
