"""Planes of values, made small enough for a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["binned", "on_plane", "places"]


def places(size: int, most: int) -> NDArray[np.intp]:
    """At most so many of ``size`` places, evenly, the first and the last among them."""
    return np.arange(size) if size <= most else np.linspace(0, size - 1, most).astype(np.intp)


def binned(plane: NDArray[Any], columns: int) -> tuple[NDArray[Any], int]:
    """A plane ``[H, W]`` with at most so many columns, and how many of the old ones each new one stands for.

    The value of the largest magnitude stands for its neighbours, so that no outlier disappears.
    """
    width = plane.shape[1]
    each = math.ceil(width / columns) if width else 1
    if each == 1:
        return plane, 1
    padded = np.zeros((len(plane), math.ceil(width / each) * each), plane.dtype)
    padded[:, :width] = plane
    parts = padded.reshape(len(plane), -1, each)
    sizes = np.where(np.isfinite(parts), np.abs(parts), np.inf)
    return np.take_along_axis(parts, sizes.argmax(axis=2)[..., None], axis=2)[..., 0], each


def on_plane(values: NDArray[Any], grid: Sequence[int], fill: float) -> NDArray[Any]:
    """Values of tokens ``[T, ...]`` as rows and columns ``[H, W, ...]`` of their grid.

    Of a grid of more than two axes, such as that of a video, planes stand beside and below each other, with a gap of
    ``fill`` between them.
    """
    *lead, height, width = (1, 1, *grid)[-max(2, len(grid)) :]
    planes = values.reshape(-1, height, width, *values.shape[1:])
    if math.prod(lead) == 1:
        alone: NDArray[Any] = planes[0]
        return alone
    across = math.isqrt(len(planes) - 1) + 1
    down = -(-len(planes) // across)
    framed = np.full((down * across, height + 1, width + 1, *values.shape[1:]), fill, values.dtype)
    framed[: len(planes), :height, :width] = planes
    rows = framed.reshape(down, across, *framed.shape[1:]).swapaxes(1, 2)
    whole: NDArray[Any] = rows.reshape(down * (height + 1), across * (width + 1), *values.shape[1:])
    return whole[:-1, :-1]
