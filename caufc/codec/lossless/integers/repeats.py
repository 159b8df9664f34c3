"""Finding matches: equal grams by sorting their hashes, then a greedy parse (an encoder's freedom).

Two searches: every position by a few elements, and by many elements those positions that their content picks, one in
16. The latter finds what is long, such as repeated rows and documents, in little time.
"""

from __future__ import annotations

from collections.abc import Iterator
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

PICKED = np.uint64(1 << 60)
"""Hashes below are where the long search looks: one in 16."""

BLOCK = 1 << 15

GAP = 64
"""Elements between places of the long search that may be of one match."""

EXTENSION = 16
"""Elements by which a match may go on behind the last gram that says so."""

COMPARED = 12
"""Positions before, in the order of half of the hash, that are compared."""

WALK = 1024
"""Places of a walk."""

WEIGHED = 4096
"""Places whose information is looked at."""


@dataclass(frozen=True)
class Search:
    """How matches are looked for.

    Args:
        gram: elements that must be equal.
        span: elements of the long search.
        longer: of a second search, whose matches come first; 0 for none.
        dense: whether every position is looked at, or those of the long search alone.
    """

    gram: int
    span: int
    longer: int = 0
    dense: bool = True


def _words(values: Integers, first: int, count: int) -> NDArray[np.uint64]:
    """The bytes from each of ``count`` elements on, eight together; zeros behind the last."""
    width = values.itemsize
    data = values[first : first + count + 7].view(np.uint8)
    padded = np.concatenate([data, np.zeros(8, np.uint8)])
    return np.ndarray((count,), "<u8", buffer=padded, strides=(width,))


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    """Stretches of so few elements that work on them stays in the cache: where each starts, and how many."""
    return ((start, min(BLOCK, count - start)) for start in range(0, count, BLOCK))


def _grams(values: Integers, gram: int) -> Hashes:
    """Hashes of ``gram`` elements from each position on ``[n - gram + 1]``."""
    width, out = values.itemsize, np.empty(len(values) - gram + 1, np.uint32)
    for start, count in _blocks(len(out)):
        if gram * width <= 8:
            mixed = _words(values, start, count) << np.uint64(64 - 8 * width * gram)
        else:
            mixed = values[start : start + count].astype(np.uint64)
            for place in range(start + 1, start + gram):
                mixed *= MULTIPLIER
                mixed += values[place : place + count]
        out[start : start + count] = _finished(mixed)
    return out


def _finished(mixed: NDArray[np.uint64]) -> Hashes:
    """Hashes of words, which it overwrites."""
    mixed ^= mixed >> np.uint64(29)
    mixed *= FINISHER
    mixed >>= np.uint64(32)
    return mixed.astype(np.uint32)


def _picked(values: Integers, gram: int, span: int) -> Positions:
    """Positions where the long search looks, with ``span`` elements from there on: the same in equal surroundings.

    Of equal elements in a row none is picked but the first.
    """
    shift, found = np.uint64(64 - 8 * min(8, values.itemsize * gram)), []
    for start, count in _blocks(max(0, len(values) - span + 1)):
        mixed = (_words(values, start, count) << shift) * MULTIPLIER
        picked = mixed < PICKED
        picked[1:] &= mixed[1:] != mixed[:-1]
        found.append(np.flatnonzero(picked) + start)
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _long_grams(values: Integers, at: Positions, span: int) -> Hashes:
    """Hashes of ``span`` elements, whole words of 8 bytes, from some positions on."""
    data = np.concatenate([values.view(np.uint8), np.zeros(8, np.uint8)])
    words: NDArray[Any] = np.ndarray((values.nbytes + 1,), "<u8", buffer=data, strides=(1,))
    first, mixed = at * values.itemsize, np.zeros(len(at), np.uint64)
    for offset in range(0, span * values.itemsize, 8):
        mixed *= MULTIPLIER
        mixed += words[first + offset]
        mixed ^= mixed >> np.uint64(31)
    return _finished(mixed)


def whole_span(values: Integers, elements: int) -> int:
    """At least so many elements, in whole words of 8 bytes."""
    per_word = 8 // values.itemsize
    return -(-elements // per_word) * per_word


def _earlier(hashes: Hashes) -> tuple[Positions, Positions]:
    """Positions whose hash was there before, and how far before; the last time nearly always.

    Positions are sorted by half of the hash; of those that share it, the nearest few are compared.
    """
    order = np.argsort(hashes.astype(np.uint16), kind="stable").astype(np.int32)
    ranked = hashes[order]
    lag = np.zeros(len(hashes), np.uint8)
    for step in range(COMPARED, 0, -1):
        lag[step:][ranked[step:] == ranked[:-step]] = step
    later = np.flatnonzero(lag)
    at = order[later]
    return at.astype(np.int64), (at - order[later - lag[later]]).astype(np.int64)


def repeated_share(values: Integers, search: Search, lengths: NDArray[Any], cost: float) -> float:
    """About the share of all bits that matches save, from one place in 16.

    Args:
        lengths: bits of each value, or of all ``[1]``.
        cost: bits of a match.
    """
    span = whole_span(values, search.span)
    at = _picked(values, search.gram, span)
    if len(at) < 2:
        return 0.0
    found, _ = _earlier(_long_grams(values, at, span))
    if not len(found):
        return 0.0
    some = at[found[:: max(1, len(found) // WEIGHED)]]
    bits = sum(lengths[np.minimum(values[some + place], len(lengths) - 1)] for place in range(span))
    return len(found) / len(at) * float(np.maximum(0, 1 - cost / np.maximum(bits, 1)).mean())


def find_matches(values: Integers, search: Search) -> Matches:
    """Matches of ``values`` with themselves, verified."""
    distance = np.zeros(len(values), np.int32)
    for gram in (search.gram, search.longer) if search.dense else ():
        if gram and len(values) > gram:
            at, back = _earlier(_grams(values, gram))
            distance[at] = back
    long = _long_stretches(values, search)
    distance[long.elements()] = np.repeat(long.distances, long.stops - long.starts)
    found = _verified(values, _parsed(values, distance, search), search.gram)
    return _joined(values, found) if search.dense else found


def _long_stretches(values: Integers, search: Search) -> Matches:
    """Stretches whose picked places repeat at one distance, apart from each other."""
    span = whole_span(values, search.span)
    at = _picked(values, search.gram, span)
    later, steps = _earlier(_long_grams(values, at, span))
    order = np.argsort(later)
    later, steps = later[order], steps[order]
    starts = at[later]
    distances = starts - at[later - steps]
    new = (np.diff(distances, prepend=-1) != 0) | (np.diff(starts, prepend=-1) > GAP)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(starts))[: len(first)] - 1
    found = Matches(starts[first], starts[last] + span, distances[first])
    covered = np.maximum.accumulate(found.stops)
    apart = Matches(np.maximum(found.starts, np.append(0, covered[:-1])[: len(found)]), found.stops, found.distances)
    return apart.chosen(apart.stops > apart.starts)


def _parsed(values: Integers, distance: NDArray[np.int32], search: Search) -> Matches:
    """Greedy, from the first element on; where the next element has a longer match, that one.

    Args:
        distance: to an earlier equal gram ``[n]``, 0 for none.
    """
    runs = _runs(values, distance, search.gram)
    count = len(runs.starts)
    last = np.array([len(values) + 1])
    starts, ends, stops = (np.concatenate([part, last, last]) for part in (runs.starts, runs.ends, runs.stops))
    after = np.searchsorted(runs.ends, runs.stops, side="right")
    entry = np.maximum(runs.stops, starts[after])
    short = stops[after] - entry < search.gram
    after[short] = np.minimum(after[short] + 1, count)
    entry = np.maximum(runs.stops, starts[after])
    lazy = (entry == ends[after] - 1) & (starts[after + 1] == ends[after]) & (stops[after + 1] > stops[after])
    after[lazy] = np.minimum(after[lazy] + 1, count)
    chosen = _greedy(after)
    starts, stops = runs.starts[chosen], runs.stops[chosen]
    before = np.append(0, np.maximum.accumulate(stops)[:-1])[: len(stops)]
    found = Matches(np.maximum(starts, before), stops, runs.distances[chosen].astype(np.int64))
    return found.chosen(found.stops - found.starts >= LEAST_LENGTH)


@dataclass(frozen=True)
class Runs:
    """Stretches of places with one distance.

    Args:
        starts, ends: of the places.
        stops: up to where elements are equal.
        distances: back from each.
    """

    starts: Positions
    ends: Positions
    stops: Positions
    distances: NDArray[np.int32]


def _runs(values: Integers, distance: NDArray[np.int32], gram: int) -> Runs:
    """Runs of places whose elements are equal as far as a gram at least."""
    edges = np.flatnonzero(distance[1:] != distance[:-1]) + 1
    starts, ends = np.append(0, edges), np.append(edges, len(distance))
    back = distance[starts]
    there = np.flatnonzero(back)
    starts, ends, back = starts[there], ends[there], back[there]
    stops = _extended(values, ends, back, gram + EXTENSION)
    long = stops - starts >= gram
    return Runs(starts[long], ends[long], stops[long], back[long])


def _extended(values: Integers, ends: Positions, distances: NDArray[Any], most: int) -> Positions:
    """Up to where elements are equal beyond ``ends``, at most so many."""
    stops = ends.copy()
    live = np.arange(len(stops))
    for _ in range(most):
        at = stops[live]
        inside = at < len(values)
        live, at = live[inside], at[inside]
        live = live[values[at] == values[at - distances[live]]]
        if not len(live):
            break
        stops[live] += 1
    return stops


def _greedy(after: NDArray[np.int64]) -> Positions:
    """Places on the way from the first one, where ``after`` says which one follows each: behind it.

    The way is walked from many places at once, and each walk ends where the next one began: ways soon become one.
    """
    chosen = np.zeros(len(after), np.bool_)
    edges = np.linspace(0, len(after), max(1, len(after) // WALK) + 1).astype(np.int64)
    place, end = edges[:-1], edges[1:]
    while len(place):
        going = place < end
        place, end = place[going], end[going]
        chosen[place] = True
        place = after[place]
    return np.flatnonzero(chosen)


def _verified(values: Integers, found: Matches, least: int) -> Matches:
    """What is equal of matches, in stretches of so many elements at least: equal hashes only promise it."""
    if not len(found):
        return found
    at, number = found.elements(), np.repeat(np.arange(len(found)), found.stops - found.starts)
    equal = values[at] == values[at - found.distances[number]]
    if equal.all():
        return found
    edges = (equal[1:] != equal[:-1]) | (number[1:] != number[:-1])
    first = np.flatnonzero(np.append(True, edges))
    last = np.append(first[1:], len(at)) - 1
    kept = equal[first] & (last - first + 1 >= least)
    first, last = first[kept], last[kept]
    return Matches(at[first], at[last] + 1, found.distances[number[first]])


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
