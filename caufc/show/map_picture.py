"""Pictures of tokens on their grid as SVG: special tokens above it, outliers framed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .colours import rising_png
from .markup import Markup, tag
from .planes import places
from .png import data_uri, rgb_png

__all__ = ["colour_map", "size_map"]

SIZE = 240
"""Pixels of a picture's longer side."""

SQUARE, GAP = 18, 4
MOST_SPECIAL = SIZE // (SQUARE + GAP)
"""Special tokens that are drawn."""

MOST_SIDE = 160
"""Rows and columns that are drawn, at most."""

MOST_MARKS = 48


def colour_map(
    grid: NDArray[np.uint8], special: NDArray[np.uint8], title: str, marked: NDArray[np.bool_] | None = None
) -> Markup:
    """Tokens as colours.

    Args:
        grid: colours of the tokens ``[H, W, 3]``.
        special: colours of special tokens ``[S, 3]``.
        title: what the picture is, for those who cannot see it.
        marked: which tokens of the grid have a frame ``[H, W]``.
    """
    png = rgb_png(np.ascontiguousarray(_thinned(grid)))
    return _picture(png, grid.shape[:2], [rgb_png(colour[None, None]) for colour in special], title, marked)


def size_map(
    grid: NDArray[np.float64],
    special: NDArray[np.float64],
    high: float,
    title: str,
    marked: NDArray[np.bool_] | None = None,
) -> Markup:
    """Sizes of tokens, from 0 to ``high``; the other arguments are those of :func:`colour_map`, sizes for colours."""
    png = rising_png(_thinned(grid), 0, high)
    squares = [rising_png(np.array([[size]]), 0, high) for size in special.tolist()]
    return _picture(png, (len(grid), grid.shape[1]), squares, title, marked)


def _thinned(grid: NDArray[Any]) -> NDArray[Any]:
    """Some rows and columns of a large grid, evenly."""
    return grid[places(len(grid), MOST_SIDE)][:, places(grid.shape[1], MOST_SIDE)]


def _picture(
    png: bytes, shape: Sequence[int], special: Sequence[bytes], title: str, marked: NDArray[np.bool_] | None
) -> Markup:
    cell = SIZE / max(*shape, 1)
    width, height = shape[1] * cell, shape[0] * cell
    top = SQUARE + 2 * GAP if special else 0
    parts = [tag("title", title)]
    for number, square in enumerate(special[:MOST_SPECIAL]):
        parts.append(_image(square, number * (SQUARE + GAP), GAP, SQUARE, SQUARE))
    parts.append(_image(png, 0, top, width, height))
    for row, column in np.argwhere(marked)[:MOST_MARKS].tolist() if marked is not None else ():
        place = {"x": round(column * cell, 2), "y": round(top + row * cell, 2), "width": cell, "height": cell}
        parts += [tag("rect", class_="halo", **place), tag("rect", class_="cell", **place)]
    box = f"0 0 {SIZE} {top + height:g}"
    return tag("svg", *parts, class_="map", viewBox=box, role="img", aria_label=title)


def _image(png: bytes, x: float, y: float, width: float, height: float) -> Markup:
    return tag("image", href=data_uri(png), x=x, y=y, width=width, height=height, preserveAspectRatio="none")
