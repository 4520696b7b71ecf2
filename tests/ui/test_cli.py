from __future__ import annotations

import importlib.metadata
import io
import json
import os
import re
import shutil
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from assistant.conversations import Conversations
from assistant.transcripts import answer_from_json
from index.embedder import MINILM
from tests.assistant.test_transcripts import KEPT
from tests.conftest import ARTICLE
from tests.hkai_process import Server, hkai
from tests.ui.conftest import Run

SEEDS = os.environ.get("HKAI_TEST_SEEDS", "")
SCHEME = "What is the AI Subsidy Scheme?"


def test_hkai_is_installed_as_a_command() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="hkai")
    assert script.value == "ui.cli:main"


# ask


def test_the_same_question_has_the_same_answer_on_the_command_line_and_over_http(server: Server, tmp_path: Path) -> None:
    done = hkai("ask", SCHEME, "--json", data=server.data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    answered = httpx.post(f"{server.url}/v1/answer", json={"question": SCHEME}, timeout=60, trust_env=False).json()
    assert len(printed["citations"]) >= 2
    assert {**printed, "timings_ms": {}} == {**answered, "timings_ms": {}}
    for citation in printed["citations"]:
        text = httpx.get(f"{server.url}/v1/texts/{citation['text_id']}", trust_env=False).json()["text"]
        assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_an_answer_is_printed_with_its_pages(run: Run, data: Path) -> None:
    said = run("ask", SCHEME)
    assert said.status == 0
    answer, *pages = said.out.strip().split("\n  [")
    assert answer.endswith("]")
    assert len(pages) >= 2
    assert all(re.match(r"\d+\] .+, as of \d{4}", page) for page in pages)
    assert "https://" in said.out


def test_the_language_can_be_chosen(run: Run, data: Path) -> None:
    assert json.loads(run("ask", SCHEME, "--language", "zh", "--json").out)["language"] == "zh"


def test_what_is_not_known_is_said(run: Run, data: Path) -> None:
    said = run("ask", "What is the best pizza in Naples?")
    assert said.status == 0
    assert "I could not find an answer" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ask", " "), "The question is empty."),
        (("ask", "x" * 20_000), "The question has 20,000 characters."),
        (("ask", SCHEME, "--mode", "model"), "No language model is configured. Set HKAI_MODEL"),
    ],
)
def test_a_question_that_cannot_be_asked_ends_in_a_sentence(run: Run, data: Path, arguments: tuple[str, ...], message: str) -> None:
    said = run(*arguments)
    assert said.status == 1
    assert message in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("arguments", [("ask",), ("ask", SCHEME, "--mode", "magic"), ("ask", SCHEME, "--language", "fr"), ("nothing",), ("ingest",)])
def test_a_command_that_is_not_understood_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    said = run(*arguments)
    assert said.status == 2
    assert "Usage" in said.err


@pytest.mark.parametrize("command", [("ask", SCHEME), ("chat",), ("doctor",)])
def test_without_an_index_the_command_is_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.setenv("HKAI_DATA", str(tmp_path / "new"))
    said = run(*command)
    assert said.status == 1
    assert "hkai ingest --rebuild" in said.out + said.err


@pytest.mark.parametrize("command", [("ask", SCHEME), ("chat",), ("ingest", str(ARTICLE))])
def test_with_an_index_of_another_embedder_the_command_is_named(run: Run, own_data: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.setenv("HKAI_EMBEDDER", MINILM)
    said = run(*command)
    assert said.status == 1
    assert "hkai ingest --rebuild" in said.err
    assert list((own_data / "documents").iterdir()) == []


def test_a_setting_that_does_not_exist_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HKAI_MODLE", "small")
    said = run("ask", SCHEME)
    assert said.status == 1
    assert "HKAI_MODLE" in said.err
    assert ".env.example" in said.err


# chat


def test_a_conversation_goes_on_until_an_empty_line(run: Run, own_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{SCHEME}\nWho runs it?\n\n"))
    said = run("chat")
    assert said.status == 0, said.err
    first, second = said.out.split("> ")[1:3]
    assert "HK$3 billion" in first
    assert "Cyberport" in second
    assert "AI Subsidy Scheme" in second


@pytest.mark.parametrize("command", ["serve", "chat"])
def test_a_database_that_is_set_and_cannot_be_used_stops_with_what_to_do(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("HKAI_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HKAI_DATABASE", "postgresql://hkai:secret@127.0.0.1:1/none")
    said = run(command)
    assert said.status == 1
    assert "See that the server runs and that HKAI_DATABASE names it" in said.err
    assert "secret" not in said.out + said.err


# ingest


def _answer(run: Run, question: str) -> dict[str, object]:
    return json.loads(run("ask", question, "--json").out)


def test_a_folder_with_one_bad_file_is_added_but_for_it(run: Run, own_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(ARTICLE, folder / "article.txt")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 this is none")
    (folder / "empty [").mkdir()
    (folder / "empty [" / "red].txt").write_bytes(b"")  # to rich this is markup that ends what never began
    (folder / "zebras.md").write_text("# Animals\n\nZebras of the Kowloon Savannah Society graze beside server halls.\n", encoding="utf-8")
    said = run("ingest", str(folder))
    assert said.status == 1
    assert f"not added {folder}/broken.pdf: the PDF is damaged and cannot be read" in said.err
    assert f"not added {folder}/empty [/red].txt: it is empty" in said.err
    assert "article.txt" in said.out
    assert "2 added, 0 updated, 0 removed" in said.out
    answer = _answer(run, "Where do the zebras of the Kowloon Savannah Society graze?")
    assert [source["title"] for citation in answer["citations"][:1] for source in citation["sources"]] == ["zebras.md"]
    listed = run("texts", "--own").out
    assert "article.txt" in listed
    assert "zebras.md" in listed
    identifier = next(line.split()[0] for line in listed.splitlines() if "zebras" in line)
    with closing(Conversations(own_data / "conversations.db")) as kept:
        quoting = answer_from_json(json.dumps({**json.loads(KEPT), "text": "Zebras. [1]"}).replace("cyberport.zh", identifier))
        conversation = kept.start("an-unguessable-token", "Where?", quoting).conversation.id
        assert "1 removed" in run("ingest", "--remove", identifier).out
        (message,) = kept.open("an-unguessable-token", conversation).messages
        assert message.answer is not None
        assert message.answer.citations[0].quote == "［來源已刪除］"
    assert "zebras" not in run("texts", "--own").out
    again = run("ingest", "--remove", identifier)
    assert again.status == 1
    assert "hkai texts --own" in again.err


def test_a_port_that_there_cannot_be_is_refused(run: Run) -> None:
    said = run("serve", "--port", "70000")
    assert said.status == 2
    assert "65535" in said.err


def test_what_is_not_there_is_reported(run: Run, own_data: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    said = run("ingest", str(tmp_path / "nowhere.pdf"), str(tmp_path / "nothing"))
    assert said.status == 1
    assert "nowhere.pdf: it cannot be opened" in said.err
    assert "the folder holds no document" in said.err
    assert "Nothing changed" in said.out


def test_adding_a_document_again_changes_nothing(run: Run, own_data: Path) -> None:
    assert "1 added" in run("ingest", str(ARTICLE)).out
    assert "Nothing changed" in run("ingest", str(ARTICLE)).out


def test_bringing_an_index_up_to_date_that_is_so_changes_nothing(run: Run, own_data: Path) -> None:
    said = run("ingest", "--rebuild")
    assert said.status == 0
    assert "Nothing changed" in said.out


def _articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    shutil.copy(ARTICLE, folder)
    return folder


@pytest.mark.parametrize("which", ["one of ours", *(["other people's"] if SEEDS else [])])
def test_the_universities_and_incubators_that_articles_name_are_found_in_them(run: Run, own_data: Path, tmp_path: Path, which: str) -> None:
    folder = Path(SEEDS) if which == "other people's" else _articles(tmp_path)
    said = run("ingest", str(folder))
    assert said.status == 0, said.err
    assert len(re.findall(r"^read ", said.out, re.MULTILINE)) == len(list(folder.glob("*.txt")))
    for question, names in (
        ("Which universities do the articles name?", ["HKU", "CUHK", "HKUST"]),
        ("Which incubators do the articles name?", ["Cyberport", "HKSTP|Science Park|Science and Technology Parks"]),
    ):
        answer = _answer(run, question)
        own = " ".join(citation["quote"] for citation in answer["citations"] if citation["text_id"].startswith("own-"))
        assert answer["status"] == "answered", question
        assert all(re.search(rf"\b(?:{name})\b", own) for name in names), (question, answer["answer"])
        assert all(name.split("|")[0] in answer["answer"] or re.search(name, answer["answer"]) for name in names)


# texts


def test_texts_are_listed_searched_and_shown(run: Run, data: Path) -> None:
    assert len(run("texts").out.splitlines()) >= 48
    chinese = run("texts", "--lang", "zh", "--topic", "funding").out.splitlines()
    assert chinese
    assert all(line.split()[0].endswith(".zh") and line.split()[1] == "funding" for line in chinese)
    assert "ai-subsidy-scheme.en" in run("texts", "ai subsidy scheme").out
    assert "ai-subsidy-scheme.zh" in run("texts", "人工智能资助计划").out
    shown = run("texts", "ai-subsidy-scheme.en").out
    assert shown.startswith("# The AI Subsidy Scheme  (ai-subsidy-scheme.en, updated ")
    assert "SME Link (HKSAR Government), as of 2024-02-28  https://" in shown


@pytest.mark.parametrize("arguments", [("texts", "zebras of Kowloon"), ("texts", "--own"), ("texts", "--topic", "nowhere")])
def test_a_search_without_a_text_says_so(run: Run, data: Path, arguments: tuple[str, ...]) -> None:
    said = run(*arguments)
    assert said.status == 1
    assert "No text" in said.err


# help


def test_the_checking_of_sentences_is_measured_by_one_command(run: Run, data: Path) -> None:
    said = run("eval", "verify", "--each", "2", "--missed")
    assert said.status == 0
    for change in ("figure", "year", "name", "citation", "negation", "false alarms"):
        assert change in said.out


def test_every_command_helps(run: Run) -> None:
    said = run("--help")
    assert said.status == 0
    for command in ("serve", "ask", "chat", "ingest", "texts", "eval", "bench", "mcp", "key", "settings", "backup", "restore", "doctor"):
        assert command in said.out
        assert run(command, "--help").status == 0
