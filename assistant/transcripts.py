"""What is kept of a conversation, and an answer as the JSON in which it is kept."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, is_dataclass, replace
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from assistant.records import Answer, Citation, Turn

Feedback = Literal["up", "down", ""]

# What stands in a kept answer for what was quoted from a text that was deleted.
DELETED = {"en": "[source deleted]", "zh": "［來源已刪除］"}

_INSIDE = "(?<=[A-Za-z0-9])(?=[A-Za-z0-9])"
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its messages; `updated` is when the last was appended, `link` that of its read-only copy, if it is shared."""

    id: str
    title: str
    created: datetime
    updated: datetime
    link: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A question as asked and its answer, None as long as there is none; `number` rises within a conversation."""

    id: str
    number: int
    asked: datetime
    question: str
    answer: Answer | None
    feedback: Feedback = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation with the messages that are in sight, in the order in which they were asked."""

    conversation: Conversation
    messages: tuple[Message, ...]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The messages that were answered, as the chain takes the conversation so far."""
        answered = [message for message in self.messages if message.answer]
        return tuple(turn for message in answered for turn in (Turn("user", message.question), Turn("assistant", cast(Answer, message.answer).text)))


def answer_to_json(answer: Answer) -> str:
    """An answer as JSON; `answer_from_json` gives an equal one, lone surrogates apart, which are no text: each becomes U+FFFD."""
    return _SURROGATE.sub("\ufffd", json.dumps(asdict(answer), ensure_ascii=False))


def answer_from_json(row: str) -> Answer:
    """The answer; raises `AttributeError`, `TypeError` or `ValueError` for JSON that is none. Fields that it lacks must have defaults."""
    return cast(Answer, _record(Answer, json.loads(row)))


def without(answer: Answer, text_id: str, present: str = "") -> Answer:
    """The answer after a text was deleted or replaced: what it quoted or said from it, the title and the sources give way to `DELETED`.

    What comes from the text that is there now, whose hash is `present`, stays.

    A sentence that was dropped when the answer was made goes too, for it may have been made from that text; and where a sentence that cites it cannot
    be told from the rest, the whole wording goes.
    """
    mark = DELETED[answer.language]
    gone = {citation.number: citation for citation in answer.citations if citation.text_id == text_id and not (present and citation.text_sha256 == present)}
    if not gone:
        return answer
    struck = [verdict for verdict in answer.verdicts if not verdict.citations or gone.keys() & set(verdict.citations)]
    passages = {*(verdict.sentence for verdict in struck), *(part for citation in gone.values() for part in (citation.quote, citation.title))} - {""}

    def strike(text: str) -> str:
        for passage in sorted(passages, key=len, reverse=True):
            text = _whole(passage).sub(mark, text)
        return text

    told_apart = all(_whole(verdict.sentence).search(answer.text) for verdict in struck if verdict.citations)
    return replace(
        answer,
        text=strike(answer.text) if told_apart else mark,
        citations=tuple(Citation(one.number, "", mark, "", mark, 0, 0, "", (), "") if one.number in gone else one for one in answer.citations),
        verdicts=tuple(replace(one, sentence=mark, reason="") if one in struck else one for one in answer.verdicts),
        warnings=tuple(map(strike, answer.warnings)),
        standalone=strike(answer.standalone),
        followups=tuple(followup for followup in answer.followups if strike(followup) == followup),
    )


def _whole(passage: str) -> re.Pattern[str]:
    """Finds a passage where it neither begins nor ends within a word or number."""
    return re.compile(rf"(?!{_INSIDE}){re.escape(passage)}(?!{_INSIDE})")


@cache
def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _record(kind: Any, value: Any) -> Any:
    """A value of the type `kind`, of frozen dataclasses and tuples, from what JSON has for it."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _types(kind)
        return cast(Any, kind)(**{name: _record(hints[name], item) for name, item in value.items() if name in hints})
    if get_origin(kind) is tuple:
        return tuple(_record(get_args(kind)[0], item) for item in value)
    if get_origin(kind) in (Union, UnionType) and value is not None:
        return _record(get_args(kind)[0], value)
    return value
