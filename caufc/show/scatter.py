"""Points on their two first principal components, as SVG."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .axis import Axis, percent
from .chart import frame
from .components import Components
from .markup import Markup, tag

__all__ = ["scatter"]

WIDTH, HEIGHT = 460, 400
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 24, 40
MARGIN = 0.04


def scatter(tokens: NDArray[np.floating], components: Components, marked: NDArray[np.bool_], title: str) -> Markup:
    """Tokens ``[N, C]`` as points of their colours; those that are marked ``[N]`` have a ring."""
    points = components.of(tokens)[:, :2]
    shares = [
        f"component {number + 1} ({percent(share)} of the variance)" for number, share in enumerate(components.shares)
    ]
    x = Axis(shares[0], *_ends(points[:, 0]), LEFT, WIDTH - RIGHT)
    y = Axis(shares[1], *_ends(points[:, 1]), HEIGHT - BOTTOM, TOP)
    parts = [tag("title", title), frame(x, y)]
    for (across, up), colour in zip(points.tolist(), components.colours(tokens).tolist(), strict=True):
        place = {"cx": round(x.place(across), 1), "cy": round(y.place(up), 1)}
        parts.append(tag("circle", r=3, fill="#{:02x}{:02x}{:02x}".format(*colour), class_="point", **place))
    for number in np.flatnonzero(marked).tolist():
        place = {"cx": round(x.place(points[number, 0]), 1), "cy": round(y.place(points[number, 1]), 1)}
        parts.append(tag("circle", tag("title", f"outlier {number}"), r=6, class_="ring", **place))
    return tag("svg", *parts, class_="plot", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title)


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    spread = (high - low) or 1.0
    return low - MARGIN * spread, high + MARGIN * spread
