"""The design's promises on random arrays: those that are kept, and that each contract sees when it is not."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from broken_codecs import BROKEN, Levelled
from ideal_codec import Ideal

from tools.attack import contracts
from tools.attack.contract_cases import Case, Twin, case_of
from tools.attack.contract_checks import CONTRACTS, judge
from tools.attack.contract_outcome import Caufc, Coded, Outcome, Subject, outcome_of_case
from tools.attack.contract_outliers import with_outliers
from tools.attack.contract_quality import monotone
from tools.attack.contract_tally import DIED, Tally
from tools.attack.contract_tensors import as_floats
from tools.attack.contracts import run_cases

SEED = 5
HELD = (
    "no-error",
    "decodes",
    "deterministic",
    "exact",
    "lossless",
    "max-error",
    "report",
    "size",
    "rate-above",
    "passes",
    "snr",
    "snr-token",
    "medium",
    "width",
    "width-excess",
    "outlier",
    "outlier-excess",
    "warns",
)
"""Contracts that hold in every case of the short run; tools/results/contracts.md counts the others' misses."""

DEADLY = 3

SHORT = range(103, 129)
"""Cases of the short run: they check every contract, and take little time."""


@functools.cache
def cases() -> tuple[Case, ...]:
    return tuple(case_of(SEED, number) for number in range(400))


def misses(subject: Subject) -> Iterator[tuple[str, str]]:
    """Contracts that are missed, with what is said."""
    for case in cases():
        for contract, missed in judge(outcome_of_case(subject, case)).items():
            for miss in missed:
                yield contract, f"{case}: {miss}"


def test_contracts_that_hold() -> None:
    pytest.importorskip("torch", reason="some cases are for the learned codec")
    tally = run_cases(Caufc(), SEED, SHORT.start, SHORT.stop)
    assert {name: tally.examples[name] for name in HELD if name in tally.missed} == {}
    assert tally.total == len(SHORT) and all(tally.checked[name] for name in HELD)


def test_an_ideal_codec_keeps_every_contract() -> None:
    assert list(misses(Ideal())) == []


def test_every_contract_says_something() -> None:
    said: set[str] = set()
    for case in cases():
        said |= judge(outcome_of_case(Ideal(), case)).keys()
    assert CONTRACTS.keys() - said <= {"bpfp-reach"}, "which is about warnings"


@pytest.mark.parametrize(("contract", "make"), BROKEN, ids=[f"{name}-{n}" for n, (name, _) in enumerate(BROKEN)])
def test_a_broken_codec_is_seen(contract: str, make: Any) -> None:
    assert contract in (missed for missed, _ in misses(make()))


def deadly_batch(_: int, first: int, stop: int) -> dict[str, Any]:
    """Cases of which one kills its process."""
    if first <= DEADLY < stop:
        os.abort()
    tally = Tally()
    for number in range(first, stop):
        tally.record(number, "any", {"size": []})
    return tally.to_json()


def test_a_case_that_kills_its_process_is_missed_and_the_others_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "run_batch", deadly_batch)
    monkeypatch.setattr(contracts, "BATCH", 2)
    stops: list[int] = []
    tally = contracts.run(SEED, 0, 6, 1, done=lambda _, stop: stops.append(stop))
    assert tally.missed == {DIED: {case_of(SEED, DEADLY).kind: 1}} and tally.misses == 1
    assert tally.total == 6 and tally.checked["size"] == 5 and stops == [2, 4, 6]


def test_a_tally_is_kept_as_json() -> None:
    tally = run_cases(Levelled(), SEED, 0, 60)
    again = Tally.from_json(json.loads(json.dumps(tally.to_json())))
    assert tally.misses and again == tally
    again.add(tally)
    assert again.total == 2 * tally.total and again.misses == 2 * tally.misses
    page = again.markdown()
    assert f"| cases | {again.total:,} |" in page and all(f"| {name} |" in page for name in CONTRACTS)


def test_every_contract_is_broken_once() -> None:
    assert {contract for contract, _ in BROKEN} == CONTRACTS.keys()


class Leaping(Ideal):
    """Warns of rates below a byte a value, for which its files are of a sixteenth or, with other controls, more."""

    def __init__(self, most: float) -> None:
        super().__init__()
        self.most = most

    def level(self, options: dict[str, Any], features: Any) -> float:
        return 5.0 if "bpfp" in options else super().level(options, features)

    def length(self, features: Any, level: float, options: dict[str, Any]) -> int:
        whole = self.lossless_length(features)
        if options.get("lossless") or level == math.inf:
            return whole
        return whole // 16 if "bpfp" in options else int(self.most * whole)

    def report(self, features: Any, restored: Any, length: int, options: dict[str, Any]) -> Any:
        found = super().report(features, restored, length, options)
        found.warnings = ("not met",) if "bpfp" in options else ()
        return found


def test_rates_are_in_reach_where_another_control_comes_nearer() -> None:
    values = np.random.default_rng(0).standard_normal((40, 64)).astype(np.float32)
    case = Case(0, "gaussian", "", values, {"bpfp": 12.0})
    nearer, none = (judge(outcome_of_case(Leaping(most), case))["bpfp-reach"] for most in (0.3, 0.9))
    assert nearer != [] and none == []


class Drawn(Ideal):
    """Keeps several dB more or less of every input, as chance has it."""

    def level(self, options: dict[str, Any], features: Any) -> float:
        return super().level(options, features) + 5 * math.sin(1e3 * float(as_floats(features).sum()))


def width_misses(draws: bool) -> list[str]:
    wide = [case for case in cases() if case.twin and case.twin.relation == "width"]
    if not draws:
        wide = [replace(case, twin=replace(case.twin, draws=None)) for case in wide if case.twin]
    found = [judge(outcome_of_case(Drawn(), case)) for case in wide]
    return [miss for verdicts in found for name in ("width", "width-excess") for miss in verdicts.get(name, [])]


def test_outliers_are_no_worst_tokens() -> None:
    """Where all tokens hold an outlier, each is as well kept as its outlier, which is kept among all of these."""
    rng = np.random.default_rng(0)
    values, errors = rng.standard_normal((500, 40)), 0.05 * rng.standard_normal((500, 40))
    values[:, 7] *= 1e4
    files = []
    for share, of_outliers in ((1.0, 0.0), (0.8, 30.0)):
        restored = values + share * errors
        restored[:, 7] = values[:, 7] + of_outliers * rng.standard_normal(500)
        report = SimpleNamespace(tensors=[SimpleNamespace(name="", layout="b c")], warnings=())
        files.append(Coded(b"", report, values, restored))
    case = Case(0, "gaussian", "", values, {"quality": 50.0}, twin=Twin("higher", values, {"quality": 60.0}))
    assert list(monotone(Outcome(case, Ideal(), files[0], twin=files[1]))) == []
    assert list(monotone(Outcome(case, Ideal(), files[1], twin=files[0]))) not in ([], [None])
    clipped = replace(case, options={"truncate": (-1.0, 2.0)})
    assert list(monotone(Outcome(clipped, Ideal(), files[1], twin=files[0]))) == [None]


def test_widths_are_told_by_medians_where_draws_differ() -> None:
    assert width_misses(draws=False) and not width_misses(draws=True)


def outlier_misses(draws: bool) -> int:
    beside = [case for case in cases() if case.twin and case.twin.relation == "outlier"]
    if not draws:
        beside = [replace(case, twin=replace(case.twin, draws=None)) for case in beside if case.twin]
    found = [judge(outcome_of_case(Drawn(), case)) for case in beside]
    return sum(bool(verdicts.get("outlier") or verdicts.get("outlier-excess")) for verdicts in found)


def test_few_values_beside_outliers_are_told_by_medians() -> None:
    assert outlier_misses(draws=False) > 2 * outlier_misses(draws=True)


@pytest.mark.parametrize("place", ["token", "tokens", "sample"])
def test_in_place_of_outlying_tokens_stand_others(place: str) -> None:
    values = np.random.default_rng(0).standard_normal((5, 6, 4))
    _, without, others = with_outliers(np.random.default_rng(1), values, place, 1e4)
    np.testing.assert_array_equal(without[others], values[others])
    known = {tuple(token) for token in values[others].reshape(-1, 4)}
    assert {tuple(token) for token in without[~others].reshape(-1, 4)} <= known
    smallest = np.square(values[others].reshape(-1, 4)).sum(axis=1).min()
    assert (np.square(without[~others].reshape(-1, 4)).sum(axis=1) > smallest).all()
