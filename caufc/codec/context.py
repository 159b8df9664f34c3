"""Contexts: which table codes a symbol. Channels fall into classes of like activity, one table each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bucket import BUCKETS, bucket_of, extra_bits
from .tables import Levels, code_lengths, frequencies_of, levels_of

__all__ = ["MAX_CLASSES", "choose_classes", "coding_order", "histogram", "payload_bits"]

MAX_CLASSES = 16
SEEDS = 48
TABLE_BITS = 8 * 14
"""What one more table costs, about."""

EXTRA = np.array([extra_bits(bucket)[1] for bucket in range(BUCKETS)], dtype=np.float64)


def histogram(symbols: NDArray[np.int32]) -> NDArray[np.int64]:
    """Counts of buckets ``[C, 64]`` of symbols ``[C, N]``."""
    channels = len(symbols)
    keys = bucket_of(symbols) + np.arange(channels, dtype=np.int32)[:, None] * BUCKETS
    return np.bincount(keys.ravel(), minlength=channels * BUCKETS).reshape(channels, BUCKETS)


def _entropy_bits(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Bits to code rows of counts ``[..., A]`` with a table of their own shares."""
    total = counts.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(counts > 0, counts * np.log2(counts), 0).sum(axis=-1)
        outer = np.where(total > 0, total * np.log2(np.maximum(total, 1)), 0)
    result: NDArray[np.float64] = outer - inner
    return result


def choose_classes(counts: NDArray[np.int64], scale: float) -> tuple[NDArray[np.uint8], Levels]:
    """Group channels by activity as far as it pays.

    Args:
        counts: buckets per channel ``[C, 64]``, from a sample of the file.
        scale: how many times more symbols the file has than the sample.

    Returns:
        the class of every channel ``[C]``, and the table of every class as levels ``[K, 64]``.
    """
    if not counts.sum():
        return np.zeros(len(counts), np.uint8), levels_of(np.zeros((1, BUCKETS)))
    order = np.argsort(_activity(counts), kind="stable")
    groups = [part for part in np.array_split(order, min(SEEDS, len(order))) if part.size]
    groups = _merge(groups, counts, scale)
    classes = np.zeros(len(counts), np.uint8)
    for number, group in enumerate(groups):
        classes[group] = number
    return classes, levels_of(np.stack([counts[group].sum(axis=0) for group in groups]))


def _activity(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean logarithmic magnitude of every channel."""
    magnitude = np.log2(1 + np.array([extra_bits(bucket)[0] for bucket in range(BUCKETS)]))
    result: NDArray[np.float64] = (counts * magnitude).sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
    return result


def _merge(groups: list[NDArray[Any]], counts: NDArray[np.int64], scale: float) -> list[NDArray[Any]]:
    """Merge neighbouring groups while a merge costs less than the table and the class map that it saves."""
    sums = [counts[group].sum(axis=0) for group in groups]
    while len(groups) > 1:
        joined = np.stack(sums[:-1]) + np.stack(sums[1:])
        costs = _entropy_bits(np.stack(sums))
        loss = (_entropy_bits(joined) - costs[:-1] - costs[1:]) * scale
        best = int(np.argmin(loss))
        map_bits = len(counts) * (np.log2(len(groups)) - np.log2(len(groups) - 1))
        if len(groups) <= MAX_CLASSES and loss[best] > TABLE_BITS + map_bits:
            break
        groups[best : best + 2] = [np.concatenate(groups[best : best + 2])]
        sums[best : best + 2] = [joined[best]]
    return groups


def payload_bits(counts: NDArray[np.int64], classes: NDArray[np.uint8], levels: Levels) -> float:
    """Bits that the payload of such counts ``[C, 64]`` takes with these classes and tables."""
    by_class = np.zeros(levels.shape, np.int64)
    np.add.at(by_class, classes, counts)
    return float((by_class * (code_lengths(frequencies_of(levels)) + EXTRA)).sum())


def coding_order(classes: NDArray[Any]) -> NDArray[np.intp]:
    """Channels in the order in which they are coded: by class, then by number [CAUF-0210]."""
    return np.argsort(classes, kind="stable")
