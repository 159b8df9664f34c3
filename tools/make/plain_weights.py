"""Weights of the learned codec in a few bytes: one number for every element, deflated."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.bitstream import varint

__all__ = ["ENCODER", "body", "plain_arrays", "plain_sections"]

FORMS = {12: (4, "<u2"), 13: (2, "<f4"), 14: (2, "<f4"), 15: (3, "u1"), 16: (3, "u1"), 17: (1, "<i2"), 18: (2, "<i4"),
         19: (3, "u1"), 20: (1, "<i2"), 21: (2, "<f4"), 22: (1, "<i2"), 23: (2, "<f4"), 24: (1, "<i2"),
         25: (2, "<f4")}  # fmt: skip
"""By type: element, and how its numbers are stored."""

ENCODER = (13, 22, 23, 24, 25)


def plain_arrays(
    n: int = 1, m: int = 1, rates: int = 1, flags: int = 0, encoder: bool = False
) -> dict[int, NDArray[Any]]:
    """Sections by type, of a network that gives zeros for zeros."""
    blocks = [m * 256] * flags
    conv, norm = n * n * 25, n * n
    synthesis = sum([n * m * 25, norm, conv, norm, conv, norm, n * 25, *blocks])
    analysis = sum([n * 25, norm, conv, norm, conv, norm, m * n * 25, *blocks])
    outputs = {17: 2 * n + m, 20: 6 * n + 1 + flags * m, 22: 6 * n + m + flags * m, 24: 3 * n}
    counts = {
        14: rates * m,
        15: 64 * 64,
        16: rates * n * 64,
        17: 2 * conv + m * n * 9,
        18: outputs[17],
        19: outputs[17],
    }
    counts |= {20: synthesis, 21: 2 * outputs[20]}
    if encoder:
        counts |= {13: rates * m, 22: analysis, 23: 2 * outputs[22], 24: n * m * 9 + 2 * conv, 25: 2 * outputs[24]}
    number = {13: 1, 14: 1, 15: 1, 16: 1, 19: 1}
    found = {kind: np.full(count, number.get(kind, 0), FORMS[kind][1]) for kind, count in counts.items()}
    return {12: np.array([n, m, rates, flags], "<u2"), **dict(sorted(found.items()))}


def body(kind: int, array: NDArray[Any]) -> bytes:
    """The body of a deflated section of tensor 0."""
    data = zlib.compress(array.astype(FORMS[kind][1]).tobytes(), 9)[2:-4]
    return varint(kind) + bytes([0, FORMS[kind][0], 1]) + data


def plain_sections(arrays: Mapping[int, NDArray[Any]]) -> list[bytes]:
    """The bodies of all sections."""
    return [body(kind, array) for kind, array in arrays.items()]
