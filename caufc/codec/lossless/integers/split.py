"""Nodes that split integers into groups by their place: by channel, codebook, or the parts of a record (spec, 11.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....bitstream import Cursor, varint
from ....errors import MalformedError
from .nodes import Child, Integers, Kind, unsigned

__all__ = ["decode_split", "group_parts", "split"]


def _pieces(values: Integers, inner: int, groups: NDArray[Any]) -> tuple[Integers, Integers, NDArray[Any]]:
    """Views of the whole periods ``[periods, places, inner]`` and of the rest, and the rest's groups.

    Args:
        values: ``[n]``; element i stands at place ``i // inner % period``.
        groups: of each place ``[period]``.
    """
    block = inner * len(groups)
    whole = len(values) // block * block
    rest = values[whole:]
    return values[:whole].reshape(-1, len(groups), inner), rest, groups[np.arange(len(rest)) // inner]


def group_parts(values: Integers, inner: int, groups: NDArray[Any]) -> list[Integers]:
    """The elements of each group, in order."""
    table, rest, behind = _pieces(values, inner, groups)
    return [
        np.concatenate([table[:, groups == group].ravel(), rest[behind == group]])
        for group in range(int(groups.max()) + 1)
    ]


def split(inner: int, period: int, groups: bytes, parts: Sequence[bytes]) -> bytes:
    """Nodes of the groups of places, then of each group that has elements."""
    return bytes([Kind.SPLIT]) + varint(inner) + varint(period) + groups + b"".join(parts)


def decode_split(cursor: Cursor, count: int, width: int, child: Child) -> Integers:
    """Groups put back in their places [CAUF-0532]."""
    inner, period = cursor.varint(), cursor.varint()
    if not 0 < inner * period <= count:
        raise MalformedError(f"{period} places of {inner} for {count} integers", requirement=532)
    groups = child(period, 1)
    if not np.bincount(groups).all():
        raise MalformedError("a group without places", requirement=532)
    sizes = [len(part) for part in group_parts(np.empty(count, np.uint8), inner, groups)]
    parts = [child(size, width) for size in sizes]
    out = np.empty(count, unsigned(width))
    table, rest, behind = _pieces(out, inner, groups)
    for group, part in enumerate(parts):
        places, last = np.flatnonzero(groups == group), np.flatnonzero(behind == group)
        edge = len(part) - len(last)
        table[:, places] = part[:edge].reshape(len(table), len(places), inner)
        rest[last] = part[edge:]
    return out
