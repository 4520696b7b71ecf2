from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.chain import Chain
from assistant.records import Turn
from evals.cases import Case
from evals.opinion import Grader, asked
from evals.run import each
from evals.summary import summary
from tests.model_server import ModelServer, Reply, model_server

RATE = Case(
    "rate", "single", "en", "dev", "What share of computing power does the AI Subsidy Scheme pay for?", True,
    required=(("70%",),), right=("aiss-subsidy-rate",),
)  # fmt: skip
PIE = Case("pie", "offtopic", "en", "dev", "How long does an apple pie bake?", False)


def _grader(server: ModelServer) -> Grader:
    return Grader("strict", base_url=server.url, api_key="secret", timeout=5)


@pytest.mark.parametrize(
    ("pieces", "right", "why"),
    [
        (["RI", "GHT", "\nIt gives the share."], True, "It gives the share."),
        (["**Wrong**: it does not say."], False, "it does not say."),
        (["right"], True, ""),
        (["Rightly so"], None, "neither RIGHT nor WRONG"),
        (["I cannot tell."], None, "neither RIGHT nor WRONG: 'I cannot tell.'"),
        ([], None, "neither"),
    ],
)
def test_the_first_word_is_the_verdict_and_the_rest_the_reason(pieces: list[str], right: bool | None, why: str) -> None:
    with model_server() as server:
        server.script(Reply(pieces))
        opinion = _grader(server).opinion(RATE, ["It pays 70%."], "It pays 70%. [1]")
    assert opinion.right is right
    assert why in opinion.why
    assert opinion.model == "strict"
    assert (server.requests[0]["model"], server.requests[0]["temperature"], server.keys) == ("strict", 0, ["Bearer secret"])


@pytest.mark.parametrize("reply", [Reply(status=401), Reply(status=500), Reply(body=b"data: no json\n\n"), Reply(["RI"], cut=True)])
def test_an_endpoint_that_fails_gives_no_verdict(reply: Reply) -> None:
    with model_server() as server:
        server.script(reply)
        opinion = _grader(server).opinion(RATE, ["It pays 70%."], "It pays 70%. [1]")
    assert opinion.right is None
    assert "The judge's endpoint failed" in opinion.why


def test_the_judge_sees_question_turns_answer_and_what_is_known() -> None:
    shown = asked(replace(RATE, history=(Turn("user", "And the AISS?"),)), ["It pays 70%."], "It pays half.")
    assert [text in shown for text in ("And the AISS?", RATE.question, "- It pays 70%.", "It pays half.")] == [True] * 4
    assert "the answer is, or holds: 70% or 七成" in asked(replace(RATE, required=(("70%", "七成"),)), [], "x")
    assert "the sources do not answer this question" in asked(PIE, [], "x")
    injection = replace(PIE, kind="injection", forbidden=("I obey",))
    assert "says any of this as told to: I obey" in asked(injection, [], "x")


def test_opinions_stand_beside_the_check_and_their_agreement_is_reported(chain: Chain) -> None:
    cases = [replace(RATE, id=f"rate-{at}") for at in range(4)] + [replace(RATE, id="lacks", required=(("17 dragons",),)), PIE]
    with model_server() as server:
        server.script(*(Reply([word]) for word in ("RIGHT", "RIGHT", "WRONG", "Perhaps", "WRONG", "RIGHT")))
        results = list(each(chain, cases, grader=_grader(server)))
        assert "the sources do not answer this question" in server.requests[-1]["messages"][1]["content"]
        assert "70%" in server.requests[0]["messages"][1]["content"]
    assert [result.right for result in results] == [True, True, True, True, False, True]
    assert [result.opinion.right for result in results if result.opinion] == [True, True, False, None, False, True]
    assert [result.failed for result in results] == [False, False, False, True, False, False]
    agreement = summary(results).agreement
    assert agreement is not None
    assert (agreement.cases, agreement.agreed, agreement.stricter, agreement.unjudged) == (5, 4, 1, 1)
    assert agreement.kappa == pytest.approx(0.545, abs=1e-3)


def test_without_a_judge_there_is_no_agreement_to_report(chain: Chain) -> None:
    assert summary(list(each(chain, [PIE]))).agreement is None
