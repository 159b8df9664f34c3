"""Which turns undo the positions in keys of a cache: those of usual bases, where that makes tokens alike."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner, Turns, positions_of
from ..align.turns import CIRCLE
from ..coders.dtypes import to_floats
from ..layouts import Layout
from .layout_names import kind_of
from .layout_roles import Kind
from .source import Source, SourceTensor

__all__ = ["found_turns", "searched_first"]

BASES = (1e4, 2.5e4, 5e4, 1e5, 1.5e5, 2.5e5, 3e5, 5e5, 6e5, 1e6, 1.5e6, 2e6, 5e6, 8e6, 1e7)
"""Bases of rotary positions that language models use."""

STRETCHED = (5e5, 1e4)
"""Bases whose low frequencies models of long contexts stretch."""

STRETCHES = (8.0, 32.0)
LOW, HIGH, CONTEXT = 1.0, 4.0, 8192
"""How far such models stretch them, wavelengths in parts of the context between which stretching sets in, and that
context: Llama 3's."""

SHARES = (1.0, 0.5, 0.25)
"""Shares of a head's channels that are turned."""

SAMPLE_VALUES = 1 << 16
FEWEST_TOKENS = 16
"""Tokens of a sample, on average, below which positions hardly show."""

HEADS = range(8, 513, 2)
"""Channels of a head."""

ALIKE = 0.999
"""Of candidates that do as well but for such a share, which few tokens cannot tell, the first is the usual one."""

LEAST_GAIN = 0.04
"""Bits a value that turns must save."""

NOISE = 0.1
"""Deviation of errors against that of values, at which they are counted."""

MOST_SEARCHED = 8
"""Alike tensors that are searched before the others, which have no turns if none of these has."""

Codes = NDArray[np.int32]


def searched_first(tensors: Sequence[SourceTensor]) -> list[int]:
    """Numbers of the tensors that tell whether a file has turns: some of those of each shape, keys and values alike.

    Every odd number of tensors one is taken, as keys and values mostly take turns.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for number, tensor in enumerate(tensors):
        alike.setdefault(tensor.shape(0) if tensor.leaves else (), []).append(number)
    return sorted(number for numbers in alike.values() for number in numbers[:: len(numbers) // MOST_SEARCHED | 1])


def found_turns(
    source: Source, tensor: SourceTensor, layout: Layout | None, known: Sequence[Codes] = ()
) -> Codes | None:
    """Turns of a tensor of keys ``[1 + C]``; None where none make its tokens alike.

    Args:
        source: the input.
        tensor: one of its tensors.
        layout: of the tensor.
        known: turns of other tensors of the file: a network has one kind, and no others are tried.
    """
    width = _head(source, tensor, layout)
    if layout is None or width is None:
        return None
    matrix, positions = _sample(source, tensor, layout)
    if len(matrix) < FEWEST_TOKENS:
        return None
    channels = matrix.shape[1]
    codes = next((codes for codes in known if len(codes) == 1 + channels), None)
    if codes is None:
        candidates = list(_candidates(width))
        likeness = [_likeness(matrix, positions, codes) for codes in candidates]
        best = candidates[int(np.argmax(np.array(likeness) >= ALIKE * max(likeness)))]
        codes = _of_all_heads(best, channels // width)
    turned = Turns(codes, channels).undone(matrix, positions)
    return codes if _bits(matrix, width) - _bits(turned, width) > LEAST_GAIN else None


def _head(source: Source, tensor: SourceTensor, layout: Layout | None) -> int | None:
    """Channels of a head, if the tensor may have turned keys: a cache's, one line of tokens."""
    if layout is None or not source.samples or kind_of(tensor.name) is not Kind.CACHE:
        return None
    aligner, shape = LayoutAligner(layout), tensor.shape(0)
    lines = [len(aligner.layout.terms[axis]) for axis in aligner.grid_axes]
    tokens = tensor.numel / max(1, source.samples * math.prod(shape[axis] for axis in aligner.channel_axes))
    width = shape[aligner.channel_axes[-1]] if aligner.channel_axes else 0
    return width if lines == [1] and width in HEADS and tokens >= FEWEST_TOKENS else None


def _sample(source: Source, tensor: SourceTensor, layout: Layout) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Finite tokens ``[N, C]`` of some samples, and their positions."""
    aligner = LayoutAligner(layout)
    wanted = max(1, min(source.samples, math.ceil(SAMPLE_VALUES * source.samples / max(1, tensor.numel))))
    every = source.samples // wanted
    blocks = [tensor.block(number, number + 1)[0] for number in range(0, every * wanted, every)]
    tokens = aligner.to_tokens([to_floats(block, tensor.dtype) for block in blocks])
    matrix = np.where(np.isfinite(tokens.matrix), tokens.matrix, 0).astype(np.float32, copy=False)
    sizes = [aligner.size(shape)[0] for shape in tokens.shapes]
    return np.clip(matrix, -1e9, 1e9), positions_of(sizes)


def _candidates(width: int) -> Iterator[Codes]:
    """Turns of one head ``[1 + width]``, by base, share and pairing."""
    for share, halved in itertools.product(SHARES, (True, False)):
        turned = 2 * int(share * width / 2)
        for frequencies in _frequencies(turned):
            codes = np.zeros(1 + width, np.int32)
            codes[0] = turned // 2 if halved else 1
            first = np.arange(turned // 2) * (1 if halved else 2)
            codes[1 + first] = np.rint(frequencies / (2 * np.pi) * CIRCLE)
            yield codes


def _frequencies(turned: int) -> Iterator[NDArray[np.float64]]:
    """Angles per token of the pairs, in radians."""
    exponents = np.arange(0, turned, 2) / max(1, turned)
    for base in BASES:
        yield base**-exponents
    for base, factor in itertools.product(STRETCHED, STRETCHES):
        frequencies = base**-exponents
        rounds = CONTEXT * frequencies / (2 * np.pi)
        kept = np.clip((rounds - LOW) / (HIGH - LOW), 0, 1)
        yield frequencies * (kept + (1 - kept) / factor)


def _of_all_heads(codes: Codes, heads: int) -> Codes:
    return np.concatenate([codes[:1], np.tile(codes[1:], heads)]).astype(np.int32)


def _likeness(matrix: NDArray[Any], positions: NDArray[np.int64], codes: Codes) -> float:
    """The energy of the mean of tokens once they are turned back."""
    width = len(codes) - 1
    heads = matrix.reshape(len(matrix), -1, width)
    first = np.flatnonzero(codes[1:])
    pairs = heads[:, :, first] + 1j * heads[:, :, first + int(codes[0])]
    angles = np.outer(positions, codes[1:][first].astype(np.int64)) % CIRCLE * (2 * np.pi / CIRCLE)
    means = np.einsum("nhp,np->hp", pairs, np.exp(-1j * angles).astype(np.complex64)) / max(1, len(matrix))
    others = np.delete(np.arange(width), [first, first + int(codes[0])])
    rest = heads[:, :, others].mean(axis=0, dtype=np.float64)
    return float(np.square(np.abs(means)).sum() + np.square(rest).sum())


def _bits(matrix: NDArray[Any], width: int) -> float:
    """Bits a value that heads take in bases of their own, at one noise."""
    centred = matrix - matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
    noise = NOISE**2 * float(np.mean(np.square(matrix, dtype=np.float64)))
    if not noise:
        return 0.0
    parts = np.split(centred.astype(np.float64), matrix.shape[1] // width, axis=1)
    variances = np.concatenate([np.linalg.eigvalsh(part.T @ part / len(part)) for part in parts])
    return float(np.mean(np.maximum(0, 0.5 * np.log2(np.maximum(variances, 1e-300) / noise))))
