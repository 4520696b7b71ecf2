"""Fits the weights of `assistant/evidence.py` on the dev split of the question sets; the test split is never read.

Statements: a listwise softmax over each question's hits (Cao et al. 2007, "Learning to rank: from pairwise approach to
listwise approach", top-one form), the right statements together against all. Enough: logistic regression of whether a
question is answerable, near misses counted less, because these signs cannot tell them. Both with an L2 penalty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from assistant.chain import Ask, Chain
from assistant.evidence import POOL, WEIGHTS, enough_signs, statement_signs
from assistant.question import understand
from assistant.records import Turn
from evals.cases import Case
from index.search import search
from index.words import tokens

NEAR_MISS_WEIGHT = 0.15
WRONGLY_DECLINED = 0.02
PENALTY = 0.02
# Not fitted: an answer keeps to the language of its question unless only the other one knows.
OTHER_LANGUAGE = -3.0

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """One question: the signs of each hit and which hits are right, and the signs of the whole."""

    statements: Array
    right: NDArray[np.bool_]
    enough: Array
    answerable: bool
    weight: float


def examples(chain: Chain, cases: Sequence[Case]) -> tuple[list[Example], list[str], list[str]]:
    """The examples of `cases`, with the names of the signs of a statement and of the whole."""
    found: list[Example] = []
    statement_names: list[str] = []
    enough_names: list[str] = []
    for case in cases:
        if case.kind in ("injection", "own_documents"):
            continue
        turns = tuple(Turn(turn.role, turn.content) for turn in case.history)
        ask = Ask(case.question, turns)
        question = understand(ask.question, ask.turns, chain.names, known=chain.library.knows)
        named = [f"{topic}.{lang}" for topic in question.names for lang in ("en", "zh")]
        vectors = chain.library.embedder.questions([view.text for view in question.views])
        hits = search(chain.library, question.views, vectors, k=POOL, lang=question.lang, names=named)
        rarity = {token: chain.library.rarity(token) for token in tokens(question.standalone)}
        rows = [statement_signs(question, hit, rarity) for hit in hits]
        whole = enough_signs(question, hits, chain.library, vectors, chain.elsewhere)
        statement_names, enough_names = statement_names or list(rows[0]), list(whole)
        found.append(
            Example(
                np.array([[row[name] for name in statement_names] for row in rows]),
                np.array([bool(set(hit.statement.marks) & set(case.right)) and hit.text.lang == question.lang for hit in hits]),
                np.array([whole[name] for name in enough_names]),
                case.answerable,
                NEAR_MISS_WEIGHT if case.kind == "near_miss" else 1.0,
            )
        )
    return found, statement_names, enough_names


def fit_statements(found: Sequence[Example]) -> Array:
    """Weights that put the right statements of each question first."""
    lists = [(example.statements, example.right) for example in found if example.right.any()]

    def loss(weights: Array) -> tuple[float, Array]:
        total, gradient = PENALTY * len(lists) * float(weights @ weights) / 2, PENALTY * len(lists) * weights
        for signs, right in lists:
            scores = signs @ weights
            all_of = np.exp(scores - scores.max())
            everyone, chosen = all_of / all_of.sum(), np.where(right, all_of, 0) / all_of[right].sum()
            total += float(np.log(all_of.sum()) - np.log(all_of[right].sum()))
            gradient = gradient + signs.T @ (everyone - chosen)
        return total, gradient

    return np.asarray(minimize(loss, np.zeros(lists[0][0].shape[1]), jac=True, method="L-BFGS-B").x)


def fit_enough(found: Sequence[Example]) -> tuple[Array, float]:
    """Weights of the logistic model, and the threshold under which `WRONGLY_DECLINED` of the answerable questions fall."""
    signs = np.array([example.enough for example in found])
    wanted = np.array([example.answerable for example in found], dtype=float)
    counted = np.array([example.weight for example in found])

    def loss(weights: Array) -> tuple[float, Array]:
        chance = 1 / (1 + np.exp(-np.clip(signs @ weights, -30, 30)))
        total = -float(counted @ (wanted * np.log(chance + 1e-12) + (1 - wanted) * np.log(1 - chance + 1e-12)))
        return total + PENALTY * float(weights @ weights) / 2, signs.T @ (counted * (chance - wanted)) + PENALTY * weights

    weights = np.asarray(minimize(loss, np.zeros(signs.shape[1]), jac=True, method="L-BFGS-B").x)
    chances = 1 / (1 + np.exp(-np.clip(signs @ weights, -30, 30)))
    return weights, float(np.quantile(chances[wanted == 1], WRONGLY_DECLINED))


def mean_reciprocal_rank(found: Sequence[Example], weights: Array) -> float:
    """MRR of the first right statement over the questions that have one among their hits, ranked by `weights`."""
    ranks = []
    for example in found:
        if example.right.any():
            order = np.argsort(-(example.statements @ weights), kind="stable")
            ranks.append(1 / (1 + int(np.argmax(example.right[order]))))
    return float(np.mean(ranks))


def write(embedder: str, default: bool, names: Sequence[str], statement: Array, enough_names: Sequence[str], enough: Array, threshold: float) -> None:
    """Writes the weights into `assistant/weights.toml`, those of other embedders kept."""
    import tomllib

    tables = tomllib.loads(WEIGHTS.read_text(encoding="utf-8")) if WEIGHTS.exists() else {}
    key = "default" if default else embedder
    tables[key] = {
        "meaning": tables.get(key, tables["default"])["meaning"],
        "threshold": round(threshold, 3),
        "statement": {name: round(float(value), 3) for name, value in zip(names, statement, strict=True)} | {"other_language": OTHER_LANGUAGE},
        "enough": {name: round(float(value), 3) for name, value in zip(enough_names, enough, strict=True)},
    }
    lines = ["# Weights of assistant/evidence.py, by embedder; written by `evals/fit.py` from the dev split of evals/sets.", ""]
    for name, table in sorted(tables.items(), key=lambda item: item[0] != "default"):
        key = name if name.replace("-", "").isalnum() else f'"{name}"'
        lines += [f"[{key}]", f"meaning = {table['meaning']}", f"threshold = {table['threshold']}", ""]
        for part in ("statement", "enough"):
            lines += [f"[{key}.{part}]", *(f"{sign} = {value}" for sign, value in table[part].items()), ""]
    Path(WEIGHTS).write_text("\n".join(lines), encoding="utf-8")
