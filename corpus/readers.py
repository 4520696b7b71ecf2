"""Any other document to a `SourceText`: Markdown, text, HTML, PDF, DOCX, PPTX, or the page at a URL.

The file type is read from the content, not from the name. Each sentence becomes a statement whose source is the
document, with its page where the format has pages.
"""

from __future__ import annotations

import hashlib
import io
import ipaddress
import re
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from corpus.text import HAN, OWN, Lang, Source, SourceText, Statement, split

if TYPE_CHECKING:
    import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SUFFIXES = (".md", ".markdown", ".txt", ".html", ".htm", ".pdf", ".docx", ".pptx")
MAX_CHARACTERS = 5_000_000
MAX_SENTENCE = 1_200
MAX_REDIRECTS = 6
LONGEST_FETCH = 120

_NAT64 = ipaddress.ip_network("64:ff9b::/32")

_HEADING = re.compile(r"^#{1,6} ")
_TITLE = re.compile(r"(?![-*•|>#\d])[^\n.。!?！？；;]{2,80}$")
_LETTER = re.compile(r"[^\W\d_]")


class Unreadable(Exception):
    """A document that cannot be read; the message is the reason, in words for the person who added it."""


@dataclass(frozen=True, slots=True)
class _Page:
    """Markdown of one page; `number` is None where the format has no pages."""

    number: int | None
    markdown: str


def documents(place: str, *, max_mb: float = 50) -> Iterator[tuple[str, SourceText | Unreadable]]:
    """The documents at a file, a folder (all below it that have a known ending) or a URL, each by name, or why it cannot be read."""
    if place.startswith(("http://", "https://")):
        yield place, _attempt(partial(from_url, place, max_mb=max_mb))
        return
    path = Path(place)
    try:
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()) if path.is_dir() else [path]
        if path.is_dir():
            next(path.iterdir(), None)
    except OSError as error:
        yield place, Unreadable(f"the folder cannot be read ({error.strerror})")
        return
    if not files:
        yield place, Unreadable(f"the folder holds no document ({', '.join(SUFFIXES)})")
    for file in files:
        yield str(file), _attempt(partial(from_file, file, max_mb=max_mb))


def from_file(path: Path, *, max_mb: float = 50) -> SourceText:
    """The document in a file; raises `Unreadable`."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise Unreadable("it is a folder")
        if size > max_mb * 1_000_000:
            raise Unreadable(f"it has {size / 1e6:.0f} MB; at most {max_mb:g} MB are read (HKAI_MAX_FILE_MB)")
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"it cannot be opened ({error.strerror})") from error
    return from_bytes(data, path.name, place=str(path.resolve()))


def from_url(url: str, *, max_mb: float = 50, allowed: Callable[[Address], bool] | None = None) -> SourceText:
    """The page at a URL, at most `max_mb`; raises `Unreadable`.

    With `allowed`, only addresses that it admits are connected to, after redirects too: a name is looked up once, and what was checked is
    what is connected to. No proxy is used then.
    """
    import httpx

    data = bytearray()
    end = time.monotonic() + LONGEST_FETCH
    try:
        with httpx.Client(timeout=30, headers={"user-agent": "hkai"}, trust_env=allowed is None) as client:
            reply = _followed(client, url, allowed)
            reply.raise_for_status()
            for part in reply.iter_bytes():
                data += part
                if len(data) > max_mb * 1_000_000:
                    raise Unreadable(f"it is larger than {max_mb:g} MB (HKAI_MAX_FILE_MB)")
                if time.monotonic() > end:
                    raise Unreadable(f"it did not come within {LONGEST_FETCH} seconds")
    except httpx.HTTPStatusError as error:
        raise Unreadable(f"the server answered {error.response.status_code}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreadable(f"it cannot be fetched ({error or type(error).__name__})") from error
    name = unquote(Path(urlparse(url).path).name) or urlparse(url).netloc
    return from_bytes(bytes(data), name, url=url)


def public(address: Address) -> bool:
    """Whether an address is one of the public internet, by its own form and by any older address inside it."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inside or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


def _followed(client: httpx.Client, url: str, allowed: Callable[[Address], bool] | None) -> httpx.Response:
    """The reply at the end of all redirects, its body not yet read."""
    import httpx

    at = httpx.URL(url)
    for _ in range(MAX_REDIRECTS):
        if at.scheme not in ("http", "https") or not at.host:
            raise Unreadable("its address is none of the web (http or https)")
        request = client.build_request("GET", at)
        if allowed:
            checked = at.copy_with(host=_checked_address(at.host, at.port or (443 if at.scheme == "https" else 80), allowed))
            request = client.build_request("GET", checked, headers={"host": at.netloc.decode()}, extensions={"sni_hostname": at.host})
        reply = client.send(request, stream=True)
        if not reply.has_redirect_location:
            return reply
        reply.close()
        at = at.join(reply.headers["location"])
    raise Unreadable(f"it was redirected more than {MAX_REDIRECTS} times")


def _checked_address(host: str, port: int, allowed: Callable[[Address], bool]) -> str:
    """An address of a host, all of whose addresses are allowed; raises `Unreadable`."""
    try:
        found = [str(ipaddress.ip_address(host))]
    except ValueError:
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            raise Unreadable(f"there is no host {host}") from error
    if not all(allowed(ipaddress.ip_address(address.partition("%")[0])) for address in found):
        raise Unreadable(f"{host} is not on the public internet, and only public pages are fetched")
    return found[0]


def from_bytes(data: bytes, name: str, *, url: str = "", place: str = "") -> SourceText:
    """The document in `data`; `name` is what people call it, `url` or `place` what tells it from another of that name. Raises `Unreadable`."""
    if not data.strip():
        raise Unreadable("it is empty")
    pages = _pages(data, name)
    text, statements = _compose(pages, Source(publisher="", title=name, url=url, kind="own"))
    if not statements:
        raise Unreadable("no text was found in it")
    digest = hashlib.sha256(name.encode() + b"\0" + (url or place).encode()).hexdigest()[:12]
    return SourceText(
        id=f"{OWN}{digest}",
        lang=_language(text),
        title=name,
        topic="own",
        aliases=(),
        updated=datetime.now(UTC).date().isoformat(),
        text=text,
        statements=tuple(statements),
        own=True,
    )


def _attempt(call: Callable[[], SourceText]) -> SourceText | Unreadable:
    try:
        return call()
    except Unreadable as reason:
        return reason


def _pages(data: bytes, name: str) -> list[_Page]:
    if data.startswith(b"%PDF-"):
        return _pdf(data)
    if data.startswith(b"PK\x03\x04"):
        return [_Page(None, _office(data, name))]
    text = _plain(data)
    if re.match(r"\s*(?:<!doctype html|<html\b|<head\b|<body\b)", text, re.I) or (name.lower().endswith((".html", ".htm")) and "<" in text):
        return [_Page(None, _html(text))]
    if Path(name).suffix.lower() in (".pdf", ".docx", ".pptx"):
        raise Unreadable(f"it is not what its name says: {Path(name).suffix} was expected, plain text was found")
    return [_Page(None, text)]


def _plain(data: bytes) -> str:
    import charset_normalizer

    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("it is not a document that can be read (Markdown, text, HTML, PDF, DOCX or PPTX)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = charset_normalizer.from_bytes(data).best()
        if best is None:
            raise Unreadable("its text is in no known encoding") from None
        return str(best)


def _pdf(data: bytes) -> list[_Page]:
    import pdfplumber
    from pdfminer.pdfexceptions import PDFException
    from pdfplumber.utils.exceptions import PdfminerException

    try:
        with pdfplumber.open(io.BytesIO(data)) as pdf:
            return [_Page(number, page.extract_text() or "") for number, page in enumerate(pdf.pages, 1)]
    except (PdfminerException, PDFException, ValueError, KeyError, TypeError, IndexError, RecursionError, AttributeError) as error:
        word = "is encrypted" if "assword" in repr(error) else "is damaged"
        raise Unreadable(f"the PDF {word} and cannot be read") from error


def _office(data: bytes, name: str) -> str:
    from markitdown import MarkItDown, MarkItDownException, StreamInfo

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.namelist()
            if sum(member.file_size for member in archive.infolist()) > 40 * len(data) + 50_000_000:
                raise Unreadable("it unpacks to far more than its size and is refused")
    except zipfile.BadZipFile as error:
        raise Unreadable("the file is damaged and cannot be read") from error
    suffix = ".docx" if "word/document.xml" in members else ".pptx" if "ppt/presentation.xml" in members else ""
    if not suffix:
        raise Unreadable("it is an archive, not a DOCX or PPTX document")
    try:
        return str(MarkItDown(enable_plugins=False).convert_stream(io.BytesIO(data), stream_info=StreamInfo(extension=suffix)).markdown)
    except (MarkItDownException, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise Unreadable(f"the {suffix[1:].upper()} is damaged and cannot be read") from error


def _html(text: str) -> str:
    import trafilatura

    found = trafilatura.extract(text, output_format="markdown", include_comments=False, include_links=False, favor_recall=True)
    if not found:
        raise Unreadable("no text was found in the page")
    return str(found)


def _compose(pages: list[_Page], source: Source) -> tuple[str, list[Statement]]:
    """The text of all pages, and its sentences with their offsets."""
    text = ""
    statements: list[Statement] = []
    for page in pages:
        own = Source(publisher=source.publisher, title=source.title, url=source.url, kind="own", page=page.number)
        for block in re.split(r"\n\s*\n", _clean(page.markdown)):
            block = block.strip("\n")
            if not block.strip():
                continue
            if len(text) > MAX_CHARACTERS:
                raise Unreadable(f"it has more than {MAX_CHARACTERS:,} characters")
            if _TITLE.match(block):
                block = f"## {block.rstrip(':：')}"
            if not _HEADING.match(block):
                for start, sentence in _sentences(block):
                    statements.append(Statement(sentence, len(text) + start, len(text) + start + len(sentence), (own,)))
            text += block + "\n\n"
    return text, statements


def _clean(markdown: str) -> str:
    text = markdown.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n\n").replace("\0", "")
    return re.sub(r"^(#{1,6} .*)$", r"\n\1\n", text, flags=re.MULTILINE)


def _sentences(block: str) -> Iterator[tuple[int, str]]:
    """Offset and text of each sentence that says anything; what never ends is cut at spaces."""
    at = 0
    for part in split(block):
        start = block.index(part, at)
        at = start + len(part)
        while part.strip():
            piece = part
            if len(piece) > MAX_SENTENCE:
                cut = piece.rfind(" ", 1, MAX_SENTENCE)
                piece = piece[: cut if cut > 0 else MAX_SENTENCE]
            lead = len(piece) - len(piece.lstrip(" \n\t-*•>|"))
            sentence = piece[lead:].rstrip()
            if len(_LETTER.findall(sentence)) >= 2:
                yield start + lead, sentence
            start += len(piece)
            part = part[len(piece) :]


def _language(text: str) -> Lang:
    sample = text[:20_000]
    return "zh" if len(HAN.findall(sample)) > 0.2 * len(re.sub(r"\s", "", sample)) else "en"
