"""The looked-at samples of a tensor as tokens x channels, or as rows of values where no layout says what is a token."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner
from ..coders.config import TensorConfig
from ..coders.dtypes import to_floats
from ..errors import LayoutError
from ..types import FLOATS, FOREIGN, AnyArray
from .outliers import outliers_of, sizes_of
from .planes import on_plane

__all__ = ["Features", "Kind", "features_of"]

Kind = Literal["map", "sequence", "vectors", "values"]
"""How features are drawn: on a grid, along a line, as points, or as rows of numbers."""


@dataclass(frozen=True)
class Features:
    """Samples of a tensor.

    Args:
        kind: how they are drawn.
        matrix: tokens x channels of all samples ``[N, C]``, in floats.
        grids: token grid of every sample, special tokens not counted; one row each for values without a layout.
        special: tokens before the grid of every sample.
    """

    kind: Kind
    matrix: NDArray[Any]
    grids: tuple[tuple[int, ...], ...]
    special: int = 0

    @cached_property
    def _bounds(self) -> list[int]:
        sizes = [self.special + math.prod(grid) for grid in self.grids]
        return list(itertools.accumulate(sizes, initial=0))

    def rows(self, sample: int) -> slice:
        """Tokens of the sample at a place of the choice."""
        return slice(self._bounds[sample], self._bounds[sample + 1])

    def on_grid(self, tokens: NDArray[Any], sample: int, fill: float) -> tuple[NDArray[Any], NDArray[Any]]:
        """What tokens ``[T, ...]`` of a sample have, as rows and columns ``[H, W, ...]``; and special tokens' apart."""
        return on_plane(tokens[self.special :], self.grids[sample], fill), tokens[: self.special]

    @cached_property
    def token_sizes(self) -> NDArray[np.float64]:
        """Root mean square of every token ``[N]``."""
        return sizes_of(self.matrix, axis=1)

    @cached_property
    def channel_sizes(self) -> NDArray[np.float64]:
        """Root mean square of every channel ``[C]``."""
        return sizes_of(self.matrix, axis=0)

    @cached_property
    def outlying_tokens(self) -> NDArray[np.bool_]:
        """Which tokens are outliers ``[N]``."""
        return outliers_of(self.token_sizes)

    @cached_property
    def outlying_channels(self) -> NDArray[np.bool_]:
        """Which channels are outliers ``[C]``."""
        return outliers_of(self.channel_sizes)


def features_of(config: TensorConfig, samples: Sequence[AnyArray], dtype: str | None = None) -> Features:
    """Samples of a tensor.

    Args:
        config: of the tensor.
        samples: in the numpy form of its dtype, or as floats.
        dtype: of the samples; None for the tensor's, ``fp64`` for floats of any kind.
    """
    dtype = config.dtype if dtype is None else dtype
    if config.layout is not None and dtype in FLOATS:
        aligner = LayoutAligner(config.layout)
        try:
            tokens = aligner.to_tokens([_floats(sample, dtype) for sample in samples])
        except LayoutError:  # samples without loss may differ in their channels
            return _values(samples, dtype)
        axes = max((len(grid) for grid in tokens.grids), default=0)
        kind: Kind = "map" if axes > 1 else "sequence" if axes else "vectors"
        return Features(kind, tokens.matrix, tokens.grids, tokens.special)
    return _values(samples, dtype)


def _floats(sample: AnyArray, dtype: str) -> NDArray[Any]:
    if sample.dtype.kind == "f" or (dtype in FOREIGN and dtype != "bf16"):
        return sample.astype(np.float64 if sample.dtype.itemsize == 8 else np.float32, copy=False)
    return to_floats(sample, dtype) if dtype in FLOATS else sample.astype(np.float64)


def _values(samples: Sequence[AnyArray], dtype: str) -> Features:
    """Rows of values: those of the last axis, filled up with NaN where samples differ in length."""
    planes = [_floats(sample, dtype).reshape(_rows_of(sample.shape)) for sample in samples]
    width = max((plane.shape[1] for plane in planes), default=0)
    padded = [
        np.pad(plane.astype(float), ((0, 0), (0, width - plane.shape[1])), constant_values=np.nan) for plane in planes
    ]
    matrix = np.concatenate([np.empty((0, width)), *padded])
    return Features("values", matrix, tuple((len(plane),) for plane in planes))


def _rows_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a sample of values."""
    return math.prod(shape[:-1]), shape[-1] if shape else 1
