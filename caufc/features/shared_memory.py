"""Arrays whose values, or that of two of them, lie in the same memory: writing one changes others."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from ..types import AnyArray

__all__ = ["overlaps", "sharing"]

MOST_WORK = 10_000
"""Of numpy, to find out whether two arrays that lie across each other have a byte in common."""


def overlaps(array: AnyArray) -> bool:
    """Whether values of an array may share memory, as in views that are broadcast or have strides of their own.

    Slices, transposes and diagonals of an array that does not overlap do not: from the smallest stride on, each leads
    beyond all that those before it reach.
    """
    if array.flags.c_contiguous or not array.size:
        return False
    reach = array.itemsize
    for stride, size in sorted((abs(stride), size) for stride, size in zip(array.strides, array.shape, strict=True)):
        if size == 1:
            continue
        if stride < reach:
            return True
        reach += stride * (size - 1)
    return False


def sharing(named: Iterable[tuple[AnyArray, str]]) -> tuple[str, str] | None:
    """Names of two arrays that share memory, if neighbours in it do; None if none do."""
    placed = sorted(((*_bounds(array), name, array) for array, name in named if array.size), key=lambda one: one[:2])
    for (_, stop, name, array), (start, _, other_name, other) in itertools.pairwise(placed):
        if start < stop and _share(array, other):
            return name, other_name
    return None


def _bounds(array: AnyArray) -> tuple[int, int]:
    """Addresses of the first byte, and behind the last."""
    low = high = array.__array_interface__["data"][0]
    for stride, size in zip(array.strides, array.shape, strict=True):
        low, high = low + min(0, stride * (size - 1)), high + max(0, stride * (size - 1))
    return low, high + array.itemsize


def _share(array: AnyArray, other: AnyArray) -> bool:
    try:
        return np.shares_memory(array, other, max_work=MOST_WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return False
