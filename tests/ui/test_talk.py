from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from assistant.build import Parts, add_documents, build, sync_index
from assistant.chain import Chain
from assistant.conversations import Conversations
from assistant.evidence import load_weights
from assistant.settings import Settings
from assistant.transcripts import answer_to_json
from corpus.readers import from_bytes
from corpus.text import SourceText
from index.embedder import MINILM
from index.library import Library
from tests.hkai_process import UNTIL_READY
from ui.chat.phrases import PHRASES
from ui.chat.render import Exchange
from ui.chat.talk import Talk, Writing
from ui.http import Readiness

OWNER, QUESTION = "an-unguessable-token", "What grazes in the server hall of the airport?"


def test_an_answer_whose_document_is_deleted_while_it_is_written_is_shown_and_kept_without_it(tmp_path: Path, texts: tuple[SourceText, ...]) -> None:
    parts = replace(build(Settings(data=tmp_path / "data", embedder=MINILM)), corpus=texts)
    document = from_bytes(b"Zebras graze in the server hall of the airport.", "zebras.txt")
    add_documents(parts, [document], lambda done, total: None)
    readiness = Readiness(parts)
    readiness.start()
    readiness.wait(UNTIL_READY)
    talk = Talk(parts, readiness)
    with closing(parts.conversations):
        conversation, _, message = talk.keep(OWNER, QUESTION, "", ())
        last = live = Exchange(message.id, QUESTION, busy=True)
        for last in talk.written(OWNER, live, (), "own", PHRASES["en"]):
            if last.evidence and parts.library.remove(document.id):
                sync_index(parts, lambda done, total: None)
        (kept,) = parts.conversations.open(OWNER, conversation.id).messages
    assert parts.library.own() == []
    assert kept.answer is not None
    assert kept.answer == last.answer
    assert "Zebras" not in answer_to_json(kept.answer)


def _slowly(*steps: Exchange, until: threading.Event) -> Generator[Exchange]:
    """The steps, then nothing until the event; then one more."""
    yield from steps
    until.wait(30)
    yield replace(steps[-1], draft="too late")


def test_an_answer_that_is_ended_ends_at_once_though_its_model_hangs() -> None:
    writing, released = deepcopy(Writing()), threading.Event()
    first = Exchange("a", QUESTION, busy=True)
    shown: list[str] = []

    def page() -> None:
        with writing.begun("one") as end:
            assert end
            shown.extend(exchange.draft for exchange in writing.each(_slowly(replace(first, draft="Zebras"), until=released), first, end))
            shown.append("left")

    answering = threading.Thread(target=page)
    answering.start()
    patience = time.monotonic() + 30
    while not shown and time.monotonic() < patience:
        time.sleep(0.01)
    left = writing.end()
    assert shown == ["Zebras", "left"]
    assert left == replace(first, draft="Zebras")
    assert writing.end() is None
    released.set()
    answering.join(10)
    assert shown == ["Zebras", "left"]


def test_a_question_of_a_conversation_that_is_no_longer_shown_is_not_answered() -> None:
    writing = Writing()
    for shows, conversation, begins in (
        (None, "one", True),
        ("two", "one", False),
        ("two", "two", True),
        ("", "", True),
        ("", "two", False),
        (None, "two", True),
    ):
        if shows is not None:
            writing.end(shows=shows)
        with writing.begun(conversation) as end:
            assert (end is not None) is begins, conversation


def test_what_nobody_foresaw_is_said_and_ends_the_answer(library: Library, texts: tuple[SourceText, ...], tmp_path: Path) -> None:
    chain = Chain(library, load_weights(library.embedder.name))
    chain.answered = lambda ask, answer: 1 // 0
    with closing(Conversations(tmp_path / "conversations.db")) as kept:
        parts = Parts(Settings(data=tmp_path), texts, library, chain, kept)
        readiness = Readiness(parts)
        readiness.start()
        readiness.wait(UNTIL_READY)
        talk = Talk(parts, readiness)
        _, _, message = talk.keep(OWNER, QUESTION, "", ())
        *_, last = talk.written(OWNER, Exchange(message.id, QUESTION, busy=True), (), "both", PHRASES["zh"])
    assert (last.busy, last.trouble) == (False, PHRASES["zh"].troubles["broken"])


def test_an_answer_that_is_ended_while_it_is_written_is_not_kept(library: Library, texts: tuple[SourceText, ...], tmp_path: Path) -> None:
    with closing(Conversations(tmp_path / "conversations.db")) as kept:
        parts = Parts(Settings(data=tmp_path), texts, library, Chain(library, load_weights(library.embedder.name)), kept)
        readiness = Readiness(parts)
        readiness.start()
        readiness.wait(UNTIL_READY)
        talk, writing = Talk(parts, readiness), Writing()
        conversation, _, message = talk.keep(OWNER, "What does the AI Subsidy Scheme pay for?", "", ())
        first = Exchange(message.id, message.question, busy=True)
        with writing.begun("") as end:
            assert end
            for exchange in writing.each(talk.written(OWNER, first, (), "both", PHRASES["en"]), first, end):
                if exchange.draft:
                    end.set()
        patience = time.monotonic() + 10
        while [thread for thread in threading.enumerate() if thread.name == "answer"] and time.monotonic() < patience:
            time.sleep(0.02)
        (asked,) = kept.open(OWNER, conversation.id).messages
    assert exchange.draft
    assert asked.answer is None
