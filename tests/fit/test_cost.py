"""What a fit says that it will cost, and how it tells of its progress."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from caufc.fit.cost import FitCost, survey_seconds
from caufc.fit.probe import ProbedTimes
from caufc.fit.profile import fit_profile
from caufc.fit.stages import Stages
from caufc.text import duration

MAPS = np.random.default_rng(0).standard_normal((24, 6, 4, 4)).astype(np.float32)


def fitted(**options: Any) -> tuple[FitCost, list[tuple[str, int, int]], list[str]]:
    """The cost, all calls of progress, and the order of events."""
    costs: list[FitCost] = []
    calls: list[tuple[str, int, int]] = []
    order: list[str] = []

    def announce(cost: FitCost) -> None:
        costs.append(cost)
        order.append("cost")

    def progress(what: str, done: int, total: int, /) -> None:
        calls.append((what, done, total))
        order.append(what)

    fit_profile(MAPS, layout="b c h w", announce=announce, progress=progress, **options)
    (cost,) = costs
    return cost, calls, order


def check_progress(calls: list[tuple[str, int, int]]) -> None:
    assert len({total for *_, total in calls}) == 1, "one scale for all stages"
    done = [done for _, done, _ in calls]
    assert done == sorted(done) and done[0] == 0 and done[-1] == calls[0][2]


def test_a_blind_fit() -> None:
    cost, calls, order = fitted()
    assert (cost.samples, cost.values, cost.value_bytes, cost.passes, cost.trials) == (24, 2304, 9216, 1, 0)
    assert cost.text() == "24 samples of 2,304 values in all, 9,216 B (9.2 kB), read once; about 1 s"
    assert order[0] == "cost" and set(order[1:]) == {"statistics and choices"}
    check_progress(calls)


def test_a_task_aware_fit() -> None:
    torch = pytest.importorskip("torch")
    weight = torch.from_numpy(np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32))
    seen: list[int] = []

    def resume(features: Any) -> Any:
        seen.append(len(features))
        return features.mean((2, 3)) @ weight

    started = time.perf_counter()
    cost, calls, order = fitted(resume=resume)
    took = time.perf_counter() - started
    assert (cost.passes, cost.gradients, cost.trials, cost.trial_samples) == (2, 4 * 24, 218, 12)
    assert "read twice, 96 gradients through the network, at most 218 trials of 12 samples; about " in cost.text()
    assert 0.05 * took < cost.seconds < 20 * took
    assert order.index("cost") == 0
    stages = list(dict.fromkeys(order[1:]))
    assert stages[:3] == ["statistics", "gradients", "candidate 1 of 7: metric 0.3"]
    assert stages[-1] == "tables" and len(stages) == 11
    assert len([what for what, *_ in calls if what.startswith("candidate")]) > 7 * 6, "every trial moves it"
    check_progress(calls)
    assert sum(seen) < 24 * 12 + 230 * 12, "the probe takes a small part"


def test_without_a_question_nothing_is_probed() -> None:
    torch = pytest.importorskip("torch")
    runs: list[int] = []

    def resume(features: Any) -> Any:
        runs.append(len(features))
        return features.mean((2, 3)) @ torch.eye(6)

    fit_profile(MAPS, layout="b c h w", resume=resume)
    silent = len(runs)
    runs.clear()
    fit_profile(MAPS, layout="b c h w", resume=resume, announce=lambda cost: None)
    assert len(runs) > silent


def test_stages_take_the_shares_that_were_expected() -> None:
    calls: list[tuple[str, int, int]] = []
    stages = Stages(lambda *call: calls.append(call), 10)
    stages.begin("a", 4)
    stages.advance(1)
    stages.advance(9)
    stages.begin("b", 6)
    stages.within("inner", 1, 2)
    stages.within("inner", 2, 2)
    assert calls == [
        ("a", 0, 10_000),
        ("a", 1000, 10_000),
        ("a", 4000, 10_000),
        ("b", 4000, 10_000),
        ("b", 7000, 10_000),
        ("b", 10_000, 10_000),
    ]


def test_larger_trials_are_expected_to_take_what_two_sizes_tell() -> None:
    small, large = ProbedTimes(10, 0.0, 1.0), ProbedTimes(20, 0.0, 1.5)
    assert large.for_trial_of(100, small) == pytest.approx(5.5)
    assert large.for_trial_of(20, small) == 1.5
    assert small.for_trial_of(100, None) == 10
    assert ProbedTimes(20, 0.0, 4.0).for_trial_of(100, small) == 20, "no more than in proportion"
    assert ProbedTimes(20, 0.0, 0.5).for_trial_of(100, small) == 0.5, "noise is no slope"


def test_reading_counts_little_beside_choosing() -> None:
    from caufc.encoder.effort import EFFORTS

    default = EFFORTS["default"]
    assert survey_seconds(0, default) == 0
    assert survey_seconds(10**6, default) < survey_seconds(10**8, default) < 20 * survey_seconds(10**6, default)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "1 s"), (8.4, "8 s"), (99, "99 s"), (120, "2 min"), (5999, "100 min"), (9000, "2.5 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
