from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from chromadb.api import ClientAPI
from chromadb.api.fastapi import FastAPI

from index.embedder import Vectors
from index.meaning import Meaning, MeaningError, connect
from tests.hkai_process import ROOT

SHIPPED = ROOT / "index" / "vectors.npz"


@contextmanager
def _connected(place: str | Path) -> Iterator[ClientAPI]:
    with connect(place) as client:
        yield client
    for server in (client._server, client._admin_client._server):
        if isinstance(server, FastAPI):
            server._session.close()  # Chroma leaves it open


def _unit(*rows: list[float]) -> Vectors:
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Chroma server of its own process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = shutil.which("chroma", path=str(Path(sys.executable).parent))
    assert command
    folder = tmp_path_factory.mktemp("chroma")
    server = subprocess.Popen([command, "run", "--path", str(folder), "--port", str(port)], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _until_it_answers(url, server)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def _until_it_answers(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert server.poll() is None, "the Chroma server ended"
        try:
            if httpx.get(f"{url}/api/v2/heartbeat", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the Chroma server does not answer")


@pytest.fixture(params=["folder", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    return tmp_path / "chroma" if request.param == "folder" else request.getfixturevalue("chroma_server")


@pytest.fixture
def meaning(place: str | Path) -> Iterator[Meaning]:
    """Five entries of three texts in a plane."""
    with _connected(place) as client:
        made = Meaning(client, "test")
        made.clear()
        made.add(["a:0", "a:1", "b:0", "c:0", "c:1"], _unit([1, 0], [1, 1], [0, 1], [-1, 0], [1, -0.1]), ["a", "a", "b", "c", "c"])
        yield made


def test_the_nearest_come_first_with_their_cosine(meaning: Meaning) -> None:
    ((first, *rest),) = meaning.nearest(_unit([1, 0]), 5)
    assert first[0] == "a:0"
    assert [identifier for identifier, _ in rest] == ["c:1", "a:1", "b:0", "c:0"]
    cosines = dict([first, *rest])
    assert cosines == pytest.approx({"a:0": 1.0, "c:1": 1 / np.hypot(1, 0.1), "a:1": np.sqrt(0.5), "b:0": 0.0, "c:0": -1.0}, abs=1e-5)


def test_hardly_any_of_the_nearest_is_missed_among_the_vectors_of_the_corpus(tmp_path: Path) -> None:
    vectors = _unit(*np.load(SHIPPED)["vectors"].astype(np.float32).tolist())
    asked, held = vectors[::70], vectors[np.arange(len(vectors)) % 70 > 0]
    with _connected(tmp_path) as client:
        meaning = Meaning(client, "corpus")
        meaning.add([str(at) for at in range(len(held))], held, ["text"] * len(held))
        found = meaning.nearest(asked, 100)
    cosines = asked @ held.T
    hundredth = np.sort(cosines, axis=1)[:, -100] - 1e-5  # those as near as the last are as good
    missed = sum(
        100 - sum(cosines[row, int(identifier)] >= least for identifier, _ in near) for row, (near, least) in enumerate(zip(found, hundredth, strict=True))
    )
    assert missed <= 100 * len(asked) / 200


def test_several_vectors_are_looked_up_at_once(meaning: Meaning) -> None:
    near = meaning.nearest(_unit([1, 0], [0, 1]), 1)
    assert [[identifier for identifier, _ in row] for row in near] == [["a:0"], ["b:0"]]


def test_only_the_texts_asked_for_are_searched(meaning: Meaning) -> None:
    ((*found,),) = meaning.nearest(_unit([1, 0]), 5, ["b", "c"])
    assert [identifier for identifier, _ in found] == ["c:1", "b:0", "c:0"]
    assert meaning.nearest(_unit([1, 0]), 5, []) == [[]]
    assert meaning.nearest(_unit([1, 0]), 5, ["nowhere"]) == [[]]


def test_a_removed_text_is_found_no_more(meaning: Meaning) -> None:
    meaning.remove(["a", "nowhere"])
    assert meaning.count() == 3
    assert {identifier for identifier, _ in meaning.nearest(_unit([1, 0]), 5)[0]} == {"b:0", "c:0", "c:1"}


def test_an_entry_added_again_takes_the_place_of_the_old_one(meaning: Meaning) -> None:
    meaning.add(["a:0"], _unit([0, 1]), ["a"])
    assert meaning.count() == 5
    assert dict(meaning.nearest(_unit([0, 1]), 5)[0])["a:0"] == pytest.approx(1.0)


def test_after_clearing_vectors_may_have_another_length(meaning: Meaning) -> None:
    meaning.clear()
    assert meaning.count() == 0
    meaning.add(["a:0"], _unit([1, 0, 0]), ["a"])
    assert meaning.nearest(_unit([1, 0, 0]), 3)[0][0][0] == "a:0"


def test_entries_are_still_there_when_it_is_opened_again(meaning: Meaning, place: str | Path) -> None:
    with _connected(place) as client:
        again = Meaning(client, "test")
        assert again.count() == meaning.count() == 5
        assert again.nearest(_unit([0, 1]), 1)[0][0][0] == "b:0"


def test_an_empty_collection_finds_nothing(place: str | Path) -> None:
    with _connected(place) as client:
        assert Meaning(client, "empty").nearest(_unit([1, 0]), 3) == [[]]


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(MeaningError, match="Is the folder writable, or the server running"):
        connect(tmp_path / "file" / "chroma")


def test_a_server_that_does_not_answer_says_what_to_do() -> None:
    with pytest.raises(MeaningError, match=r"http://127\.0\.0\.1:1 .*Is the folder writable, or the server running"):
        connect("http://127.0.0.1:1")


def test_a_collection_that_was_put_in_its_place_is_asked_from_then_on(meaning: Meaning, place: str | Path) -> None:
    with _connected(place) as client:
        other = Meaning(client, "test")
        other.give_way_to(other.copied({"b"}))
    assert dict(meaning.nearest(_unit([0, 1]), 5)[0]).keys() == {"b:0"}


def test_a_collection_that_is_gone_says_what_to_look_at(meaning: Meaning, place: str | Path) -> None:
    with _connected(place) as client:
        client.delete_collection("test")
    for ask in (
        lambda: meaning.nearest(_unit([0, 1]), 1),
        meaning.count,
        lambda: meaning.add(["d:0"], _unit([0, 1]), ["d"]),
        lambda: meaning.remove(["a"]),
        lambda: meaning.copied({"a"}),
        lambda: meaning.give_way_to(meaning),
        meaning.clear,
    ):
        with pytest.raises(MeaningError, match="Is its server running"):
            ask()
