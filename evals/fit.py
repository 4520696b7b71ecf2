"""Fits the weights of `assistant/evidence.py`; the test splits are never read.

Statements: a listwise softmax over each question's hits (Cao et al. 2007, "Learning to rank: from pairwise approach to
listwise approach", top-one form), the right statements together against all. Enough: logistic regression of whether a
question is answerable. Both with an L2 penalty.

What the searches say is fitted on the dev split of the question sets and the pairs outside the subject; near misses count less there, because
these signs cannot tell them. What the judge adds is fitted on the `held` pairs, whose facts it was not trained on, and on the dev questions outside
the subject, and so is what makes a probability of the confidence without it; what nothing answers, of which the pairs hold more than people
ask, weighs there as much as in the question sets.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from assistant.chain import Ask, Chain
from assistant.evidence import WEIGHTS, Weights, enough_signs, rank, reorder, statement_signs
from assistant.records import Turn
from evals.cases import Case
from evals.metrics import ndcg_at_k
from evals.pairs import Pair
from index.search import Filters, Hit, embed
from index.words import tokens

# Near misses count less by the searches' signs, and the questions outside the subject less than the others: there are more of them than people ask.
NEAR_MISS_WEIGHT, OUTSIDE_WEIGHT = 0.15, 0.17
WRONGLY_DECLINED = 0.02
# With a judge: by the search alone, and by the judge.
WRONGLY_DECLINED_BEFORE, WRONGLY_DECLINED_JUDGED = 0.003, 0.035
PENALTY = 0.02
# Questions with several relevant passages, each of many statements, say less of any one.
PENALTY_OWN = 0.1
# Not fitted: an answer keeps to the language of its question unless only the other one knows.
OTHER_LANGUAGE = -3.0

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of either kind: `right` are the labels of what answers it, none if nothing does."""

    question: str
    turns: tuple[Turn, ...]
    right: frozenset[str]
    answerable: bool
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """The signs of each hit of a question and which hits are right, and the signs of the whole."""

    statements: Array
    right: NDArray[np.bool_]
    enough: Array
    answerable: bool
    weight: float


@dataclass(frozen=True, slots=True)
class Signs:
    """Examples, and the names of the columns of their signs."""

    examples: tuple[Example, ...]
    statement: tuple[str, ...]
    enough: tuple[str, ...]


def of_cases(cases: Iterable[Case]) -> list[Asked]:
    """The dev cases that the corpus alone answers or does not."""
    kept = (case for case in cases if case.split == "dev" and case.kind not in ("injection", "own_documents"))
    return [Asked(case.question, case.history, frozenset(case.right), case.answerable, NEAR_MISS_WEIGHT if case.kind == "near_miss" else 1.0) for case in kept]


def of_pairs(pairs: Iterable[Pair]) -> list[Asked]:
    """The held pairs that were written one by one, on the subject."""
    kept = (pair for pair in pairs if pair.split == "held" and pair.style not in ("template", "outside"))
    return [Asked(pair.question, (), frozenset(pair.right), bool(pair.right)) for pair in kept]


def of_outside(pairs: Iterable[Pair]) -> list[Asked]:
    """The pairs outside the subject, but for those of the test."""
    return [Asked(pair.question, (), frozenset(), False, OUTSIDE_WEIGHT) for pair in pairs if pair.style == "outside" and pair.split != "test"]


def fit(chain: Chain, cases: Sequence[Case], pairs: Sequence[Pair], weights: Weights, progress: Progress = lambda done, total: None) -> Weights:
    """The weights fitted anew; `weights` gives what is not fitted, and all of the judge's where there is none."""
    fitted = fit_searched(chain, cases, pairs, weights, progress)
    return fit_judged(chain, cases, pairs, fitted, progress) if chain.judge else fitted


def fit_searched(chain: Chain, cases: Sequence[Case], pairs: Sequence[Pair], weights: Weights, progress: Progress = lambda done, total: None) -> Weights:
    """`weights` with those of what the searches say fitted anew."""
    plain = signs(chain, [*of_cases(cases), *of_outside(pairs)], None, progress)
    ranked = fit_statements(plain.examples)
    weighed, (threshold, before) = fit_enough(plain.examples, WRONGLY_DECLINED, WRONGLY_DECLINED_BEFORE)
    return replace(
        weights,
        statement=dict(zip(plain.statement, ranked.tolist(), strict=True)) | {"other_language": OTHER_LANGUAGE},
        enough=dict(zip(plain.enough, weighed.tolist(), strict=True)),
        threshold=threshold,
        threshold_before=before,
        calibration={},
    )


def fit_judged(chain: Chain, cases: Sequence[Case], pairs: Sequence[Pair], weights: Weights, progress: Progress = lambda done, total: None) -> Weights:
    """`weights` with those of what the judge says fitted anew, for a chain that has one."""
    outside = [replace(asked, weight=1.0) for asked in of_cases(case for case in cases if case.kind == "offtopic")]
    questions = [*of_pairs(pairs), *outside]
    judged = signs(chain, questions, weights, progress)
    fitted = replace(weights, statement_judged=dict(zip(judged.statement, fit_statements(judged.examples).tolist(), strict=True)))
    ordering = copy.copy(chain)
    ordering.weights = replace(fitted, threshold_before=0.0)  # the judge is asked of every question
    filters = _corpus_alone(chain)
    whole = []
    for done, (asked, example) in enumerate(zip(questions, judged.examples, strict=True)):
        progress(done, len(questions))
        found = ordering.find(Ask(asked.question, asked.turns, filters=filters)).decided.signs
        whole.append(replace(example, enough=np.array(list(found.values()))))
    whole = as_asked(whole, sum(not case.answerable for case in cases if case.split == "dev") / sum(case.split == "dev" for case in cases))
    weighed, (threshold,) = fit_enough(whole, WRONGLY_DECLINED_JUDGED)
    searched = np.array([fitted.enough.get(name, 0.0) for name in found])
    (slope, bias), _ = fit_enough([replace(one, enough=np.array([one.enough @ searched, 1.0])) for one in whole])
    return replace(
        fitted,
        enough_judged=dict(zip(found, weighed.tolist(), strict=True)),
        threshold_judged=threshold,
        calibration={"slope": float(slope), "bias": float(bias)},
    )


@dataclass(frozen=True, slots=True)
class OwnFit:
    """Weights for documents of one's own, and nDCG@5 on each half of the questions with those fitted on the other."""

    weights: dict[str, float]
    halves: tuple[float, float]


def fit_own(chain: Chain, asks: Sequence[Ask], grades: Sequence[Mapping[str, float]], progress: Progress = lambda done, total: None) -> OwnFit:
    """The weights that put the relevant passages of a benchmark (`evals.retrieval.labelled`) first: every second question is the one half.

    They are scaled so that what is found best scores as much as by the weights of other statements, with which it may be found together. Raises
    `ValueError` where there is no second encoder to weigh.
    """
    if chain.library.second is None:
        raise ValueError(f"{chain.library.embedder.name} has no second encoder beside it, for which these weights are")
    found: list[tuple[list[Hit], list[Mapping[str, float]]]] = []
    for done, ask in enumerate(asks):
        progress(done, len(asks))
        question = chain.understand(ask)
        hits = chain.search(question, embed(chain.library.embedder, question.views), k=ask.k)
        rarity = {token: chain.library.rarity(token) for token in tokens(question.standalone)}
        found.append((hits, [statement_signs(question, hit, rarity) for hit in hits]))
    progress(len(asks), len(asks))
    names = list(dict.fromkeys(name for _, rows in found for row in rows for name in row))
    lists = [
        Example(
            np.array([[row.get(name, 0.0) for name in names] for row in rows]), np.array([hit.text.id in relevant for hit in hits]), np.array([]), True, 1.0
        )
        for (hits, rows), relevant in zip(found, grades, strict=True)
    ]

    def figure(weights: Array, at: int) -> float:
        best = sorted(zip((lists[at].statements @ weights).tolist(), (hit.text.id for hit in found[at][0]), strict=True), reverse=True)
        return ndcg_at_k(list(dict.fromkeys(text for _, text in best)), grades[at], 5)

    def of_half(half: int) -> float:
        weights = fit_statements(lists[1 - half :: 2], PENALTY_OWN)
        return float(np.mean([figure(weights, at) for at in range(half, len(lists), 2)]))

    whole, others = fit_statements(lists, PENALTY_OWN), np.array([chain.weights.statement.get(name, 0.0) for name in names])
    best = [float(np.sum([(example.statements @ weights).max() for example in lists])) for weights in (others, whole)]
    return OwnFit(dict(zip(names, (whole * best[0] / best[1]).tolist(), strict=True)), (of_half(0), of_half(1)))


def signs(chain: Chain, questions: Sequence[Asked], weights: Weights | None, progress: Progress = lambda done, total: None) -> Signs:
    """What the search says of each question; with `weights` for the ranking before it, what the judge says of each statement that it reads."""
    examples: list[Example] = []
    statement: tuple[str, ...] = ()
    enough: tuple[str, ...] = ()
    filters = _corpus_alone(chain)
    for done, asked in enumerate(questions):
        progress(done, len(questions))
        question = chain.understand(Ask(asked.question, asked.turns))
        vectors = embed(chain.library.embedder, question.views)
        hits = chain.search(question, vectors, filters=filters)
        whole: Mapping[str, float] = {}
        if weights is None or chain.judge is None:
            whole = enough_signs(question, hits, chain.library, vectors, chain.elsewhere)
            rarity = {token: chain.library.rarity(token) for token in tokens(question.standalone)}
            rows: list[Mapping[str, float]] = [statement_signs(question, hit, rarity) for hit in hits]
        else:
            unweighted = replace(weights, statement_judged={"score": 1.0})
            ordered = reorder(question, rank(question, hits, chain.library, weights), chain.judge, unweighted)
            hits = [hit for hit in ordered if "judge" in hit.signals]
            rows = [{name: hit.signals[name] for name in ("score", "judge")} for hit in hits]
        statement, enough = tuple(rows[0]), tuple(whole)
        examples.append(
            Example(
                np.array([list(row.values()) for row in rows]),
                np.array([bool(asked.right & set(hit.statement.marks)) and hit.text.lang == question.lang for hit in hits]),
                np.array(list(whole.values())),
                asked.answerable,
                asked.weight,
            )
        )
    progress(len(questions), len(questions))
    return Signs(tuple(examples), statement, enough)


def _corpus_alone(chain: Chain) -> Filters:
    """Documents of one's own are left out, where there are any."""
    return Filters(own=False) if any(text.own for text in chain.library.texts.values()) else Filters()


def fit_statements(found: Sequence[Example], penalty: float = PENALTY) -> Array:
    """Weights that put the right statements of each question first."""
    lists = [(example.statements, example.right) for example in found if example.right.any()]

    def loss(weights: Array) -> tuple[float, Array]:
        total, gradient = penalty * len(lists) * float(weights @ weights) / 2, penalty * len(lists) * weights
        for signs, right in lists:
            scores = signs @ weights
            all_of = np.exp(scores - scores.max())
            everyone, chosen = all_of / all_of.sum(), np.where(right, all_of, 0) / all_of[right].sum()
            total += float(np.log(all_of.sum()) - np.log(all_of[right].sum()))
            gradient = gradient + signs.T @ (everyone - chosen)
        return total, gradient

    return np.asarray(minimize(loss, np.zeros(lists[0][0].shape[1]), jac=True, method="L-BFGS-B").x)


def as_asked(found: Sequence[Example], unanswerable: float) -> list[Example]:
    """The examples, those that nothing answers weighed so that they are the share `unanswerable` of all: a confidence is a probability only among as many."""
    answered = sum(example.weight for example in found if example.answerable)
    others = sum(example.weight for example in found if not example.answerable)
    factor = unanswerable / (1 - unanswerable) * answered / others if others and unanswerable < 1 else 1.0
    return [example if example.answerable else replace(example, weight=example.weight * factor) for example in found]


def fit_enough(found: Sequence[Example], *wrongly_declined: float) -> tuple[Array, tuple[float, ...]]:
    """Weights of the logistic model, and the thresholds under which the shares `wrongly_declined` of the answerable questions fall."""
    signs = np.array([example.enough for example in found])
    wanted = np.array([example.answerable for example in found], dtype=float)
    counted = np.array([example.weight for example in found])

    def loss(weights: Array) -> tuple[float, Array]:
        chance = 1 / (1 + np.exp(-np.clip(signs @ weights, -30, 30)))
        total = -float(counted @ (wanted * np.log(chance + 1e-12) + (1 - wanted) * np.log(1 - chance + 1e-12)))
        return total + PENALTY * float(weights @ weights) / 2, signs.T @ (counted * (chance - wanted)) + PENALTY * weights

    weights = np.asarray(minimize(loss, np.zeros(signs.shape[1]), jac=True, method="L-BFGS-B").x)
    chances = 1 / (1 + np.exp(-np.clip(signs @ weights, -30, 30)))
    return weights, tuple(float(np.quantile(chances[wanted == 1], share)) for share in wrongly_declined)


def write(embedder: str, default: bool, weights: Weights, path: Path = WEIGHTS) -> None:
    """Writes the weights into `path`, those of other embedders kept."""
    tables = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    tables["default" if default else embedder] = {name: getattr(weights, name) for name in Weights.__dataclass_fields__}
    lines = ["# Weights of assistant/evidence.py, by embedder; written by `hkai eval fit` from the dev questions and the held pairs.", ""]
    for name, table in sorted(tables.items(), key=lambda item: item[0] != "default"):
        key = name if name.replace("-", "").isalnum() else f'"{name}"'
        lines += [f"[{key}]", *(f"{field} = {round(value, 3)}" for field, value in table.items() if not isinstance(value, Mapping)), ""]
        for field, value in table.items():
            if isinstance(value, Mapping) and value:
                lines += [f"[{key}.{field}]", *(f"{sign} = {round(one, 3)}" for sign, one in value.items()), ""]
    path.write_text("\n".join(lines), encoding="utf-8")
