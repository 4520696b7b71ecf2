from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytrec_eval import RelevanceEvaluator

from evals.metrics import (
    abstention,
    bootstrap,
    calibration,
    calibration_error,
    citation_precision,
    citation_recall,
    cohen_kappa,
    correct,
    faithfulness,
    holds,
    mcnemar,
    missing,
    ndcg_at_k,
    paired_difference,
    percentile,
    precision,
    recall_at_k,
    reciprocal_rank,
    risk_coverage,
    wilson,
)

PASSAGES = [f"p{at}" for at in range(30)]
rankings = st.lists(st.sampled_from(PASSAGES), min_size=1, max_size=30, unique=True)
grades = st.dictionaries(st.sampled_from([*PASSAGES, "never found"]), st.integers(1, 4), min_size=1, max_size=12)


@given(ranked=rankings, judged=grades, k=st.integers(1, 40))
def test_retrieval_metrics_agree_with_an_independent_implementation_on_any_ranking(ranked: list[str], judged: dict[str, int], k: int) -> None:
    scores = {"q": {passage: float(100 - at) for at, passage in enumerate(ranked)}}
    theirs = RelevanceEvaluator({"q": judged}, {f"ndcg_cut.{k}", f"recall.{k}", f"P.{k}", "recip_rank"}).evaluate(scores)["q"]
    ours = {
        f"ndcg_cut_{k}": ndcg_at_k(ranked, judged, k),
        f"recall_{k}": recall_at_k(ranked, judged, k),
        f"P_{k}": precision(ranked[:k], judged) * min(k, len(ranked)) / k,  # theirs is of k, also where fewer were found
        "recip_rank": reciprocal_rank(ranked, judged),
    }
    assert theirs == pytest.approx(ours, abs=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_declining_agrees_with_an_independent_implementation(pairs: list[tuple[bool, bool]]) -> None:
    from sklearn.metrics import precision_score, recall_score

    declined, answerable = [one for one, _ in pairs], [other for _, other in pairs]
    unanswerable = [not other for other in answerable]
    ours = abstention(declined, answerable)
    if any(declined):
        assert ours.precision == pytest.approx(precision_score(unanswerable, declined), abs=1e-12)
    if any(unanswerable):
        assert ours.recall == pytest.approx(recall_score(unanswerable, declined), abs=1e-12)
    if any(unanswerable) and any(answerable):
        both = (recall_score(unanswerable, declined), recall_score(answerable, [not one for one in declined]))
        assert ours.balanced_accuracy == pytest.approx(sum(both) / 2, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_kappa_agrees_with_an_independent_implementation(pairs: list[tuple[bool, bool]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    if len({*one, *other}) == 1:
        assert math.isnan(cohen_kappa(one, other))
    else:
        assert cohen_kappa(one, other) == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
    assert math.isnan(cohen_kappa([], []))


def test_citations_are_scored_each_by_its_labels() -> None:
    cited = [("a", "b"), ("c",), ("a",), ()]
    assert citation_precision(cited, {"a"}) == 0.5
    assert citation_precision([], {"a"}) == 0.0
    assert citation_recall("It pays 70% from October 2024.", [["70%"], ["2024"], ["HK$3 billion", "30億港元"], ["Cyberport"]]) == 0.5
    with pytest.raises(ValueError, match="not defined"):
        citation_recall("It pays 70%.", [])


def test_faithfulness_is_the_share_of_sentences_borne_out() -> None:
    assert faithfulness([True, True, False, True]) == 0.75
    assert math.isnan(faithfulness([]))


# Confidence

odds = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80)


@given(odds)
def test_calibration_counts_every_case_once_and_its_error_agrees_with_the_formula(pairs: list[tuple[float, bool]]) -> None:
    confidences, outcomes = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    bins = calibration(list(confidences), list(outcomes))
    assert sum(one.cases for one in bins) == len(pairs)
    assert sum(one.true for one in bins) == outcomes.sum()
    assert all(one.low <= one.true / one.cases <= one.high for one in bins)
    which = np.minimum(9, (confidences * 10).astype(int))
    expected = sum((which == at).mean() * abs(confidences[which == at].mean() - outcomes[which == at].mean()) for at in set(which))
    assert calibration_error(bins) == pytest.approx(expected, abs=1e-9)
    assert math.isnan(calibration_error([]))


@given(odds)
def test_risk_at_full_coverage_is_the_share_wrong_and_ties_come_in_together(pairs: list[tuple[float, bool]]) -> None:
    confidences, right = [a for a, _ in pairs], [b for _, b in pairs]
    points = risk_coverage(confidences, right)
    assert points[-1] == (1.0, right.count(False) / len(right))
    assert len(points) == len(set(confidences))
    for coverage, risk in points:
        least = sorted(confidences, reverse=True)[round(coverage * len(pairs)) - 1]
        kept = [one for confidence, one in pairs if confidence >= least]
        assert (coverage, risk) == pytest.approx((len(kept) / len(pairs), kept.count(False) / len(kept)))


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


def test_precision_of_citations() -> None:
    assert precision({"a", "b"}, {"a", "c", "d"}) == 0.5
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


def test_the_interval_of_a_paired_difference_agrees_with_an_independent_bootstrap() -> None:
    from scipy.stats import bootstrap as theirs

    chance = np.random.default_rng(5)
    before = chance.random(300) < 0.8
    after = before ^ (chance.random(300) < 0.1)
    difference, low, high = paired_difference(list(before), list(after))
    interval = theirs((after.astype(float) - before,), np.mean, n_resamples=5_000, method="percentile", random_state=1).confidence_interval
    assert difference == pytest.approx(after.mean() - before.mean())
    assert (low, high) == pytest.approx((interval.low, interval.high), abs=0.005)
    assert (difference, low, high) == paired_difference(list(before), list(after))
    assert paired_difference(list(before), list(before)) == (0.0, 0.0, 0.0)


def test_a_paired_difference_is_surer_than_two_intervals_apart() -> None:
    before = [True, False] * 100
    after = [True, False] * 90 + [True, True] * 10
    _, low, high = paired_difference(before, after)
    assert low > 0
    assert high - low < bootstrap(before)[1] - bootstrap(before)[0]
