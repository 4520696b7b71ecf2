"""Vectors in Chroma: embedded in a folder by default, a Chroma server by URL."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlparse

from index.embedder import Vectors

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.client import Client
    from chromadb.api.collection_configuration import CreateHNSWConfiguration
    from chromadb.api.types import QueryResult, Where


# The graph is wide and looked through far enough that of the hundred nearest among the corpus' entries hardly one in a thousand is missed; with
# Chroma's own values it was one in fifteen, another one in every index. Every change goes to disk at once: what is not there Chroma makes anew in
# memory when it opens the collection, and writes to disk as it lies there.
HNSW: CreateHNSWConfiguration = {"space": "cosine", "max_neighbors": 48, "ef_construction": 400, "ef_search": 500, "sync_threshold": 1}


class MeaningError(Exception):
    """Chroma cannot be opened or does not answer; the message says what to do."""


def connect(place: str | Path) -> ClientAPI:
    """A Chroma client for a folder, or for a server at `http://host:port`; telemetry is off. Raises `MeaningError`."""
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    try:
        if str(place).startswith(("http://", "https://")):
            url = urlparse(str(place))
            secure = url.scheme == "https"
            return chromadb.HttpClient(host=url.hostname or "localhost", port=url.port or (443 if secure else 8000), ssl=secure, settings=settings)
        Path(place).mkdir(parents=True, exist_ok=True)
        return chromadb.PersistentClient(path=str(place), settings=settings)
    except Exception as error:  # Chroma raises whatever its layers raise: sqlite, Rust, HTTP
        raise MeaningError(f"Chroma cannot be opened at {place} ({error}). Is the folder writable, or the server running?") from error


def close(client: ClientAPI) -> None:
    """Lets go of what `connect` opened, so that it can be opened anew."""
    cast("Client", client).close()


def scrub(folder: Path) -> None:
    """Empties what deleted entries left in an embedded Chroma's folder: files of deleted collections, free pages of its database.

    Nothing in this process may have it open: Chroma brings a SQLite of its own, and two in one process undo each other's locks. Raises `MeaningError`.
    """
    try:
        with closing(sqlite3.connect(folder / "chroma.sqlite3", timeout=60)) as database:
            used = {identifier for (identifier,) in database.execute("SELECT id FROM segments")}
            for left in folder.iterdir():
                if left.is_dir() and left.name not in used:
                    shutil.rmtree(left)
            database.execute("VACUUM")
        _blank(folder)
    except (sqlite3.Error, OSError) as error:
        raise MeaningError(f"What was deleted could not be emptied from {folder} ({error}). Run `hkai ingest --rebuild`.") from error


def _blank(folder: Path) -> None:
    """Zeros the room for vectors to come in an embedded Chroma's folder: Chroma writes it as it lay in memory, which may be what was deleted."""
    for header in folder.glob("*/header.bin"):
        vectors = header.with_name("data_level0.bin")
        # hnswlib's header: a version of 4 bytes, then an offset, the room, the entries and the bytes of one, 8 bytes each.
        _, _, _, entries, size = struct.unpack_from("<i4Q", header.read_bytes())
        spare = vectors.stat().st_size - entries * size if vectors.exists() else 0
        if spare > 0:
            with vectors.open("r+b") as file:
                file.seek(entries * size)
                file.write(bytes(spare))


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except MeaningError:
        raise
    except Exception as error:  # Chroma passes on what its layers raise: SQLite's errors, those of its Rust part, those of HTTP
        raise MeaningError(f"Chroma does not answer ({error}). Is its server running, or its folder damaged?") from error


class Meaning:
    """One collection of unit vectors with the text each belongs to; `nearest` gives cosine similarities. All raise `MeaningError`."""

    def __init__(self, client: ClientAPI, name: str) -> None:
        self._client = client
        self._name = name
        self._open()

    @_answering()
    def _open(self) -> None:
        self._collection = self._client.get_or_create_collection(self._name, embedding_function=None, configuration={"hnsw": HNSW})

    @_answering()
    def reopen(self) -> None:
        """Sees the collection that another process put in this one's place."""
        from chromadb.errors import NotFoundError

        with suppress(NotFoundError):  # it is just being put there
            self._collection = self._client.get_collection(self._name, embedding_function=None)

    @_answering()
    def add(self, identifiers: list[str], vectors: Vectors, text_ids: list[str]) -> None:
        """Adds or replaces entries; `vectors` has shape (identifiers, dimensions)."""
        step = self._client.get_max_batch_size()
        for at in range(0, len(identifiers), step):
            part = slice(at, at + step)
            self._collection.upsert(ids=identifiers[part], embeddings=vectors[part], metadatas=[{"text_id": text_id} for text_id in text_ids[part]])
            self.nearest(vectors[at : at + 1], 1)  # is answered once they are on disk

    @_answering()
    def remove(self, text_ids: list[str]) -> None:
        """Removes every entry of these texts."""
        for at in range(0, len(text_ids), 100):
            self._collection.delete(where=_of(text_ids[at : at + 100]))

    @_answering()
    def clear(self) -> None:
        """Empties the collection, whatever the size of the vectors that it held."""
        self._client.delete_collection(self._name)
        self._open()

    @_answering()
    def copied(self, text_ids: Collection[str]) -> Meaning:
        """A new collection beside this one with its entries of these texts alone, ready to take its place."""
        aside = Meaning(self._client, f"{self._name}-next")
        aside.clear()
        step = self._client.get_max_batch_size()
        for at in range(0, self.count(), step):
            rows = self._collection.get(limit=step, offset=at, include=["embeddings", "metadatas"])
            of = [str(about["text_id"]) for about in rows["metadatas"] or []]
            kept = [number for number, text_id in enumerate(of) if text_id in text_ids]
            if kept:
                vectors = cast("Vectors", rows["embeddings"])[kept]
                aside.add([rows["ids"][number] for number in kept], vectors, [of[number] for number in kept])
        return aside

    @_answering()
    def give_way_to(self, aside: Meaning) -> None:
        """Deletes this collection; `aside` takes its name."""
        self._client.delete_collection(self._name)
        aside._collection.modify(name=self._name)
        self._open()

    @_answering()
    def count(self) -> int:
        """How many entries there are."""
        return self._collection.count()

    def nearest(self, vectors: Vectors, k: int, text_ids: list[str] | None = None) -> list[list[tuple[str, float]]]:
        """For each vector the `k` nearest entries as (id, cosine), nearest first; only of `text_ids`, where given."""
        if (text_ids is not None and not text_ids) or not len(vectors):
            return [[] for _ in vectors]
        found = self._query(vectors, k, None if text_ids is None else _of(text_ids))
        distances = found["distances"] or []
        return [[(identifier, 1.0 - distance) for identifier, distance in zip(row, far, strict=True)] for row, far in zip(found["ids"], distances, strict=True)]

    @_answering()
    def _query(self, vectors: Vectors, k: int, where: Where | None) -> QueryResult:
        from chromadb.errors import NotFoundError

        def query() -> QueryResult:
            return self._collection.query(query_embeddings=vectors, n_results=k, where=where, include=["distances"])

        try:
            return query()
        except NotFoundError:
            self.reopen()
            return query()


def _of(text_ids: list[str]) -> Where:
    return cast("Where", {"text_id": {"$in": text_ids}})
