from __future__ import annotations

import math

import numpy as np
import pytest

from evals.metrics import (
    abstention,
    bootstrap,
    correct,
    holds,
    mcnemar,
    missing,
    ndcg_at_k,
    percentile,
    precision,
    recall,
    recall_at_k,
    reciprocal_rank,
    wilson,
)


@pytest.mark.filterwarnings("ignore")  # what ranx and numba warn of while they compile is theirs
def test_retrieval_metrics_agree_with_an_independent_implementation() -> None:
    from ranx import Qrels, Run, evaluate

    chance = np.random.default_rng(7)
    judged: dict[str, dict[str, int]] = {}
    ranked: dict[str, list[str]] = {}
    for number in range(60):
        passages = [f"p{at}" for at in chance.permutation(40)]
        relevant = chance.choice(60, size=chance.integers(1, 12), replace=False)
        judged[f"q{number}"] = {f"p{at}": int(grade) for at, grade in zip(relevant, chance.integers(1, 4, relevant.size), strict=True)}
        ranked[f"q{number}"] = passages[: chance.integers(3, 40)]
    scores = {query: {passage: float(100 - at) for at, passage in enumerate(passages)} for query, passages in ranked.items()}
    theirs = evaluate(Qrels(judged), Run(scores), ["ndcg@5", "ndcg@10", "recall@1", "recall@5", "recall@10", "mrr"], return_mean=False)
    for at, query in enumerate(sorted(judged)):
        order = list(Qrels(judged).keys()).index(query)
        ours = {
            "ndcg@5": ndcg_at_k(ranked[query], judged[query], 5),
            "ndcg@10": ndcg_at_k(ranked[query], judged[query], 10),
            "recall@1": recall_at_k(ranked[query], judged[query], 1),
            "recall@5": recall_at_k(ranked[query], judged[query], 5),
            "recall@10": recall_at_k(ranked[query], judged[query], 10),
            "mrr": reciprocal_rank(ranked[query], judged[query]),
        }
        assert {name: theirs[name][order] for name in ours} == pytest.approx(ours, abs=1e-9), (at, query)


def test_a_set_counts_as_grades_of_one() -> None:
    assert ndcg_at_k(["a", "b", "c"], {"a", "c"}, 3) == ndcg_at_k(["a", "b", "c"], {"a": 1.0, "c": 1.0}, 3)


def test_nothing_relevant_is_no_zero() -> None:
    with pytest.raises(ValueError, match="not defined"):
        recall_at_k(["a"], set(), 1)
    with pytest.raises(ValueError, match="not defined"):
        ndcg_at_k(["a"], {"a": 0.0}, 1)


@pytest.mark.parametrize(
    ("answer", "alternative"),
    [
        ("The scheme has HK$3,000 million. [1]", "HK$3 billion"),
        ("計劃涉款30億港元。 [1]", "HK$3 billion"),
        ("It pays 70 per cent.", "70%"),
        ("資助七成。", "70%"),
        ("It opened on 9 December 2024.", "9 December 2024"),
        ("It opened on 9 December 2024.", "2024年12月9日"),
        ("It opened on 9 December 2024.", "December 2024"),
        ("In five departments.", "5"),
        ("At 3,000 petaFLOPS.", "3000"),
        ("Of 30 projects", "thirty"),
        ("由數字政策辦公室負責。", "数字政策办公室"),
        ("The Hong Kong Monetary Authority", "monetary authority"),
        ("HKU and CUHK", "HKU"),
        ("all banks", "bank"),
        ("第 3 期", "第3期"),
        ("between 10 to 14 hours", "10 to 14"),
        ("Founder’s pay", "founder's pay"),
    ],
)
def test_the_same_said_otherwise_is_held(answer: str, alternative: str) -> None:
    assert holds(answer, alternative)


@pytest.mark.parametrize(
    ("answer", "alternative"),
    [
        ("HKUST leads.", "HKU"),
        ("It rose by 12%.", "2%"),
        ("half, or 50%", "50"),
        ("of 500 firms", "50"),
        ("HK$3 million", "HK$3 billion"),
        ("in December 2023", "9 December 2024"),
        ("in December 2024", "9 December 2024"),
        ("It is so. [3]", "3"),
        ("the 15th place", "5th"),
        ("a plaid", "AI"),
        ("US$3 billion", "HK$3 billion"),
    ],
)
def test_what_only_looks_the_same_is_not_held(answer: str, alternative: str) -> None:
    assert not holds(answer, alternative)


def test_correct_needs_every_group_and_nothing_forbidden() -> None:
    required = [["70%"], ["Cyberport", "數碼港"]]
    assert correct("數碼港資助七成。", required)
    assert not correct("Cyberport pays.", required)
    assert missing("Cyberport pays.", required) == [["70%"]]
    assert not correct("Cyberport pays 70%, or 100% for friends.", required, ["100%"])


def test_precision_and_recall_of_citations() -> None:
    assert precision({"a", "b"}, {"a", "c", "d"}) == 0.5
    assert recall({"a", "b"}, {"a", "c", "d", "e"}) == 0.25
    assert precision(set(), {"a"}) == 0.0


def test_abstention_on_an_example_by_hand() -> None:
    declined = [True, True, True, False, False, False, False, False]
    answerable = [False, False, True, False, True, True, True, True]
    measured = abstention(declined, answerable)
    assert (measured.precision, measured.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert measured.balanced_accuracy == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert math.isnan(abstention([False], [True]).recall)


def test_percentile_as_by_hand() -> None:
    assert percentile([4, 1, 3, 2], 0.5) == 2.5
    assert percentile([float(value) for value in range(101)], 0.95) == 95


def test_wilson_interval_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    for right, total in [(0, 5), (3, 7), (50, 60), (200, 200)]:
        theirs = binomtest(right, total).proportion_ci(method="wilson")
        assert wilson(right, total) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert wilson(0, 0) == (0.0, 1.0)


def test_bootstrap_interval_is_the_same_each_time_and_near_the_normal_one() -> None:
    values = [float(value) for value in np.random.default_rng(3).normal(10, 2, 400)]
    low, high = bootstrap(values)
    assert (low, high) == bootstrap(values)
    reach = 1.96 * float(np.std(values)) / math.sqrt(len(values))
    assert (low, high) == pytest.approx((float(np.mean(values)) - reach, float(np.mean(values)) + reach), abs=0.03)


def test_mcnemar_agrees_with_a_binomial_test() -> None:
    from scipy.stats import binomtest

    before = [True] * 30 + [False] * 12 + [True] * 3 + [False] * 9
    after = [True] * 30 + [False] * 12 + [False] * 3 + [True] * 9
    assert mcnemar(before, after) == pytest.approx(binomtest(3, 12).pvalue, abs=1e-12)
    assert mcnemar(before, before) == 1.0
