"""Retrieval on a benchmark in BEIR's layout, through the same steps that find the evidence of an answer.

`corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text` and, where it is a conversation, `history`) and
`qrels/test.tsv` (query, passage, grade, under a line of headings): Thakur et al. 2021.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from assistant.chain import MAX_QUESTION, Ask, Chain
from assistant.records import Turn
from corpus.readers import Unreadable, from_bytes
from corpus.text import Source, SourceText, Statement
from evals.ablate import ablation
from evals.cases import Case
from evals.metrics import ndcg_at_k, recall_at_k, reciprocal_rank
from index.search import Filters, Hit

STATEMENTS = 200

Progress = Callable[[int, int], None]


def retrieval(folder: Path, chain: Chain, *, indexing: Progress = lambda done, total: None, asking: Progress = lambda done, total: None) -> dict[str, float]:
    """nDCG@5, nDCG@10, R@1, R@5, R@10 and MRR over the queries that have a relevant passage.

    The library of `chain` must be empty; it is filled with the passages, each of which ranks by its best statement.
    Raises `ValueError` for a folder that is not in the layout.
    """
    queries, relevance = _loaded(folder, chain, indexing)
    scores: dict[str, list[float]] = defaultdict(list)
    for done, query in enumerate(queries):
        asking(done, len(queries))
        for name, score in _scores(ranking(chain, query), relevance[str(query["_id"])]).items():
            scores[name].append(score)
    asking(len(queries), len(queries))
    return {name: sum(values) / len(values) for name, values in scores.items()}


def ablation_of(
    folder: Path, chain: Chain, *, indexing: Progress = lambda done, total: None, asking: Progress = lambda done, total: None
) -> dict[str, dict[str, float]]:
    """The same figures for each stage of finding; see `evals/ablate.py`."""
    queries, relevance = _loaded(folder, chain, indexing)
    asks = [_ask(query) for query in queries]

    def score(at: int, hits: Sequence[Hit]) -> dict[str, float]:
        return _scores(list(dict.fromkeys(hit.text.id for hit in hits)), relevance[str(queries[at]["_id"])])

    return ablation(chain, asks, score, asking)


def ablation_of_cases(chain: Chain, cases: Sequence[Case], asking: Progress = lambda done, total: None) -> dict[str, dict[str, float]]:
    """R@1, R@5 and MRR of the first right statement of `cases`, for each stage of finding."""
    asked = [case for case in cases if case.right and not case.documents]
    asks = [Ask(case.question, case.history, k=STATEMENTS, filters=Filters(own=False)) for case in asked]

    def score(at: int, hits: Sequence[Hit]) -> dict[str, float]:
        place = next((number for number, hit in enumerate(hits, 1) if set(hit.statement.marks) & set(asked[at].right)), 0)
        return {"R@1": float(place == 1), "R@5": float(0 < place <= 5), "MRR": 1 / place if place else 0.0}

    return ablation(chain, asks, score, asking)


def labelled(folder: Path, chain: Chain, indexing: Progress = lambda done, total: None) -> tuple[list[Ask], list[dict[str, float]]]:
    """The queries that have a relevant passage and for each the grades of those, by id, for fitting; the library of `chain` is filled."""
    queries, relevance = _loaded(folder, chain, indexing)
    return [_ask(query) for query in queries], [relevance[str(query["_id"])] for query in queries]


def _loaded(folder: Path, chain: Chain, indexing: Progress) -> tuple[list[dict[str, object]], dict[str, dict[str, float]]]:
    """The queries that have a relevant passage, and which; the library of `chain` holds the passages then."""
    relevance = _relevance(folder / "qrels" / "test.tsv")
    queries = [query for query in _rows(folder / "queries.jsonl") if str(query["_id"]) in relevance]
    if not queries:
        raise ValueError(f"{folder / 'qrels' / 'test.tsv'}: no query has a relevant passage")
    if chain.library.statements.words.count():
        raise ValueError("the passages are indexed in a library of their own, and this one is not empty")
    chain.library.sync([_passage(row) for row in _rows(folder / "corpus.jsonl")], indexing)
    return queries, relevance


def ranking(chain: Chain, query: dict[str, object]) -> list[str]:
    """The passages found for a query, best first: those of the evidence, then those of the other hits."""
    ask = _ask(query)
    if not ask.question:
        return []
    found = chain.find(ask)
    return list(dict.fromkeys([item.text.id for item in found.evidence] + [hit.text.id for hit in found.hits]))


def _ask(query: dict[str, object]) -> Ask:
    history = query.get("history") or []
    turns = tuple(Turn(turn["role"], turn["content"]) for turn in history)  # type: ignore[attr-defined]  # rows of JSON
    return Ask(str(query["text"]).strip()[:MAX_QUESTION], turns, k=STATEMENTS)


def _scores(ranked: list[str], grades: dict[str, float]) -> dict[str, float]:
    return {
        "nDCG@5": ndcg_at_k(ranked, grades, 5),
        "nDCG@10": ndcg_at_k(ranked, grades, 10),
        "R@1": recall_at_k(ranked, grades, 1),
        "R@5": recall_at_k(ranked, grades, 5),
        "R@10": recall_at_k(ranked, grades, 10),
        "MRR": reciprocal_rank(ranked, grades),
    }


def _passage(row: dict[str, object]) -> SourceText:
    """A passage as a text, read like a document of a user's own."""
    identifier, title, text = str(row["_id"]), str(row.get("title") or ""), str(row["text"])
    try:
        return replace(from_bytes(text.encode(), "passage", url=identifier), id=identifier, title=title)
    except Unreadable:  # no sentence in it: it is one statement whole
        whole = text or title or identifier
        statement = Statement(whole, 0, len(whole), (Source("", title, kind="own"),))
        return SourceText(identifier, "en", title, "own", (), "", whole, (statement,), own=True)


def _relevance(file: Path) -> dict[str, dict[str, float]]:
    """For each query its relevant passages with their grades."""
    relevance: dict[str, dict[str, float]] = defaultdict(dict)
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            for number, row in enumerate(csv.reader(lines, delimiter="\t"), 1):
                if number > 1 and row and float(row[2]) > 0:
                    relevance[row[0]][row[1]] = float(row[2])
    except OSError as error:
        raise ValueError(f"{file}: it cannot be read ({error.strerror})") from error
    except (ValueError, IndexError) as error:
        raise ValueError(f"{file}:{number}: not a query, a passage and a grade between tabs") from error
    return relevance


def _rows(file: Path) -> Iterator[dict[str, object]]:
    number = 0
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                number += 1
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict) or not {"_id", "text"} <= row.keys():
                    raise ValueError("`_id` or `text` is missing")
                yield row
    except OSError as error:
        raise ValueError(f"{file}: it cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ValueError(f"{file}:{number}: {error}") from error
