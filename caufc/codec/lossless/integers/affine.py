"""Nodes of arithmetic: integers in fewer bytes above a base, and differences (spec, section 11.1)."""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np

from ....bitstream import Cursor, varint
from ....errors import MalformedError
from .nodes import WIDTHS, Child, Integers, Kind, unsigned

__all__ = [
    "Delta",
    "decode_delta",
    "decode_narrow",
    "delta",
    "differences",
    "narrow",
    "narrowed",
    "range_of",
    "start_of",
]

STEPPED = 16
"""Flag of a narrow node whose integers are multiples of a step above the base."""

MOST_BASE, MOST_START = 1 << 62, 1 << 63
STEP_PROBES = 64
"""Elements after which most sequences are known to have no common step."""


def _varint_of(value: int) -> bytes:
    """A signed integer, signs alternating: 0, -1, 1, -2 ..."""
    return varint(2 * value if value >= 0 else -2 * value - 1)


def _signed(code: int) -> int:
    return code >> 1 ^ -(code & 1)


def range_of(values: Integers) -> tuple[int, int]:
    """The ends of the shortest range that holds all, read as unsigned or as two's complement."""
    low, high = int(values.min()), int(values.max())
    half = 1 << 8 * values.itemsize - 1
    if high < half:
        return low, high
    signed = values.view(f"<i{values.itemsize}")
    below, above = int(signed.min()), int(signed.max())
    return (below, above) if above - below < high - low else (low, high)


def narrowed(values: Integers, low: int, high: int) -> tuple[Integers, int, int]:
    """Integers in as few bytes as hold them, and the base and the step to go back.

    Args:
        values: all within ``low`` to ``high``, see :func:`range_of`.
    """
    base = low if (low < 0 or 8 * low > high - low) and abs(low) < MOST_BASE else 0
    if low < base:
        return values, 0, 1
    shifted = values - np.array(base % (1 << 8 * values.itemsize), values.dtype) if base else values
    step = _step_of(shifted) if high - base > 1 else 1
    if step > 1:
        shifted = shifted // np.array(step, values.dtype)
    top = (high - base) // step
    width = next((width for width in WIDTHS if 0 <= top < 1 << 8 * width), values.itemsize)
    return shifted.astype(unsigned(min(width, values.itemsize)), copy=False), base, step


def _step_of(values: Integers) -> int:
    """What all are multiples of."""
    step = math.gcd(*values[:STEP_PROBES].tolist())
    if step < 2 or step >= MOST_BASE:
        return 1
    few = values[:: max(1, len(values) // 4096)]
    step = math.gcd(step, *few.tolist())
    return step if step > 1 and not (values % np.array(step, values.dtype)).any() else 1


def narrow(base: int, step: int, width: int, of: bytes) -> bytes:
    """``of``: the node of ``(values - base) / step``, in ``width`` bytes."""
    stepped = step > 1
    head = bytes([Kind.NARROW, width | STEPPED * stepped]) + _varint_of(base)
    return head + (varint(step) if stepped else b"") + of


def decode_narrow(cursor: Cursor, count: int, width: int, child: Child) -> Integers:
    """``base + step * child`` modulo the width [CAUF-0524]."""
    form = cursor.byte()
    narrower = form & ~STEPPED
    if narrower not in WIDTHS or narrower > width:
        raise MalformedError(f"integers of {width} bytes in form {form}", requirement=524)
    base = _signed(cursor.varint())
    step = cursor.varint() if form & STEPPED else 1
    if step < 1 + bool(form & STEPPED):
        raise MalformedError(f"a step of {step}", requirement=524)
    found = child(count, narrower).astype(unsigned(width), copy=False)
    mask = (1 << 8 * width) - 1
    if step > 1:
        found *= np.array(step & mask, found.dtype)
    if base:
        found += np.array(base & mask, found.dtype)
    return found


class Delta(IntEnum):
    """How an integer follows from an earlier one and the child's."""

    PLUS = 0
    ZIGZAG = 1
    XOR = 2


def differences(values: Integers, stride: int, mode: Delta, start: int) -> Integers:
    """What to add to the integer ``stride`` elements before; in front of the first stand integers ``start``."""
    before = np.concatenate([np.full(stride, start, values.dtype), values[:-stride]])
    if mode == Delta.XOR:
        return np.asarray(values ^ before)
    change: Integers = values - before
    if mode == Delta.PLUS:
        return change
    sign = change.view(f"<i{values.itemsize}") >> (8 * values.itemsize - 1)
    return np.asarray((change << 1) ^ sign.view(values.dtype))


def start_of(values: Integers, stride: int, mode: Delta) -> int:
    """What to begin differences from, 0 if it is large: the first integer, or what makes the first two alike."""
    first = int(values[0])
    if mode == Delta.PLUS and stride == 1:
        first = (2 * first - int(values[1])) % (1 << 8 * values.itemsize)
    return first if first < MOST_START else 0


def delta(mode: Delta, stride: int, start: int, of: bytes) -> bytes:
    """``of``: the node of :func:`differences`."""
    return bytes([Kind.DELTA, mode]) + varint(stride) + varint(start) + of


def decode_delta(cursor: Cursor, count: int, width: int, child: Child) -> Integers:
    """Sums with the integer a stride before [CAUF-0525]."""
    mode, stride, start = cursor.byte(), cursor.varint(), cursor.varint()
    if mode not in list(Delta) or not 0 < stride < count or start >= 1 << 8 * width:
        raise MalformedError(f"differences of mode {mode}, {stride} apart, from {start}", requirement=525)
    found = child(count, width)
    if mode == Delta.ZIGZAG:
        found = (found >> 1) ^ (found & 1) * found.dtype.type((1 << 8 * width) - 1)
    first = found[:stride]
    join = np.bitwise_xor if mode == Delta.XOR else np.add
    join(first, found.dtype.type(start), out=first)
    whole = count // stride * stride
    table = found[:whole].reshape(-1, stride)
    join.accumulate(table, axis=0, out=table)
    tail = found[whole:]
    join(tail, table[-1, : count - whole], out=tail)
    return found
