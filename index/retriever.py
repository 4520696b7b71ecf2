"""The search as a retriever of LangChain, for the chains of other programs."""

from __future__ import annotations

from dataclasses import asdict

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from corpus.text import Lang
from index.library import Library
from index.search import Filters, View, search


class StatementRetriever(BaseRetriever):
    """The `k` statements of an open `library` that fit a query best, best first, each a document with its sources.

    `lang` is the language to prefer: what is found in the other one is told by its twin, where it has one. A document's metadata are `text_id`,
    `title`, `heading`, `start` and `end` (offsets into the text), `as_of`, `score` and `sources` (`publisher`, `title`, `url`, `published`,
    `kind`, `page`).
    """

    library: Library
    k: int = 4
    lang: Lang | None = None
    filters: Filters = Filters()

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        with self.library.reading():
            vectors = self.library.embedder.questions([query])
            return [
                Document(
                    id=hit.id,
                    page_content=hit.statement.text,
                    metadata={
                        "text_id": hit.text.id,
                        "title": hit.text.title,
                        "heading": hit.chunk.heading,
                        "start": hit.statement.start,
                        "end": hit.statement.end,
                        "as_of": hit.statement.as_of,
                        "score": hit.score,
                        "sources": [asdict(source) for source in hit.statement.sources],
                    },
                )
                for hit in search(self.library, [View(query)], vectors, k=self.k, lang=self.lang, filters=self.filters)
            ]
