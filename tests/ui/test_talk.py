from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from assistant.build import add_documents, build, sync_index
from assistant.settings import Settings
from assistant.transcripts import answer_to_json
from corpus.readers import from_bytes
from corpus.text import SourceText
from index.embedder import MINILM
from tests.hkai_process import UNTIL_READY
from ui.chat.phrases import PHRASES
from ui.chat.render import Exchange
from ui.chat.talk import Talk
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
