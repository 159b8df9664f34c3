"""The design's promises on random arrays: those that are kept, and that each contract sees when it is not."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pytest
from broken_codecs import BROKEN
from ideal_codec import Ideal

from tools.attack.contract_cases import Case, case_of
from tools.attack.contract_checks import CONTRACTS, judge
from tools.attack.contract_outcome import Caufc, Subject, outcome_of_case
from tools.attack.contracts import run_cases

SEED = 5
HELD = ("decodes", "deterministic", "exact", "lossless", "max-error", "report", "bpfp")
"""Contracts that hold; the others are on their way."""

SHORT = 150
"""Cases of the short run."""


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
    tally = run_cases(Caufc(), SEED, 0, SHORT)
    assert {name: tally.examples[name] for name in HELD if name in tally.missed} == {}
    assert tally.total == SHORT and all(tally.checked[name] for name in HELD)


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


def test_every_contract_is_broken_once() -> None:
    assert {contract for contract, _ in BROKEN} == CONTRACTS.keys()
