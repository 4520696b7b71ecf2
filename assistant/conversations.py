"""Conversations, their messages and feedback, kept: SQLite in a file by default, PostgreSQL by URL.

An owner is an unguessable token that the caller gives; only its hash is kept. Whatever belongs to another owner, is deleted or was never there is
`NotFound`, one like the other. Every write locks the conversation that it changes, so that two tabs on one conversation, or two servers on one
database, append one after the other, and none overwrites what another kept. A message that is asked anew or edited is put out of sight, not
changed. Answers are frozen: they read the same whatever becomes of the texts, until a text is deleted and `forget` strikes out what came from it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sql
from sqlalchemy import ColumnElement, Connection, Select

from assistant.database import UNKEEPABLE, Database, conversations, messages
from assistant.errors import BadInput, NotFound, TooLarge
from assistant.records import Answer
from assistant.transcripts import Conversation, Feedback, Message, Transcript, answer_from_json, answer_to_json, without
from index.words import fold

# Days for which a deleted conversation can be brought back.
KEPT_DELETED = 30
MAX_QUESTION = 1_000_000
MAX_REASON = 4_000
MAX_TITLE = 120
MAX_SEARCH = 200
LISTED = 1_000

Row = Mapping[str, Any]


class Conversations:
    """The conversations kept in `where`, the file of a SQLite database or the URL of any; `now` is the clock, in seconds since 1970.

    Nothing is opened before the first call. Every method raises `StoreError` where the database cannot be used, `NotFound` where the owner has no
    such thing, and `BadInput` where an argument cannot be kept.
    """

    def __init__(self, where: str | Path, *, now: Callable[[], float] = time.time) -> None:
        self.database = Database(where)
        self._now = now

    def prepare(self) -> None:
        """Opens the database, makes what is missing in it and purges what was deleted long ago."""
        self.database.prepare()
        self.purge()

    def reach(self) -> str:
        """Asks the database for nothing but an answer; gives how many conversations it keeps."""
        with self.database.reading() as connection:
            return f"{connection.scalar(sql.select(sql.func.count()).select_from(conversations)) or 0} conversations"

    def close(self) -> None:
        """Closes the connections; the next call opens new ones."""
        self.database.close()

    # Conversations

    def start(self, owner: str, question: str, answer: Answer | None = None) -> Transcript:
        """A new conversation with its first message, whose question gives it its title."""
        now = self._now()
        row: dict[str, Any] = {
            "id": _token(),
            "owner": _owner(owner),
            **_titled(question),
            "created": now,
            "updated": now,
            "deleted": None,
            "link": None,
            "shared": None,
        }
        with self.database.writing() as connection:
            connection.execute(sql.insert(conversations), row)
            message = self._insert(connection, row["id"], question, answer, 1)
        return Transcript(_conversation(row), (message,))

    def append(self, owner: str, conversation: str, question: str, answer: Answer | None = None, *, replaces: Collection[str] = ()) -> Message:
        """Keeps a question, and its answer if there is one already, after all others of the conversation.

        The messages with the ids `replaces` (those that the page shows after the one edited or asked anew, and that one) go out of sight with it;
        those that came from another tab meanwhile stay. In a conversation that was deleted meanwhile the message is kept for its restoration.
        """
        with self.database.writing() as connection:
            row = _held(connection, owner, conversation, deleted_too=True, lock=True)
            last = connection.scalar(sql.select(sql.func.max(messages.c.number)).where(messages.c.conversation == row["id"])) or 0
            message = self._insert(connection, row["id"], question, answer, last + 1)
            if replaces:
                gone = (messages.c.conversation == row["id"], messages.c.id.in_([_clean(identifier) for identifier in replaces]))
                connection.execute(sql.update(messages).where(*gone, messages.c.replaced.is_(None)).values(replaced=message.number))
            connection.execute(sql.update(conversations).where(conversations.c.id == row["id"]).values(updated=self._now()))
        return message

    def complete(self, owner: str, message: str, answer: Answer) -> Message:
        """Keeps the answer to a question that was kept without one; one that has an answer keeps it."""
        with self.database.writing() as connection:
            row = _message_held(connection, owner, message)
            if row["answer"] is None:
                kept = {"answer": answer_to_json(answer), "folded": _folded(row["question"], answer)}
                connection.execute(sql.update(messages).where(messages.c.id == row["id"]).values(kept))
                row = {**row, **kept}
        return _message(row)

    def open(self, owner: str, conversation: str) -> Transcript:
        """The conversation with its messages."""
        with self.database.reading() as connection:
            return _transcript(connection, _held(connection, owner, conversation))

    def list(self, owner: str, limit: int = LISTED) -> tuple[Conversation, ...]:
        """The owner's conversations, that which was last written in first."""
        return self._listed(limit, conversations.c.owner == _owner(owner))

    def search(self, owner: str, words: str, limit: int = 100) -> tuple[Conversation, ...]:
        """The conversations in which every word stands, in the title, a question or an answer, that which was last written in first.

        A word is whatever stands between spaces, found also within others, in any case, in Traditional and Simplified Chinese alike.
        """
        if len(words) > MAX_SEARCH:
            raise TooLarge(f"The words to look for have {len(words):,} characters.", f"Give at most {MAX_SEARCH}.")
        wanted = fold(_clean(words)).split()
        if not wanted:
            return ()
        in_sight = (messages.c.conversation == conversations.c.id, messages.c.replaced.is_(None))
        holds = [
            sql.or_(
                conversations.c.folded.contains(word, autoescape=True),
                sql.select(messages.c.id).where(*in_sight, messages.c.folded.contains(word, autoescape=True)).exists(),
            )
            for word in wanted
        ]
        return self._listed(limit, conversations.c.owner == _owner(owner), *holds)

    def rename(self, owner: str, conversation: str, title: str) -> Conversation:
        """The conversation under another title, which is made one line and cut to `MAX_TITLE` characters."""
        if not title.strip():
            raise BadInput("The title is empty.", "Give the conversation a title.")
        return self._changed(owner, conversation, **_titled(title))

    def delete(self, owner: str, conversation: str) -> None:
        """Takes a conversation, and the link to it, out of sight; `restore` undoes it for `KEPT_DELETED` days."""
        self._changed(owner, conversation, deleted=self._now())
        self.purge()

    def restore(self, owner: str, conversation: str) -> Conversation:
        """Undoes `delete`."""
        return self._changed(owner, conversation, deleted=None)

    def purge(self) -> int:
        """Forgets what was deleted more than `KEPT_DELETED` days ago, of all owners; returns how many conversations that were."""
        with self.database.writing() as connection:
            gone = connection.execute(sql.delete(conversations).where(conversations.c.deleted < self._now() - KEPT_DELETED * 86_400)).rowcount
        if gone:
            self.database.scrub()
        return gone

    def forget(self, text_id: str, present: str = "") -> int:
        """Strikes a text that was deleted out of every kept answer, of all owners; returns how many answers had cited it.

        Where another took its place, `present` is the hash of that, and what cites it stays.
        """
        citing = sql.select(messages).where(messages.c.answer.contains(json.dumps(text_id, ensure_ascii=False), autoescape=True)).with_for_update()
        struck = 0
        with self.database.writing() as connection:
            for row in _rows(connection, citing):
                before = answer_from_json(row["answer"])
                after = without(before, text_id, present)
                if after != before:
                    kept = {"answer": answer_to_json(after), "folded": _folded(row["question"], after)}
                    connection.execute(sql.update(messages).where(messages.c.id == row["id"]).values(kept))
                    struck += 1
        self.database.scrub()
        return struck

    # Sharing

    def share(self, owner: str, conversation: str) -> str:
        """The unguessable link to a read-only copy of the conversation as it is now; given again, the same link shows what is new too."""
        with self.database.writing() as connection:
            row = _held(connection, owner, conversation, lock=True)
            last = sql.select(sql.func.max(messages.c.number)).where(messages.c.conversation == row["id"]).scalar_subquery()
            link = row["link"] or _token()
            connection.execute(sql.update(conversations).where(conversations.c.id == row["id"]).values(link=link, shared=last))
        return str(link)

    def unshare(self, owner: str, conversation: str) -> None:
        """The link leads nowhere from now on."""
        self._changed(owner, conversation, link=None, shared=None)

    def shared(self, link: str) -> Transcript:
        """The copy that a link shows, without feedback."""
        with self.database.reading() as connection:
            rows = _rows(connection, sql.select(conversations).where(conversations.c.link == _clean(link), conversations.c.deleted.is_(None)))
            if not rows:
                raise NotFound("This link leads nowhere.", "Ask whoever shared it for a new one.")
            copy = _transcript(connection, rows[0], until=rows[0]["shared"])
        return replace(copy, messages=tuple(replace(message, feedback="", reason="") for message in copy.messages))

    # Feedback

    def feedback(self, owner: str, message: str, feedback: Feedback, reason: str = "") -> Message:
        """Thumbs up or down on an answer, with the reason, in place of what was given before; empty takes it back."""
        if feedback not in get_args(Feedback):
            raise BadInput(f"Feedback is up, down or empty, not {feedback!r}.")
        if len(reason) > MAX_REASON:
            raise TooLarge(f"The reason has {len(reason):,} characters.", f"Give at most {MAX_REASON:,}.")
        with self.database.writing() as connection:
            row = _message_held(connection, owner, message)
            if row["answer"] is None:
                raise BadInput("This question has no answer yet.", "Give feedback once it is answered.")
            given = {"feedback": feedback, "reason": _clean(reason) if feedback else ""}
            connection.execute(sql.update(messages).where(messages.c.id == row["id"]).values(given))
        return _message({**row, **given})

    def disliked(self) -> tuple[Transcript, ...]:
        """For each answer with thumbs down, of all owners, the conversation as it was then, that answer last; those first that were asked first."""
        both = sql.select(conversations, messages.c.number).join(messages, messages.c.conversation == conversations.c.id)
        wanted = both.where(messages.c.feedback == "down", conversations.c.deleted.is_(None)).order_by(messages.c.asked, messages.c.id)
        with self.database.reading() as connection:
            return tuple(_transcript(connection, row, until=row["number"]) for row in _rows(connection, wanted))

    # The database

    def _insert(self, connection: Connection, conversation: str, question: str, answer: Answer | None, number: int) -> Message:
        if len(question) > MAX_QUESTION:
            raise TooLarge(f"The question has {len(question):,} characters.", f"Ask in at most {MAX_QUESTION:,}.")
        asked = _clean(question)
        row = {
            "id": _token(),
            "conversation": conversation,
            "number": number,
            "replaced": None,
            "asked": self._now(),
            "question": asked,
            "answer": None if answer is None else answer_to_json(answer),
            "folded": _folded(asked, answer),
            "feedback": "",
            "reason": "",
        }
        connection.execute(sql.insert(messages), row)
        return _message(row)

    def _changed(self, owner: str, conversation: str, **values: object) -> Conversation:
        with self.database.writing() as connection:
            row = _held(connection, owner, conversation, deleted_too="deleted" in values, lock=True)
            connection.execute(sql.update(conversations).where(conversations.c.id == row["id"]).values(values))
        return _conversation({**row, **values})

    def _listed(self, limit: int, *conditions: ColumnElement[bool]) -> tuple[Conversation, ...]:
        newest_first = (conversations.c.updated.desc(), conversations.c.id)
        wanted = sql.select(conversations).where(*conditions, conversations.c.deleted.is_(None)).order_by(*newest_first).limit(limit)
        with self.database.reading() as connection:
            return tuple(_conversation(row) for row in _rows(connection, wanted))


def _rows(connection: Connection, wanted: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(wanted).mappings()]


def _held(connection: Connection, owner: str, conversation: str, *, deleted_too: bool = False, lock: bool = False) -> Row:
    wanted = sql.select(conversations).where(conversations.c.id == _clean(conversation), conversations.c.owner == _owner(owner))
    rows = _rows(connection, wanted.with_for_update() if lock else wanted)
    if not rows or (rows[0]["deleted"] is not None and not deleted_too):
        raise NotFound("There is no such conversation.", "It may have been deleted in another tab: undo that there, or start a new one.")
    return rows[0]


def _message_held(connection: Connection, owner: str, message: str) -> Row:
    """The message, its conversation locked."""
    wanted = sql.select(messages).where(messages.c.id == _clean(message))
    rows = _rows(connection, wanted)
    _held(connection, owner, rows[0]["conversation"] if rows else "", deleted_too=True, lock=True)
    return _rows(connection, wanted)[0]


def _transcript(connection: Connection, row: Row, until: int | None = None) -> Transcript:
    """The conversation as it is, or as it was when the message with the number `until` was its last."""
    in_sight = messages.c.replaced.is_(None)
    then = () if until is None else (messages.c.number <= until,)
    wanted = sql.select(messages).where(messages.c.conversation == row["id"], *then, in_sight if until is None else in_sight | (messages.c.replaced > until))
    return Transcript(_conversation(row), tuple(map(_message, _rows(connection, wanted.order_by(messages.c.number)))))


def _conversation(row: Row) -> Conversation:
    return Conversation(row["id"], row["title"], _moment(row["created"]), _moment(row["updated"]), row["link"] or "")


def _message(row: Row) -> Message:
    answer = None if row["answer"] is None else answer_from_json(row["answer"])
    return Message(row["id"], row["number"], _moment(row["asked"]), row["question"], answer, row["feedback"], row["reason"])


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _titled(title: str) -> dict[str, str]:
    line = " ".join(_clean(title[: 8 * MAX_TITLE]).split())
    cut = line if len(line) <= MAX_TITLE else f"{line[: MAX_TITLE - 1].rstrip()}…"
    return {"title": cut or "…", "folded": fold(cut)}


def _folded(question: str, answer: Answer | None) -> str:
    return fold(f"{question}\n{_clean(answer.text)}" if answer else question)


def _clean(kept: str) -> str:
    """Text that both databases keep: NUL and lone surrogates become U+FFFD, one for one."""
    return UNKEEPABLE.sub("\ufffd", kept)


def _token() -> str:
    return secrets.token_urlsafe(18)


def _owner(token: str) -> str:
    """The owner as kept: who reads the database cannot pass for one."""
    if len(token) < 16:
        raise BadInput("The owner is not known.", "Give an unguessable token of at least 16 characters.")
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
