"""Contracts on what is kept: SNRs that hold, and qualities that mean the same on every input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tools.attack.contract_figures import is_rest, snr_db, token_snrs_db, worst_token_snr_db
from tools.attack.contract_outcome import Misses, Outcome
from tools.attack.contract_tensors import Pair

__all__ = ["DRAWS", "medium", "monotone", "snr", "snr_token", "warns", "width", "width_excess"]

SNR_SLACK, MONOTONE_SLACK = 0.02, 0.1
WIDTH_SLACK = 3.0
MEDIUM_TOKEN_SNR, WARNED_SNR = 20.0, 10.0
"""All in dB."""

DRAWS = 15
"""Of a case, where one says little."""


def snr(found: Outcome) -> Misses:
    """`--snr DB` holds for every tensor by itself, outliers set aside, and for outliers among themselves."""
    wanted = found.case.control.get("snr")
    if not isinstance(wanted, float) or found.coded is None or "truncate" in found.case.options:
        yield None
        return
    for pair in found.pairs:
        rest = is_rest(pair.values)
        for what, part in (("rest", rest), ("outliers", ~rest & pair.finite)):
            level = snr_db(pair.values[part], pair.error[part])
            if level < wanted - SNR_SLACK:
                yield f"'{pair.name}' {what}: {level:.2f} dB, not {wanted:g}"


def snr_token(found: Outcome) -> Misses:
    """`--snr DB/token` holds for every token."""
    wanted = found.case.control.get("snr")
    if not isinstance(wanted, str) or found.coded is None or "truncate" in found.case.options:
        yield None
        return
    level = float(wanted.partition("/")[0])
    for pair in found.pairs:
        levels = token_snrs_db(pair.values, pair.error)
        if (below := int(np.count_nonzero(levels < level - SNR_SLACK))) > 0:
            yield f"'{pair.name}': {below} of {len(levels)} tokens, down to {levels.min():.2f} dB, not {level:g}"


def monotone(found: Outcome) -> Misses:
    """A higher rate or quality never lowers a tensor's SNR, nor that of its worst 1 % of tokens, by over 0.1 dB.

    Outliers are set aside. Of tokens below 0 dB nothing is kept, however far below they are. What comes back exactly,
    in fewer bytes than with loss, is no promise for more of a control; nor is what the user has clipped.
    """
    clipped = "truncate" in found.case.options
    if clipped or found.case.twin is None or found.case.twin.relation != "higher" or not found.twin_pairs:
        yield None
        return
    for low, high in zip(found.pairs, found.twin_pairs, strict=True):
        rest = is_rest(low.values)
        before, after = (snr_db(pair.values[rest], pair.error[rest]) for pair in (low, high))
        if before == math.inf:
            continue
        if after < before - MONOTONE_SLACK:
            yield f"'{low.name}': {before:.2f} dB, then {after:.2f} at {dict(found.case.twin.control)}"
        before, after = (max(0.0, _rest_token_snr_db(pair)) for pair in (low, high))
        if after < before - MONOTONE_SLACK:
            yield f"'{low.name}' worst tokens: {before:.2f} dB, then {after:.2f} at {dict(found.case.twin.control)}"


def medium(found: Outcome) -> Misses:
    """At medium, the SNR that 99 % of tokens reach is at least 20 dB, outliers set aside."""
    quality = found.quality
    if quality is None or quality < 50 or not found.case.dense or not found.case.plain or found.learned:
        yield None
        return
    for pair in found.pairs:
        level = _rest_token_snr_db(pair)
        if level < MEDIUM_TOKEN_SNR:
            yield f"'{pair.name}' {list(pair.values.shape)}: {level:.2f} dB"


def _rest_token_snr_db(pair: Pair) -> float:
    rest = is_rest(pair.values)
    return worst_token_snr_db(np.where(rest, pair.values, 0), np.where(rest, pair.error, 0))


def width(found: Outcome) -> Misses:
    """At medium, the SNR that 99 % of tokens reach is at most 3 dB below its value at 256 channels, at any width.

    Few narrow tokens differ by several dB from draw to draw of the same statistics: where one draw says otherwise, the
    medians of 15 others are compared.
    """
    here, there = _widths_db(found, lambda here, there: here < there - WIDTH_SLACK)
    if here is None or there is None:
        yield None
    elif here < there - WIDTH_SLACK:
        yield f"{list(found.pairs[0].values.shape)}: {here:.2f} dB, {there:.2f} at 256 channels"


def width_excess(found: Outcome) -> Misses:
    """Nor is it more than 3 dB above, unless values come back exactly."""
    here, there = _widths_db(found, _is_excess)
    if here is None or there is None:
        yield None
    elif _is_excess(here, there):
        yield f"{list(found.pairs[0].values.shape)}: {here:.2f} dB, {there:.2f} at 256 channels"


def _is_excess(here: float, there: float) -> bool:
    return there + WIDTH_SLACK < here < math.inf


def _widths_db(found: Outcome, is_missed: Callable[[float, float], bool]) -> tuple[float | None, float | None]:
    """The SNR in dB that 99 % of tokens reach at some width and at 256; None where there is nothing to compare.

    What one draw seems to miss is told by the medians of others.
    """
    twin = found.case.twin
    if twin is None or twin.relation != "width" or not found.twin or found.learned:
        return None, None
    (pair,), (reference,) = found.pairs, found.twin_pairs
    here, there = _rest_token_snr_db(pair), _rest_token_snr_db(reference)
    if there == math.inf:
        return None, None
    if not is_missed(here, there) or twin.draws is None:
        return here, there
    drawn = [[_drawn_db(found, features) for features in twin.draws(draw)[:2]] for draw in range(DRAWS)]
    here, there = (float(np.median(levels)) for levels in zip(*drawn, strict=True))
    return here, there


def _drawn_db(found: Outcome, features: Any) -> float:
    """The SNR in dB that 99 % of tokens reach of another input at the options of a case."""
    (pair,) = found.coded_of(features).pairs(dict(found.layouts))
    return _rest_token_snr_db(pair)


def warns(found: Outcome) -> Misses:
    """What falls under 10 dB at medium or better, outliers set aside, is a warning, unless tokens are not read."""
    quality, unread = found.quality, "reads" in found.case.options
    if quality is None or quality < 50 or found.coded is None or found.coded.report.warnings or unread:
        yield None
        return
    for pair in found.pairs:
        rest = is_rest(pair.values)
        levels = snr_db(pair.values[rest], pair.error[rest]), _rest_token_snr_db(pair)
        if min(levels) < WARNED_SNR:
            yield f"'{pair.name}': {levels[0]:.2f} dB, worst tokens {levels[1]:.2f}, and no warning"
