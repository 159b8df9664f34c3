"""The place where a rising function reaches a value: few measurements, for each of them is dear."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["place_of"]

INTERPOLATED = 4
"""Measurements between two places after which the middle is taken: interpolation may creep along a bend."""

FLAT_LEAP = 4.0
"""Times by which the next step is longer where the last one changed nothing, as where all is rounded to 0."""

NARROW = 0.25
"""Share of the distance in which a function rises by what is near enough, as is said, from which on places are one."""

FLATTEST = 4.0
"""By how many times a function may rise more slowly than is said, before it hardly does."""

NEAREST, FARTHEST = 0.02, 64.0
"""Distances between two places, at least and at most."""


def place_of(
    measure: Callable[[float], float],
    wanted: float,
    *,
    first: float,
    slope: float,
    near: float,
    bounds: tuple[float, float],
    most: int,
) -> float:
    """The place where a function is nearest to what is wanted, not above it unless all places that were tried are.

    Args:
        measure: rises with the place, more or less.
        wanted: the value.
        first: where to begin.
        slope: how fast the function rises, about.
        near: how far below the value is near enough.
        bounds: of places.
        most: measurements.
    """
    below: tuple[float, float] | None = None
    above: tuple[float, float] | None = None
    place, leap = min(max(first, bounds[0]), bounds[1]), 1.0
    last: tuple[float, float] | None = None
    for number in range(most):
        found = measure(place)
        leap *= FLAT_LEAP if last is not None and found == last[1] else 1.0
        if found <= wanted:
            below = (place, found) if below is None or place > below[0] else below
            if wanted - found <= near or place >= bounds[1]:
                return place
        else:
            above = (place, found) if above is None or place < above[0] else above
            if place <= bounds[0]:
                return place
        if below is not None and above is not None:
            if above[0] - below[0] <= NARROW * near / slope:
                return below[0]
            place = _between(below, above, wanted - near / 2, halved=number >= INTERPOLATED)
        else:
            here, rise = (place, found), _rise(last, (place, found), slope)
            leap = 1.0 if rise else leap * 1.5
            place, last = place + leap * _along(wanted - near / 2 - found, rise or slope), here
        place = min(max(place, bounds[0]), bounds[1])
    best = below if below is not None else above
    return place if best is None else best[0]


def _between(below: tuple[float, float], above: tuple[float, float], wanted: float, *, halved: bool) -> float:
    (low, lack), (high, excess) = below, above
    if halved or not math.isfinite(excess - lack) or excess <= lack:
        return (low + high) / 2
    return low + (high - low) * min(0.9, max(0.1, (wanted - lack) / (excess - lack)))


def _rise(last: tuple[float, float] | None, here: tuple[float, float], slope: float) -> float | None:
    """How fast the function rises, by two places; not faster than is said, None where it hardly does."""
    if last is None:
        return slope
    found = (here[1] - last[1]) / (here[0] - last[0])
    return min(slope, found) if found > slope / FLATTEST else None


def _along(missing: float, slope: float) -> float:
    """The distance to go, where something is missing; not by too little or too much."""
    if not math.isfinite(missing):
        return math.copysign(FARTHEST, missing)
    distance = missing / slope
    return math.copysign(min(FARTHEST, max(abs(distance), NEAREST)), distance)
