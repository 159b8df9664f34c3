"""Roles of axes: which are tokens and which channels, all ways that may be meant, the usual one first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from enum import Enum

from ..coders.config import MAX_CHANNELS
from ..layouts import CHANNEL_LETTERS, GRID_LETTERS, Layout

__all__ = ["Kind", "Roles", "Sizes", "channels_of", "layout_of", "role_candidates", "usual_roles"]

Roles = tuple[bool, ...]
"""Of every axis of a sample: whether it is one of tokens."""

Sizes = tuple[int | None, ...]
"""Of every axis of a sample; None where it varies between samples."""

TOKEN_LETTERS = {0: "", 1: "n", 2: "hw", 3: "thw", 4: "nthw"}

MOST_FREE_AXES = 6
JOINED_CHANNELS = 2048
"""Channels up to which whole samples of two axes or more may be vectors: a basis of all of them pays."""


class Kind(Enum):
    """What names say of tensors: nothing, that they are hidden states, or keys or values of a cache."""

    UNKNOWN = 0
    STATES = 1
    CACHE = 2


def usual_roles(sizes: Sizes, tokens: Collection[int] = (), kind: Kind = Kind.UNKNOWN) -> Roles | None:
    """The roles that a tensor of such samples most likely has; None for a scalar, and where letters do not suffice.

    Args:
        sizes: of a sample's axes.
        tokens: axes that are known to be of tokens.
        kind: what its name says.
    """
    if not sizes or len(sizes) > len(GRID_LETTERS) + len(CHANNEL_LETTERS) or len(tokens) > len(GRID_LETTERS):
        return None
    free = [axis for axis, size in enumerate(sizes) if size != 1 and axis not in tokens]
    chosen = set(tokens)
    if not tokens:
        chosen |= {free[place] for place in _usual_places([sizes[axis] or 0 for axis in free], kind)}
    return _lettered([axis in chosen for axis in range(len(sizes))], sizes)


def _usual_places(sizes: Sequence[int], kind: Kind) -> Collection[int]:
    """Which of the axes that have a size are tokens, where nothing else is known."""
    count = len(sizes)
    if count <= 2:
        return range(count - 1)
    if count == 3 and kind is Kind.CACHE:
        return (1,)
    if count == 3 and kind is Kind.STATES and sizes[1] != sizes[2]:
        return (0,)
    if count == 3 and sizes[0] == sizes[1] != sizes[2]:
        return (0, 1)
    return range(max(1, count - 4 if count > 5 else count - 3 if count > 4 else 1), count)


def _lettered(roles: Sequence[bool], sizes: Sizes) -> Roles:
    """The roles, with axes of size 1 as usual where that fits, and others on the side where letters suffice."""
    places = _usual_places([size or 0 for size in sizes], Kind.UNKNOWN)
    common = tuple(axis in places for axis in range(len(sizes)))
    alike = all(a == b for a, b, size in zip(common, roles, sizes, strict=True) if size != 1)
    if alike and common.count(False) <= len(CHANNEL_LETTERS):
        return common
    found = list(roles)
    for axis in sorted(range(len(sizes)), key=lambda axis: sizes[axis] != 1):
        if not found[axis] and found.count(False) > len(CHANNEL_LETTERS):
            found[axis] = True
    return tuple(found)


def role_candidates(sizes: Sizes, usual: Roles, tokens: Collection[int], kind: Kind, *, samples: int) -> list[Roles]:
    """All roles that may be meant, the usual ones first.

    Args:
        sizes: of a sample's axes.
        usual: roles.
        tokens: axes that are known to be of tokens.
        kind: what the name says.
        samples: how many there are.
    """
    free = [axis for axis, size in enumerate(sizes) if size != 1 and axis not in tokens]
    if kind is not Kind.UNKNOWN and free and len(free) + len(tokens) > 1 and _ends_in_channels(sizes, free, kind):
        free = free[:-1]
    found = [usual]
    for chosen in itertools.product((True, False), repeat=min(len(free), MOST_FREE_AXES)):
        named = {*tokens, *(axis for axis, is_token in zip(free, chosen, strict=False) if is_token)}
        roles = _lettered([axis in named for axis in range(len(sizes))], sizes)
        if roles not in found and _possible(roles, sizes, kind, samples):
            found.append(roles)
    return [roles for roles in found if channels_of(roles, sizes) <= MAX_CHANNELS] or [usual]


def _ends_in_channels(sizes: Sizes, free: Sequence[int], kind: Kind) -> bool:
    """Whether the last axis must be of channels: of caches always, of states unless they may be maps."""
    maps = len([size for size in sizes if size != 1]) >= 3 and sizes[-1] == sizes[-2]
    return free[-1] == len(sizes) - 1 and (kind is Kind.CACHE or not maps)


def _possible(roles: Roles, sizes: Sizes, kind: Kind, samples: int) -> bool:
    real = [is_token for is_token, size in zip(roles, sizes, strict=True) if size != 1]
    tokens = sum(roles)
    if tokens > len(GRID_LETTERS) or len(roles) - tokens > len(CHANNEL_LETTERS):
        return False
    if kind is Kind.CACHE and sum(real) > 1 and len(real) <= 3:
        return False
    if len(real) > 1 and not any(real):
        return kind is Kind.UNKNOWN and samples > 1 and channels_of(roles, sizes) <= JOINED_CHANNELS
    return True


def channels_of(roles: Roles, sizes: Sizes) -> int:
    """How many channels tokens have; axes that vary count as 1."""
    return math.prod(size or 1 for is_token, size in zip(roles, sizes, strict=True) if not is_token)


def layout_of(roles: Roles) -> Layout:
    """The layout of a sample with such roles; of two axes of channels the first are groups."""
    count = sum(roles)
    others = len(roles) - count
    letters = {0: "", 1: "c", 2: "gd" if count == 1 else "gc", 3: "gcd"}[others]
    tokens, channels = iter(TOKEN_LETTERS[count]), iter(letters)
    return Layout(" ".join(next(tokens if is_token else channels) for is_token in roles))
