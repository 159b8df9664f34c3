"""Heat maps as SVG: tokens by channels, with axes, tokens' colours beside them and outliers marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .axis import Axis, number_text
from .colours import RISING, SIGNED, rising_png, signed_png
from .markup import Markup, joined, tag
from .planes import binned, places
from .png import data_uri, palette_png, rgb_png

__all__ = ["HeatMap", "heat_map", "legend"]

WIDTH, NARROW = 560, 372
"""Pixels of a heat map, and of one of three beside each other."""

LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 36
STRIP = 12
"""Pixels of the tokens' colours."""

MOST_ROWS, MOST_COLUMNS, FEW_COLUMNS = 160, 320, 200
LOWEST, HIGHEST = 110, 320
"""Pixels of the height of rows."""

MOST_MARKS = 24


@dataclass(frozen=True)
class HeatMap:
    """What a heat map shows.

    Args:
        plane: tokens by channels ``[T, C]``.
        title: what it is, for those who cannot see it.
        row: what a row is.
        column: what a column is.
        scale: of signed values; None for sizes.
        top: the end of the scale of sizes, which begins at 0.
        colours: of the tokens ``[T, 3]``; None for none.
        rows, columns: outliers, which are marked.
        narrow: whether three stand beside each other.
    """

    plane: NDArray[Any]
    title: str
    row: str = "token"
    column: str = "channel"
    scale: float | None = None
    top: float = 1.0
    colours: NDArray[np.uint8] | None = None
    rows: Sequence[int] = ()
    columns: Sequence[int] = ()
    narrow: bool = False

    @property
    def width(self) -> int:
        """Pixels."""
        return NARROW if self.narrow else WIDTH


def heat_map(map_: HeatMap) -> Markup:
    """The heat map as ``<svg>``; of many rows some are drawn, and of many columns the largest value of a few."""
    height, width = map_.plane.shape
    chosen = places(height, MOST_ROWS)
    plane, each = binned(map_.plane[chosen], FEW_COLUMNS if map_.narrow else MOST_COLUMNS)
    png = rising_png(plane, 0, map_.top) if map_.scale is None else signed_png(plane, map_.scale)
    inside = min(HIGHEST, max(LOWEST, 3 * len(chosen)))
    left = LEFT + (0 if map_.colours is None else STRIP + 4)
    x = Axis(
        map_.column if each < 2 else f"{map_.column} (largest of each {each})",
        0,
        width,
        left,
        map_.width - RIGHT,
        whole=True,
    )
    few = "" if len(chosen) == height else f" ({len(chosen)} of {height:,} drawn)"
    y = Axis(f"{map_.row}{few}", 0, height, TOP, TOP + inside, whole=True)
    parts = [tag("title", map_.title), _image(png, left, TOP, map_.width - RIGHT - left, inside)]
    if map_.colours is not None:
        parts.append(_image(rgb_png(map_.colours[chosen][:, None]), LEFT, TOP, STRIP, inside))
    parts += [_axes(x, y), *_marks(map_, x, y)]
    box = f"0 0 {map_.width} {TOP + inside + BOTTOM}"
    return tag("svg", *parts, class_="plot", viewBox=box, role="img", aria_label=map_.title)


def legend(low: str, high: str, *, signed: bool) -> Markup:
    """A bar of a palette's colours between what its ends mean."""
    palette = SIGNED if signed else RISING
    bar = palette_png(np.arange(len(palette) - 1, dtype=np.uint8)[None], palette)
    return tag("span", low, tag("img", src=data_uri(bar), alt="to", class_="scale"), high, class_="legend")


def _image(png: bytes, x: float, y: float, width: float, height: float) -> Markup:
    return tag("image", href=data_uri(png), x=x, y=y, width=width, height=height, preserveAspectRatio="none")


def _axes(x: Axis, y: Axis) -> Markup:
    parts = [tag("rect", x=x.start, y=y.start, width=x.stop - x.start, height=y.stop - y.start, class_="frame")]
    for tick in x.ticks:
        left = round(x.place(tick), 1)
        parts.append(tag("path", d=f"M{left:g} {y.stop:g}v4", class_="tick"))
        parts.append(tag("text", number_text(tick), x=left, y=y.stop + 15, class_="middle"))
    for tick in y.ticks:
        top = round(y.place(tick), 1)
        parts.append(tag("text", number_text(tick), x=LEFT - 5, y=top + 4, class_="end"))
    parts.append(tag("text", x.label, x=(x.start + x.stop) / 2, y=y.stop + 31, class_="middle"))
    middle = (y.start + y.stop) / 2
    parts.append(tag("text", y.label, transform=f"translate(10 {middle:g}) rotate(-90)", class_="middle"))
    return joined(*parts)


def _marks(map_: HeatMap, x: Axis, y: Axis) -> list[Markup]:
    """Triangles at the edges that point to outliers."""
    parts = []
    for column in list(map_.columns)[:MOST_MARKS]:
        left = x.place(column + 0.5)
        told = tag("title", f"outlier: {map_.column} {column}")
        parts.append(tag("path", told, d=f"M{left:.1f} {y.start - 1:g}l-4 -8h8z", class_="mark"))
    for row in list(map_.rows)[:MOST_MARKS]:
        top = y.place(row + 0.5)
        told = tag("title", f"outlier: {map_.row} {row}")
        parts.append(tag("path", told, d=f"M{x.stop + 1:g} {top:.1f}l8 -4v8z", class_="mark"))
    return parts
