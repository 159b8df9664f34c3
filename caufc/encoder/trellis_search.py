"""The search for dependent indices: the Viterbi algorithm over a trellis of four states, token by token.

An encoder's freedom: any indices decode. See :mod:`caufc.codec.transform.trellis` for what they stand for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import kernels
from ..codec.kernels.pieces import in_one_piece
from ..codec.transform.quantize import MAX_INDEX

__all__ = ["dependent_quantize"]

LOT, MOST = 1 << 18, 2048
"""Values and tokens that are searched at a time, at most, so that they stay in the processor's caches; by timing."""

SLAB = 8192
"""Values whose errors are found at a time."""

NEAR = 8.0
"""Steps within which a magnitude is looked at; beyond, an even number of steps is set aside."""

HALF_SHIFTS = np.array([[0], [0.5]], np.float32)
UNREACHED = np.float32(1e30)

Values = NDArray[Any]
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def dependent_quantize(
    values: Values, inverse_steps: Values | float, bands: Bytes, costs: Values | None
) -> NDArray[np.int32]:
    """Values ``[N, K]`` to indices with the least sum of squared errors and costs in each token.

    The choice is, in every half and parity, between the nearest index and 0.

    Args:
        values: finite.
        inverse_steps: 1 over the distance of two points of a half, broadcastable.
        bands: of the tokens ``[N]``.
        costs: of every band and channel ``[2, 16, K]``, in squared steps: what a magnitude of 1 costs more than 0, and
            what every further one costs; None for nothing.

    Indices are clipped to 27 bits; what that changes, exact storage must mend.
    """
    if kernels.quantizer is not None and values.dtype == np.float32:
        return _compiled(values, inverse_steps, bands, costs)
    indices = np.empty(values.shape, np.int32)
    turned = None if costs is None else np.ascontiguousarray(costs.swapaxes(1, 2), np.float32)
    lot = min(MOST, LOT // min(LOT, max(1, values.shape[1])))
    for start in range(0, len(values), lot):
        rows = slice(start, start + lot)
        steps = inverse_steps[rows] if isinstance(inverse_steps, np.ndarray) else inverse_steps
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (values[rows] * np.asarray(steps, values.dtype)).T
        whole, near = _set_aside(np.abs(scaled))
        chosen = _search(near, None if turned is None else turned[:, :, bands[rows]])
        indices[rows] = np.copysign(chosen + whole, scaled).T
    return indices


def _compiled(values: Values, inverse_steps: Values | float, bands: Bytes, costs: Values | None) -> NDArray[np.int32]:
    """The same by the kernel."""
    indices = np.empty(values.shape, np.int32)
    with np.errstate(over="ignore"):
        inverse = np.ascontiguousarray(inverse_steps, np.float32).ravel()
    kernels.quantizer.trellis(
        in_one_piece(values),
        inverse,
        np.ascontiguousarray(bands),
        None if costs is None else np.ascontiguousarray(costs, np.float32),
        indices,
        *values.shape,
    )
    return indices


def _set_aside(magnitudes: Values) -> tuple[Values, Floats]:
    """Even numbers of steps, and what is left, which float32 holds well."""
    magnitudes = np.fmin(magnitudes, magnitudes.dtype.type(MAX_INDEX - 2 * NEAR))
    whole = 2 * np.floor(np.maximum(magnitudes - NEAR, 0) / 2)
    return whole, np.ascontiguousarray(magnitudes - whole, np.float32)


def _search(near: Floats, costs: Floats | None) -> Floats:
    """Magnitudes of indices ``[K, n]`` along each token's cheapest path.

    A state says which half the next index belongs to (times 2) and which the one after it would, were the next even.

    Args:
        near: magnitudes in steps ``[K, n]``.
        costs: of every channel and token ``[2, K, n]``, or None.
    """
    length, count = near.shape
    path, following = np.full((2, 2, count), UNREACHED), np.empty((2, 2, count), np.float32)
    path[0, 0] = 0
    kept, turned = np.empty_like(path), np.empty_like(path)
    came = np.empty((length, 2, 2, count), np.bool_)
    zeros = np.empty((length, 2, count), np.bool_)
    slab = max(1, SLAB // max(1, count))
    for first in range(0, length, slab):
        there = slice(first, first + slab)
        errors, zeros[there] = _errors(near[there], None if costs is None else costs[:, there])
        for position, error in enumerate(errors, first):
            np.add(path[:, :1], error, out=kept)
            np.add(path[:, 1:], error[:, ::-1], out=turned)
            np.less(turned, kept, out=came[position])
            np.minimum(kept, turned, out=following.transpose(1, 0, 2))
            path, following = following, path
    halves, odd = _traced(came, np.argmin(path.reshape(4, count), axis=0))
    return _magnitudes(near, halves, odd, zeros)


def _shifted(near: Floats) -> tuple[Floats, Floats]:
    """For both halves ``[k, 2, n]``: magnitudes of which indices are the nearest integers, and the nearest even one."""
    places = near[:, None] + HALF_SHIFTS
    even = 2 * np.rint(places / 2)
    return places, even


def _errors(near: Floats, costs: Floats | None) -> tuple[Floats, NDArray[np.bool_]]:
    """Cost of the best even and odd index in each half ``[k, 2, 2, n]``; where the best even one is 0 ``[k, 2, n]``.

    All are less what ``near`` further magnitudes cost, which no choice changes.
    """
    places, even = _shifted(near)
    off = places - even
    errors = np.empty((len(near), 2, 2, near.shape[1]), np.float32)
    best, other = errors[:, :, 0], errors[:, :, 1]
    np.square(off, out=best)
    np.multiply(np.abs(off), np.float32(-2), out=other)
    other += 1
    none = np.square(near)
    if costs is not None:
        first, further = costs[:, :, None]
        best += first + further * (HALF_SHIFTS - 1 - off)
        other += np.copysign(further, off)
        none -= costs[1] * near
    other += best
    np.copyto(none, UNREACHED, where=near >= NEAR)
    zeros = (even == 0) | (none[:, None] < best)
    np.copyto(best, none[:, None], where=zeros)
    return errors, zeros


def _traced(came: NDArray[np.bool_], state: NDArray[np.intp]) -> tuple[Bytes, NDArray[np.bool_]]:
    """Half and parity of every index ``[K, n]``, back from the last state ``[n]``."""
    length, _, _, count = came.shape
    halves, odd = np.empty((length, count), np.uint8), np.empty((length, count), np.bool_)
    every = np.arange(count)
    flat = came.reshape(length, 4 * count)
    for position in range(length - 1, -1, -1):
        half, parity = state & 1, state >> 1
        turned = flat[position, (2 * half + parity) * count + every]
        halves[position] = half
        np.not_equal(parity, turned, out=odd[position])
        state = 2 * half + turned
    return halves, odd


def _magnitudes(near: Floats, halves: Bytes, odd: NDArray[np.bool_], zeros: NDArray[np.bool_]) -> Floats:
    """The best index of each half and parity that was chosen ``[K, n]``."""
    places = near + np.float32(0.5) * halves
    even = 2 * np.rint(places / 2)
    zero = np.where(halves, zeros[:, 1], zeros[:, 0])
    found: Floats = np.where(odd, even + np.copysign(np.float32(1), places - even), np.where(zero, np.float32(0), even))
    return found
