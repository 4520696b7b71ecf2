"""The database of the conversations: its tables, and transactions on them, in SQLite and PostgreSQL alike."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import CheckConstraint, Column, Connection, Double, Engine, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from assistant.errors import BadInput, StoreError

VERSION = 1

_tables = MetaData()
schema = Table("hkai_schema", _tables, Column("version", Integer, primary_key=True))
conversations = Table(
    "hkai_conversations",
    _tables,
    Column("id", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("folded", Text, nullable=False),  # what a search looks in: the title as `fold` makes it
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("deleted", Double),
    Column("link", String, unique=True),
    Column("shared", Integer),  # number of the last message that the link shows
    Index("hkai_conversations_of_an_owner", "owner", "updated"),
)
messages = Table(
    "hkai_messages",
    _tables,
    Column("id", String, primary_key=True),
    Column("conversation", String, ForeignKey(conversations.c.id, ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("replaced", Integer),  # number of the message that put this one out of sight
    Column("asked", Double, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text),
    Column("folded", Text, nullable=False),
    Column("feedback", String, nullable=False),
    Column("reason", Text, nullable=False),
    UniqueConstraint("conversation", "number"),
    CheckConstraint("feedback IN ('', 'up', 'down')"),
)

# The end of the year 9999, in seconds since 1970.
LAST_MOMENT = 253_402_300_799
# What PostgreSQL, or UTF-8, cannot hold.
UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")

_REMEDIES = {
    "sqlite": "Set HKAI_DATA to a folder of yours on a disk with free space, or HKAI_DATABASE to a database.",
    "postgresql": "See that the server runs and that HKAI_DATABASE names it, the database, the user and the password.",
}


class Database:
    """The database in the SQLite file or at the URL `where`; nothing is opened before the first call. All raise `StoreError`."""

    def __init__(self, where: str | Path) -> None:
        self._url = _url(where)
        self._engine = _engine(self._url)
        self._preparing = threading.Lock()
        self._prepared = False

    def prepare(self) -> None:
        """Opens the database and makes what is missing in it; refuses one of a newer version."""
        with self._preparing:
            if not self._prepared:
                self._make()
                self._prepared = True

    def close(self) -> None:
        """Closes the connections; the next call opens new ones."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        if not self._prepared:
            self.prepare()
        with self._transaction({}) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: kept whole at its end, or, after an error, not at all."""
        if not self._prepared:
            self.prepare()
        with self._transaction({"writes": True}) as connection:
            yield connection

    def scrub(self) -> None:
        """Leaves nothing of what was deleted in the journal of a SQLite database; its file holds none already."""
        if self._url.get_backend_name() == "sqlite":
            with closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @property
    def empty(self) -> bool:
        """Whether nothing is kept, of any owner."""
        with self.reading() as connection:
            return connection.execute(sql.select(conversations.c.id).limit(1)).first() is None

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every row, as the name of its table and its values, all as of one moment."""
        options = {"isolation_level": "REPEATABLE READ"} if self._url.get_backend_name() == "postgresql" else {}
        self.prepare()
        with self._transaction({**options, "yield_per": 200}) as connection:
            for table in (conversations, messages):
                for row in connection.execute(sql.select(table).order_by(*table.primary_key)).mappings():
                    yield table.name, dict(row)

    def replace(self, rows: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Puts rows, each one without `fault`, in the place of all there are; `BadInput`, and nothing done, where they contradict one another."""
        with self.writing() as connection:
            for table in (messages, conversations):
                connection.execute(sql.delete(table))
            try:
                for name, values in rows:
                    connection.execute(sql.insert(_tables.tables[name]), values)
            except IntegrityError as error:
                raise BadInput(f"The rows contradict one another: {error.orig}.", "Nothing was changed.") from error

    @contextmanager
    def _transaction(self, options: dict[str, Any]) -> Iterator[Connection]:
        try:
            with self._engine.execution_options(**options).begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
            remedy = _REMEDIES[self._url.get_backend_name()]
            raise StoreError(f"The database {self._url!r} cannot be used: {cause or type(error).__name__}.", remedy, retryable=True) from error

    def _make(self) -> None:
        if self._url.get_backend_name() == "sqlite" and self._url.database:
            try:
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"{self._url.database} cannot be written ({error.strerror}).", _REMEDIES["sqlite"]) from error
        with self._transaction({"writes": True}) as connection:
            if connection.dialect.name == "postgresql":
                if connection.scalar(sql.text("SHOW server_encoding")) != "UTF8":
                    raise StoreError(f"The database {self._url!r} is not in UTF-8.", "Make one with `createdb --encoding=UTF8 --template=template0`.")
                connection.execute(sql.text("SELECT pg_advisory_xact_lock(hashtext('hkai_schema'))"))
            schema.create(connection, checkfirst=True)
            version = connection.scalar(sql.select(sql.func.max(schema.c.version)))
            if version is not None and version > VERSION:
                raise StoreError(
                    f"The database {self._url!r} was made by a newer hkai: it has version {version}, and this program knows {VERSION}.",
                    "Update hkai, or set HKAI_DATABASE to another database.",
                )
            _tables.create_all(connection)
            if version is None:
                connection.execute(sql.insert(schema), {"version": VERSION})


def fault(table: object, values: object) -> str:
    """Why these are not the name of a table and the values of a row of it; empty if they are."""
    if table not in (conversations.name, messages.name):
        return "its table is unknown"
    columns = _tables.tables[str(table)].columns
    if not isinstance(values, dict) or set(values) != set(columns.keys()):
        return "its columns are others"
    for column in columns:
        value = values[column.name]
        if (value is None and column.nullable) or (column.type.python_type is str and isinstance(value, str) and not UNKEEPABLE.search(value)):
            continue
        most = {int: 2**31 - 1, float: LAST_MOMENT}.get(column.type.python_type, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float) if column.type.python_type is float else int) or not 0 <= value <= most:
            return f"{column.name} has a wrong value"
    return ""


def _url(where: str | Path) -> sql.URL:
    if isinstance(where, Path):
        return sql.URL.create("sqlite", database=str(where.absolute()))
    try:
        url = sql.make_url(where)
    except (ArgumentError, ValueError) as error:
        raise StoreError("HKAI_DATABASE is not the URL of a database.", "Give one like postgresql://user:password@host/database.") from error
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgres", "postgresql") else url


def _engine(url: sql.URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return sql.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    engine = sql.create_engine(url, connect_args={"timeout": 30})

    @sql.event.listens_for(engine, "connect")
    def opened(connection: Any, _: object) -> None:
        """The driver begins no transactions of its own; what is deleted is overwritten; a reader never waits for a writer."""
        connection.isolation_level = None
        for pragma in ("foreign_keys=ON", "secure_delete=ON", "synchronous=FULL", "journal_mode=WAL"):
            connection.execute(f"PRAGMA {pragma}")

    @sql.event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        """A writer takes its turn at once, so that it never finds out half-way that another was first."""
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine
