"""The contracts by name, and what a case misses of them.

A contract is a function of an :class:`~tools.attack.contract_outcome.Outcome` that yields what the case misses, a line
each, or None where it says nothing about the case. Its sentence, the docstring, is the design's.
"""

from __future__ import annotations

from collections.abc import Callable

from tools.attack import contract_integrity, contract_others, contract_quality, contract_rates
from tools.attack.contract_outcome import Misses, Outcome

__all__ = ["CONTRACTS", "judge"]

Contract = Callable[[Outcome], Misses]

CONTRACTS: dict[str, Contract] = {
    contract.__name__.replace("_", "-"): contract
    for contract in (
        contract_integrity.no_error,
        contract_integrity.decodes,
        contract_integrity.deterministic,
        contract_integrity.exact,
        contract_integrity.lossless,
        contract_integrity.max_error,
        contract_integrity.report,
        contract_rates.size,
        contract_rates.rate_above,
        contract_rates.bpfp,
        contract_rates.bpfp_reach,
        contract_rates.passes,
        contract_quality.snr,
        contract_quality.snr_token,
        contract_quality.medium,
        contract_quality.width,
        contract_quality.width_excess,
        contract_others.outlier,
        contract_others.outlier_excess,
        contract_quality.monotone,
        contract_quality.warns,
    )
}
"""By name, in the order of tables."""

WITHOUT_FILE = ("no-error", "decodes")
"""Contracts that say something where no file came back."""


def judge(found: Outcome) -> dict[str, list[str]]:
    """What a case misses, by the names of the contracts that say something about it."""
    verdicts: dict[str, list[str]] = {}
    for name, contract in CONTRACTS.items():
        if found.coded is None and name not in WITHOUT_FILE:
            continue
        misses = list(contract(found))
        if None not in misses:
            verdicts[name] = [miss for miss in misses if miss]
    return verdicts
