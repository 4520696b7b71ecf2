from __future__ import annotations

import copy
import math

from assistant.chain import Chain
from evals.bench import bench
from index.judge import Judge


def test_every_time_stands_beside_its_floor(chain: Chain) -> None:
    measured = bench(chain, ["What is the AI Subsidy Scheme?", "Who runs Cyberport?"], rounds=1, texts=2)
    names = [timing.name for timing in measured.timings]
    assert names[0].startswith("floor")
    assert len(names) == 4
    assert all(0 < timing.p50 <= timing.p95 for timing in measured.timings)
    assert measured.megabytes > 50
    assert 0 < measured.build.encoding_chunks < measured.build.encoding_all
    assert measured.build.building > 0
    assert measured.build.building_anew > 0


def test_finding_is_timed_in_an_index_of_a_given_size(chain: Chain) -> None:
    measured = bench(chain, ["What is the AI Subsidy Scheme?"], rounds=1, texts=1, scale=50)
    assert measured.scale == 50
    assert math.isfinite(measured.adds_at_scale)
    assert measured.adds_at_scale != 0  # it was measured


def test_the_judge_is_timed_where_there_is_one(chain: Chain, judge: Judge) -> None:
    judged = copy.copy(chain)
    judged.judge = judge
    names = [timing.name for timing in bench(judged, ["What is the AI Subsidy Scheme?"], rounds=1, texts=1).timings]
    assert "the judge: a dozen statements" in names
