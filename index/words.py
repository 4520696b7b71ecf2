"""BM25 over English stems and Chinese bigrams, in tantivy.

Traditional and Simplified Chinese are folded together for matching only; what is shown keeps its script.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import tantivy

_PIECE = re.compile(r"[a-z0-9]+(?:[.'’][a-z0-9]+)*\+?|[\u3400-\u9fff]+")
_STOP = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "being",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "for",
        "from",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "like",
        "may",
        "me",
        "might",
        "more",
        "most",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "out",
        "over",
        "please",
        "shall",
        "she",
        "should",
        "so",
        "some",
        "such",
        "tell",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "under",
        "up",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
_STOP_CHINESE = re.compile(
    r"(?:請問|请问|什麼|甚麼|什么|怎樣|怎样|如何|哪些|哪個|哪个|邊個|边个|邊間|邊啲|幾多|多少|幾時|何時|點樣|點解|為什麼|有冇|有沒有|係咪|是否|可以|咩|嘅|喺|嗰|呢|嗎|吗|呀|啊|喎|㗎|啦|的|了|是|在|和|與|与|及|有|係)"
)


def fold(text: str) -> str:
    """Text as it is matched: NFKC, lower case, Chinese in Simplified."""
    text = unicodedata.normalize("NFKC", text).lower()
    return _simplified()(text) if not text.isascii() else text


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


def tokens(text: str) -> list[str]:
    """Stems of English words and bigrams of Chinese characters, function words left out, in order."""
    found: list[str] = []
    for piece in _PIECE.findall(fold(_STOP_CHINESE.sub(" ", text))):
        if piece[0] < "\u3400":
            if piece not in _STOP:
                found.append(_stem(piece.replace("’", "'").removesuffix("'s")))
        elif len(piece) == 1:
            found.append(piece)
        else:
            found += [piece[at : at + 2] for at in range(len(piece) - 1)]
    return found


class Words:
    """One tantivy index of (id, text id, tokens), in a folder or, without one, in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        builder = tantivy.SchemaBuilder()
        for name in ("id", "text_id"):
            builder.add_text_field(name, stored=name == "id", tokenizer_name="raw", index_option="basic")
        builder.add_text_field("tokens", stored=False, tokenizer_name="whitespace", index_option="freq")
        self._schema = builder.build()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._index = tantivy.Index(self._schema, path=None if folder is None else str(folder))

    def replace(self, removed: Iterable[str], added: Iterable[tuple[str, str, str]]) -> None:
        """Takes out every entry of the texts `removed` and puts in (id, text id, text), as one commit."""
        writer = self._index.writer(heap_size=64_000_000, num_threads=1)
        for text_id in removed:
            writer.delete_documents_by_term("text_id", text_id)
        for identifier, text_id, text in added:
            writer.add_document(tantivy.Document(id=identifier, text_id=text_id, tokens=" ".join(tokens(text))))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()

    def rewrite(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Makes the index anew of (id, text id, text), as one commit; of what it held before nothing is left in its files."""
        writer = self._index.writer(heap_size=64_000_000, num_threads=1)
        writer.delete_all_documents()
        for identifier, text_id, text in entries:
            writer.add_document(tantivy.Document(id=identifier, text_id=text_id, tokens=" ".join(tokens(text))))
        writer.commit()
        self._index.reload()
        writer.garbage_collect_files()
        writer.wait_merging_threads()

    def clear(self) -> None:
        """Empties the index."""
        self.rewrite([])

    def reload(self) -> None:
        """Sees what another process changed."""
        self._index.reload()

    def count(self) -> int:
        """How many entries there are."""
        self._index.reload()
        return int(self._index.searcher().num_docs)

    @property
    def total(self) -> int:
        """How many entries the last commit left, without looking for changes."""
        return int(self._index.searcher().num_docs)

    def frequency(self, token: str) -> int:
        """In how many entries a token of `tokens` stands."""
        return int(self._index.searcher().doc_freq("tokens", token))

    def best(self, text: str, k: int, text_ids: list[str] | None = None) -> list[tuple[str, float]]:
        """The `k` entries with the highest BM25 score (k1 1.2, b 0.75, tantivy's), as (id, score); only of `text_ids`, where given."""
        wanted = list(dict.fromkeys(tokens(text)))[:64]
        if not wanted or (text_ids is not None and not text_ids):
            return []
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "tokens", token, "freq")) for token in wanted])
        if text_ids is not None:
            allowed = tantivy.Query.const_score_query(tantivy.Query.term_set_query(self._schema, "text_id", list(text_ids)), 0.0)
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, allowed)])
        searcher = self._index.searcher()
        return [(str(searcher.doc(address)["id"][0]), float(score)) for score, address in searcher.search(query, k, count=False).hits]


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


@cache
def _simplified() -> Callable[[str], str]:
    import opencc

    return opencc.OpenCC("t2s").convert
