"""Finding matches: equal grams by sorting their hashes, then a greedy parse (an encoder's freedom).

Two searches: every position by a few elements, and positions whose hash says so by many. The latter finds what is long,
such as repeated rows and documents, in a sixteenth of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .matches import LEAST_LENGTH, Matches, Positions, stretches
from .nodes import Integers

__all__ = ["Search", "find_matches", "repeated_share"]

Hashes = NDArray[np.uint32]

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
FINISHER = np.uint64(0xBF58476D1CE4E5B9)

PICKED = 15
"""Bits of a hash that are 0 where the long search looks."""

GAP = 512
"""Elements between places of the long search that may be of one match."""

EXTENSION = 16
"""Elements by which a match may go on behind the last gram that says so."""

MOST_TABLE_BITS = 22


@dataclass(frozen=True)
class Search:
    """How matches are looked for.

    Args:
        gram: elements that must be equal, at most 8.
        longer: of a second search, whose matches come first; 0 for none.
        dense: whether every position is looked at, or those of the long search alone.
    """

    gram: int
    longer: int = 0
    dense: bool = True


def _grams(values: Integers, gram: int) -> Hashes:
    """Hashes of ``gram`` elements from each position on ``[n - gram + 1]``."""
    width, count = values.itemsize, len(values) - gram + 1
    if gram * width <= 8:
        padded = np.concatenate([values.view(np.uint8), np.zeros(8, np.uint8)])
        words: NDArray[Any] = np.ndarray((count,), "<u8", buffer=padded, strides=(width,))
        return _finished(words << np.uint64(64 - 8 * width * gram))
    mixed = values[:count].astype(np.uint64)
    for place in range(1, gram):
        mixed *= MULTIPLIER
        mixed += values[place : place + count]
    return _finished(mixed)


def _finished(mixed: NDArray[np.uint64]) -> Hashes:
    mixed = mixed ^ (mixed >> np.uint64(29))
    return (mixed * FINISHER >> np.uint64(32)).astype(np.uint32)


def _long_grams(hashes: Hashes, gram: int, at: Positions, parts: int) -> Hashes:
    """Hashes of ``gram * parts`` elements from some positions on."""
    mixed = np.zeros(len(at), np.uint64)
    for part in range(parts):
        mixed *= MULTIPLIER
        mixed += hashes[at + gram * part]
    return _finished(mixed)


def _earlier(hashes: Hashes) -> tuple[Positions, Positions]:
    """Positions whose hash was there before, ascending, and how far before the last time."""
    bits = min(MOST_TABLE_BITS, max(8, len(hashes).bit_length() + 1))
    short = hashes >> np.uint32(32 - bits)
    often = np.bincount(short, minlength=1 << bits) > 1
    where = np.flatnonzero(often[short])
    kept = hashes[where]
    order = np.argsort(kept.astype(np.uint16), kind="stable")
    order = order[np.argsort((kept >> np.uint32(16)).astype(np.uint16)[order], kind="stable")]
    ranked = kept[order]
    same = np.flatnonzero(ranked[1:] == ranked[:-1])
    source = np.full(len(where), -1, np.int64)
    source[order[same + 1]] = order[same]
    later = np.flatnonzero(source >= 0)
    return where[later], where[later] - where[source[later]]


def _picked(hashes: Hashes, most: int) -> Positions:
    """Positions before ``most`` that the long search looks at."""
    return np.flatnonzero((hashes[: max(most, 0)] & np.uint32(PICKED)) == 0)


def repeated_share(values: Integers, gram: int, parts: int) -> float:
    """The share of places where ``gram * parts`` elements are equal to earlier ones, from one place in 16."""
    if len(values) < gram * parts + 1:
        return 0.0
    hashes = _grams(values, gram)
    at = _picked(hashes, len(hashes) - gram * (parts - 1))
    found, _ = _earlier(_long_grams(hashes, gram, at, parts))
    return len(found) / max(1, len(at))


def find_matches(values: Integers, search: Search) -> Matches:
    """Matches of ``values`` with themselves, verified."""
    if len(values) < search.gram + 1:
        nothing = np.empty(0, np.int64)
        return Matches(nothing, nothing, nothing)
    hashes = _grams(values, search.gram)
    distance = np.zeros(len(values), np.int32)
    if search.dense:
        at, back = _earlier(hashes)
        distance[at] = back
    if search.dense and search.longer and len(values) > search.longer:
        at, back = _earlier(_grams(values, search.longer))
        distance[at] = back
    long = _long_stretches(hashes, search.gram, 8)
    distance[long.elements()] = np.repeat(long.distances, long.stops - long.starts)
    return _joined(values, _verified(values, _parsed(values, distance, search)))


def _long_stretches(hashes: Hashes, gram: int, parts: int) -> Matches:
    """Stretches whose picked places repeat at one distance, apart from each other."""
    at = _picked(hashes, len(hashes) - gram * (parts - 1))
    later, steps = _earlier(_long_grams(hashes, gram, at, parts))
    starts = at[later]
    distances = starts - at[later - steps]
    new = (np.diff(distances, prepend=-1) != 0) | (np.diff(starts, prepend=-1) > GAP)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(starts))[: len(first)] - 1
    found = Matches(starts[first], starts[last] + gram * parts, distances[first])
    covered = np.maximum.accumulate(found.stops)
    apart = Matches(np.maximum(found.starts, np.append(0, covered[:-1])[: len(found)]), found.stops, found.distances)
    return apart.chosen(apart.stops > apart.starts)


def _parsed(values: Integers, distance: NDArray[np.int32], search: Search) -> Matches:
    """Greedy, from the first element on; where the next place has a longer match, that one.

    Args:
        distance: to an earlier equal gram ``[n]``, 0 for none.
    """
    at = np.flatnonzero(distance)
    back = distance[at]
    new = (np.diff(at, prepend=-2) != 1) | (np.diff(back, prepend=-1) != 0)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(at))[: len(first)] - 1
    stops = _extended(values, at[last] + 1, back[first], search.gram + EXTENSION)[np.cumsum(new) - 1]
    length = stops - at
    useful = length >= search.gram
    useful[:-1] &= (np.diff(at) != 1) | (length[1:] <= length[:-1])
    at, back, stops = at[useful], back[useful], stops[useful]
    after = memoryview(np.searchsorted(at, stops))
    places, place = [], 0
    while place < len(at):
        places.append(place)
        place = after[place]
    chosen = np.array(places, np.int64)
    return Matches(at[chosen], stops[chosen], back[chosen].astype(np.int64))


def _extended(values: Integers, stops: Positions, distances: NDArray[Any], most: int) -> Positions:
    """Where matches end if they go on as long as elements are equal, at most so many."""
    live = np.arange(len(stops))
    for _ in range(most):
        live = live[stops[live] < len(values)]
        live = live[values[stops[live]] == values[stops[live] - distances[live]]]
        if not len(live):
            break
        stops[live] += 1
    return stops


def _verified(values: Integers, found: Matches) -> Matches:
    """Matches without those that only hashes made."""
    if not len(found):
        return found
    at = found.elements()
    lengths = found.stops - found.starts
    wrong = values[at] != values[at - np.repeat(found.distances, lengths)]
    if not wrong.any():
        return found
    return found.chosen(~np.logical_or.reduceat(wrong, np.cumsum(lengths) - lengths))


def _joined(values: Integers, found: Matches) -> Matches:
    """With what repeats, behind a match, at its own distance: single elements may differ within a copy."""
    if not len(found):
        return found
    begins, ends = found.stops, np.append(found.starts[1:], len(values))
    at, back = stretches(begins, ends), np.repeat(found.distances, ends - begins)
    equal = values[at] == values[at - back]
    edge = np.diff(at, prepend=-2) != 1
    starts = np.flatnonzero(equal & (edge | ~np.append(False, equal[:-1])))
    stops = np.flatnonzero(equal & (np.append(edge[1:], True) | ~np.append(equal[1:], False))) + 1
    more = Matches(at[starts], at[stops - 1] + 1, back[starts])
    more = more.chosen(more.stops - more.starts >= LEAST_LENGTH)
    order = np.argsort(np.concatenate([found.starts, more.starts]), kind="stable")
    both = Matches(
        np.concatenate([found.starts, more.starts])[order],
        np.concatenate([found.stops, more.stops])[order],
        np.concatenate([found.distances, more.distances])[order],
    )
    new = np.append(True, (both.starts[1:] != both.stops[:-1]) | (both.distances[1:] != both.distances[:-1]))
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(both)) - 1
    return Matches(both.starts[first], both.stops[last], both.distances[first])
