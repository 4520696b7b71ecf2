"""The library and the page on quality in a real browser."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from reportlab.pdfgen.canvas import Canvas

from corpus.text import SourceText
from index.embedder import Embedder
from index.library import Library
from tests.conftest import TEXTS
from tests.hkai_process import ROOT, UNTIL_READY, Server, environment
from tests.ui.browsing import answered, ask, visiting
from tests.ui.conftest import listening
from ui.chat.origin import foreign
from ui.chat.page_phrases import PAGE_PHRASES
from ui.chat.phrases import PHRASES, worded
from ui.chat.render import plain
from ui.chat.shelf import years
from ui.guard import new_key

# The browser starts first: Gradio takes its event loop, and would else leave some of its own open.
pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("browser")]

ENGLISH, CHINESE = PAGE_PHRASES["en"], PAGE_PHRASES["zh"]


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where files that are sent to a page are put at first."""
    folder = tmp_path_factory.mktemp("sent")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def site(embedder: Embedder, texts: tuple[SourceText, ...], sent: Path, data: Path) -> Iterator[str]:
    """The address of a server of one's own, to which documents are added, with a low limit."""
    with closing(Library(data, embedder)) as own:
        own.sync(texts)
        with listening(own, texts, data=data, max_file_mb=1.25, page=True) as url:
            yield url


def _files(folder: Path) -> list[Path]:
    """The files in a folder that hold anything; Gradio leaves empty ones."""
    return [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size]


def _happened(site: httpx.Client, part: str, event: str, *data: object, **more: object) -> str:
    """What the page of `site` says to an event, whoever sends it."""
    config = site.get("/config").json()
    (target,) = (one["id"] for one in config["components"] if one["props"].get("elem_id") == part)
    (function,) = (one["id"] for one in config["dependencies"] if [target, event] in one["targets"])
    body = {"data": data, "fn_index": function, "trigger_id": target, "session_hash": "anyone", **more}
    site.post("/gradio_api/queue/join", json=body).raise_for_status()
    return site.get("/gradio_api/queue/data", params={"session_hash": "anyone"}).text


def _pick(page: Page, field: str, choice: str) -> None:
    box = page.locator(f"#{field} input")
    box.click()
    page.locator(f"#{box.get_attribute('aria-controls')}").get_by_role("option", name=choice, exact=True).click()


def test_texts_are_narrowed_by_words_topic_language_publisher_and_date(browser: Browser, server: Server) -> None:
    texts = httpx.get(f"{server.url}/v1/texts", trust_env=False).json()["texts"]
    with visiting(browser, server.url, "/library") as page:
        counted = page.locator(".counted")
        english = [text for text in texts if text["lang"] == "en" and not text["own"]]
        expect(counted).to_have_text(ENGLISH.counted.format(count=len(english)))
        _pick(page, "topic", ENGLISH.topics["parks"])
        expect(counted).to_have_text(ENGLISH.counted.format(count=sum(text["topic"] == "parks" for text in english)))
        _pick(page, "text-language", ENGLISH.any)
        expect(counted).to_have_text(ENGLISH.counted.format(count=sum(text["topic"] == "parks" for text in texts)))
        page.locator("#publisher textarea, #publisher input").fill("cyberport")
        expect(page.locator(".shelf a").first).to_contain_text("Cyberport")
        page.locator("#library-find textarea").fill("no such words anywhere")
        expect(page.locator(".shelf .empty")).to_have_text(ENGLISH.none)


def test_a_text_is_opened_with_its_statements_and_their_sources(browser: Browser, server: Server) -> None:
    with visiting(browser, server.url, "/library") as page:
        page.locator("#library-find textarea").fill("AI Subsidy Scheme")
        page.locator(".shelf a", has_text="The AI Subsidy Scheme").first.click()
        expect(page.locator(".text h1")).to_contain_text("The AI Subsidy Scheme")
        identifier = page.url.split("t=")[1]
        text = httpx.get(f"{server.url}/v1/texts/{identifier}", trust_env=False).json()
        items = page.locator(".text li")
        expect(items).to_have_count(len(text["statements"]))
        for item, statement in zip(items.all(), text["statements"], strict=True):
            shown = item.inner_text()
            assert statement["text"] in shown
            assert all(source["publisher"] in shown for source in statement["sources"])
        page.reload()
        expect(page.locator(".text h1")).to_have_text(text["title"])


def test_documents_are_added_asked_about_and_removed(browser: Browser, site: str, tmp_path: Path) -> None:
    pdf = tmp_path / "Bamboo plan.pdf"
    canvas = Canvas(str(pdf))
    for page_number, line in enumerate(("The Bamboo Robotics Fund pays HK$7 million to each kindergarten.", "The Bamboo Robotics Fund closes in May 2031.")):
        canvas.drawString(72, 720, line)
        canvas.showPage()
        assert page_number < 2
    canvas.save()
    empty = tmp_path / "empty.txt"
    empty.write_text(" ")
    with visiting(browser, site, "/library") as page:
        page.locator("#add input[type=file]").set_input_files([str(pdf), str(empty)])
        said = page.locator(".own .said")
        expect(said).to_contain_text("2 pages, 2 statements")
        expect(said).to_contain_text("not added, because it is empty")
        expect(page.locator(".own li a")).to_have_text(["Bamboo plan.pdf"])
        page.goto(site)
        expect(page.locator("#scope")).to_be_visible()
        page.locator("#scope").get_by_text(PHRASES["en"].scopes["own"]).click()
        ask(page, "What does the Bamboo Robotics Fund pay?")
        exchange = answered(page)
        expect(exchange.locator(".answer")).to_contain_text("HK$7 million")
        expect(page.locator(".card").first).to_contain_text("page 1")
        page.locator("#scope").get_by_text(PHRASES["en"].scopes["corpus"]).click()
        ask(page, "What does the Bamboo Robotics Fund pay?")
        expect(answered(page, 2).locator(".answer")).not_to_contain_text("kindergarten")
        page.goto(f"{site}/library")
        page.get_by_role("button", name=ENGLISH.remove.format(name="Bamboo plan.pdf")).click()
        expect(page.locator(".own li")).to_have_count(0)
        expect(page.locator(".own .empty")).to_have_text(ENGLISH.no_own)


def test_what_cannot_be_added_is_refused_in_words_in_chinese_too(browser: Browser, site: str, tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 90_000_000)
    files = {"bomb.docx": bomb.getvalue(), "fake.pdf": b"only words here", "image.txt": b"\x89PNG\0\0\0", "broken.docx": b"PK\x03\x04 no"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with visiting(browser, site, "/library", locale="zh-HK") as page:
        page.locator("#add input[type=file]").set_input_files([str(tmp_path / name) for name in files])
        said = page.locator(".own .said")
        for reason in ("解壓後遠大於檔案本身", "內容與檔名的格式不符", "這不是可讀取的文件格式", "檔案已損毀"):
            expect(said).to_contain_text(reason)
        (tmp_path / "large.txt").write_bytes(b"word " * 300_000)
        page.locator("#add input[type=file]").set_input_files(str(tmp_path / "large.txt"))
        expect(said).to_have_text(CHINESE.too_large.format(name="large.txt", mb="1.25"))
        many = [tmp_path / f"{number}.txt" for number in range(21)]
        for file in many:
            file.write_text("A word.")
        page.locator("#add input[type=file]").set_input_files([str(file) for file in many])
        expect(said).to_have_text(CHINESE.too_many.format(count=21, most=20))


def test_what_was_sent_and_refused_or_added_is_not_kept(browser: Browser, site: str, sent: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.txt" for number in range(21)]
    for file in files:
        file.write_text(f"The zebra has number {file.stem}.")
    with visiting(browser, site, "/library") as page:
        page.locator("#add input[type=file]").set_input_files([str(file) for file in files])
        expect(page.locator(".own .said")).to_have_text(ENGLISH.too_many.format(count=21, most=20))
        page.locator("#add input[type=file]").set_input_files(str(files[0]))
        expect(page.locator(".own .said")).to_contain_text("1 statements")
        page.get_by_role("button", name=ENGLISH.remove.format(name="0.txt")).click()
        expect(page.locator(".own li")).to_have_count(0)
    assert _files(sent) == []


def test_what_was_sent_and_left_is_deleted_with_the_end_of_the_server(library: Library, texts: tuple[SourceText, ...], sent: Path) -> None:
    with listening(library, texts, page=True) as url:
        httpx.post(f"{url}/gradio_api/upload", files={"files": ("left.txt", b"Left.")}, trust_env=False).raise_for_status()
        assert [file.name for file in _files(sent)] == ["left.txt"]
    assert _files(sent) == []


@pytest.mark.parametrize("settings", [{"host": "0.0.0.0"}, {"api_keys": new_key("portal", "write")[1]}], ids=["public", "keys"])
def test_where_the_endpoint_wants_a_key_the_page_changes_no_document(
    browser: Browser, library: Library, texts: tuple[SourceText, ...], sent: Path, settings: dict[str, str]
) -> None:
    (held,) = library.own()
    with listening(library, texts, page=True, **settings) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as anyone:
        with visiting(browser, url, "/library", locale="zh-HK") as page:
            expect(page.locator(".own li a")).to_have_text([held.title])
            expect(page.locator("#own-intro")).to_contain_text(CHINESE.closed)
            expect(page.locator("#add")).to_have_count(0)
            expect(page.locator(".own button")).to_have_count(0)
        said = _happened(anyone, "own", "remove", "en", event_data={"id": held.id, "text": held.id})
        assert plain(ENGLISH.closed) in said
        (place,) = anyone.post("/gradio_api/upload", files={"files": ("zebra.txt", b"The zebra fund opened in 2024.")}).json()
        file = {"path": place, "meta": {"_type": "gradio.FileData"}}
        assert plain(ENGLISH.closed) in _happened(anyone, "add", "upload", "en", [file])
    assert [text.id for text in library.own()] == [held.id]
    assert _files(sent) == []


def test_pages_of_other_sites_send_no_events(site: str) -> None:
    with httpx.Client(base_url=site, trust_env=False, timeout=60) as client:
        for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}):
            for method, path in (("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/upload"), ("OPTIONS", "/gradio_api/queue/join")):
                refused = client.request(method, path, headers={**headers, "access-control-request-method": "POST"})
                assert refused.status_code == 403, (headers, method, path)
                assert "access-control-allow-origin" not in refused.headers
        assert client.get("/library", headers={"origin": "https://evil.example"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"host": "hkai.example"}, False),
        ({"host": "hkai.example", "origin": "https://hkai.example"}, False),
        ({"host": "hkai.example:7860", "origin": "http://hkai.example"}, True),
        ({"host": "127.0.0.1:7860", "origin": "https://hkai.example", "sec-fetch-site": "same-origin"}, False),
        ({"host": "127.0.0.1:7860", "origin": "https://hkai.example", "sec-fetch-site": "same-site"}, True),
    ],
)
def test_what_is_foreign(headers: dict[str, str], refused: bool) -> None:
    assert foreign(headers) == refused


ADD = """
import sys
from pathlib import Path
from corpus.markdown import load
from corpus.readers import from_file
from index.embedder import Embedder
from index.library import Library
data, models, texts, file = map(Path, sys.argv[1:])
library = Library(data, Embedder(cache=models))
library.add([from_file(file)])
library.sync(load(texts))
"""


def test_what_another_process_adds_is_shown(browser: Browser, site: str, data: Path, models: Path, tmp_path: Path) -> None:
    file = tmp_path / "zebras.txt"
    file.write_text("The zebra fund of Kowloon opened in 2024.")
    with visiting(browser, site, "/library") as page:
        expect(page.locator(".own .empty")).to_have_text(ENGLISH.no_own)
        subprocess.run([sys.executable, "-c", ADD, data, models, TEXTS, file], env=environment(data), timeout=UNTIL_READY, check=True)
        page.reload()
        page.locator(".own li a", has_text="zebras.txt").click()
        expect(page.locator(".text")).to_contain_text("The zebra fund of Kowloon")
        page.get_by_role("button", name=ENGLISH.remove.format(name="zebras.txt")).click()
        expect(page.locator(".own .empty")).to_have_text(ENGLISH.no_own)


def test_a_document_that_cannot_be_removed_is_said_and_can_be_tried_again(browser: Browser, site: str, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "heron.txt"
    file.write_text("The heron fund of Kowloon opened in 2024.")
    with visiting(browser, site, "/library", locale="zh-HK") as page, closing(sqlite3.connect(data / "conversations.db")) as database:
        page.locator("#add input[type=file]").set_input_files(str(file))
        remove = page.get_by_role("button", name=CHINESE.remove.format(name="heron.txt"))
        database.execute("ALTER TABLE hkai_messages RENAME TO aside")
        remove.click()
        reason = PHRASES["zh"].troubles["store"].rstrip("。")
        expect(page.locator(".own .said")).to_have_text(CHINESE.not_removed.format(name="heron.txt", reason=reason))
        database.execute("ALTER TABLE aside RENAME TO hkai_messages")
        remove.click()
        expect(page.locator(".own .said")).to_have_text(CHINESE.removed.format(name="heron.txt"))
        expect(page.locator(".own .empty")).to_have_text(CHINESE.no_own)


def test_years_begin_with_that_of_the_newest_fact(texts: tuple[SourceText, ...]) -> None:
    first, *others = texts
    newer = replace(first, statements=(replace(first.statements[0], as_of="2031-05"), *first.statements[1:]))
    offered = years([newer, *others])
    assert (offered[0], offered[-1], len(offered)) == ("2031", "2016", 16)


def test_every_reason_of_the_readers_is_known_in_chinese() -> None:
    for reason in (
        "it is empty",
        "the PDF is encrypted and cannot be read",
        "it has 60 MB; at most 50 MB are read (HKAI_MAX_FILE_MB)",
        "the DOCX is damaged and cannot be read",
    ):
        assert not worded(reason, CHINESE.refusals).isascii()


@pytest.mark.parametrize(("lang", "locale"), [("en", "en-GB"), ("zh", "zh-HK")])
def test_the_figures_shown_are_those_committed(browser: Browser, server: Server, lang: str, locale: str) -> None:
    words = PAGE_PHRASES[lang]
    figures = tomllib.loads((ROOT / "evals" / "expected.toml").read_text(encoding="utf-8"))
    with visiting(browser, server.url, "/quality", locale=locale) as page:
        rows = page.locator(".quality tbody tr")
        expect(rows).to_have_count(len(figures["right"]))
        for kind, figure in figures["right"].items():
            row = rows.filter(has=page.get_by_role("rowheader", name=words.kinds[kind], exact=True))
            expect(row.locator("td.right")).to_have_text(f"{figure['expected']:.0%}")
            expect(row.locator("td").first).to_have_text(str(figure["cases"]))
            width = row.locator(".bar-of span").evaluate("bar => bar.offsetWidth / bar.parentElement.offsetWidth")
            assert abs(width - figure["expected"]) < 0.02
