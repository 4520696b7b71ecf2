"""One contract for both databases: every test here runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant import database
from assistant.conversations import KEPT_DELETED, MAX_QUESTION, MAX_REASON, MAX_SEARCH, MAX_TITLE, Conversations
from assistant.database import Database
from assistant.errors import BadInput, NotFound, StoreError, TooLarge
from assistant.transcripts import answer_from_json
from tests.assistant.test_transcripts import ANSWERS, KEPT
from tests.hkai_process import environment
from tests.postgres import Postgres

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
ME, OTHER = "my-own-unguessable-token", "another-unguessable-token"
ANSWER = replace(answer_from_json(KEPT), text="The hub has 3,000 PFLOPS. [1]")
HOSTILE = ["\x00", "a\x00b", "\ud800", "x\udfffy", "'; DROP TABLE hkai_messages; --", "%_/\\", "\u202e\u0007", "😀" * 50, "<script>alert(1)</script>"]


@pytest.fixture(params=BOTH)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where an empty database is: the file of a SQLite one, the URL of one in PostgreSQL."""
    return tmp_path / "new" / "conversations.db" if request.param == "sqlite" else request.getfixturevalue("postgres").database()


class Clock:
    """Seconds that pass with every look at them."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(where: Path | str, clock: Clock) -> Iterator[Conversations]:
    conversations = Conversations(where, now=clock)
    yield conversations
    conversations.close()


def _questions(kept: Conversations, identifier: str) -> list[str]:
    return [message.question for message in kept.open(ME, identifier).messages]


def _started(kept: Conversations, question: str = "What is InnoHK?") -> str:
    return kept.start(ME, question, ANSWER).conversation.id


# Kept


def test_what_is_kept_is_read_again_by_another_process_s_eyes(kept: Conversations, where: Path | str) -> None:
    started = kept.start(ME, "What is InnoHK?", ANSWER)
    second = kept.append(ME, started.conversation.id, "And since when?", ANSWER)
    with closing(Conversations(where)) as again:
        transcript = again.open(ME, started.conversation.id)
    assert transcript.messages == (*started.messages, second)
    assert transcript.messages[0].answer == ANSWER
    assert transcript.conversation.title == "What is InnoHK?"
    assert [message.number for message in transcript.messages] == [1, 2]
    assert transcript.conversation.created < transcript.conversation.updated


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=st.text(), answer=ANSWERS)
def test_any_answer_comes_back_as_it_was(kept: Conversations, question: str, answer: object) -> None:
    transcript = kept.start(ME, question, answer)
    assert kept.open(ME, transcript.conversation.id) == transcript
    assert transcript.messages[0].answer == answer
    assert transcript.messages[0].question == question.replace("\x00", "\ufffd")


def test_a_question_is_kept_before_its_answer_and_the_first_answer_stays(kept: Conversations) -> None:
    transcript = kept.start(ME, "What is InnoHK?")
    (message,) = transcript.messages
    assert message.answer is None
    assert kept.complete(ME, message.id, ANSWER).answer == ANSWER
    assert kept.complete(ME, message.id, replace(ANSWER, text="changed")).answer == ANSWER
    assert kept.open(ME, transcript.conversation.id).messages[0].answer == ANSWER
    assert kept.search(ME, "pflops") == (transcript.conversation,)


@pytest.mark.parametrize("question", HOSTILE)
def test_hostile_text_is_kept_as_text(kept: Conversations, question: str) -> None:
    transcript = kept.start(ME, question, replace(ANSWER, text=question))
    identifier = transcript.conversation.id
    kept.rename(ME, identifier, f"title {question}")
    kept.feedback(ME, transcript.messages[0].id, "down", question)
    found = kept.open(ME, identifier)
    readable = "".join("\ufffd" if char == "\x00" or "\ud800" <= char <= "\udfff" else char for char in question)
    assert found.messages[0].question == found.messages[0].reason == readable
    assert len(found.messages[0].question) == len(question)
    assert found.messages[0].answer is not None
    assert len(found.messages[0].answer.text) == len(question)
    if question.strip():
        assert identifier in [conversation.id for conversation in kept.search(ME, question)]


def test_a_question_of_a_megabyte_is_kept_and_found_and_a_longer_one_refused(kept: Conversations) -> None:
    long = "needle " + "x" * (MAX_QUESTION - 7)
    transcript = kept.start(ME, long, ANSWER)
    assert kept.open(ME, transcript.conversation.id).messages[0].question == long
    assert len(transcript.conversation.title) <= MAX_TITLE
    assert len(kept.search(ME, "needle")) == 1
    with pytest.raises(TooLarge, match="1,000,001"):
        kept.append(ME, transcript.conversation.id, long + "x")
    assert len(kept.list(ME)) == 1


def test_a_conversation_whose_first_message_is_refused_is_not_begun(kept: Conversations) -> None:
    with pytest.raises(TooLarge):
        kept.start(ME, "x" * (MAX_QUESTION + 1))
    assert kept.list(ME) == ()


# Listed, renamed, deleted


def test_conversations_are_listed_as_they_were_last_written_in(kept: Conversations) -> None:
    first, second = _started(kept, "first"), _started(kept, "second")
    assert [conversation.title for conversation in kept.list(ME)] == ["second", "first"]
    kept.append(ME, first, "again", ANSWER)
    assert [conversation.id for conversation in kept.list(ME)] == [first, second]
    assert [conversation.id for conversation in kept.list(ME, limit=1)] == [first]


def test_a_title_is_one_line_of_bounded_length_and_never_empty(kept: Conversations) -> None:
    identifier = _started(kept, "  What\n is\tit?  ")
    assert kept.list(ME)[0].title == "What is it?"
    assert len(kept.rename(ME, identifier, "word " * 1000).title) <= MAX_TITLE
    assert kept.rename(ME, identifier, "我的問題").title == kept.open(ME, identifier).conversation.title == "我的問題"
    assert kept.start(ME, " ").conversation.title
    with pytest.raises(BadInput, match="title is empty"):
        kept.rename(ME, identifier, " \n")


def test_what_is_deleted_is_out_of_sight_until_it_is_restored(kept: Conversations) -> None:
    identifier = _started(kept)
    link = kept.share(ME, identifier)
    kept.delete(ME, identifier)
    assert kept.list(ME) == kept.search(ME, "InnoHK") == ()
    for call in (kept.open, kept.rename, kept.share, kept.unshare):
        with pytest.raises(NotFound, match="no such conversation"):
            call(*((ME, identifier, "title") if call == kept.rename else (ME, identifier)))
    with pytest.raises(NotFound, match="link"):
        kept.shared(link)
    assert kept.restore(ME, identifier).id == identifier
    assert _questions(kept, identifier) == ["What is InnoHK?"]
    assert kept.shared(link).messages


def test_what_is_appended_to_a_conversation_deleted_meanwhile_is_there_after_its_restoration(kept: Conversations) -> None:
    identifier = _started(kept)
    kept.delete(ME, identifier)
    message = kept.append(ME, identifier, "still asking")
    kept.complete(ME, message.id, ANSWER)
    assert kept.list(ME) == ()
    kept.restore(ME, identifier)
    assert kept.open(ME, identifier).messages[-1].answer == ANSWER


def test_what_was_deleted_long_ago_is_forgotten_with_its_messages_and_nothing_else_is(kept: Conversations, clock: Clock, where: Path | str) -> None:
    old, stays = _started(kept, "zebras everywhere"), _started(kept, "stays")
    kept.delete(ME, old)
    clock.seconds += KEPT_DELETED * 86_400 - 60
    kept.restore(ME, old)
    kept.delete(ME, old)
    clock.seconds += KEPT_DELETED * 86_400 + 60
    recent = _started(kept, "recent")
    kept.delete(ME, recent)
    with pytest.raises(NotFound):
        kept.restore(ME, old)
    assert kept.restore(ME, recent)
    assert {conversation.id for conversation in kept.list(ME)} == {stays, recent}
    with closing(Database(where)) as raw, raw.reading() as connection:
        rows = [str(row) for table in (database.conversations, database.messages) for row in connection.execute(sql.select(table))]
    assert not any("zebras" in row for row in rows)
    assert len(rows) == 4


def test_a_text_that_was_deleted_is_struck_out_of_every_answer_of_every_owner(kept: Conversations, where: Path | str) -> None:
    quoting = replace(ANSWER, text="Zebras graze. [1]", citations=(replace(ANSWER.citations[0], text_id="own-%_1", quote="Zebras graze."),), verdicts=())
    mine, theirs = kept.start(ME, "What grazes?", quoting), kept.start(OTHER, "What grazes?", quoting)
    other = kept.start(ME, "What is InnoHK?", ANSWER)
    link = kept.share(ME, mine.conversation.id)
    kept.append(ME, mine.conversation.id, "Again?", quoting, replaces=[mine.messages[0].id])
    assert kept.forget("own-%_2") == kept.forget("own") == kept.forget("") == 0
    assert kept.forget("own-%_1") == 3
    assert kept.forget("own-%_1") == 0
    for transcript in (kept.open(ME, mine.conversation.id), kept.open(OTHER, theirs.conversation.id), kept.shared(link)):
        (message,) = transcript.messages
        assert message.answer is not None
        assert message.answer.text == "［來源已刪除］ [1]"
    assert kept.open(ME, other.conversation.id) == other
    assert kept.search(ME, "zebras") == ()
    assert not any("ebras" in str(row) for _, row in kept.database.rows())
    if isinstance(where, Path):
        assert not any(b"ebras" in file.read_bytes() for file in where.parent.iterdir())


# Searched


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("innohk", True),
        ("INNO", True),
        ("pflops hub", True),
        ("hub InnoHK", True),
        ("數碼港", True),
        ("数码港", True),
        ("碼", True),
        ("100%", True),
        ("１００", True),
        ("pflops zebra", False),
        ("%", True),
        ("_", False),
        ("h%b", False),
        ("1/0", False),
        ("\\", False),
        ("", False),
        ("   ", False),
        ("\x00", False),
    ],
)
def test_words_are_found_in_titles_questions_and_answers(kept: Conversations, words: str, found: bool) -> None:
    identifier = kept.start(ME, "InnoHK 同數碼港 100%", ANSWER).conversation.id
    _started(kept, "something else entirely") if not found else None
    assert [conversation.id for conversation in kept.search(ME, words) if conversation.id == identifier] == ([identifier] if found else [])


def test_the_words_may_stand_in_several_messages_and_a_new_title_is_searched(kept: Conversations) -> None:
    identifier = _started(kept, "first apple")
    kept.append(ME, identifier, "then pear", ANSWER)
    kept.rename(ME, identifier, "Quince")
    assert [conversation.id for conversation in kept.search(ME, "apple pear quince")] == [identifier]
    assert kept.search(ME, "apple plum") == ()


def test_what_is_out_of_sight_is_not_found(kept: Conversations) -> None:
    transcript = kept.start(ME, "Tell me of apples", ANSWER)
    kept.rename(ME, transcript.conversation.id, "fruit")
    kept.append(ME, transcript.conversation.id, "Tell me of pears", ANSWER, replaces=[transcript.messages[0].id])
    assert kept.search(ME, "apples") == ()
    assert len(kept.search(ME, "pears")) == 1


def test_a_search_is_bounded(kept: Conversations) -> None:
    for number in range(4):
        _started(kept, f"same {number}")
    assert [conversation.title for conversation in kept.search(ME, "same", limit=2)] == ["same 3", "same 2"]
    assert len(kept.search(ME, "s " * (MAX_SEARCH // 2))) == 4
    with pytest.raises(TooLarge, match="201"):
        kept.search(ME, "x" * (MAX_SEARCH + 1))


# Edited


def test_an_edited_question_puts_itself_and_what_the_page_showed_after_it_out_of_sight(kept: Conversations) -> None:
    identifier = _started(kept, "one")
    two, three = (kept.append(ME, identifier, question, ANSWER) for question in ("two", "three"))
    kept.append(ME, identifier, "two, edited", ANSWER, replaces=(two.id, three.id))
    assert _questions(kept, identifier) == ["one", "two, edited"]
    assert kept.feedback(ME, three.id, "down").question == "three"


def test_an_edit_in_one_tab_does_not_hide_what_another_tab_appended(kept: Conversations) -> None:
    identifier = _started(kept, "one")
    two = kept.append(ME, identifier, "two", ANSWER)
    kept.append(ME, identifier, "from the other tab", ANSWER)
    kept.append(ME, identifier, "two, edited", ANSWER, replaces=[two.id])
    kept.append(ME, identifier, "two, edited there too", ANSWER, replaces=[two.id])
    assert _questions(kept, identifier) == ["one", "from the other tab", "two, edited", "two, edited there too"]


def test_messages_of_another_conversation_are_not_put_out_of_sight(kept: Conversations) -> None:
    first, second = kept.start(ME, "first", ANSWER), _started(kept, "second")
    kept.append(ME, second, "x", ANSWER, replaces=[first.messages[0].id, "nonsense", "\x00"])
    assert _questions(kept, first.conversation.id) == ["first"]
    assert _questions(kept, second) == ["second", "x"]


# Feedback


def test_feedback_is_one_a_message_and_changed_by_giving_it_again(kept: Conversations) -> None:
    transcript = kept.start(ME, "What is InnoHK?", ANSWER)
    identifier, message = transcript.conversation.id, transcript.messages[0].id
    for feedback, reason in (("up", ""), ("down", "wrong year"), ("down", "年份不對")):
        given = kept.feedback(ME, message, feedback, reason)
        assert kept.open(ME, identifier).messages == (given,)
        assert (given.feedback, given.reason, given.answer) == (feedback, reason, ANSWER)
    assert kept.feedback(ME, message, "", "ignored").reason == ""
    assert kept.open(ME, identifier).messages[0].feedback == ""


def test_feedback_that_cannot_be_kept_is_refused(kept: Conversations) -> None:
    message = kept.start(ME, "What is InnoHK?", ANSWER).messages[0].id
    with pytest.raises(BadInput, match="no answer yet"):
        kept.feedback(ME, kept.start(ME, "unanswered").messages[0].id, "down")
    with pytest.raises(BadInput, match="up, down or empty"):
        kept.feedback(ME, message, "sideways")
    with pytest.raises(TooLarge, match="4,001"):
        kept.feedback(ME, message, "down", "x" * (MAX_REASON + 1))


def test_the_answers_marked_wrong_are_given_with_the_conversation_as_it_was_then(kept: Conversations) -> None:
    first = kept.start(ME, "one", ANSWER)
    two = kept.append(ME, first.conversation.id, "two", ANSWER)
    kept.append(ME, first.conversation.id, "two, edited", ANSWER, replaces=[first.messages[0].id, two.id])
    other, gone = kept.start(OTHER, "theirs", ANSWER), kept.start(ME, "deleted", ANSWER)
    for owner, message, feedback in ((OTHER, other.messages[0], "down"), (ME, two, "down"), (ME, first.messages[0], "up"), (ME, gone.messages[0], "down")):
        kept.feedback(owner, message.id, feedback, "why")
    kept.delete(ME, gone.conversation.id)
    disliked = kept.disliked()
    assert [[message.question for message in transcript.messages] for transcript in disliked] == [["one", "two"], ["theirs"]]
    assert disliked[0].messages[-1].reason == "why"


# Shared


def test_a_link_shows_the_conversation_as_it_was_when_shared(kept: Conversations) -> None:
    transcript = kept.start(ME, "one", ANSWER)
    identifier = transcript.conversation.id
    two = kept.append(ME, identifier, "two", ANSWER)
    kept.feedback(ME, two.id, "down", "a private word")
    link = kept.share(ME, identifier)
    assert len(link) >= 20
    kept.append(ME, identifier, "two, edited", ANSWER, replaces=[two.id])
    kept.append(ME, identifier, "three", ANSWER)
    copy = kept.shared(link)
    assert [message.question for message in copy.messages] == ["one", "two"]
    assert [(message.feedback, message.reason) for message in copy.messages] == [("", "")] * 2
    assert kept.open(ME, identifier).conversation.link == link
    assert kept.share(ME, identifier) == link
    assert [message.question for message in kept.shared(link).messages] == ["one", "two, edited", "three"]


def test_a_link_taken_back_leads_nowhere_and_a_new_one_differs(kept: Conversations) -> None:
    identifier = _started(kept)
    link = kept.share(ME, identifier)
    kept.unshare(ME, identifier)
    assert kept.share(ME, identifier) != link
    for wrong in (link, "", identifier, "\x00", "\ud800", "../../etc/passwd", "%"):
        with pytest.raises(NotFound, match="link"):
            kept.shared(wrong)


# Another owner


def test_another_owner_s_ids_open_list_search_and_change_nothing(kept: Conversations) -> None:
    transcript = kept.start(ME, "My secret plan", ANSWER)
    identifier, message = transcript.conversation.id, transcript.messages[0].id
    assert kept.list(OTHER) == kept.search(OTHER, "secret") == ()
    attempts = [
        lambda: kept.open(OTHER, identifier),
        lambda: kept.append(OTHER, identifier, "x", ANSWER),
        lambda: kept.append(OTHER, identifier, "x", ANSWER, replaces=[message]),
        lambda: kept.complete(OTHER, message, ANSWER),
        lambda: kept.rename(OTHER, identifier, "x"),
        lambda: kept.delete(OTHER, identifier),
        lambda: kept.restore(OTHER, identifier),
        lambda: kept.share(OTHER, identifier),
        lambda: kept.unshare(OTHER, identifier),
        lambda: kept.feedback(OTHER, message, "down"),
    ]
    said = set()
    for attempt in attempts:
        with pytest.raises(NotFound) as refused:
            attempt()
        said.add(refused.value.message)
    with pytest.raises(NotFound) as unknown:
        kept.open(ME, "no-such-id")
    assert said == {unknown.value.message}
    assert kept.open(ME, identifier) == transcript


@pytest.mark.parametrize("identifier", ["", "x", "\x00", "\ud800", "'", "../../etc/passwd", "x" * 100_000])
def test_an_id_that_is_none_is_not_found(kept: Conversations, identifier: str) -> None:
    for call in (lambda: kept.open(ME, identifier), lambda: kept.append(ME, identifier, "x"), lambda: kept.feedback(ME, identifier, "up")):
        with pytest.raises(NotFound):
            call()


@pytest.mark.parametrize("owner", ["", "short"])
def test_an_owner_that_could_be_guessed_is_refused(kept: Conversations, owner: str) -> None:
    with pytest.raises(BadInput, match="owner"):
        kept.start(owner, "x")
    with pytest.raises(BadInput, match="owner"):
        kept.list(owner)


def test_the_token_of_an_owner_is_not_in_the_database(kept: Conversations, where: Path | str) -> None:
    _started(kept)
    with closing(Database(where)) as raw, raw.reading() as connection:
        assert ME not in str(connection.execute(sql.select(database.conversations)).all())


# Many at once


def test_threads_that_append_to_one_conversation_lose_nothing(kept: Conversations) -> None:
    identifier = _started(kept, "first")
    with ThreadPoolExecutor(12) as pool:
        appended = list(pool.map(lambda number: kept.append(ME, identifier, f"question {number}", ANSWER), range(120)))
    found = kept.open(ME, identifier).messages
    assert [message.number for message in found] == list(range(1, 122))
    assert list(found[1:]) == sorted(appended, key=lambda message: message.number)


def test_threads_that_edit_one_message_and_give_feedback_lose_nothing(kept: Conversations) -> None:
    transcript = kept.start(ME, "first", ANSWER)
    identifier, message = transcript.conversation.id, transcript.messages[0].id
    ready = threading.Barrier(8)

    def tab(number: int) -> None:
        ready.wait()
        kept.append(ME, identifier, f"edited {number}", ANSWER, replaces=[message])
        kept.feedback(ME, message, "down", str(number))
        kept.rename(ME, identifier, f"title {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tab, range(8)))
    assert sorted(_questions(kept, identifier)) == [f"edited {number}" for number in range(8)]


# Other processes


APPENDING = """
import sys
from pathlib import Path
from assistant.conversations import Conversations
from assistant.transcripts import answer_from_json
where, identifier, name, count = sys.argv[1:]
kept = Conversations(where if "://" in where else Path(where))
answer = answer_from_json(sys.stdin.readline())
for number in range(int(count)):
    kept.append("my-own-unguessable-token", identifier, f"{name} {number}", answer)
    sys.stdout.write(f"{name} {number}\\n")
    sys.stdout.flush()
"""
HALF_WAY = """
import sys, time
from pathlib import Path
from assistant.database import Database, conversations, messages
import sqlalchemy as sql
where = sys.argv[1]
with Database(where if "://" in where else Path(where)).writing() as connection:
    connection.execute(sql.update(messages).values(question="half-written"))
    connection.execute(sql.delete(conversations).where(conversations.c.title == "doomed"))
    sys.stdout.write("half-way\\n")
    sys.stdout.flush()
    time.sleep(600)
"""
STARTING = """
import sys
from pathlib import Path
from assistant.conversations import Conversations
where = sys.argv[1]
kept = Conversations(where if "://" in where else Path(where))
sys.stdin.readline()
kept.start("my-own-unguessable-token", "at once")
"""


def _process(code: str, where: Path | str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(where), *arguments]
    return subprocess.Popen(
        command, env=environment(Path.cwd()), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def test_two_processes_that_append_to_one_conversation_lose_nothing(kept: Conversations, where: Path | str) -> None:
    identifier = _started(kept, "first")
    processes = [_process(APPENDING, where, identifier, name, "60") for name in ("a", "b")]
    for process in processes:
        out, err = process.communicate(KEPT.replace("\n", " ") + "\n", timeout=120)
        assert process.returncode == 0, err
        assert len(out.splitlines()) == 60
    found = _questions(kept, identifier)
    assert len(found) == 121
    for name in ("a", "b"):
        assert [question for question in found if question.startswith(name)] == [f"{name} {number}" for number in range(60)]


def test_processes_that_open_an_empty_database_at_once_all_find_it_made(where: Path | str) -> None:
    processes = [_process(STARTING, where) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    with closing(Conversations(where)) as kept:
        assert len(kept.list(ME)) == 4


def test_a_process_killed_while_it_writes_leaves_every_message_whole(kept: Conversations, where: Path | str) -> None:
    identifier = _started(kept, "first")
    process = _process(APPENDING, where, identifier, "a", "100000")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(KEPT.replace("\n", " ") + "\n")
    process.stdin.flush()
    told = [process.stdout.readline().strip() for _ in range(25)]
    process.kill()
    told += process.stdout.read().splitlines()
    process.communicate(timeout=60)
    found = kept.open(ME, identifier)
    assert [message.question for message in found.messages[1 : len(told) + 1]] == [line for line in told if line]
    assert len(found.messages) - 1 - len(told) in (0, 1)
    assert all(message.answer for message in found.messages)
    kept.append(ME, identifier, "it goes on", ANSWER)
    assert _questions(kept, identifier)[-1] == "it goes on"


def test_a_process_killed_half_way_through_a_write_leaves_nothing_of_it(kept: Conversations, where: Path | str) -> None:
    identifier = _started(kept, "doomed")
    before = kept.open(ME, identifier)
    process = _process(HALF_WAY, where)
    assert process.stdout is not None
    assert process.stdout.readline() == "half-way\n"
    assert kept.open(ME, identifier) == before
    process.kill()
    process.communicate(timeout=60)
    assert kept.open(ME, identifier) == before
    kept.append(ME, identifier, "it goes on", ANSWER)
    assert _questions(kept, identifier) == ["doomed", "it goes on"]


# A database that cannot be used


def test_a_database_of_a_newer_version_is_refused_and_left_alone(kept: Conversations, where: Path | str) -> None:
    identifier = _started(kept)
    with closing(Database(where)) as raw, raw.writing() as connection:
        connection.execute(sql.update(database.schema).values(version=database.VERSION + 1))
    with closing(Conversations(where)) as newer, pytest.raises(StoreError, match="made by a newer hkai") as refused:
        newer.list(ME)
    assert "Update hkai" in refused.value.remedy
    assert not refused.value.retryable
    with closing(Database(where)) as raw, raw._engine.begin() as connection:
        assert connection.scalar(sql.select(database.conversations.c.id)) == identifier


def test_nothing_is_opened_before_the_first_call(tmp_path: Path) -> None:
    Conversations(tmp_path / "new" / "conversations.db")
    Conversations("postgresql://hkai:secret@127.0.0.1:1/none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["a file for a folder", "a folder for a file", "another kind of file", "a folder that is none"])
def test_a_file_that_cannot_be_used_says_what_to_do(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("These are not the rows of a database. " * 100, encoding="utf-8")
    (tmp_path / "folder").mkdir()
    file = {
        "a file for a folder": tmp_path / "file" / "conversations.db",
        "a folder for a file": tmp_path / "folder",
        "another kind of file": tmp_path / "file",
        "a folder that is none": Path("/proc/hkai/conversations.db"),
    }[what]
    with pytest.raises(StoreError) as refused:
        Conversations(file).prepare()
    assert str(file) in refused.value.message
    assert "HKAI_DATA" in refused.value.remedy
    assert (tmp_path / "file").read_text(encoding="utf-8").startswith("These")


@pytest.mark.parametrize("url", ["postgresql://hkai:secret@127.0.0.1:1/none", "postgres://hkai:secret@127.0.0.1:1/none"])
def test_a_server_that_is_not_there_says_what_to_do_and_no_password(url: str) -> None:
    with pytest.raises(StoreError, match="refused") as refused:
        Conversations(url).prepare()
    assert "HKAI_DATABASE" in refused.value.remedy
    assert refused.value.retryable
    assert "secret" not in refused.value.message


def test_what_is_no_url_says_what_to_do() -> None:
    with pytest.raises(StoreError, match="not the URL"):
        Conversations("postgresql://hkai@127.0.0.1:port/none")


@pytest.mark.postgres
def test_a_wrong_password_and_a_missing_database_say_what_to_do(postgres: Postgres) -> None:
    for url, what in ((postgres.url("none"), "does not exist"), (replace(postgres, password="wrong").url("postgres"), "password authentication failed")):
        with pytest.raises(StoreError, match=what):
            Conversations(url).prepare()


@pytest.mark.postgres
def test_a_database_that_is_not_in_utf_8_says_what_to_do(postgres: Postgres) -> None:
    latin = postgres.database("TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with closing(Conversations(latin)) as kept, pytest.raises(StoreError, match="not in UTF-8") as refused:
        kept.prepare()
    assert "createdb" in refused.value.remedy


@pytest.mark.postgres
def test_a_server_that_was_started_anew_is_used_again(postgres: Postgres) -> None:
    with closing(Conversations(postgres.database())) as kept:
        identifier = _started(kept)
        postgres.cut_off()
        assert kept.append(ME, identifier, "again", ANSWER).number == 2
