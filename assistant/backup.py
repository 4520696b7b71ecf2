"""Backups: what cannot be made anew, in one file: the user's own documents, the conversations and the feedback. The index is made from the rest.

The file is a ZIP archive: `documents/ID.json`, `conversations.jsonl` (a row of the database a line), and `backup.json`, which tells the SHA-256 and
the size of each. Nothing in it is ever taken for a path. It is read through and checked before it gets its name, and again before anything is
restored. A restoration replaces the conversations in one transaction, then writes document by document, each whole or not at all, and only then
takes out what the backup does not hold: killed at any moment it leaves nothing half-written, and can be run again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from assistant import database
from assistant.conversations import Conversations
from assistant.errors import BadInput
from assistant.records import Answer
from corpus.text import SourceText
from index.library import Library

FORMAT = 1
CONTENTS = "backup.json"
ROWS = "conversations.jsonl"
DOCUMENT = re.compile(r"documents/([A-Za-z0-9][A-Za-z0-9_-]{0,199})\.json")
# Bytes: of the table of contents, of one document, of one row.
MAX_CONTENTS = 100_000_000
MAX_DOCUMENT = 500_000_000
MAX_ROW = 100_000_000

_TEXT, _ANSWER = TypeAdapter(SourceText), TypeAdapter(Answer)


class Entry(BaseModel):
    """The checksum and the size of one file in the archive."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class Contents(BaseModel):
    """What a backup holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    schema_version: int = database.VERSION
    made: datetime
    entries: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Counted:
    """What was written or restored."""

    documents: int
    conversations: int
    messages: int

    def __str__(self) -> str:
        return f"{self.documents} documents, {self.conversations} conversations, {self.messages} messages"


def backup(library: Library, conversations: Conversations, file: Path, *, force: bool = False) -> Counted:
    """Writes a backup, all of it as of one moment for the conversations, document by document for the rest; raises `BadInput`, `StoreError`.

    The file can be read by its owner alone. A file that is there is replaced only with `force`, and only once the new one is whole.
    """
    if file.exists() and not force:
        raise BadInput(f"{file} is there already.", "Name another file, or give --force to replace it.")
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with part.open("r+b") as whole:
            counted = _write(whole, library, conversations)
            whole.flush()
            os.fsync(whole.fileno())
        with _opened(part) as (archive, contents):
            _check(archive, contents)
        part.replace(file)
    except OSError as error:
        raise BadInput(f"{file} cannot be written ({error.strerror}).", "Name a file in a folder of yours, on a disk with free space.") from error
    finally:
        if part.is_file():
            part.unlink()
    return counted


def restore(library: Library, conversations: Conversations, file: Path, *, force: bool = False) -> Counted:
    """Brings back what a backup holds; raises `BadInput`, with nothing changed, for one that is damaged or no backup, and `StoreError`.

    Where there are documents or conversations already, they give way only with `force`. The index is not touched: it is stale afterwards.
    """
    before = {text.id for text in library.own()}
    with _opened(file) as (archive, contents):
        _check(archive, contents)
        names = [name for name in contents.entries if name != ROWS]
        own = {_document(archive, name).id for name in names}
        tables = [table for table, _ in _rows(archive)]
        if not force and (before or not conversations.database.empty):
            raise BadInput("There are documents or conversations already.", "Give --force to put those of the backup in their place.")
        with closing(_rows(archive)) as rows:
            conversations.database.replace(rows)
        for name in names:
            library.add([_document(archive, name)])
    for identifier in before - own:
        library.remove(identifier)
    return _counted(len(own), tables)


# Writing


def _write(whole: IO[bytes], library: Library, conversations: Conversations) -> Counted:
    entries: dict[str, Entry] = {}
    tables: list[str] = []
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for text in library.own():
            _add(archive, entries, f"documents/{text.id}.json", iter([json.dumps(asdict(text), ensure_ascii=False)]))

        def lines() -> Iterator[str]:
            for table, row in conversations.database.rows():
                tables.append(table)
                yield json.dumps([table, row], ensure_ascii=False) + "\n"

        _add(archive, entries, ROWS, lines())
        contents = Contents(made=datetime.now(UTC), entries=entries)
        archive.writestr(CONTENTS, contents.model_dump_json(indent=1))
    return _counted(len(entries) - 1, tables)


def _counted(documents: int, tables: list[str]) -> Counted:
    return Counted(documents, tables.count(database.conversations.name), tables.count(database.messages.name))


def _add(archive: zipfile.ZipFile, entries: dict[str, Entry], name: str, parts: Iterator[str]) -> None:
    digest, size = hashlib.sha256(), 0
    with archive.open(name, "w", force_zip64=True) as entry:
        for part in parts:
            data = part.encode("utf-8")
            digest.update(data)
            size += len(data)
            entry.write(data)
    entries[name] = Entry(sha256=digest.hexdigest(), size=size)


# Reading, of files that may be damaged or made to do harm


@contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, Contents]]:
    """The archive and what it says that it holds, which is just what it holds; all that is wrong with it on the way is `BadInput`."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive, _contents(archive)
    except zipfile.BadZipFile as error:
        _refuse(f"it is cut short, or no backup at all: {error}", error)
    except (zlib.error, EOFError, NotImplementedError) as error:  # zipfile's, for data that do not unpack, end early, or are packed in a way it does not know
        _refuse(f"it is damaged: {error}", error)
    except (ValidationError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        _refuse(f"what it holds is not what hkai keeps: {str(error).splitlines()[0]}", error)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place before the beginning of the file
            _refuse("it is damaged: it names a place that it does not have", error)
        raise BadInput(f"{error.filename or file}: {error.strerror}.", "Name a file that `hkai backup` wrote; see that there is room on the disk.") from error


def _refuse(what: str, error: Exception | None = None) -> NoReturn:
    raise BadInput(f"This backup cannot be used: {what}.", "Nothing was changed. Take another backup.") from error


def _contents(archive: zipfile.ZipFile) -> Contents:
    held = archive.infolist()
    names = [info.filename for info in held]
    if CONTENTS not in names:
        _refuse(f"it holds no {CONTENTS}")
    if len(set(names)) < len(names):
        _refuse("it holds a file twice")
    for info in held:
        if info.filename not in (CONTENTS, ROWS) and not DOCUMENT.fullmatch(info.filename):
            _refuse(f"it holds a file {info.filename!r}, which hkai does not write")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            _refuse("it is encrypted, or packed in a way that hkai does not")
        if info.file_size > {CONTENTS: MAX_CONTENTS, ROWS: info.file_size}.get(info.filename, MAX_DOCUMENT):
            _refuse(f"{info.filename} is too large")
    raw = json.loads(archive.read(CONTENTS))
    if isinstance(raw, dict) and (_newer(raw.get("format"), FORMAT) or _newer(raw.get("schema_version"), database.VERSION)):
        raise BadInput("This backup was made by a newer hkai.", "Update hkai, then restore.")
    contents = Contents.model_validate(raw)
    if {*contents.entries, CONTENTS} != set(names) or ROWS not in contents.entries:
        _refuse("it does not hold the files that it says it holds")
    return contents


def _newer(version: object, known: int) -> bool:
    return isinstance(version, int) and version > known


def _check(archive: zipfile.ZipFile, contents: Contents) -> None:
    """Reads every file through; one whose checksum is another than told is refused."""
    for name, told in contents.entries.items():
        digest, size = hashlib.sha256(), 0
        with archive.open(name) as entry:
            while data := entry.read(1 << 20):
                digest.update(data)
                size += len(data)
        if (digest.hexdigest(), size) != (told.sha256, told.size):
            _refuse(f"the checksum of {name} is wrong")


def _identifier(name: str) -> str:
    match = DOCUMENT.fullmatch(name)
    assert match
    return match[1]


def _document(archive: zipfile.ZipFile, name: str) -> SourceText:
    text = _TEXT.validate_json(archive.read(name), strict=True)
    if text.id != _identifier(name) or not text.own or any(text.text[one.start : one.end] != one.text for one in text.statements):
        _refuse(f"{name} is not a document as hkai keeps it")
    return text


def _rows(archive: zipfile.ZipFile) -> Generator[tuple[str, dict[str, Any]], None, None]:
    with archive.open(ROWS) as entry:
        while line := entry.readline(MAX_ROW):
            row = json.loads(line)
            if not isinstance(row, list) or len(row) != 2:
                _refuse(f"a line of {ROWS} is no row")
            table, values = row
            if fault := database.fault(table, values):
                _refuse(f"a line of {ROWS} is no row: {fault}")
            if values.get("answer") is not None:
                _ANSWER.validate_json(values["answer"], strict=True)
            yield table, values
