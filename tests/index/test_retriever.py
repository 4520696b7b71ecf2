from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda

from corpus.readers import from_bytes
from corpus.text import SourceText
from index.library import Library
from index.retriever import StatementRetriever
from index.search import Filters, View, search

QUERY = "rate of subsidy for computing power"


def test_the_documents_are_the_statements_that_the_search_finds(library: Library) -> None:
    documents = StatementRetriever(library=library, k=5).invoke(QUERY)
    hits = search(library, [View(QUERY)], library.embedder.questions([QUERY]), k=5)
    assert [document.id for document in documents] == [hit.id for hit in hits]
    for document in documents:
        text = library.texts[document.metadata["text_id"]]
        assert text.text[document.metadata["start"] : document.metadata["end"]] == document.page_content
        assert document.metadata["sources"]
        assert set(document.metadata["sources"][0]) == {"publisher", "title", "url", "published", "kind", "page"}
    scores = [document.metadata["score"] for document in documents]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_language_can_be_preferred_and_texts_left_out(library: Library, lang: str) -> None:
    documents = StatementRetriever(library=library, k=5, lang=lang, filters=Filters(lang=lang, own=False)).invoke(QUERY)
    assert len(documents) == 5
    assert all(document.metadata["text_id"].endswith(f".{lang}") for document in documents)


def test_it_takes_its_place_in_a_chain(library: Library) -> None:
    def joined(documents: list[Document]) -> str:
        return " ".join(document.page_content for document in documents)

    said = (StatementRetriever(library=library, k=2) | RunnableLambda(joined)).invoke(QUERY)
    assert "subsid" in said.lower()


def test_what_another_process_added_is_found(library: Library, texts: tuple[SourceText, ...], tmp_path: Path) -> None:
    shutil.copytree(library.folder, tmp_path / "library")
    here, elsewhere = (Library(tmp_path / "library", library.embedder) for _ in range(2))
    here.open(texts)
    elsewhere.add([from_bytes(b"The harbour lantern of Sai Kung is blue.", "lantern.txt")])
    elsewhere.sync(texts)
    (found,) = StatementRetriever(library=here, k=1).invoke("Which colour has the harbour lantern?")
    assert found.page_content == "The harbour lantern of Sai Kung is blue."
