from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.backup import backup, restore
from assistant.build import Parts, add_documents, build, keep_answer, load_models, open_index, sync_index
from assistant.chain import Ask, Chain
from assistant.errors import NotReady
from assistant.evidence import load_weights
from assistant.records import Answer
from assistant.settings import Settings
from assistant.transcripts import answer_to_json
from corpus.readers import from_bytes
from corpus.text import SourceText
from index.embedder import DEFAULT, MINILM
from index.judge import WEIGHTS as JUDGE
from index.judge import JudgeError, Reranker
from index.library import Library
from index.search import Filters


def _settings(tmp_path: Path, **fields: object) -> Settings:
    return Settings(data=tmp_path / "data", embedder=MINILM, **fields)


def _nothing(done: int, total: int) -> None:
    pass


@pytest.fixture
def parts(tmp_path: Path, texts: tuple[SourceText, ...]) -> Parts:
    """The parts over an empty folder, with the small texts for a corpus."""
    return replace(build(_settings(tmp_path)), corpus=texts)


def test_building_loads_and_indexes_nothing(tmp_path: Path) -> None:
    parts = build(_settings(tmp_path))
    assert len(parts.corpus) >= 48
    assert not parts.library.embedder.loaded
    assert parts.library.texts == {}
    assert parts.chain.library is parts.library
    assert parts.chain.writer is None


def test_the_embedder_keeps_its_files_with_the_data(tmp_path: Path) -> None:
    parts = build(Settings(data=tmp_path / "elsewhere"))
    assert parts.library.embedder.name == DEFAULT
    parts.library.embedder.load()
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
    shutil.rmtree(tmp_path / "elsewhere")


def test_the_judge_can_be_switched_off(tmp_path: Path) -> None:
    assert build(Settings(data=tmp_path / "data", embedder=DEFAULT)).chain.judge is not None
    assert build(Settings(data=tmp_path / "data", embedder=DEFAULT, judge="off")).chain.judge is None


def test_there_is_no_judge_for_an_embedder_without_weights_for_it(tmp_path: Path) -> None:
    assert build(_settings(tmp_path)).chain.judge is None


def test_conversations_are_kept_with_the_data_or_where_the_setting_says(tmp_path: Path) -> None:
    kept = build(_settings(tmp_path)).conversations
    kept.start("an-unguessable-token", "What is InnoHK?")
    kept.close()
    assert (tmp_path / "data" / "conversations.db").is_file()
    kept = build(_settings(tmp_path, database=f"sqlite:///{tmp_path}/elsewhere.db")).conversations
    assert kept.list("an-unguessable-token") == ()
    kept.close()
    assert (tmp_path / "elsewhere.db").is_file()


def test_a_model_that_is_set_writes(tmp_path: Path) -> None:
    parts = build(_settings(tmp_path, model="small", openai_base_url="http://127.0.0.1:1/v1"))
    assert parts.chain.writer is not None
    assert parts.chain.writer.name == "small"


def test_an_index_is_built_then_opened_then_asked(parts: Parts, texts: tuple[SourceText, ...]) -> None:
    assert sync_index(parts, _nothing).added == len(texts)
    again = replace(build(parts.settings), corpus=texts)
    open_index(again)
    assert again.library.embedder.loaded
    answer = again.chain.ask(Ask("What is the AI Subsidy Scheme?"))
    assert answer.status == "answered"
    assert answer.made_by.settings == parts.settings.fingerprint


def test_documents_are_added(parts: Parts, texts: tuple[SourceText, ...]) -> None:
    document = from_bytes(b"Zebras graze in the server hall of the airport.", "zebras.txt")
    assert add_documents(parts, [document], _nothing).added == len(texts) + 1
    assert document.id in parts.library.texts


OWNER, ZEBRAS = "an-unguessable-token", "What grazes in the server hall of the airport?"


def _zebras(said: str) -> SourceText:
    return from_bytes(said.encode(), "zebras.txt")


def _asked(parts: Parts) -> Answer:
    answer = parts.chain.ask(Ask(ZEBRAS, filters=Filters(own=True)))
    assert answer.citations
    return answer


def test_an_answer_that_is_restored_with_the_document_it_quotes_stays(parts: Parts, tmp_path: Path) -> None:
    add_documents(parts, [_zebras("Zebras graze in the server hall of the airport.")], _nothing)
    conversation = parts.conversations.start(OWNER, ZEBRAS, _asked(parts)).conversation.id
    before = parts.conversations.open(OWNER, conversation)
    backup(parts.library, parts.conversations, tmp_path / "backup.zip")
    add_documents(parts, [_zebras("Lions graze in the server hall of the airport.")], _nothing)
    assert parts.conversations.open(OWNER, conversation) != before
    restore(parts.library, parts.conversations, tmp_path / "backup.zip", force=True)
    assert sync_index(parts, _nothing).updated == 1
    assert parts.conversations.open(OWNER, conversation) == before


@pytest.mark.parametrize("now", ["", "Lions graze in the server hall of the airport."])
def test_an_answer_from_a_document_that_went_while_it_was_written_is_kept_without_it(parts: Parts, now: str) -> None:
    held = _zebras("Zebras graze in the server hall of the airport.")
    add_documents(parts, [held], _nothing)
    answer = _asked(parts)
    started = parts.conversations.start(OWNER, ZEBRAS)
    parts.library.remove(held.id)
    add_documents(parts, [_zebras(now)] if now else [], _nothing)
    given = keep_answer(parts, OWNER, started.messages[0].id, answer)
    (kept,) = parts.conversations.open(OWNER, started.conversation.id).messages
    assert kept.answer == given
    assert "Zebras" not in answer_to_json(given)


def test_an_answer_from_a_document_that_is_there_is_kept_whole(parts: Parts) -> None:
    add_documents(parts, [_zebras("Zebras graze in the server hall of the airport.")], _nothing)
    answer = _asked(parts)
    started = parts.conversations.start(OWNER, ZEBRAS)
    assert keep_answer(parts, OWNER, started.messages[0].id, answer) == answer
    (kept,) = parts.conversations.open(OWNER, started.conversation.id).messages
    assert kept.answer == answer


@pytest.mark.parametrize("what", ["missing", "stale", "embedder"])
def test_an_index_that_does_not_fit_names_the_command(parts: Parts, texts: tuple[SourceText, ...], what: str) -> None:
    if what != "missing":
        sync_index(replace(parts, corpus=texts[:1]), _nothing)
    if what == "embedder":
        shutil.copytree(parts.settings.data, parts.settings.data.parent / "other")
        parts = replace(build(Settings(data=parts.settings.data.parent / "other")), corpus=texts[:1])
    with pytest.raises(NotReady, match="hkai ingest --rebuild") as caught:
        open_index(parts)
    assert caught.value.retryable


def test_a_model_that_cannot_be_loaded_stops_with_what_to_do(tmp_path: Path, texts: tuple[SourceText, ...]) -> None:
    parts = replace(build(Settings(data=tmp_path / "data", embedder="/no/such/model")), corpus=texts)
    with pytest.raises(NotReady, match="HKAI_EMBEDDER"):
        sync_index(parts, _nothing)


def test_a_folder_that_cannot_be_written_stops_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(NotReady, match="Set HKAI_DATA to a folder of yours"):
        build(Settings(data=tmp_path / "file" / "data"))


def test_a_reranker_is_named_in_the_answer_and_one_that_is_none_stops_with_what_to_do(tmp_path: Path, library: Library) -> None:
    named = build(_settings(tmp_path, reranker=str(JUDGE))).chain.reranker
    assert named is not None
    answer = Chain(library, load_weights(library.embedder.name), reranker=named).ask(Ask("What is the AI Subsidy Scheme?"))
    assert answer.made_by.judge == str(JUDGE)
    assert "rerank" in answer.timings
    encoder = library.embedder.load()
    encoder.save(str(tmp_path / "encoder"))
    for other in (tmp_path, tmp_path / "encoder"):
        with pytest.raises(JudgeError, match="HKAI_RERANKER"):
            Reranker(str(other)).load()
        with pytest.raises(NotReady, match="HKAI_RERANKER"):
            load_models(build(_settings(tmp_path, reranker=str(other))))


def test_a_model_of_entailment_is_loaded_and_named_in_the_answer(tmp_path: Path, library: Library, nli: Path) -> None:
    named = build(_settings(tmp_path, nli=str(nli))).chain.entailment
    assert named is not None
    assert Chain(library, load_weights(library.embedder.name), entailment=named).ask(Ask("What is the AI Subsidy Scheme?")).made_by.judge == str(nli)
    with pytest.raises(NotReady, match="HKAI_NLI"):
        load_models(build(_settings(tmp_path, nli=str(JUDGE))))


def test_a_chroma_server_that_does_not_answer_stops_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"Chroma cannot be opened at http://127\.0\.0\.1:1"):
        build(_settings(tmp_path, chroma="http://127.0.0.1:1"))
