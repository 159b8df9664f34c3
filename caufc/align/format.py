"""Format alignment: layouts decide which axes are tokens and which are channels (spec, section 6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.kernels.pieces import in_one_piece, transposed
from ..errors import LayoutError
from ..layouts import GRID_LETTERS, Layout
from ..types import AnyArray
from .base import Tokens

__all__ = ["LayoutAligner", "varying_channels"]

KEPT_SIZES = 256
"""Shapes whose sizes are kept: samples of a file have few, or are many."""


def varying_channels(layout: Layout, one: int, other: int) -> LayoutError:
    """The error for samples that differ in their number of channels."""
    return LayoutError(
        f"layout '{layout}': samples have {min(one, other)} to {max(one, other)} channels",
        remedy="name the axis that varies as a token axis with --layout, or use --lossless",
    )


class LayoutAligner:
    """The format aligner of a layout; equal layouts make equal aligners.

    Tokens are ordered by the grid letters as they stand in the expression, channels by the channel letters; special
    tokens precede the grid.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout.unbatched()
        terms = self.layout.terms
        self.grid_axes = [i for i, term in enumerate(terms) if term[0] in GRID_LETTERS]
        self.channel_axes = [i for i, term in enumerate(terms) if i not in self.grid_axes]
        self._grid, self._channels = ([i + 1 for i in axes] for axes in (self.grid_axes, self.channel_axes))
        self._sizes: dict[tuple[int, ...], tuple[int, int]] = {}
        self.channels_first = bool(self.grid_axes and self.channel_axes and self.channel_axes[-1] < self.grid_axes[-1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayoutAligner) and other.layout == self.layout

    def __hash__(self) -> int:
        return hash(self.layout)

    def __repr__(self) -> str:
        return f"LayoutAligner({self.layout.expression!r})"

    def size(self, shape: Sequence[int]) -> tuple[int, int]:
        """Tokens and channels of a sample of this shape.

        Raises:
            LayoutError: if the layout does not fit the shape.
        """
        known = self._sizes.get(tuple(shape))
        if known is None:
            known = self._size(shape)
            if len(self._sizes) < KEPT_SIZES:
                self._sizes[tuple(shape)] = known
        return known

    def _size(self, shape: Sequence[int]) -> tuple[int, int]:
        if len(shape) != len(self.layout.terms):
            raise LayoutError(
                f"layout '{self.layout}' has {len(self.layout.terms)} axes a sample, {tuple(shape)} has {len(shape)}",
                remedy="give one that fits with --layout, such as 'b c h w' or 'b n c'",
            )
        tokens = math.prod(shape[i] for i in self.grid_axes)
        if tokens < self.layout.special:
            raise LayoutError(f"layout '{self.layout}' needs {self.layout.special} special tokens, there are {tokens}")
        return tokens, math.prod(shape[i] for i in self.channel_axes)

    def groups(self, shape: Sequence[int]) -> int:
        """Groups of channels of a sample of this shape: those of the axis `g`, if it comes before other channels."""
        letters = [self.layout.terms[axis] for axis in self.channel_axes]
        if letters[:1] != ["g"] or len(letters) == 1:
            return 1
        return shape[self.channel_axes[0]]

    def grid(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Token grid of a sample; an axis of joined letters is a square where it can be, else a line."""
        sizes: list[int] = []
        for axis in self.grid_axes:
            size, letters = shape[axis] - self.layout.special, len(self.layout.terms[axis])
            root = math.isqrt(max(size, 0))
            sizes += [root, root] if letters == 2 and root * root == size else [size]
        return tuple(sizes)

    def to_tokens(self, samples: AnyArray | Sequence[AnyArray]) -> Tokens:
        """Stacked samples ``[B, ...]`` or a sequence of samples to tokens ``[N, C]``.

        Raises:
            LayoutError: if the layout does not fit a shape, or samples differ in their number of channels.
        """
        if isinstance(samples, np.ndarray):
            count, shape = len(samples), tuple(samples.shape[1:])
            self.size(shape)
            grids = (self.grid(shape),) * count
            return Tokens(self._matrix(samples), (shape,) * count, grids, self.layout.special, True)
        shapes = tuple(tuple(sample.shape) for sample in samples)
        counts = {self.size(shape)[1] for shape in shapes}
        if len(counts) > 1:
            raise varying_channels(self.layout, min(counts), max(counts))
        matrix = np.concatenate([self._matrix(sample[None]) for sample in samples])
        by_shape = {shape: self.grid(shape) for shape in dict.fromkeys(shapes)}
        return Tokens(matrix, shapes, tuple(by_shape[shape] for shape in shapes), self.layout.special, False)

    def from_tokens(self, tokens: Tokens) -> AnyArray | list[AnyArray]:
        """Tokens ``[N, C]`` back to the samples."""
        if tokens.stacked:
            shape = tokens.shapes[0] if tokens.shapes else (0,) * len(self.layout.terms)
            return self._array(tokens.matrix, len(tokens.shapes), shape)
        out, start = [], 0
        for shape in tokens.shapes:
            stop = start + self.size(shape)[0]
            out.append(self._array(tokens.matrix[start:stop], 1, shape)[0])
            start = stop
        return out

    def _matrix(self, batch: AnyArray) -> NDArray[Any]:
        """``[B, ...]`` to ``[B * N, C]`` in one piece: a view where no copy is needed."""
        tokens, channels = self.size(batch.shape[1:])
        if self.channels_first:
            by_channel = batch.transpose(0, *self._channels, *self._grid).reshape(len(batch), channels, tokens)
            return transposed(by_channel).reshape(len(batch) * tokens, channels)
        return in_one_piece(batch.transpose(0, *self._grid, *self._channels).reshape(len(batch) * tokens, channels))

    def _array(self, matrix: NDArray[Any], count: int, shape: tuple[int, ...]) -> AnyArray:
        """The inverse of :meth:`_matrix`: a view where no copy is needed."""
        full = (count, *shape)
        order = [0, *self._grid, *self._channels]
        if self.channels_first:
            order = [0, *self._channels, *self._grid]
            sizes = (math.prod(full[i] for i in axes) for axes in (self._grid, self._channels))
            matrix = transposed(matrix.reshape(count, *sizes))
        inverse = sorted(range(len(order)), key=order.__getitem__)
        return matrix.reshape([full[i] for i in order]).transpose(inverse)
