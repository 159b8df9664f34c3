"""Contracts on what is kept: SNRs that hold, and qualities that mean the same on every input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.attack.contract_figures import WORST_SHARE, is_rest, snr_db, token_snrs_db, worst_token_snr_db
from tools.attack.contract_outcome import Coded, Misses, Outcome
from tools.attack.contract_tensors import Pair, as_floats, pairs_of

__all__ = ["medium", "monotone", "outlier", "outlier_excess", "snr", "snr_token", "warns", "width", "width_excess"]

SNR_SLACK, MONOTONE_SLACK = 0.02, 0.1
OUTLIER_SLACK, WIDTH_SLACK = 1.0, 3.0
MEDIUM_TOKEN_SNR, WARNED_SNR = 20.0, 10.0
"""All in dB."""

DRAWS = 15
"""Of a width, where one says little."""

DEVIATIONS, MOST_SLACK = 3.0, 3.0
"""Deviations, and dB, beyond which a change is not by chance."""

HIDDEN_SHARE = 0.1
"""Of the energy of the rest: what makes up less of it changes an SNR by half a dB at most."""

NAMED = {"low": 25.0, "medium": 50.0, "high": 75.0}


def _quality(found: Outcome) -> float | None:
    """The quality asked for, where one is."""
    if not found.case.control:
        return 50.0
    quality = found.case.control.get("quality")
    return NAMED[quality] if isinstance(quality, str) else quality


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
    in fewer bytes than with loss, is no promise for more of a control.
    """
    if found.case.twin is None or found.case.twin.relation != "higher" or not found.twin_pairs:
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
    quality = _quality(found)
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
    drawn = [[_drawn_db(found, features) for features in twin.draws(draw)] for draw in range(DRAWS)]
    here, there = (float(np.median(levels)) for levels in zip(*drawn, strict=True))
    return here, there


def _drawn_db(found: Outcome, features: Any) -> float:
    """The SNR in dB that 99 % of tokens reach of another input at the options of a case."""
    data, report = found.subject.encode(features, **found.case.asked)
    (pair,) = Coded(data, report, features, found.subject.decode(data)).pairs(dict(found.layouts))
    return _rest_token_snr_db(pair)


def outlier(found: Outcome) -> Misses:
    """One token, sample, channel or value, however large, changes nothing for the others: they keep their SNR.

    Within 1 dB; where an SNR is that of below 272 values, which for a quality are those of the worst 1 % of tokens,
    within three deviations of what rounding changes by chance, or 3 dB.
    """
    change = _change_for_others_db(found)
    if change is None:
        yield None
    elif max(change) < -_outlier_slack(found):
        yield f"others at {change[0]:+.2f} dB, the worst of their tokens at {change[1]:+.2f}"


def outlier_excess(found: Outcome) -> Misses:
    """An outlier costs bits for itself: the others get no higher SNR either, unless they come back exactly."""
    change = _change_for_others_db(found)
    if change is None:
        yield None
    elif _outlier_slack(found) < min(change) < math.inf:
        yield f"others at {change[0]:+.2f} dB, the worst of their tokens at {change[1]:+.2f}"


def _outlier_slack(found: Outcome) -> float:
    """dB by which the others may differ from what they are without outliers.

    The sum of n squared errors of rounding, spread evenly between half a step down and up, has a relative deviation of
    the square root of 0.8 / n; those of two encodes have little to do with each other.
    """
    twin = found.case.twin
    if found.coded is None or twin is None or twin.others is None:
        return OUTLIER_SLACK
    values = np.where(twin.others, as_floats(found.coded.features), 0)
    (pair,) = pairs_of(values, values, {"": next(iter(found.layouts.values()), None)})
    by_token = np.count_nonzero(pair.values, axis=1)
    present = by_token[by_token > 0]
    several = len(present) if _quality(found) is None else max(1.0, WORST_SHARE * len(present))
    count = max(1.0, float(present.mean()) * several) if len(present) else 1.0
    return max(OUTLIER_SLACK, min(MOST_SLACK, DEVIATIONS * 10 / math.log(10) * math.sqrt(2 * 0.8 / count)))


def _change_for_others_db(found: Outcome) -> tuple[float, float] | None:
    """What outliers change for the others in dB: their SNR, and that of the worst 1 % of their tokens.

    A quality keeps the worst tokens, which makes the first figure jump where tokens are narrow or few; an SNR is kept
    by all together, or by each token, and what has the SNR that was asked for keeps it. None where there is nothing to
    compare: small inputs without outliers may come back exactly, in fewer bytes than with loss, which is no promise.
    Nor where much of what was made larger is by the definition no outlier: an SNR then counts it.
    """
    twin = found.case.twin
    if twin is None or twin.others is None or not found.twin or not found.coded or not found.case.plain:
        return None
    layout = next(iter(found.layouts.values()), None)
    by_energy = _quality(found) is None
    if by_energy and _hides_outliers(found.coded, twin.others, layout):
        return None
    sides = []
    for coded in (found.coded, found.twin):
        masked = (
            np.where(twin.others, as_floats(coded.features), 0),
            np.where(twin.others, as_floats(coded.restored), 0),
        )
        (pair,) = pairs_of(*masked, {"": layout})
        levels = token_snrs_db(pair.values, pair.error)[pair.values.any(axis=1)]
        worst = worst_token_snr_db(pair.values, pair.error)
        sides.append((snr_db(pair.values, pair.error), worst, float(levels.min(initial=math.inf))))
    (with_it, worst_with, lowest_with), (without, worst_without, _) = sides
    if without == math.inf:
        return None
    if by_energy:
        change = with_it - without
        asked = found.case.control.get("snr")
        if change < 0 and asked is not None:
            level = with_it if isinstance(asked, float) else lowest_with
            change = max(change, min(0.0, level - float(str(asked).partition("/")[0])))
        return change, change
    change = with_it - without
    return change, 0.0 if worst_with == worst_without else worst_with - worst_without


def _hides_outliers(coded: Coded, others: NDArray[np.bool_], layout: str | None) -> bool:
    """Whether what was made larger has a share in the energy of the rest."""
    features = as_floats(coded.features)
    rests = []
    for kept in (np.ones(features.shape, bool), others):
        (pair,) = pairs_of(np.where(kept, features, 0), np.where(kept, features, 0), {"": layout})
        rests.append(pair.values)
    rest = is_rest(rests[0])
    whole, without = (float(np.square(np.where(rest, values, 0)).sum()) for values in rests)
    return without < (1 - HIDDEN_SHARE) * whole


def warns(found: Outcome) -> Misses:
    """What falls under 10 dB at medium or better, outliers set aside, is a warning, unless tokens are not read."""
    quality, unread = _quality(found), "reads" in found.case.options
    if quality is None or quality < 50 or found.coded is None or found.coded.report.warnings or unread:
        yield None
        return
    for pair in found.pairs:
        rest = is_rest(pair.values)
        levels = snr_db(pair.values[rest], pair.error[rest]), _rest_token_snr_db(pair)
        if min(levels) < WARNED_SNR:
            yield f"'{pair.name}': {levels[0]:.2f} dB, worst tokens {levels[1]:.2f}, and no warning"
