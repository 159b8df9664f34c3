"""Contracts on outliers: however large, they change nothing of what is kept of the others."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tools.attack.contract_figures import WORST_SHARE, is_rest, snr_db, token_snrs_db, worst_token_snr_db
from tools.attack.contract_outcome import Coded, Misses, Outcome
from tools.attack.contract_quality import DRAWS
from tools.attack.contract_tensors import as_floats, pairs_of

__all__ = ["outlier", "outlier_excess"]

OUTLIER_SLACK = 1.0
"""dB."""

SMALL_VALUES = 1 << 14
"""Of files whose steps move by leaps."""

DEVIATIONS, MOST_SLACK = 3.0, 3.0
"""Deviations, and dB, beyond which a change is not by chance."""

HIDDEN_SHARE = 0.1
"""Of the energy of the rest: what makes up less of it changes an SNR by half a dB at most."""


def outlier(found: Outcome) -> Misses:
    """One token, sample, channel or value, however large, changes nothing for the others: they keep their SNR.

    Within 1 dB; where an SNR is that of below 272 values, which for a quality are those of the worst 1 % of tokens,
    within three deviations of what rounding changes by chance, or 3 dB. What small files keep moves by leaps: where one
    draw of at most 2^14 values says otherwise, the median of 15 others is told.
    """
    change = _change_for_others_db(found, lambda change: max(change) < -_outlier_slack(found))
    if change is None:
        yield None
    elif max(change) < -_outlier_slack(found):
        yield f"others at {change[0]:+.2f} dB, the worst of their tokens at {change[1]:+.2f}"


def outlier_excess(found: Outcome) -> Misses:
    """An outlier costs bits for itself: the others get no higher SNR either, unless they come back exactly."""
    change = _change_for_others_db(found, lambda change: _outlier_slack(found) < min(change) < math.inf)
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
    several = len(present) if found.quality is None else max(1.0, WORST_SHARE * len(present))
    count = max(1.0, float(present.mean()) * several) if len(present) else 1.0
    return max(OUTLIER_SLACK, min(MOST_SLACK, DEVIATIONS * 10 / math.log(10) * math.sqrt(2 * 0.8 / count)))


def _change_for_others_db(
    found: Outcome, is_missed: Callable[[tuple[float, float]], bool]
) -> tuple[float, float] | None:
    """What outliers change for the others in dB: their SNR, and that of the worst 1 % of their tokens.

    None where there is nothing to compare. What one draw of a small file seems to miss, the medians of others tell.
    """
    twin = found.case.twin
    if twin is None or twin.others is None or not found.twin or not found.coded or not found.case.plain:
        return None
    change = _change_db(found, found.coded, found.twin, twin.others)
    if change is None or not is_missed(change) or twin.draws is None or twin.others.size > SMALL_VALUES:
        return change
    changes = []
    for draw in range(DRAWS):
        with_them, without, others = twin.draws(draw)
        if others is not None:
            changes.append(_change_db(found, found.coded_of(with_them), found.coded_of(without), others))
    told = [one for one in changes if one is not None]
    return (float(np.median([one for one, _ in told])), float(np.median([one for _, one in told]))) if told else change


def _change_db(found: Outcome, outlying: Coded, plain: Coded, others: NDArray[np.bool_]) -> tuple[float, float] | None:
    """The same of one draw.

    A quality keeps the worst tokens, which makes the first figure jump where tokens are narrow or few; an SNR is kept
    by all together, or by each token, and what has the SNR that was asked for keeps it. None where there is nothing to
    compare: small inputs without outliers may come back exactly, in fewer bytes than with loss, which is no promise.
    Nor where much of what was made larger is by the definition no outlier: an SNR then counts it.
    """
    layout = next(iter(found.layouts.values()), None)
    by_energy = found.quality is None
    if by_energy and _hides_outliers(outlying, others, layout):
        return None
    sides = []
    for coded in (outlying, plain):
        masked = (np.where(others, as_floats(coded.features), 0), np.where(others, as_floats(coded.restored), 0))
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
