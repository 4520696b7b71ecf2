"""What `hkai backup` writes `hkai restore` brings back, from and to either database; what is damaged or made to do harm changes nothing."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant import database
from assistant.backup import CONTENTS, FORMAT, ROWS, backup, restore
from assistant.conversations import Conversations
from assistant.errors import BadInput
from assistant.transcripts import Transcript
from corpus.readers import from_bytes
from corpus.text import SourceText
from index.embedder import Embedder
from index.library import Library
from tests.assistant.test_conversations import ANSWER, BOTH, ME, OTHER
from tests.hkai_process import environment

NOTES = (from_bytes(b"Zebras graze in the server hall.", "zebras.txt"), from_bytes("數碼港有斑馬。".encode(), "斑馬.txt"))


@dataclass(frozen=True)
class Place:
    """A folder of data: documents and conversations."""

    library: Library
    conversations: Conversations
    where: Path | str

    def held(self) -> tuple[list[SourceText], list[Any]]:
        return self.library.own(), list(self.conversations.database.rows())


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Place]]:
    """Makes empty places, whose conversations are kept in the database named."""
    made: list[Place] = []

    def new(kind: str = "sqlite") -> Place:
        folder = tmp_path / f"place{len(made)}"
        where = folder / "conversations.db" if kind == "sqlite" else request.getfixturevalue("postgres").database()
        made.append(Place(Library(folder, Embedder()), Conversations(where), where))
        return made[-1]

    yield new
    for one in made:
        one.conversations.close()


def _lived_in(place: Place) -> tuple[Transcript, str]:
    """Two documents; a conversation with an edit, feedback and a link; one that was deleted; one of another owner."""
    place.library.add(NOTES)
    kept = place.conversations
    transcript = kept.start(ME, "What is InnoHK? 創新", ANSWER)
    identifier = transcript.conversation.id
    two = kept.append(ME, identifier, "two", ANSWER)
    link = kept.share(ME, identifier)
    kept.append(ME, identifier, "two, edited", replaces=[two.id])
    kept.feedback(ME, transcript.messages[0].id, "down", "wrong \u2028 year")
    kept.delete(ME, kept.start(ME, "deleted", ANSWER).conversation.id)
    kept.start(OTHER, "theirs", ANSWER)
    return kept.open(ME, identifier), link


@pytest.fixture(scope="module")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup of a place that was lived in."""
    folder = tmp_path_factory.mktemp("lived")
    lived = Place(Library(folder, Embedder()), Conversations(folder / "conversations.db"), "")
    _lived_in(lived)
    backup(lived.library, lived.conversations, folder / "good.zip")
    lived.conversations.close()
    return (folder / "good.zip").read_bytes()


@pytest.fixture
def good(written_once: bytes, tmp_path: Path) -> Path:
    """The file of that backup, a new one for each test."""
    (tmp_path / "good.zip").write_bytes(written_once)
    return tmp_path / "good.zip"


# There and back


@pytest.mark.parametrize("to", BOTH)
@pytest.mark.parametrize("source", BOTH)
def test_what_was_backed_up_is_restored_whole_in_either_database(place: Callable[..., Place], tmp_path: Path, source: str, to: str) -> None:
    lived, empty = place(source), place(to)
    transcript, link = _lived_in(lived)
    written = backup(lived.library, lived.conversations, tmp_path / "backup.zip")
    assert str(written) == "2 documents, 3 conversations, 5 messages"
    assert restore(empty.library, empty.conversations, tmp_path / "backup.zip") == written
    assert empty.held() == lived.held()
    assert empty.conversations.open(ME, transcript.conversation.id) == transcript
    assert [message.question for message in empty.conversations.shared(link).messages] == ["What is InnoHK? 創新", "two"]
    assert empty.conversations.append(ME, transcript.conversation.id, "it goes on").number == 4
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["backup.zip"]


def test_nothing_can_be_backed_up_and_restored(place: Callable[..., Place], tmp_path: Path) -> None:
    empty = place()
    assert str(backup(empty.library, empty.conversations, tmp_path / "backup.zip")) == "0 documents, 0 conversations, 0 messages"
    restore(empty.library, empty.conversations, tmp_path / "backup.zip")
    assert empty.held() == ([], [])


def test_a_backup_is_read_by_its_owner_alone(place: Callable[..., Place], tmp_path: Path) -> None:
    empty = place()
    backup(empty.library, empty.conversations, tmp_path / "backup.zip")
    assert (tmp_path / "backup.zip").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", BOTH)
def test_a_backup_holds_one_moment_however_much_is_written_meanwhile(place: Callable[..., Place], tmp_path: Path, kind: str) -> None:
    busy, empty = place(kind), place()
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            identifier = busy.conversations.start(ME, "0", ANSWER).conversation.id
            for number in range(1, 4):
                busy.conversations.append(ME, identifier, str(number), ANSWER)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        for number in range(6):
            backup(busy.library, busy.conversations, tmp_path / f"{number}.zip")
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    counts = []
    for number in range(6):
        restored = restore(empty.library, empty.conversations, tmp_path / f"{number}.zip", force=True)
        counts.append(restored.messages)
        for conversation in empty.conversations.list(ME):
            found = empty.conversations.open(ME, conversation.id).messages
            assert [message.question for message in found] == [str(at) for at in range(len(found))]
            assert found
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


# What is there is not overwritten unasked


def test_a_file_that_is_there_is_replaced_only_with_force(place: Callable[..., Place], tmp_path: Path) -> None:
    empty, file = place(), tmp_path / "backup.zip"
    file.write_text("precious", encoding="utf-8")
    with pytest.raises(BadInput, match="there already") as refused:
        backup(empty.library, empty.conversations, file)
    assert "--force" in refused.value.remedy
    assert file.read_text(encoding="utf-8") == "precious"
    backup(empty.library, empty.conversations, file, force=True)
    assert zipfile.is_zipfile(file)


@pytest.mark.parametrize("what", ["a document", "a conversation"])
def test_what_is_kept_gives_way_to_a_restoration_only_with_force(place: Callable[..., Place], good: Path, what: str) -> None:
    used, whole = place(), place()
    other = from_bytes(b"Other words of mine.", "other.txt")
    used.library.add([other]) if what == "a document" else used.conversations.start(ME, "kept here", ANSWER)
    before = used.held()
    with pytest.raises(BadInput, match="already") as refused:
        restore(used.library, used.conversations, good)
    assert "--force" in refused.value.remedy
    assert used.held() == before
    restore(used.library, used.conversations, good, force=True)
    restore(whole.library, whole.conversations, good)
    assert used.held() == whole.held()


@pytest.mark.parametrize("name", ["none/backup.zip", "file/backup.zip", ""])
def test_a_place_that_cannot_be_written_says_what_to_do(place: Callable[..., Place], tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    empty = place()
    with pytest.raises(BadInput) as refused:
        backup(empty.library, empty.conversations, tmp_path / name, force=True)
    assert "Name a file in a folder of yours" in refused.value.remedy


# Damaged, or made to do harm


def _unchanged_by(place: Place, file: Path) -> BadInput:
    """The refusal of a backup; nothing was changed and nothing written anywhere."""
    before, files = place.held(), {path for path in file.parent.rglob("*") if path.suffix not in (".db-wal", ".db-shm")}
    with pytest.raises(BadInput) as refused:
        restore(place.library, place.conversations, file, force=True)
    assert place.held() == before
    assert {path for path in file.parent.rglob("*") if path.suffix not in (".db-wal", ".db-shm")} == files
    assert refused.value.remedy
    return refused.value


@pytest.fixture
def used(place: Callable[..., Place]) -> Place:
    """A place with something to lose."""
    made = place()
    made.library.add(NOTES[:1])
    made.conversations.start(ME, "kept here", ANSWER)
    return made


@pytest.mark.parametrize("what", ["missing", "a folder", "empty", "text", "another archive"])
def test_what_is_no_backup_is_refused(used: Place, tmp_path: Path, what: str) -> None:
    file = tmp_path / "file"
    if what == "a folder":
        file.mkdir()
    elif what == "another archive":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("hello.txt", "hello")
    elif what != "missing":
        file.write_text("" if what == "empty" else "hello " * 1000, encoding="utf-8")
    _unchanged_by(used, file)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_backup_that_was_cut_short_is_refused(used: Place, good: Path, share: float) -> None:
    whole = good.read_bytes()
    good.write_bytes(whole[: int(len(whole) * share)])
    assert "cut short" in _unchanged_by(used, good).message


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_backup_with_a_byte_changed_is_refused_or_restored_just_as_it_was(used: Place, good: Path, data: st.DataObject) -> None:
    whole = good.read_bytes()
    anywhere, headers = st.integers(0, len(whole) - 1), st.integers(len(whole) - 600, len(whole) - 1)
    at, byte = data.draw(anywhere | headers), data.draw(st.integers(0, 255))
    damaged = good.with_name("damaged.zip")
    damaged.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    restore(used.library, used.conversations, good, force=True)
    before = used.held()
    with suppress(BadInput):
        restore(used.library, used.conversations, damaged, force=True)
    assert used.held() == before


Files = dict[str, bytes]


def _forged(good: Path, change: Callable[[Files], None], contents: Callable[[dict[str, Any]], None] = lambda told: None) -> Path:
    """The backup with its files changed and its checksums right again."""
    with zipfile.ZipFile(good) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(files.pop(CONTENTS))
    change(files)
    told["entries"] = {name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in files.items()}
    contents(told)
    forged = good.with_name("forged.zip")
    with zipfile.ZipFile(forged, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr(CONTENTS, json.dumps(told))
    return forged


def test_a_backup_made_again_with_nothing_changed_is_restored(used: Place, place: Callable[..., Place], good: Path) -> None:
    whole = place()
    restore(whole.library, whole.conversations, good)
    restore(used.library, used.conversations, _forged(good, lambda files: None), force=True)
    assert used.held() == whole.held()


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/evil.json", "documents/../../evil.json", "documents/../evil.json", "documents/a/b.json", "documents\\..\\evil.json", "documents/.json",
     "documents/..json", "documents/a\n.json", "evil", "conversations.jsonl/", "C:\\evil.json", "documents/%2e%2e.json"],
)  # fmt: skip
def test_a_file_by_a_name_that_hkai_does_not_write_is_refused(used: Place, good: Path, name: str) -> None:
    with zipfile.ZipFile(good) as archive:
        content = archive.read(archive.namelist()[0])
    assert "does not write" in _unchanged_by(used, _forged(good, lambda files: files.update({name: content}))).message


def _rows(change: Callable[[list[Any]], Any]) -> Callable[[Files], None]:
    """Changes the row of the first message of the longest conversation."""

    def apply(files: Files) -> None:
        rows = [json.loads(line) for line in files[ROWS].decode().strip().split("\n")]
        at = next(number for number, (table, values) in enumerate(rows) if table == "hkai_messages" and values["question"].startswith("What"))
        changed = change(rows[at])
        rows[at] = rows[at] if changed is None else changed
        files[ROWS] = "".join(json.dumps(row) + "\n" for row in rows).encode()

    return apply


def _value(**values: object) -> Callable[[Files], None]:
    return _rows(lambda row: row[1].update(values))


def _document(**values: object) -> Callable[[Files], None]:
    def apply(files: Files) -> None:
        name = next(name for name in files if name.startswith("documents/"))
        files[name] = json.dumps(json.loads(files[name]) | values).encode()

    return apply


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_rows(lambda row: "text"), "no row"),
        (_rows(lambda row: [*row, 1]), "no row"),
        (_rows(lambda row: ["hkai_schema", {"version": 9}]), "its table is unknown"),
        (_rows(lambda row: [["hkai_messages"], row[1]]), "its table is unknown"),
        (_rows(lambda row: [row[0], {**row[1], "more": 1}]), "its columns are others"),
        (_rows(lambda row: [row[0], []]), "its columns are others"),
        (_value(number="1"), "number has a wrong value"),
        (_value(number=True), "number has a wrong value"),
        (_value(number=-1), "number has a wrong value"),
        (_value(number=2**40), "number has a wrong value"),
        (_value(asked=1e300), "asked has a wrong value"),
        (_value(asked=float("nan")), "asked has a wrong value"),
        (_value(asked=None), "asked has a wrong value"),
        (_value(question=None), "question has a wrong value"),
        (_value(question="a\x00b"), "question has a wrong value"),
        (_value(question="\ud800"), "question has a wrong value"),
        (_value(answer="{}"), "not what hkai keeps"),
        (_value(answer="not JSON"), "not what hkai keeps"),
        (_value(answer=json.dumps({"text": 5})), "not what hkai keeps"),
        (_value(conversation="another"), "contradict"),
        (_value(feedback="sideways"), "contradict"),
        (_rows(lambda row: row[1].update(number=2)), "contradict"),
        (lambda files: files.update({ROWS: files[ROWS] * 2}), "contradict"),
        (lambda files: files.update({ROWS: b"\xff\n"}), "not what hkai keeps"),
        (lambda files: files.update({ROWS: b"[" * 100_000}), "not what hkai keeps"),
        (_document(id="../../evil"), "is not a document"),
        (_document(id="another"), "is not a document"),
        (_document(own=False), "is not a document"),
        (_document(text="other words"), "is not a document"),
        (_document(title=5), "not what hkai keeps"),
        (_document(statements=[{}]), "not what hkai keeps"),
        (_document(lang="fr"), "not what hkai keeps"),
        (lambda files: files.pop(ROWS) and None, "does not hold the files"),
    ],
)
def test_what_hkai_does_not_keep_is_refused(used: Place, good: Path, change: Callable[[Files], None], what: str) -> None:
    assert what in _unchanged_by(used, _forged(good, change)).message


@pytest.mark.parametrize(
    ("contents", "what"),
    [
        (lambda told: told["entries"][ROWS].update(sha256="0" * 64), f"checksum of {ROWS} is wrong"),
        (lambda told: told["entries"][ROWS].update(size=1), f"checksum of {ROWS} is wrong"),
        (lambda told: told["entries"].pop(next(iter(told["entries"]))), "does not hold the files"),
        (lambda told: told["entries"].update({"documents/more.json": told["entries"][ROWS]}), "does not hold the files"),
        (lambda told: told.update(format=FORMAT + 1), "made by a newer hkai"),
        (lambda told: told.update(schema_version=database.VERSION + 1), "made by a newer hkai"),
        (lambda told: told.update(format="x"), "not what hkai keeps"),
        (lambda told: told.pop("made"), "not what hkai keeps"),
    ],
)
def test_a_table_of_contents_that_does_not_tell_the_truth_is_refused(used: Place, good: Path, contents: Callable[[Any], None], what: str) -> None:
    assert what in _unchanged_by(used, _forged(good, lambda files: None, contents)).message


def test_a_file_that_is_there_twice_is_refused(used: Place, good: Path) -> None:
    forged = _forged(good, lambda files: None)
    with zipfile.ZipFile(forged, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(ROWS, "[]")
    assert "twice" in _unchanged_by(used, forged).message


def test_a_document_that_unpacks_to_far_too_much_is_refused_unread(used: Place, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.backup.MAX_DOCUMENT", 1_000_000)
    forged = _forged(good, lambda files: files.update({"documents/own-bomb.json": b" " * 2_000_000}))
    assert forged.stat().st_size < 50_000
    assert "too large" in _unchanged_by(used, forged).message


# Killed half-way

KILLED = """
import sys
from pathlib import Path
from assistant.backup import backup, restore
from assistant.conversations import Conversations
from index.embedder import Embedder
from index.library import Library
what, folder, file = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
library, kept = Library(folder, Embedder()), Conversations(folder / "conversations.db")
sys.stdout.write("now\\n")
sys.stdout.flush()
(backup if what == "backup" else restore)(library, kept, file, force=True)
"""


def _killed(what: str, folder: Path, file: Path, seconds: float) -> None:
    command = [sys.executable, "-c", KILLED, what, str(folder), str(file)]
    process = subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    try:
        process.wait(seconds)
        raise AssertionError("it was done before it could be killed")
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


@pytest.fixture
def large(place: Callable[..., Place]) -> Place:
    """A place that takes seconds to back up and to restore."""
    made = place()
    made.library.add(NOTES[:1])
    long = replace(ANSWER, text="".join(f"{hashlib.sha256(str(number).encode()).hexdigest()} " for number in range(1000)))
    identifier = made.conversations.start(ME, "0", long).conversation.id
    rows = list(made.conversations.database.rows())
    more = [("hkai_messages", {**rows[-1][1], "id": f"m{number}", "number": number, "question": str(number)}) for number in range(2, 200)]
    made.conversations.database.replace([*rows, *more])
    assert len(made.conversations.open(ME, identifier).messages) == 199
    return made


def test_a_backup_killed_half_way_leaves_the_one_before_and_the_next_one_whole(large: Place, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    file.write_text("the one before", encoding="utf-8")
    _killed("backup", large.library.folder, file, 0.1)
    assert file.read_text(encoding="utf-8") == "the one before"
    assert backup(large.library, large.conversations, file, force=True).messages == 199
    assert not file.with_name("backup.zip.part").exists()


def test_a_restoration_killed_half_way_leaves_what_was_there_and_can_be_done_again(large: Place, used: Place, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    backup(large.library, large.conversations, file)
    before = used.held()
    _killed("restore", used.library.folder, file, 0.2)
    assert used.held() in (before, (before[0], large.held()[1]))
    restore(used.library, used.conversations, file, force=True)
    assert used.held() == large.held()
