from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from corpus.readers import from_bytes, from_file
from corpus.text import SourceText
from index.chunks import chunks
from index.embedder import MINILM, Embedder
from index.library import Library, LibraryError, statement_passages
from index.meaning import MeaningError
from index.search import View, search
from tests.conftest import ARTICLE
from tests.hkai_process import environment

Texts = tuple[SourceText, ...]


class _Renamed(Embedder):
    """The same model under another name."""

    def __init__(self, embedder: Embedder, name: str) -> None:
        super().__init__(name)
        self._model = embedder.load()


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    """The smaller model: here it matters what is kept, not what is near."""
    return Embedder(MINILM)


@pytest.fixture(scope="module")
def few(texts: Texts) -> Texts:
    """The beginnings of four texts."""
    return tuple(replace(text, statements=text.statements[:3]) for text in texts[:4])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, few: Texts) -> Iterator[Library]:
    """A library of `few` and of the article; no test may change it."""
    with closing(Library(tmp_path_factory.mktemp("small"), embedder)) as made:
        made.add([from_file(ARTICLE)])
        made.sync(few)
        yield made


@pytest.fixture
def folder(small: Library, tmp_path: Path) -> Path:
    """A copy of the small library's folder, to be changed."""
    shutil.copytree(small.folder, tmp_path / "library")
    return tmp_path / "library"


def _held(library: Library) -> dict[str, tuple[object, ...]]:
    """What both indexes answer to a few queries: everything that a search can see."""
    seen: dict[str, tuple[object, ...]] = {"version": (library.version,)}
    for name, shelf in (("chunks", library.chunks), ("statements", library.statements)):
        vectors = library.embedder.questions(["Which universities?", "算力"])
        near = [[(identifier, round(cosine, 4)) for identifier, cosine in row] for row in shelf.meaning.nearest(vectors, 500)]
        words = [{identifier for identifier, _ in shelf.words.best(query, 500)} for query in ("Cyberport universities scheme", "超算中心")]
        seen[name] = (shelf.meaning.count(), shelf.words.count(), [sorted(row) for row in near], words)
    return seen


def test_a_second_sync_changes_nothing_and_says_so(folder: Path, embedder: Embedder, few: Texts) -> None:
    files = {path: path.stat().st_mtime_ns for path in (folder / "manifest.json", *(folder / "words").rglob("*.json"))}
    library = Library(folder, embedder)
    seen: list[tuple[int, int]] = []
    changes = library.sync(few, lambda done, total: seen.append((done, total)))
    assert not changes.any
    assert str(changes) == "Nothing changed: 5 texts are up to date."
    assert seen == []
    assert files == {path: path.stat().st_mtime_ns for path in files}


def test_the_first_sync_reports_its_progress(tmp_path: Path, embedder: Embedder, few: Texts) -> None:
    seen: list[tuple[int, int]] = []
    changes = Library(tmp_path / "new", embedder).sync(few[:2], lambda done, total: seen.append((done, total)))
    assert (changes.added, changes.updated, changes.removed, changes.unchanged) == (2, 0, 0, 0)
    assert seen[0] == (0, 2)
    assert seen[-1] == (2, 2)


def test_both_indexes_hold_every_chunk_and_statement(small: Library) -> None:
    statements = sum(len(text.statements) for text in small.texts.values())
    assert small.statements.meaning.count() == small.statements.words.count() == statements
    pieces = sum(len(chunks(text)) for text in small.texts.values())
    assert small.chunks.meaning.count() == small.chunks.words.count() == pieces


def test_english_documents_of_ones_own_are_encoded_twice_until_they_are_removed(tmp_path: Path, embedder: Embedder, few: Texts) -> None:
    with closing(Library(tmp_path, embedder, second=embedder)) as library:
        english = from_bytes(b"Zebras graze in the server hall. They wear stripes.", "zebras.txt")
        library.add([english, from_bytes("斑馬在機房吃草。牠們有條紋。".encode(), "banma.txt")])
        library.sync(few)
        assert [identifier for identifier in library.texts if library.twice(identifier)] == [english.id]
        for shelf, held in ((library.statements, [f"{english.id}:0", f"{english.id}:1"]), (library.chunks, [f"{english.id}#0"])):
            (near,) = shelf.second.nearest(embedder.questions(["Zebras"]), 500)
            assert sorted(identifier for identifier, _ in near) == held
        library.remove(english.id)
        library.sync(few)
        assert [shelf.second.count() for shelf in (library.statements, library.chunks)] == [0, 0]
        assert library.statements.meaning.count() == sum(len(text.statements) for text in library.texts.values())


def test_a_changed_text_is_updated_in_both_indexes(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    text = few[0]
    old = text.statements[0]
    sentence = "Zebras graze in the server hall."
    changed = replace(text, statements=(replace(old, text=sentence, start=0, end=len(sentence)), *text.statements[1:]))
    changes = library.sync([changed, *few[1:]])
    assert (changes.added, changes.updated, changes.removed, changes.unchanged) == (0, 1, 0, 4)
    assert [identifier for identifier, _ in library.statements.words.best("zebras", 3)] == [f"{text.id}:0"]
    assert library.statements.meaning.nearest(embedder.questions([f"{text.title}: {sentence}"]), 1)[0][0][0] == f"{text.id}:0"
    found = library.statement(f"{text.id}:0")
    assert found is not None
    assert found.text == sentence
    fresh = Library(folder.parent / "fresh", embedder)
    fresh.add(library.own())
    fresh.sync([changed, *few[1:]])
    assert _held(library) == _held(fresh)


def test_a_removed_text_is_gone_from_both_indexes(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    before = library.version
    changes = library.sync(few[1:])
    gone = few[0].id
    assert (changes.added, changes.updated, changes.removed) == (0, 0, 1)
    assert library.version not in ("", before)
    assert gone not in library.texts
    assert library.statement(f"{gone}:0") is None
    assert library.chunk(f"{gone}#0") is None
    vectors = embedder.questions([few[0].title])
    for shelf in (library.chunks, library.statements):
        ids = {identifier for identifier, _ in (*shelf.meaning.nearest(vectors, 500)[0], *shelf.words.best(few[0].title, 500))}
        assert ids
        assert not any(identifier.startswith(gone) for identifier in ids)


@pytest.mark.parametrize("at", [0, 24, 25])
def test_an_interrupted_sync_is_finished_by_the_next(tmp_path: Path, embedder: Embedder, few: Texts, at: int) -> None:
    short = [replace(few[number % 4], id=f"text-{number}.en", statements=few[number % 4].statements[:1]) for number in range(25)]

    class Killed(BaseException):
        pass

    def kill(done: int, total: int) -> None:
        if done >= at:
            raise Killed

    with pytest.raises(Killed):
        Library(tmp_path / "killed", embedder).sync(short, kill)
    with pytest.raises(LibraryError, match="hkai ingest --rebuild"):
        Library(tmp_path / "killed", embedder).open(short)
    again, fresh = Library(tmp_path / "killed", embedder), Library(tmp_path / "fresh", embedder)
    assert again.sync(short).any
    fresh.sync(short)
    assert _held(again) == _held(fresh)
    assert not Library(tmp_path / "killed", embedder).sync(short).any


def test_an_interrupted_update_is_finished_by_the_next(folder: Path, embedder: Embedder, few: Texts) -> None:
    changed = [replace(few[0], statements=few[0].statements[:2]), *few[2:]]

    class Killed(BaseException):
        pass

    def kill(done: int, total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        Library(folder, embedder).sync(changed, kill)
    again = Library(folder, embedder)
    again.sync(changed)
    fresh = Library(folder.parent / "fresh", embedder)
    fresh.add(again.own())
    fresh.sync(changed)
    assert _held(again) == _held(fresh)


def test_opening_reads_what_was_synced(folder: Path, embedder: Embedder, few: Texts, small: Library) -> None:
    opened = Library(folder, embedder)
    opened.open(few)
    assert opened.version == small.version
    assert _held(opened) == _held(small)


def test_opening_without_an_index_names_the_command(tmp_path: Path, embedder: Embedder, few: Texts) -> None:
    with pytest.raises(LibraryError, match=r"There is no index yet\. Run `hkai ingest --rebuild`"):
        Library(tmp_path / "new", embedder).open(few)


def test_opening_with_other_texts_names_the_command(folder: Path, embedder: Embedder, few: Texts) -> None:
    with pytest.raises(LibraryError, match=r"not that of the present texts\. Run `hkai ingest --rebuild`"):
        Library(folder, embedder).open(few[1:])


def test_opening_with_another_embedder_names_the_command_and_syncing_rebuilds(folder: Path, embedder: Embedder, few: Texts) -> None:
    other = _Renamed(embedder, "another-model")
    with pytest.raises(LibraryError, match=r"made with the embedder 'all-MiniLM-L6-v2', not 'another-model'\. Run `hkai ingest --rebuild`"):
        Library(folder, other).open(few)
    library = Library(folder, other)
    assert library.sync(few).added == 5
    opened = Library(folder, other)
    opened.open(few)
    assert opened.version == library.version


class _Narrow(_Renamed):
    """Vectors of another length."""

    def _encode(self, texts: list[str], kind: str) -> np.ndarray:
        return super()._encode(texts, kind)[:, :64]


def test_syncing_rebuilds_also_for_vectors_of_another_length(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, _Narrow(embedder, "narrow-model"))
    assert library.sync(few).added == 5
    assert search(library, [View("the scheme")], library.embedder.questions(["the scheme"]))


@pytest.mark.parametrize("lost", ["chroma", "words", "manifest.json"])
def test_a_part_that_was_lost_is_made_again(folder: Path, embedder: Embedder, few: Texts, small: Library, lost: str) -> None:
    path = folder / lost
    path.unlink() if path.is_file() else shutil.rmtree(path)
    again = Library(folder, embedder)
    assert again.sync(few).added == 5
    assert _held(again) == _held(small)


@pytest.mark.parametrize("manifest", ["", "{", "[]", "null", '{"texts": 1}', '{"embedder": "x", "texts": {}, "format": 1, "more": 2}'])
def test_a_garbled_manifest_means_that_there_is_no_index(folder: Path, embedder: Embedder, few: Texts, manifest: str) -> None:
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(LibraryError, match="hkai ingest --rebuild"):
        Library(folder, embedder).open(few)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, embedder: Embedder) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(LibraryError, match=r"file/data cannot be written .*Set HKAI_DATA to a folder of yours"):
        Library(tmp_path / "file" / "data", embedder)


# Documents of the user's own


def test_an_own_document_is_kept_whole(small: Library) -> None:
    (kept,) = small.own()
    article = from_file(ARTICLE)
    assert replace(kept, updated=article.updated) == article
    assert small.texts[kept.id] == kept


def test_own_documents_outlive_a_rebuild(folder: Path, embedder: Embedder, few: Texts) -> None:
    (folder / "manifest.json").unlink()
    library = Library(folder, embedder)
    library.sync(few)
    assert [text.id for text in library.texts.values() if text.own] == [text.id for text in library.own()]


def test_a_document_is_added_replaced_and_removed(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    for sentence, found in (("Zebras graze in the hall.", "zebras"), ("Lions sleep in the hall.", "lions")):
        document = from_bytes(sentence.encode(), "animals.txt")
        library.add([document])
        changes = library.sync(few)
        assert (changes.added + changes.updated, changes.unchanged) == (1, 5)
        assert [identifier for identifier, _ in library.statements.words.best("zebras lions", 3)] == [f"{document.id}:0"]
        assert library.statements.words.best(found, 3)
    assert library.remove(document.id)
    assert library.sync(few).removed == 1
    assert library.statements.words.best("zebras lions", 3) == []
    assert not library.remove(document.id)


@pytest.mark.parametrize("identifier", ["nowhere", "../manifest", "ai-subsidy-scheme.en", "", "a/b"])
def test_only_own_documents_can_be_removed(folder: Path, embedder: Embedder, identifier: str) -> None:
    assert not Library(folder, embedder).remove(identifier)
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["texts"]


def test_a_closed_library_holds_no_file(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    library.open(few)
    assert _open_in(folder)
    library.close()
    end = time.monotonic() + 10  # Chroma closes them in a thread of its own
    while _open_in(folder) and time.monotonic() < end:
        time.sleep(0.02)
    assert _open_in(folder) == []


def _open_in(folder: Path) -> list[str]:
    return [file.path for file in psutil.Process().open_files() if file.path.startswith(str(folder))]


# What is asked of it


def test_rarity_runs_from_common_to_unknown(small: Library) -> None:
    (common,), (rare,), (unknown,) = (words for words in (["cyberport"], ["hkcmcl"], ["zebra"]))
    assert 0 <= small.rarity(common) < small.rarity(unknown) <= 1
    assert small.knows(common)
    assert not small.knows(unknown)
    assert not small.knows(rare)  # an alias stands in no statement


@pytest.mark.parametrize("identifier", ["nowhere.en#0", "ai-subsidy-scheme.en#999"])
def test_a_chunk_that_is_not_there_is_none(small: Library, identifier: str) -> None:
    assert small.chunk(identifier) is None


# Several processes, and what is deleted

RARE = "Zyxqvrare"


def _rare() -> SourceText:
    return from_bytes(f"The {RARE} observatory of Kwun Tong opened in 2031. It holds 77 telescopes.".encode(), "rare.txt")


def _holding(folder: Path, *needles: bytes) -> list[str]:
    """The files that hold any of the needles, in whatever case."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "library.lock"]
    assert len(files) > 10
    return sorted(str(file.relative_to(folder)) for file in files if any(needle.lower() in file.read_bytes().lower() for needle in needles))


def _elsewhere(code: str, folder: Path) -> None:
    """Runs code in another process, with `library` in the folder and `rare`, the document."""
    before = f"""
from pathlib import Path
from dataclasses import replace
from corpus.markdown import load
from index.embedder import MINILM, Embedder
from index.library import Library
from tests.conftest import TEXTS
from tests.index.test_library import _rare
library, rare = Library(Path({str(folder)!r}), Embedder(MINILM)), _rare()
few = tuple(replace(text, statements=text.statements[:3]) for text in load(TEXTS)[:4])
"""
    done = subprocess.run([sys.executable, "-c", before + code], env=environment(folder), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def _found(library: Library, text: str) -> list[str]:
    vectors = library.embedder.questions([text])
    with library.reading():
        return [hit.text.id for hit in search(library, [View(text)], vectors, k=3)]


def test_what_another_process_adds_and_removes_is_taken_up_by_the_next_question(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    library.open(few)
    question, version = f"When did the {RARE} observatory open?", library.version
    assert _rare().id not in _found(library, question)
    _elsewhere("library.add([rare])\nlibrary.sync(few)", folder)
    assert _found(library, question)[0] == _rare().id
    assert library.version != version
    _elsewhere("library.remove(rare.id)\nlibrary.sync(few)", folder)
    assert _rare().id not in _found(library, question)
    assert library.version == version
    assert _found(library, "What does the AI Subsidy Scheme pay for?")


def test_after_another_process_changed_the_index_this_one_may_change_it_too(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    library.open(few)
    _elsewhere("library.add([rare])\nlibrary.sync(few)", folder)
    other = from_bytes(b"The harbour lantern of Sai Kung is blue.", "lantern.txt")
    library.add([other])
    assert str(library.sync(few)).startswith("1 added")
    assert _found(library, f"When did the {RARE} observatory open?")[0] == _rare().id
    assert _found(library, "Which colour has the harbour lantern?")[0] == other.id
    library.remove(_rare().id)
    library.remove(other.id)
    library.sync(few)
    assert {_rare().id, other.id}.isdisjoint(_found(library, f"When did the {RARE} observatory open?"))


@pytest.mark.parametrize("killed", ["", "after the first write", "before the files are written anew"])
def test_of_a_deleted_document_no_byte_is_left(folder: Path, embedder: Embedder, few: Texts, killed: str) -> None:
    library = Library(folder, embedder)
    library.add([_rare()])
    library.sync(few)
    vectors = embedder.passages([passage for _, passage in statement_passages(_rare())])
    needles = [RARE.encode(), _rare().id.encode(), *(vector.tobytes()[:64] for vector in vectors)]
    assert {file.split("/")[0] for file in _holding(folder, *needles)} == {"chroma", "documents", "manifest.json", "words"}
    if killed:
        point = "_index" if killed == "after the first write" else "_rewrite"
        dies = f"import os\nlibrary.remove(rare.id)\nlibrary.{point} = lambda *_: os._exit(0)\nlibrary.sync(few)"
        _elsewhere(dies, folder)
    library.remove(_rare().id)
    library.sync(few)
    assert _holding(folder, *needles) == []
    vectors_written = {path: path.read_bytes() for path in folder.glob("chroma/*/*.bin")}
    assert vectors_written
    assert _rare().id not in _found(library, f"When did the {RARE} observatory open?")
    assert _found(library, "What does the AI Subsidy Scheme pay for?")
    assert {path: path.read_bytes() for path in folder.glob("chroma/*/*.bin")} == vectors_written  # else what lay in memory could be among it


def test_of_the_document_that_another_took_the_place_of_no_byte_is_left(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    library.add([_rare()])
    library.sync(few)
    library.add([from_bytes(b"The plain observatory of Kwun Tong opened in 2031.", "rare.txt")])
    told: list[tuple[str, str]] = []
    library.sync(few, forget=lambda *what: told.append(what))
    assert told == [(_rare().id, library.texts[_rare().id].sha256)]
    assert _holding(folder, RARE.encode()) == []
    assert _found(library, "When did the plain observatory open?")[0] == _rare().id


def test_what_else_held_a_document_is_told_to_forget_it_and_told_again_if_that_was_interrupted(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    told: list[tuple[str, str]] = []

    def tell(*what: str) -> None:
        told.append((what[0], what[1]))

    library.add([replace(_rare(), updated="2025-01-01")])
    library.sync(few, forget=tell)
    library.add([_rare()])
    assert not library.sync(few, forget=tell).any
    library.sync([replace(few[0], title="Another title", text=f"{few[0].text} "), *few[1:]], forget=tell)
    library.sync(few[1:], forget=tell)
    assert told == []
    library.remove(_rare().id)

    def fails(identifier: str, present: str) -> None:
        raise OSError(identifier)

    with pytest.raises(OSError, match=_rare().id):
        library.sync(few, forget=fails)
    again = Library(folder, embedder)
    for _ in range(2):
        again.sync(few, forget=tell)
    assert told == [(_rare().id, "")]


def test_an_index_that_is_being_changed_is_not_judged(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    library.add([_rare()])
    judged: list[bool] = []

    def judge(done: int, total: int) -> None:
        if not done:  # the words are there, the vectors are not
            judged.append(library.consistent())
            _elsewhere("assert library.consistent()", folder)

    library.sync(few, judge)
    assert judged == [True]
    shutil.rmtree(folder / "words")
    assert not Library(folder, embedder).consistent()


def test_where_what_was_deleted_cannot_be_emptied_questions_are_answered_and_the_next_sync_empties_it(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    library.add([_rare()])
    library.sync(few)
    library.remove(_rare().id)
    (folder / "chroma" / "left").symlink_to(folder / "documents")  # which is not deleted as a folder of Chroma's is
    with pytest.raises(MeaningError, match="could not be emptied"):
        library.sync(few)
    assert _found(library, "What does the AI Subsidy Scheme pay for?")
    (folder / "chroma" / "left").unlink()
    library.sync(few)
    assert _holding(folder, RARE.encode()) == []
    assert _found(library, "What does the AI Subsidy Scheme pay for?")


def test_questions_are_answered_while_documents_come_and_go(folder: Path, embedder: Embedder, few: Texts) -> None:
    library = Library(folder, embedder)
    library.open(few)
    done, went = threading.Event(), [0]

    def change() -> None:
        try:
            for _ in range(3):
                library.add([_rare()])
                library.sync(few)
                library.remove(_rare().id)
                library.sync(few)
                went.append(1)
        finally:
            done.set()

    changing = threading.Thread(target=change)
    changing.start()
    while not done.is_set():
        assert "ai-subsidy-scheme" in _found(library, "What does the AI Subsidy Scheme pay for?")[0]
    changing.join()
    assert len(went) == 4
