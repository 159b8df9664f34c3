"""Rate against divergence: points of a method around a divergence, and its rate there with an interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.measure.language_methods import CurveMethod

__all__ = ["CurvePoint", "RateThere", "draws", "rate_there", "ratio", "walk"]

Floats = NDArray[np.float64]

DRAWS = 1000
"""Of the bootstrap over windows."""

LEAST = 1e-12
"""Stands for a divergence of 0, whose logarithm there is not."""


@dataclass(frozen=True)
class CurvePoint:
    """A setting, its BPFP, and of every window the divergence in nats and the share of standing predictions ``[B]``."""

    setting: float
    bpfp: float
    divergences: Floats
    agreements: Floats


@dataclass(frozen=True)
class RateThere:
    """The BPFP at a divergence; ``bound`` says that the true one is below or above all points.

    Args:
        drawn: the same of every draw of the bootstrap ``[R]``.
    """

    bpfp: float
    bound: str
    drawn: Floats

    @property
    def interval(self) -> tuple[float, float]:
        """95 %."""
        low, high = np.percentile(self.drawn, [2.5, 97.5])
        return float(low), float(high)


def walk(method: CurveMethod, wanted: float, measure: Callable[[float], CurvePoint]) -> list[CurvePoint]:
    """Points of settings, from the start on towards a divergence until they lie on both sides of it."""
    found: dict[int, CurvePoint] = {}
    place = min(range(len(method.values)), key=lambda number: abs(method.values[number] - method.start))
    while 0 <= place < len(method.values) and place not in found:
        found[place] = measure(method.values[place])
        place += 1 if found[place].divergences.mean() > wanted else -1
    others = [value for value in method.always if value not in {point.setting for point in found.values()}]
    return sorted([*found.values(), *map(measure, others)], key=lambda point: point.bpfp)


def draws(windows: int) -> NDArray[np.intp]:
    """Windows of every draw ``[R, B]``: the same for all methods and places."""
    return np.random.default_rng(0).integers(0, windows, (DRAWS, windows))


def rate_there(points: Sequence[CurvePoint], reference: Floats, drawn: NDArray[np.intp]) -> RateThere:
    """The rate at which a method has the divergence of a reference: linear in its logarithm between points.

    Args:
        points: by ascending BPFP.
        reference: divergences of the reference ``[B]``.
        drawn: of :func:`draws`; the reference is drawn with the points.
    """
    rates = np.array([point.bpfp for point in points])
    table = np.stack([point.divergences for point in points])
    means, wanted = table.mean(1), float(reference.mean())
    if wanted in means:
        return _certain(rates[means == wanted][0], "", drawn)
    below = [number for number in range(len(points) - 1) if means[number] > wanted > means[number + 1]]
    if not below:
        return _certain(rates[-1], ">", drawn) if means[-1] > wanted else _certain(rates[0], "<", drawn)
    pair = [below[-1], below[-1] + 1]
    every = [_between(rates[pair], table[pair][:, rows].mean(1), float(reference[rows].mean())) for rows in drawn]
    return RateThere(_between(rates[pair], means[pair], wanted), "", np.array(every))


def _certain(rate: float, bound: str, drawn: NDArray[np.intp]) -> RateThere:
    """A rate that is the same in every draw."""
    return RateThere(float(rate), bound, np.full(len(drawn), float(rate)))


def _between(rates: Floats, means: Floats, wanted: float) -> float:
    """On the line through two points, of which the first has the larger divergence."""
    high, low, there = (math.log(max(float(mean), LEAST)) for mean in (*means, wanted))
    return float(rates[0] + (rates[1] - rates[0]) * (high - there) / (high - low or 1.0))


def ratio(found: RateThere, against: RateThere) -> tuple[float, float, float]:
    """How many times the bytes of ``against`` one takes, and the interval."""
    low, high = np.percentile(found.drawn / against.drawn, [2.5, 97.5])
    return found.bpfp / against.bpfp, float(low), float(high)
