"""Line charts as SVG: sizes by channel or token, outliers marked, and bits by component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .axis import Axis, number_text
from .markup import Markup, joined, tag

__all__ = ["Series", "frame", "line_chart"]

WIDTH, HEIGHT = 560, 210
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 24, 40

LETTER = 8.0
"""Pixels of a letter of the legend, at most."""

MOST_POINTS = 400
MOST_LABELS = 6
MOST_MARKS = 64
"""Outliers that have a mark; the largest."""

LOG_FROM = 20
"""A chart whose largest value is so many times its median has a logarithmic axis; chosen by hand."""

LOWEST, LOG_DECADES = 0.02, 1e-6
"""Such an axis begins below all but this share of the values, and spans no more than this."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """A line.

    Args:
        name: of what it shows.
        values: one per place ``[n]``.
    """

    name: str
    values: Floats


def line_chart(
    series: Sequence[Series], x_label: str, y_label: str, *, title: str, marked: NDArray[np.bool_] | None = None
) -> Markup:
    """Lines over the same places, each point the largest of its neighbours where there are too many.

    Args:
        series: one or two; the second is dashed.
        x_label: what the places are.
        y_label: what the values are, with their unit.
        title: what the chart says, for those who cannot see it.
        marked: which places of the first line are marked ``[n]``.
    """
    count = len(series[0].values)
    each = -(-count // MOST_POINTS)
    x = Axis(
        x_label if each < 2 else f"{x_label} (largest of each {each})",
        0,
        max(1, count - 1),
        LEFT,
        WIDTH - RIGHT,
        whole=True,
    )
    y = _y_axis(series, y_label)
    lines = [_line(line, number, each, x, y) for number, line in enumerate(series)]
    marks = [] if marked is None else _marks(series[0].values, marked, x, y)
    inner = joined(tag("title", title), frame(x, y), *lines, *marks, *_legend(series))
    return tag("svg", inner, class_="plot", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title)


def frame(x: Axis, y: Axis) -> Markup:
    """Grid lines, ticks and labels of two axes; y runs upwards."""
    parts = []
    for tick in y.ticks:
        height = round(y.place(tick), 1)
        parts.append(tag("path", d=f"M{x.start:g} {height:g}H{x.stop:g}", class_="grid"))
        parts.append(tag("text", number_text(tick), x=x.start - 6, y=height + 4, class_="end"))
    for tick in x.ticks:
        left = round(x.place(tick), 1)
        parts.append(tag("path", d=f"M{left:g} {y.start:g}v4", class_="tick"))
        parts.append(tag("text", number_text(tick), x=left, y=y.start + 15, class_="middle"))
    parts.append(tag("path", d=f"M{x.start:g} {y.stop:g}V{y.start:g}H{x.stop:g}", class_="frame"))
    parts.append(tag("text", x.label, x=(x.start + x.stop) / 2, y=y.start + 31, class_="middle"))
    parts.append(tag("text", y.label, x=4, y=13))
    return joined(*parts)


def _y_axis(series: Sequence[Series], label: str) -> Axis:
    values = np.concatenate([line.values for line in series])
    values = values[np.isfinite(values)]
    high = float(values.max(initial=0)) or 1.0
    positive = values[values > 0]
    log = len(positive) > 0 and high > LOG_FROM * float(np.median(positive))
    if not log:
        return Axis(label, 0, high, HEIGHT - BOTTOM, TOP)
    low = max(float(np.quantile(positive, LOWEST)) / 2, high * LOG_DECADES)
    return Axis(f"{label}, logarithmic", low, max(high, 1.001 * low), HEIGHT - BOTTOM, TOP, log=True)


def _line(line: Series, number: int, each: int, x: Axis, y: Axis) -> Markup:
    points = [float(np.nanmax(line.values[start : start + each])) for start in range(0, len(line.values), each)]
    places = [f"{x.place(place * each):.1f} {y.place(value):.1f}" for place, value in enumerate(points)]
    if len(places) == 1:
        return tag("circle", cx=places[0].split()[0], cy=places[0].split()[1], r=3, class_=f"dot{number}")
    return tag("path", d=f"M{'L'.join(places)}", class_=f"line{number}")


def _marks(values: Floats, marked: NDArray[np.bool_], x: Axis, y: Axis) -> list[Markup]:
    """Rings around the largest that are marked, and the numbers of a few."""
    found = np.flatnonzero(marked)
    largest = found[np.argsort(-values[found], kind="stable")][:MOST_MARKS].tolist()
    parts = []
    for rank, place in enumerate(largest):
        left, top = round(x.place(place), 1), round(y.place(float(values[place])), 1)
        told = tag("title", f"outlier {place}: {number_text(float(values[place]))}")
        parts.append(tag("circle", told, cx=left, cy=top, r=4, class_="ring"))
        if rank < MOST_LABELS:
            side = "end" if left > WIDTH - 60 else None
            parts.append(tag("text", str(place), x=left - 7 if side else left + 7, y=top + 4, class_=side))
    return parts


def _legend(series: Sequence[Series]) -> list[Markup]:
    if len(series) < 2:
        return []
    parts, left = [], float(WIDTH - RIGHT)
    for number, line in reversed(list(enumerate(series))):
        parts.append(tag("text", line.name, x=left, y=13, class_="end"))
        left -= LETTER * len(line.name) + 6
        parts.append(tag("path", d=f"M{left - 22:g} 9H{left:g}", class_=f"line{number}"))
        left -= 36
    return parts
