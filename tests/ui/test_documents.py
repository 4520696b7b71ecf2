from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from docx import Document
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from assistant.chain import Ask, Chain
from assistant.conversations import Conversations
from assistant.evidence import load_weights
from assistant.transcripts import DELETED
from corpus.text import SourceText
from index.embedder import Embedder
from index.library import Library
from tests.ui.conftest import listening

RARE = "Qwxyzrare"
TEXT = f"The {RARE} observatory of Kwun Tong opened in 2031. It holds 77 telescopes, and its director is Chan Tai Man."
QUESTION = f"In my document, when did the {RARE} observatory of Kwun Tong open?"
SCHEME = "What does the AI Subsidy Scheme pay for?"
OWNER = "an-unguessable-token"


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Library]:
    with closing(Library(tmp_path_factory.mktemp("held"), embedder)) as held:
        yield held


@pytest.fixture(scope="module")
def http(held: Library, texts: tuple[SourceText, ...]) -> Iterator[httpx.Client]:
    with listening(held, texts, data=held.folder, max_file_mb=1) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


def _done(http: httpx.Client, accepted: httpx.Response) -> dict[str, Any]:
    """The job, once it has ended."""
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["location"] == f"/v1/jobs/{accepted.json()['id']}"
    end = time.monotonic() + 120
    while time.monotonic() < end:
        job: dict[str, Any] = http.get(accepted.headers["location"]).json()
        if job["status"] in ("done", "failed"):
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job did not end: {job}")


def _added(http: httpx.Client, content: bytes, name: str) -> dict[str, Any]:
    return _done(http, http.post("/v1/documents", files={"file": (name, content)}))


def _refused(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    body: dict[str, Any] = reply.json()
    assert body["code"] == code
    assert body["message"]
    assert body["remedy"]
    return body


def _holding(folder: Path, needle: str) -> list[str]:
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "library.lock"]
    return [str(file) for file in files if needle.lower().encode() in file.read_bytes().lower()]


def test_a_document_is_added_listed_read_answered_from_replaced_and_deleted(http: httpx.Client, held: Library) -> None:
    job = _added(http, TEXT.encode(), "observatory.txt")
    assert (job["kind"], job["status"], job["done"], job["total"], job["error"]) == ("add", "done", 1, 1, None)
    identifier = job["document"]

    listed = http.get("/v1/documents").json()
    assert (listed["total"], [one["id"] for one in listed["documents"]]) == (1, [identifier])
    assert http.get("/v1/documents", params={"offset": 1}).json() == {"documents": [], "total": 1}
    whole = http.get(f"/v1/documents/{identifier}").json()
    assert (whole["title"], whole["own"]) == ("observatory.txt", True)
    assert RARE in whole["text"]
    answer = http.post("/v1/answer", json={"question": QUESTION}).json()
    assert (answer["status"], answer["citations"][0]["text_id"]) == ("answered", identifier)
    assert "2031" in answer["answer"]
    assert _holding(held.folder, RARE)

    again = _added(http, TEXT.encode(), "observatory.txt")
    assert again["document"] == identifier
    assert http.get("/v1/documents").json()["total"] == 1

    put = _done(http, http.put(f"/v1/documents/{identifier}", files={"file": ("other.txt", b"The plain observatory opened in 2032.")}))
    assert (put["kind"], put["status"], put["document"]) == ("replace", "done", identifier)
    assert "2032" in http.get(f"/v1/documents/{identifier}").json()["text"]
    assert _holding(held.folder, RARE) == []

    assert _done(http, http.delete(f"/v1/documents/{identifier}"))["status"] == "done"
    _refused(http.get(f"/v1/documents/{identifier}"), 404, "not_found")
    _refused(http.delete(f"/v1/documents/{identifier}"), 404, "not_found")
    assert http.get("/v1/documents").json() == {"documents": [], "total": 0}


def test_after_a_delete_no_answer_no_search_and_no_file_holds_the_text(http: httpx.Client, held: Library) -> None:
    kept = _added(http, b"The lantern of Sai Kung harbour is blue.", "lantern.txt")["document"]
    identifier = _added(http, TEXT.encode(), "observatory.txt")["document"]
    before = http.post("/v1/search", json={"query": QUESTION, "k": 50}).json()
    assert RARE in json.dumps(before)
    _done(http, http.delete(f"/v1/documents/{identifier}"))
    for question in (QUESTION, f"{RARE}?", SCHEME):
        for reply in (http.post("/v1/answer", json={"question": question}), http.post("/v1/search", json={"query": question, "k": 50})):
            assert reply.status_code == 200
            assert "telescopes" not in reply.text
            assert identifier not in reply.text
    assert _holding(held.folder, RARE) == []
    assert _holding(held.folder, identifier) == []
    assert http.post("/v1/answer", json={"question": SCHEME}).json()["status"] == "answered"
    asked = http.post("/v1/answer", json={"question": "In my document, which colour has the lantern of Sai Kung harbour?"}).json()
    assert asked["citations"][0]["text_id"] == kept
    _done(http, http.delete(f"/v1/documents/{kept}"))


def test_kept_answers_that_quoted_a_document_say_that_it_is_deleted_once_it_is_deleted_or_replaced(http: httpx.Client, held: Library) -> None:
    chain = Chain(held, load_weights(held.embedder.name))
    other = chain.ask(Ask(SCHEME))
    with closing(Conversations(held.folder / "conversations.db")) as kept:
        for change in ("delete", "put"):
            identifier = _added(http, TEXT.encode(), "observatory.txt")["document"]
            answer = chain.ask(Ask(QUESTION))
            assert answer.citations[0].text_id == identifier
            assert "2031" in answer.text
            conversation = kept.start(OWNER, "When did it open?", answer).conversation.id
            kept.append(OWNER, conversation, SCHEME, other)
            if change == "put":
                again = {"file": ("other.txt", b"The plain observatory opened in 2032.")}
                assert _done(http, http.put(f"/v1/documents/{identifier}", files=again))["status"] == "done"
            else:
                assert _done(http, http.delete(f"/v1/documents/{identifier}"))["status"] == "done"
            struck, untouched = (message.answer for message in kept.open(OWNER, conversation).messages)
            assert struck
            assert DELETED["en"] in struck.text
            assert "2031" not in repr(struck)
            assert identifier not in repr(struck)
            assert untouched == other
    assert _holding(held.folder, "telescopes") == []
    _done(http, http.delete(f"/v1/documents/{identifier}"))


def test_a_text_of_the_corpus_is_no_document_and_stays(http: httpx.Client) -> None:
    for reply in (http.get("/v1/documents/ai-subsidy-scheme.en"), http.delete("/v1/documents/ai-subsidy-scheme.en")):
        _refused(reply, 404, "not_found")
    _refused(http.put("/v1/documents/ai-subsidy-scheme.en", files={"file": ("x.txt", b"It is closed.")}), 404, "not_found")
    assert http.get("/v1/texts/ai-subsidy-scheme.en").status_code == 200


def test_a_job_that_nobody_knows_says_why(http: httpx.Client) -> None:
    body = _refused(http.get("/v1/jobs/0123456789abcdef"), 404, "not_found")
    assert "forgotten when their server process ends" in body["remedy"]


# What cannot be read


def _encrypted() -> bytes:
    made = io.BytesIO()
    page = Canvas(made, encrypt=StandardEncryption("secret"))
    page.drawString(100, 700, "A secret sentence of some length.")
    page.save()
    return made.getvalue()


def _bomb() -> bytes:
    made, filled = io.BytesIO(), io.BytesIO()
    Document().save(made)
    with zipfile.ZipFile(made) as plain, zipfile.ZipFile(filled, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))
        archive.writestr("word/media/large.bin", bytes(200_000_000))
    return filled.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("secret.pdf", _encrypted(), "encrypted"),
        ("bomb.docx", _bomb(), "unpacks to far more than its size"),
        ("program.exe", b"MZ\x90\x00\x03\x00\x00\x00\x04\x00", "not a document that can be read"),
        ("named.pdf", b"This is plain text.", "not what its name says"),
        ("cut.pdf", b"%PDF-1.7\n1 0 obj <<", "damaged"),
        ("blank.txt", b"  \n ", "it is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(http: httpx.Client, name: str, content: bytes, reason: str) -> None:
    job = _added(http, content, name)
    assert (job["status"], job["error"]["code"]) == ("failed", "document")
    assert reason in job["error"]["message"]
    assert job["error"]["remedy"]
    assert http.get("/v1/documents").json()["total"] == 0


def test_a_file_of_more_than_the_limit_is_refused_before_it_is_read(http: httpx.Client) -> None:
    assert "larger than 1 MB" in _refused(http.post("/v1/documents", files={"file": ("large.txt", b"word " * 210_000)}), 413, "too_large")["message"]
    _refused(http.post("/v1/documents", files={"file": ("larger.txt", b"word " * 400_000)}), 413, "too_large")


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {}},
        {"json": []},
        {"json": {"url": 7}},
        {"json": {"url": "file:///etc/passwd"}},
        {"json": {"url": "https://example.org/", "more": 1}},
        {"content": b"{"},
        {"content": b"\xff\xfe", "headers": {"content-type": "application/json"}},
        {"content": b"[" * 20_000, "headers": {"content-type": "application/json"}},
        {"data": {"file": "no file"}},
        {"files": {"other": ("a.txt", b"A sentence.")}},
        {"files": {"file": ("../", b"A sentence.")}},
        {"files": [("file", ("a.txt", b"A sentence.")), ("file", ("b.txt", b"A sentence."))]},
        {"content": b"--x\r\nContent", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        {"content": iter([b"{", b"}"])},
    ],
)
def test_what_is_neither_a_file_nor_an_address_is_refused(http: httpx.Client, sent: dict[str, Any]) -> None:
    _refused(http.post("/v1/documents", **sent), 422, "bad_input")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.8/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://100.64.0.1/",
        "http://[fd00::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://0.0.0.0/",
    ],
)
def test_an_address_that_is_not_public_is_not_fetched(http: httpx.Client, url: str) -> None:
    job = _done(http, http.post("/v1/documents", json={"url": url}))
    assert "only public pages are fetched" in job["error"]["message"]


def test_a_name_keeps_nothing_of_its_path(http: httpx.Client) -> None:
    identifier = _added(http, b"The lantern is green.", "../../etc/passwd.txt")["document"]
    assert http.get(f"/v1/documents/{identifier}").json()["title"] == "passwd.txt"
    _done(http, http.delete(f"/v1/documents/{identifier}"))
