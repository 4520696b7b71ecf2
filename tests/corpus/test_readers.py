from __future__ import annotations

import io
import ipaddress
import os
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docx
import pptx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from corpus.readers import SUFFIXES, Address, Unreadable, documents, from_bytes, from_file, from_url, public
from corpus.text import SourceText
from tests.conftest import ARTICLE

ENGLISH = "Cyberport runs the AI Supercomputing Centre. It opened in December 2024."
CHINESE = "數碼港營運人工智能超算中心。中心於2024年12月啟用。"


def _pdf(*pages: str, encrypt: str = "") -> bytes:
    data = io.BytesIO()
    canvas = Canvas(data, encrypt=encrypt or None)
    for page in pages:
        for at, line in enumerate(page.split("\n")):
            canvas.drawString(72, 760 - 16 * at, line)
        canvas.showPage()
    canvas.save()
    return data.getvalue()


def _docx(*paragraphs: str) -> bytes:
    document = docx.Document()
    document.add_heading("Computing power", level=1)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


def _pptx(title: str, text: str) -> bytes:
    slides = pptx.Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[1])
    slide.shapes.title.text = title
    slide.placeholders[1].text = text
    data = io.BytesIO()
    slides.save(data)
    return data.getvalue()


def _zip(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def _html(body: str) -> bytes:
    return f"<!doctype html><html><head><title>A page</title><style>p {{ color: red }}</style></head><body><article>{body}</article></body></html>".encode()


def _sentences(text: SourceText) -> list[str]:
    return [statement.text for statement in text.statements]


def _holds(text: SourceText) -> None:
    assert text.own
    assert text.statements
    for statement in text.statements:
        assert text.text[statement.start : statement.end] == statement.text
        assert [source.kind for source in statement.sources] == ["own"]


def _holds_or_says_why(read: Callable[[], SourceText]) -> None:
    text: SourceText | str
    try:
        text = read()
    except Unreadable as reason:
        text = str(reason)
    assert text
    if isinstance(text, SourceText):
        _holds(text)


# What is read


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("note.md", f"# Computing power\n\n{ENGLISH}\n".encode()),
        ("note.txt", ENGLISH.encode()),
        ("note", ENGLISH.encode()),
        ("windows.txt", f"Title\r\n\r\n{ENGLISH}\r\n".encode()),
        ("marked.txt", b"\xef\xbb\xbf" + ENGLISH.encode()),
        ("wide.txt", ENGLISH.encode("utf-16")),
        ("page.html", _html(f"<h1>Computing power</h1><p>{ENGLISH}</p>")),
        ("page.txt", _html(f"<h1>Computing power</h1><p>{ENGLISH}</p>")),
        ("paper.pdf", _pdf(ENGLISH.replace(". ", ".\n"))),
        ("paper.txt", _pdf(ENGLISH.replace(". ", ".\n"))),
        ("letter.docx", _docx(ENGLISH)),
        ("letter.pdf", _docx(ENGLISH)),
        ("talk.pptx", _pptx("Computing power", ENGLISH)),
    ],
)
def test_every_format_gives_the_same_sentences_whatever_the_name(name: str, data: bytes) -> None:
    text = from_bytes(data, name)
    _holds(text)
    assert _sentences(text)[-2:] == ["Cyberport runs the AI Supercomputing Centre.", "It opened in December 2024."]
    assert (text.lang, text.title, text.topic) == ("en", name, "own")


@pytest.mark.parametrize("encoding", ["utf-8", "big5", "utf-16", "gb18030"])
def test_chinese_text_is_read_in_its_encodings(encoding: str) -> None:
    text = from_bytes(((CHINESE + "\n\n") * 4).encode(encoding), "note.txt")
    _holds(text)
    assert _sentences(text)[:2] == ["數碼港營運人工智能超算中心。", "中心於2024年12月啟用。"]
    assert text.lang == "zh"


def test_a_sentence_of_a_pdf_carries_its_page() -> None:
    text = from_bytes(_pdf("The first page speaks.", "The second page answers."), "paper.pdf")
    assert [(statement.text, statement.sources[0].page) for statement in text.statements] == [("The first page speaks.", 1), ("The second page answers.", 2)]


def test_headings_are_no_statements() -> None:
    text = from_bytes(b"# Research\n\nHKU teaches it.\n\nIncubators:\n\nCyberport helps.\n", "note.md")
    assert _sentences(text) == ["HKU teaches it.", "Cyberport helps."]
    assert "## Incubators\n" in text.text


def test_bullets_are_statements_of_their_own() -> None:
    assert _sentences(from_bytes(b"- HKU teaches it.\n- CUHK studies it.\n", "note.md")) == ["HKU teaches it.", "CUHK studies it."]


def test_what_a_page_would_run_is_not_read_from_html() -> None:
    text = from_bytes(
        _html(f"<p>{ENGLISH} {ENGLISH}</p><script>alert('run')</script><p onclick=\"steal()\">More of the text stands here for the reader.</p>"), "page.html"
    )
    assert "alert" not in text.text
    assert "steal" not in text.text


def test_markup_in_plain_text_stays_text() -> None:
    assert "<script>alert(1)</script>" in from_bytes(b"The tag <script>alert(1)</script> is shown as it stands.", "note.txt").text


def test_a_document_keeps_its_id_when_it_changes() -> None:
    before, after = from_bytes(b"One sentence here.", "note.txt"), from_bytes(b"Another sentence here.", "note.txt")
    assert before.id == after.id
    assert before.sha256 != after.sha256
    assert from_bytes(b"One sentence here.", "other.txt").id != before.id


def test_a_sentence_without_end_is_cut_at_spaces() -> None:
    text = from_bytes(("word " * 2000).encode(), "note.txt")
    _holds(text)
    assert all(len(sentence) <= 1200 for sentence in _sentences(text))
    assert " ".join(_sentences(text)).split() == ["word"] * 2000


def test_the_article_names_its_universities_and_incubators() -> None:
    text = from_file(ARTICLE)
    _holds(text)
    assert any("HKUST" in sentence for sentence in _sentences(text))


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"%PDF-1.4\n", b"PK\x03\x04", b"<html>", b"\xff\xfe"]),
    st.sampled_from(["a.txt", "a.pdf", "a.docx", "a.html", "a.md"]),
)
@example(b"\xff\xfe\x00", b"", "a.txt")
def test_any_bytes_are_read_or_refused_with_a_reason(data: bytes, start: bytes, name: str) -> None:
    _holds_or_says_why(lambda: from_bytes(start + data, name))


@given(st.text(max_size=400))
def test_any_text_keeps_its_offsets(raw: str) -> None:
    _holds_or_says_why(lambda: from_bytes(raw.encode("utf-8", "ignore"), "note.txt"))


# What is refused, and why


_DAMAGED = _docx(ENGLISH)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.txt", b"", "it is empty"),
        ("blank.txt", b" \n\t\n", "it is empty"),
        ("paper.pdf", b"%PDF-1.4\nthis is no PDF at all", "the PDF is damaged and cannot be read"),
        ("cut.pdf", _pdf(ENGLISH)[:600], "cannot be read|no text was found"),
        ("locked.pdf", _pdf(ENGLISH, encrypt="secret"), "the PDF is encrypted and cannot be read"),
        ("blank.pdf", _pdf(""), "no text was found in it"),
        ("paper.pdf", ENGLISH.encode(), "it is not what its name says: .pdf was expected, plain text was found"),
        ("letter.docx", ENGLISH.encode(), "it is not what its name says: .docx was expected, plain text was found"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "it is not a document that can be read"),
        ("many.zip", _zip(**{"a.txt": ENGLISH.encode()}), "it is an archive, not a DOCX or PPTX document"),
        ("letter.docx", _DAMAGED[: len(_DAMAGED) // 2], "the file is damaged and cannot be read"),
        ("letter.docx", _zip(**{"word/document.xml": b"<not-a-document"}), "the DOCX is damaged and cannot be read"),
        ("bomb.docx", _zip(**{"word/document.xml": b"0" * 60_000_000}), "it unpacks to far more than its size and is refused"),
        ("page.html", _html("<script>alert(1)</script>"), "no text was found"),
        ("signs.txt", b"--- 123 ---", "no text was found in it"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_reason(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        from_bytes(data, name)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"a sentence. " * 100_000)
    with pytest.raises(Unreadable, match=r"it has 1 MB; at most 1 MB are read \(HKAI_MAX_FILE_MB\)"):
        from_file(path, max_mb=1)


@pytest.mark.parametrize(("name", "reason"), [("nowhere.txt", "cannot be opened"), ("folder", "it is a folder")])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unreadable, match=reason):
        from_file(tmp_path / name)


# Folders


def test_a_folder_gives_each_document_or_the_reason_why_not(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text(ENGLISH, encoding="utf-8")
    (tmp_path / "deep" / "b.pdf").write_bytes(b"%PDF-1.4 broken")
    (tmp_path / "deep" / "c.docx").write_bytes(_docx(ENGLISH))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    found = dict(documents(str(tmp_path)))
    assert [Path(name).name for name in found] == ["a.txt", "b.pdf", "c.docx"]
    assert isinstance(found[str(tmp_path / "a.txt")], SourceText)
    assert isinstance(found[str(tmp_path / "deep" / "b.pdf")], Unreadable)


def test_two_files_of_one_name_in_a_folder_are_two_documents(tmp_path: Path) -> None:
    for folder, sentence in (("2024", "The year was good."), ("2025", "The year was better.")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "report.txt").write_text(sentence, encoding="utf-8")
    found = [text for _, text in documents(str(tmp_path)) if isinstance(text, SourceText)]
    assert len({text.id for text in found}) == 2


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    ((_, reason),) = documents(str(tmp_path))
    assert isinstance(reason, Unreadable)
    assert all(suffix in str(reason) for suffix in SUFFIXES)


@contextmanager
def _as_another_user() -> Iterator[None]:
    """As somebody who may not read what root made; nothing changes for those who are not root."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


def test_an_unreadable_folder_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "a.txt").write_text(ENGLISH, encoding="utf-8")
    closed.chmod(0)
    try:
        with _as_another_user():
            ((_, reason),) = documents(str(closed))
    finally:
        closed.chmod(0o700)
    assert isinstance(reason, Unreadable)
    assert "Permission denied" in str(reason)


# Pages at a URL


PAGES = {
    "/page.html": _html(f"<h1>Computing power</h1><p>{ENGLISH}</p>"),
    "/paper.pdf": _pdf(ENGLISH.replace(". ", ".\n")),
    "/large.txt": b"a sentence. " * 200_000,
}


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        moved = {"/moved": "/page.html", "/round": "/round", "/elsewhere": f"http://127.0.0.2:{self.server.server_address[1]}/page.html"}
        if self.path in moved:
            self.send_response(302)
            self.send_header("location", moved[self.path])
            self.send_header("content-length", "0")
            self.end_headers()
            return
        body = PAGES.get(self.path, b"no")
        self.send_response(200 if self.path in PAGES else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):  # the reader has seen enough
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("path", "title"), [("/page.html", "page.html"), ("/paper.pdf", "paper.pdf"), ("/moved", "moved")])
def test_a_page_is_read_with_its_address_as_source(site: str, path: str, title: str) -> None:
    text = from_url(site + path)
    _holds(text)
    assert text.title == title
    assert _sentences(text)[-1] == "It opened in December 2024."
    assert {statement.sources[0].url for statement in text.statements} == {site + path}


def test_a_page_that_is_not_there_or_too_large_is_refused(site: str) -> None:
    with pytest.raises(Unreadable, match="the server answered 404"):
        from_url(f"{site}/nothing.txt")
    with pytest.raises(Unreadable, match=r"larger than 1 MB \(HKAI_MAX_FILE_MB\)"):
        from_url(f"{site}/large.txt", max_mb=1)
    ((_, reason),) = documents("http://127.0.0.1:1/page.html")
    assert isinstance(reason, Unreadable)
    assert "cannot be fetched" in str(reason)


# Pages of others, fetched for somebody who may not be trusted


def _only(address: str) -> Callable[[Address], bool]:
    return lambda found: str(found) == address


def test_a_page_at_an_allowed_address_is_read(site: str) -> None:
    assert from_url(f"{site}/page.html", allowed=_only("127.0.0.1")).statements


def test_a_redirect_to_an_address_that_is_not_allowed_is_not_followed(site: str) -> None:
    with pytest.raises(Unreadable, match="only public pages"):
        from_url(f"{site}/elsewhere", allowed=_only("127.0.0.1"))


def test_endless_redirects_end(site: str) -> None:
    with pytest.raises(Unreadable, match="redirected more than"):
        from_url(f"{site}/round", allowed=_only("127.0.0.1"))


def test_what_was_checked_is_what_is_connected_to(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = site.rpartition(":")[2]
    asked = []

    def turning(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        """A name that leads to an allowed address the first time, and to another one from then on."""
        if host != "rebinding.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, int(port)))]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if len(asked) == 1 else "127.0.0.2", int(port)))]

    monkeypatch.setattr(socket, "getaddrinfo", turning)
    assert from_url(f"http://rebinding.example:{port}/page.html", allowed=_only("127.0.0.1")).statements
    assert asked == ["rebinding.example"]


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "0.0.0.0", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1"],
)  # fmt: skip
def test_addresses_of_private_networks_are_not_public(address: str) -> None:
    assert not public(ipaddress.ip_address(address))
