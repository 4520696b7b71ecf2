"""The library: the texts, their vectors and their words, kept in step.

English documents of a user's own are found by the vectors of a second encoder too: on passages about anything the two find more than either.

A manifest in the folder records which text, by its hash, both indexes hold. A text is struck from the manifest before
its entries are touched and written back after, so that whatever is interrupted is simply done again by the next `sync`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from corpus.markdown import topic_id
from corpus.text import OWN, Source, SourceText, Statement
from index.chunks import Chunk, chunks, statement_id, statement_place
from index.embedder import Embedder
from index.gate import Gate
from index.meaning import Meaning, close, connect, scrub
from index.words import Words

FORMAT = 3
# Statements whose texts are indexed together.
BATCH = 400

Progress = Callable[[int, int], None]
# Told of a text that was removed or replaced: its id, and the hash of the text that is there now, "" if none is.
Forget = Callable[[str, str], object]


class LibraryError(Exception):
    """The index does not match the texts or the embedder; the message names the command that mends it."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a `sync` did, in texts."""

    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.added or self.updated or self.removed)

    def __str__(self) -> str:
        if not self.any:
            return f"Nothing changed: {self.unchanged} texts are up to date."
        return f"{self.added} added, {self.updated} updated, {self.removed} removed, {self.unchanged} unchanged."


@dataclass(frozen=True, slots=True)
class Manifest:
    """What both indexes hold: the embedder that made the vectors, and the hash of each text by its id.

    `owed` says that files may still hold what was deleted.
    """

    embedder: str
    texts: dict[str, str]
    format: int = FORMAT
    owed: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """The indexes over one kind of entry, `chunks` or `statements`; `second` holds the vectors of the second encoder."""

    meaning: Meaning
    second: Meaning
    words: Words


class Library:
    """The source texts in memory and their index in `folder`; with `chroma` the vectors are on the Chroma server there.

    `second` also encodes a user's own documents in English; it is the same for an `embedder`, which alone is kept with the index.
    `version` names what is held: the same texts and embedder give the same one. Several processes may share a folder: one changes it at a
    time, and `reading` takes up what another one changed.
    """

    def __init__(self, folder: Path, embedder: Embedder, *, second: Embedder | None = None, chroma: str = "") -> None:
        self.folder = folder
        self.embedder = embedder
        self.second = second
        self._manifest_file = folder / "manifest.json"
        self._documents = folder / "documents"
        try:
            self._documents.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"{folder} cannot be written ({error.strerror}). Set HKAI_DATA to a folder of yours.") from error
        self._lock = FileLock(folder / "library.lock")
        self._gate = Gate()
        self._chroma: str | Path = chroma or folder / "chroma"
        self._seen = self._stamp()
        self._open_shelves()
        self._changing = threading.Lock()
        self._corpus: Sequence[SourceText] = ()
        self.texts: dict[str, SourceText] = {}
        self.version = ""
        self._chunks: dict[str, list[Chunk]] = {}
        self._twins: dict[str, str] = {}

    def close(self) -> None:
        """Lets go of the index's files and connections."""
        close(self._client)

    def _open_shelves(self) -> None:
        self._client = connect(self._chroma)
        self.chunks, self.statements = (
            Shelf(Meaning(self._client, f"hkai-{kind}"), Meaning(self._client, f"hkai-{kind}-second"), Words(self.folder / "words" / kind))
            for kind in ("chunks", "statements")
        )

    @property
    def _meanings(self) -> tuple[Meaning, ...]:
        return tuple(meaning for shelf in (self.chunks, self.statements) for meaning in (shelf.meaning, shelf.second))

    # What is held

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is held stays the same within; before it, what another process changed is taken up."""
        self._take_up()
        with self._gate.shared():
            yield

    def chunk(self, identifier: str) -> Chunk | None:
        """The chunk with this id, if the library holds it."""
        text_id, _, number = identifier.rpartition("#")
        held = self._chunks.get(text_id, [])
        return held[int(number)] if int(number) < len(held) else None

    def chunk_of(self, identifier: str) -> Chunk:
        """The chunk that holds the statement with this id; raises `KeyError` where the library does not hold it."""
        text_id, number = statement_place(identifier)
        for chunk in self._chunks.get(text_id, []):
            if chunk.first <= number < chunk.last:
                return chunk
        raise KeyError(identifier)

    def statement(self, identifier: str) -> Statement | None:
        """The statement with this id, if the library holds it."""
        text_id, number = statement_place(identifier)
        text = self.texts.get(text_id)
        return text.statements[number] if text and number < len(text.statements) else None

    def twin(self, identifier: str) -> str | None:
        """The id of the statement that tells the same in the other language's text of the topic, if there is one."""
        return self._twins.get(identifier)

    def twice(self, text_id: str) -> bool:
        """Whether the second encoder's vectors of a text are held too: one of the user's own, in English."""
        text = self.texts.get(text_id)
        return bool(self.second and text and text.own and text.lang == "en")

    def rarity(self, token: str) -> float:
        """How rare a token is among the statements, 0 (in all of them) to 1 (in none): its inverse document frequency, scaled."""
        total = self.statements.words.total
        return math.log((total + 1) / (self.statements.words.frequency(token) + 1)) / math.log(total + 2)

    def knows(self, token: str) -> bool:
        """Whether a token stands in any statement."""
        return self.statements.words.frequency(token) > 0

    def own(self) -> list[SourceText]:
        """The documents that a user added, from their kept text."""
        found = []
        for path in sorted(self._documents.glob("*.json")):
            try:
                found.append(_from_json(json.loads(path.read_text(encoding="utf-8"))))
            except FileNotFoundError:  # another process just removed it
                continue
        return found

    # Keeping the index equal to the texts

    def open(self, corpus: Sequence[SourceText]) -> None:
        """Reads the texts for searching; raises `LibraryError` unless the index is exactly that of `corpus` and the own documents."""
        self._corpus = corpus
        manifest = self._manifest()
        texts = [*corpus, *self.own()]
        if not manifest:
            raise LibraryError("There is no index yet. Run `hkai ingest --rebuild` (or `make serve`, which builds it).")
        if manifest.format != FORMAT:
            raise LibraryError("The index has the form of another version. Run `hkai ingest --rebuild` (or `make serve`, which builds it).")
        if manifest.embedder != self.embedder.name:
            raise LibraryError(
                f"The index was made with the embedder {manifest.embedder!r}, not {self.embedder.name!r}. Run `hkai ingest --rebuild`, or set "
                "HKAI_EMBEDDER back."
            )
        if manifest.texts != {text.id: text.sha256 for text in texts}:
            raise LibraryError("The index is not that of the present texts. Run `hkai ingest --rebuild`.")
        self._hold(texts)

    def sync(self, corpus: Sequence[SourceText], progress: Progress = lambda done, total: None, forget: Forget = lambda identifier, present: None) -> Changes:
        """Makes the index equal to `corpus` and the own documents, and reads them for searching.

        `progress` is called with the number of texts done and in all. An index made with another embedder is made anew. Of a document that was
        removed or replaced nothing is left in the files of the index; `forget` is called first, so that an interrupted sync calls it again.
        """
        with self._changing, self._lock:
            if self._seen != self._stamp():
                self._reopen()
            self._corpus = corpus
            texts = [*corpus, *self.own()]
            manifest = self._manifest()
            now = {text.id: text.sha256 for text in texts}
            for identifier, known_hash in (manifest.texts if manifest else {}).items():
                if identifier.startswith(OWN) and now.get(identifier) != known_hash:
                    forget(identifier, now.get(identifier, ""))
            if not manifest or (manifest.embedder, manifest.format) != (self.embedder.name, FORMAT) or not self._even():
                manifest = Manifest(self.embedder.name, {})
                for meaning in self._meanings:
                    meaning.clear()
                for shelf in (self.chunks, self.statements):
                    shelf.words.clear()
            known = manifest.texts
            gone = [identifier for identifier in known if identifier not in now]
            changed = [text for text in texts if known.get(text.id) != text.sha256]
            changes = Changes(
                added=sum(text.id not in known for text in changed),
                updated=sum(text.id in known for text in changed),
                removed=len(gone),
                unchanged=len(texts) - len(changed),
            )
            touched = {*gone, *(text.id for text in changed)}
            owed = manifest.owed or bool((touched & known.keys()) - {text.id for text in corpus})
            if changes.any or owed or not self._manifest_file.exists():
                held = {identifier: known_hash for identifier, known_hash in known.items() if identifier not in touched}
                self._write_manifest(Manifest(self.embedder.name, held, owed=owed))
                with self._gate.alone():
                    self._hold(texts)
                self._index(sorted(touched), changed, progress)
                if owed:
                    self._rewrite()
                self._write_manifest(Manifest(self.embedder.name, now))
            else:
                with self._gate.alone():
                    self._hold(texts)
            return changes

    def add(self, documents: Iterable[SourceText]) -> None:
        """Keeps documents of the user's own; the next `sync` indexes them. One that is held as it is stays, with its date."""
        for document in documents:
            path = self._document(document.id)
            held = _from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
            if held is None or held != replace(document, updated=held.updated):
                _write(path, json.dumps(asdict(document), ensure_ascii=False))

    def remove(self, identifier: str) -> bool:
        """Forgets a document of the user's own, the next `sync` takes it out of the index; false if there is none of that id."""
        path = self._document(identifier)
        if path.parent != self._documents or not path.exists():
            return False
        path.unlink()
        path.with_suffix(".part").unlink(missing_ok=True)
        return True

    def _document(self, identifier: str) -> Path:
        return self._documents / f"{identifier}.json"

    def _hold(self, texts: Sequence[SourceText]) -> None:
        self._chunks = {text.id: chunks(text) for text in texts}
        self.texts = {text.id: text for text in texts}
        self._twins = _twins(text for text in texts if not text.own)
        hashes = sorted((text.id, text.sha256) for text in texts)
        self.version = hashlib.sha256(repr((FORMAT, self.embedder.name, hashes)).encode()).hexdigest()[:12]

    def _index(self, removed: list[str], changed: list[SourceText], progress: Progress) -> None:
        """Both indexes without the texts `removed` and with the texts `changed`."""
        for meaning in self._meanings:
            meaning.remove(removed)
        self.chunks.words.replace(removed, ((chunk.id, text.id, chunk.text) for text in changed for chunk in self._chunks[text.id]))
        self.statements.words.replace(removed, ((identifier, text.id, passage) for text in changed for identifier, passage in statement_passages(text)))
        progress(0, len(changed))
        done = 0
        for batch in _batches(changed):
            pieces = [(chunk.id, text.id, chunk.text) for text in batch for chunk in self._chunks[text.id]]
            sentences = [(identifier, text.id, passage) for text in batch for identifier, passage in statement_passages(text)]
            for shelf, entries in ((self.chunks, pieces), (self.statements, sentences)):
                _add(shelf.meaning, self.embedder, entries)
                if self.second:
                    _add(shelf.second, self.second, [entry for entry in entries if self.twice(entry[1])])
            done += len(batch)
            progress(done, len(changed))

    def _rewrite(self) -> None:
        """Both indexes of the texts held, in files that never saw another."""
        self.chunks.words.rewrite((chunk.id, chunk.text_id, chunk.text) for held in self._chunks.values() for chunk in held)
        self.statements.words.rewrite((identifier, text.id, passage) for text in self.texts.values() for identifier, passage in statement_passages(text))
        for meaning in self._meanings:
            aside = meaning.copied(self.texts.keys())
            with self._gate.alone():
                meaning.give_way_to(aside)
        if isinstance(self._chroma, Path):
            with self._gate.alone():
                close(self._client)
                try:
                    scrub(self._chroma)
                finally:  # what could not be emptied is still searched
                    self._open_shelves()

    def _take_up(self) -> None:
        """Holds what another process left in the folder, as far as its index is that of these texts."""
        if self._stamp() == self._seen or not self._changing.acquire(blocking=False):
            return
        try:
            stamp = self._stamp()
            if stamp == self._seen:  # this process changed it itself, while that was asked
                return
            self._reopen()
            manifest = self._manifest()
            known = manifest.texts if manifest and manifest.embedder == self.embedder.name else {}
            if all(known.get(text.id) == text.sha256 for text in self._corpus):
                with self._gate.alone():
                    self._hold([*self._corpus, *(text for text in self.own() if known.get(text.id) == text.sha256)])
            self._seen = stamp
        finally:
            self._changing.release()

    def _reopen(self) -> None:
        """Both indexes as they are on disk; an embedded Chroma sees what another process wrote only when it is opened anew."""
        with self._gate.alone():
            if isinstance(self._chroma, Path):
                close(self._client)
                self._open_shelves()
                return
            for meaning in self._meanings:
                meaning.reopen()
            for shelf in (self.chunks, self.statements):
                shelf.words.reload()

    def _stamp(self) -> tuple[int, int] | None:
        """Tells one manifest from another; None where there is none."""
        try:
            stat = self._manifest_file.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_ino

    def consistent(self) -> bool:
        """Whether both indexes hold equally many entries; false after one of their folders was lost or swapped.

        What a process, this or another, is changing, or changed since it was last taken up, is not judged: true.
        """
        if self._even() or not self._changing.acquire(blocking=False):
            return True
        try:
            with self._lock.acquire(timeout=0):
                return self._stamp() != self._seen or self._even()
        except Timeout:
            return True
        finally:
            self._changing.release()

    def _even(self) -> bool:
        return all(shelf.meaning.count() == shelf.words.count() for shelf in (self.chunks, self.statements))

    def _manifest(self) -> Manifest | None:
        try:
            return Manifest(**json.loads(self._manifest_file.read_text(encoding="utf-8")))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None

    def _write_manifest(self, manifest: Manifest) -> None:
        _write(self._manifest_file, json.dumps(asdict(manifest), ensure_ascii=False, indent=0))
        self._seen = self._stamp()


def _add(meaning: Meaning, embedder: Embedder, entries: Sequence[tuple[str, str, str]]) -> None:
    """Adds entries, each an id, the id of its text and its wording, by the vectors that `embedder` makes of them."""
    if entries:
        vectors = embedder.passages([wording for _, _, wording in entries])
        meaning.add([identifier for identifier, _, _ in entries], vectors, [text_id for _, text_id, _ in entries])


def _batches(texts: Iterable[SourceText]) -> Iterator[list[SourceText]]:
    batch: list[SourceText] = []
    for text in texts:
        batch.append(text)
        if sum(len(one.statements) for one in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def passages(text: SourceText) -> list[tuple[str, str]]:
    """Id and wording of every passage of a text that has a vector: its chunks, then its statements."""
    pieces = [(chunk.id, chunk.text) for chunk in chunks(text)]
    return [*pieces, *statement_passages(text)]


def statement_passages(text: SourceText) -> Iterator[tuple[str, str]]:
    """Id and searched wording of each statement of a text, in order; the title goes with it, for sentences that shorten a name."""
    for number, statement in enumerate(text.statements):
        yield statement_id(text.id, number), f"{text.title}: {statement.text}"


def _twins(texts: Iterable[SourceText]) -> dict[str, str]:
    """Each statement's id and that of the one with the same footnotes, in the same place among those, in the other language."""
    told: dict[tuple[str, frozenset[str]], dict[str, list[str]]] = {}
    for text in texts:
        for number, statement in enumerate(text.statements):
            if statement.marks:
                told.setdefault((topic_id(text), frozenset(statement.marks)), {}).setdefault(text.lang, []).append(statement_id(text.id, number))
    return {
        identifier: there[min(place, len(there) - 1)]
        for by_lang in told.values()
        for lang, here in by_lang.items()
        for other, there in by_lang.items()
        if other != lang
        for place, identifier in enumerate(here)
    }


def _write(path: Path, content: str) -> None:
    """Writes a file whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _from_json(row: dict[str, Any]) -> SourceText:
    statements = tuple(
        Statement(**{**statement, "sources": tuple(Source(**source) for source in statement["sources"]), "marks": tuple(statement["marks"])})
        for statement in row["statements"]
    )
    return SourceText(**{**row, "aliases": tuple(row["aliases"]), "statements": statements})
