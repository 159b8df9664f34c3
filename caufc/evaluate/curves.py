"""Rate-accuracy curves: rates at equal agreement, Bjontegaard deltas, and bootstrap intervals of all of them.

Bjontegaard deltas are those of VCEG-M33 (2001), by the package ``bjontegaard`` with the piecewise cubic interpolation
that video coding's common test conditions have taken up since. Intervals are percentiles of a bootstrap over samples
(Efron 1979); rates at an agreement come from isotonic regression (pool adjacent violators, Ayer et al. 1955).
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bound",
    "Curve",
    "Interval",
    "RateAt",
    "bd_accuracy",
    "bd_available",
    "bd_rate",
    "bd_rate_at_snr",
    "rate_at",
]

Floats = NDArray[np.float64]
Bound = Literal["", "<", ">"]

REPLICATES = 1000
"""Bootstrap draws for points and rates at an agreement; chosen by hand."""

BD_REPLICATES = 200
"""Bootstrap draws for Bjontegaard deltas, which take longer; chosen by hand."""

FLOOR = 0.8
"""Bjontegaard deltas begin at this share of the unquantised quality: nobody runs a network below. Chosen by hand."""

INTERPOLATION = "pchip"


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval; None where there is no such value."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class RateAt:
    """The BPFP at a mark, with its 95 % interval; by ``bound`` the true rate is below or above all points."""

    bpfp: float
    bound: Bound
    low: float
    high: float


@functools.cache
def resamples(samples: int, replicates: int, seed: int = 0) -> Floats:
    """Bootstrap weights ``[replicates, samples]``: how often each sample was drawn, over the number of samples."""
    drawn = np.random.default_rng(seed).integers(0, samples, (replicates, samples))
    return np.stack([np.bincount(row, minlength=samples) for row in drawn]) / samples


class Curve:
    """The share of right outputs over the rate.

    Args:
        rates: BPFP of the points ``[P]``, ascending.
        right: the share of each sample's outputs that were right at each point ``[P, B]``: 0 or 1 where it has one.
    """

    def __init__(self, rates: Sequence[float], right: NDArray[Any]) -> None:
        self.rates, self.right = np.asarray(rates, np.float64), right
        self.shares: Floats = right.mean(axis=1) if right.size else np.zeros(len(self.rates))

    @functools.cached_property
    def replicates(self) -> Floats:
        """The shares in resampled data ``[R, P]``; the same samples are drawn for every curve of a task."""
        return resamples(self.right.shape[1], REPLICATES) @ self.right.T.astype(np.float64)

    def intervals(self) -> list[Interval]:
        """The share at every point, with its 95 % interval."""
        low, high = np.percentile(self.replicates, [2.5, 97.5], axis=0)
        return [Interval(*map(float, each)) for each in zip(self.shares, low, high, strict=True)]

    def at(self, mark: float) -> RateAt:
        """The rate at which a share is reached, with its interval."""
        value, bound = rate_at(self.rates, self.shares, mark)
        drawn = [rate_at(self.rates, shares, mark)[0] for shares in self.replicates]
        low, high = np.percentile(drawn, [2.5, 97.5])
        return RateAt(value, bound, float(low), float(high))


def rate_at(rates: Floats, shares: Floats, mark: float) -> tuple[float, Bound]:
    """The BPFP at which the isotonic regression of shares over rates reaches a mark.

    Shares that fall from one rate to a higher one are chance: they count as their mean. Between points, log bytes are
    linear in the share.
    """
    rising = isotonic(shares)
    above = int(np.searchsorted(rising, mark - 1e-9))
    if above == 0:
        return float(rates[0]), "<"
    if above == len(rates):
        return float(rates[-1]), ">"
    part = min(1.0, (mark - rising[above - 1]) / (rising[above] - rising[above - 1]))
    return float(rates[above - 1] * (rates[above] / rates[above - 1]) ** part), ""


def isotonic(shares: Floats) -> Floats:
    """The ascending values nearest to given ones in squares: neighbours that descend are pooled."""
    pools: list[tuple[float, int]] = []
    for share in shares.tolist():
        mean, count = share, 1
        while pools and pools[-1][0] > mean:
            before, number = pools.pop()
            mean, count = (mean * count + before * number) / (count + number), count + number
        pools.append((mean, count))
    return np.repeat([mean for mean, _ in pools], [count for _, count in pools])


def bd_available() -> bool:
    """Whether the library for Bjontegaard deltas is installed."""
    return find_spec("bjontegaard") is not None


def bd_rate(anchor: Curve, curve: Curve, floor: float) -> Interval:
    """The BD-rate in %: mean change of bytes at equal shares, from ``floor`` on."""
    import bjontegaard

    return _delta(bjontegaard.bd_rate, envelope, anchor, curve, floor, 1.0)


def bd_accuracy(anchor: Curve, curve: Curve, floor: float) -> Interval:
    """The mean change of the share at equal bytes, in percentage points (BD-PSNR's construction)."""
    import bjontegaard

    return _delta(bjontegaard.bd_psnr, best_so_far, anchor, curve, floor, 100.0)


def bd_rate_at_snr(anchor: Sequence[tuple[float, float]], curve: Sequence[tuple[float, float]]) -> Interval:
    """The BD-rate in %: mean change of bytes at equal signal-to-noise ratio of the features.

    Args:
        anchor, curve: BPFP and dB of points, by ascending BPFP.
    """
    import bjontegaard

    (rates, decibels), (own_rates, own_decibels) = (np.array(points).reshape(-1, 2).T for points in (anchor, curve))
    value = _measured(bjontegaard.bd_rate, envelope(rates, decibels), envelope(own_rates, own_decibels))
    return Interval(value, value, value)


Reduction = Callable[[Floats, Floats, float], tuple[Floats, Floats]]
"""The part of a curve that is compared: rates, shares and a floor -> rates and shares."""


def _delta(
    metric: Callable[..., float], reduce: Reduction, anchor: Curve, curve: Curve, floor: float, unit: float
) -> Interval:
    if not len(anchor.rates) or not len(curve.rates):
        return Interval(None)

    def of(ours: Floats, theirs: Floats) -> float | None:
        found = _measured(metric, reduce(anchor.rates, theirs, floor), reduce(curve.rates, ours, floor))
        return None if found is None else unit * found

    value = of(curve.shares, anchor.shares)
    if value is None:
        return Interval(None)
    pairs = zip(curve.replicates[:BD_REPLICATES], anchor.replicates[:BD_REPLICATES], strict=True)
    drawn = [each for each in (of(*pair) for pair in pairs) if each is not None]
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (value, value)
    return Interval(value, float(low), float(high))


def _measured(
    metric: Callable[..., float], first: tuple[Floats, Floats], second: tuple[Floats, Floats]
) -> float | None:
    """The value of the library's metric; None where curves do not overlap."""
    if min(len(first[0]), len(second[0])) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options: dict[str, Any] = {"method": INTERPOLATION, "require_matching_points": False, "min_overlap": 0}
        found = float(metric(*first, *second, **options))
    return found if np.isfinite(found) else None


def envelope(rates: Floats, shares: Floats, floor: float = -math.inf) -> tuple[Floats, Floats]:
    """The points that no cheaper one reaches, from ``floor`` on; a point at the floor itself is interpolated."""
    kept: list[int] = []
    for number, share in enumerate(shares):
        if not kept or share > shares[kept[-1]]:
            kept.append(number)
    return _from_floor(rates[kept], shares[kept], floor)


def best_so_far(rates: Floats, shares: Floats, floor: float) -> tuple[Floats, Floats]:
    """The best share up to each rate, from ``floor`` on."""
    return _from_floor(rates, np.maximum.accumulate(shares), floor)


def _from_floor(rates: Floats, shares: Floats, floor: float) -> tuple[Floats, Floats]:
    """The part of an ascending curve at or above a floor, which begins with an interpolated point at the floor."""
    first = int(np.searchsorted(shares, floor))
    if first in (0, len(shares)) or shares[first] == floor:
        return rates[first:], shares[first:]
    part = (floor - shares[first - 1]) / (shares[first] - shares[first - 1])
    start = rates[first - 1] * (rates[first] / rates[first - 1]) ** part
    return np.concatenate([[start], rates[first:]]), np.concatenate([[floor], shares[first:]])
