"""Drawn samples of a tensor: on their grid, as heat maps, or as points; beside them original and error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .axis import number_text
from .colours import scale_of, spread_of
from .comparison import decibels
from .features import Features
from .heat_map import HeatMap, heat_map, legend
from .map_picture import colour_map, size_map
from .markup import NOTHING, Markup, joined, tag
from .scatter import scatter
from .tensor_view import TensorView

__all__ = ["pictures"]

EMPTY = tag("p", "No values.", class_="note")

GREY = 128
"""Between the planes of a grid of more than two axes."""

MOST_HEAT_MAPS = 2
"""Samples that are drawn as heat maps, where nobody names any."""


def pictures(view: TensorView) -> Markup:
    """The pictures of a tensor, with what their colours mean."""
    if not view.features.matrix.size:
        return tag("p", "No values to draw.", class_="note")
    if view.features.kind == "map":
        return joined(*_maps(view))
    if view.features.kind == "sequence":
        return joined(*_sequences(view))
    return joined(*_rows(view))


def _figure(picture: Markup, caption: str, kind: str | None = None) -> Markup:
    return tag("figure", picture, tag("figcaption", caption), class_=kind)


def _maps(view: TensorView) -> Iterator[Markup]:
    high = spread_of(view.shown.token_sizes)[1]
    top = _error_top(view)
    yield tag(
        "p",
        "Colours: the three first principal components of a token are its red, green and blue, 2 % to 98 % of their "
        "range. Size: root mean square over channels, ",
        legend("0", number_text(high), signed=False),
        ", outliers framed",
        *(() if view.comparison is None else (". Error, likewise: ", legend("0", number_text(top), signed=False))),
        ". Squares above a picture: special tokens." if view.features.special else ".",
        class_="note",
    )
    for place, name in view.drawn:
        yield tag("div", tag("h4", name, _snr(view, place)), *_map(view, place, name, high, top), class_="sample")


def _map(view: TensorView, place: int, name: str, high: float, top: float) -> Iterator[Markup]:
    rows = view.features.rows(place)
    if not view.features.matrix[rows].size:
        yield EMPTY
        return
    for what, features in _sides(view):
        colours = features.on_grid(view.components.colours(features.matrix[rows]), place, GREY)
        yield _figure(colour_map(*colours, f"{view.name}, {name}, {what}: tokens as colours"), what)
    if view.comparison is not None:
        errors = view.features.on_grid(view.comparison.token_sizes[rows], place, np.nan)
        title = f"{view.name}, {name}: error of tokens, up to {number_text(float(view.comparison.token_sizes.max()))}"
        yield _figure(size_map(*errors, top, title), "error")
    sizes = view.shown.on_grid(view.shown.token_sizes[rows], place, np.nan)
    marked = view.shown.on_grid(view.shown.outlying_tokens[rows], place, False)[0]
    title = f"{view.name}, {name}: size of tokens, {int(marked.sum())} of them outliers"
    yield _figure(size_map(*sizes, high, title, marked), "size")


def _sides(view: TensorView) -> list[tuple[str, Features]]:
    if view.comparison is None:
        return [("features", view.features)]
    return [("original", view.comparison.original), ("decoded", view.features)]


def _snr(view: TensorView, place: int) -> str:
    if view.comparison is None:
        return ""
    return f": SNR {decibels(view.comparison.snr_db(view.features.rows(place)))}"


def _error_top(view: TensorView) -> float:
    return 1.0 if view.comparison is None else spread_of(view.comparison.token_sizes)[1]


def _sequences(view: TensorView) -> Iterator[Markup]:
    yield _heat_note(view, "The strip beside the tokens has their colours: the three first principal components.")
    for place, name in view.drawn if view.choice.named else view.drawn[:MOST_HEAT_MAPS]:
        rows = view.features.rows(place)
        drawn = _heat_maps(view, rows, name) if view.features.matrix[rows].size else [EMPTY]
        yield tag("div", tag("h4", name, _snr(view, place)), *drawn, class_="sample")


def _rows(view: TensorView) -> Iterator[Markup]:
    """Vectors, or values without a layout: all looked-at samples one below another, and vectors as points."""
    vectors = view.features.kind == "vectors"
    row = "sample" if vectors else "row"
    yield _heat_note(view, "A row is one sample of those that are looked at." if vectors else "A row is the last axis.")
    snr = "" if view.comparison is None else f": SNR {decibels(view.comparison.distortion.snr_db)}"
    head = tag("h4", f"{'samples' if vectors else 'values'}, one below another", snr)
    yield tag("div", head, *_heat_maps(view, slice(None), "", row), class_="sample")
    if vectors and view.components.shares[0] > 0:
        title = f"{view.name}: samples on their two first principal components"
        points = scatter(view.features.matrix, view.components, view.features.outlying_tokens, title)
        yield tag(
            "div", _figure(points, "samples on their two first components, outliers ringed", "points"), class_="sample"
        )


def _heat_note(view: TensorView, more: str) -> Markup:
    scale = scale_of(view.shown.matrix)
    error = NOTHING
    if view.comparison is not None:
        reach = scale_of(view.comparison.error)
        error = joined(" Error: ", legend(number_text(-reach), number_text(reach), signed=True), ".")
    return tag(
        "p",
        "Values: ",
        legend(number_text(-scale), number_text(scale), signed=True),
        ", 99 % of them within; grey: no finite value. ",
        "" if view.features.kind == "values" else "Triangles at the edges point to outliers. ",
        more,
        error,
        class_="note",
    )


def _heat_maps(view: TensorView, rows: slice, name: str, row: str = "token") -> Iterator[Markup]:
    scale = scale_of(view.shown.matrix)
    coloured = view.features.kind != "values"
    marked_rows = np.flatnonzero(view.shown.outlying_tokens[rows]).tolist() if coloured else []
    marked_columns = np.flatnonzero(view.shown.outlying_channels).tolist() if coloured else []
    column = "channel" if coloured else "value"
    narrow = view.comparison is not None
    kind = "third" if narrow else "wide"
    for what, features in _sides(view):
        part = features.matrix[rows]
        title = ", ".join(filter(None, (view.name, name, f"{what}: {row}s by {column}s")))
        colours = view.components.colours(part) if coloured else None
        drawn = HeatMap(part, title, row, column, scale, colours=colours, rows=marked_rows, columns=marked_columns)
        yield _figure(heat_map(replace(drawn, narrow=narrow)), what, kind)
    if view.comparison is not None:
        title = ", ".join(filter(None, (view.name, name, f"error: {row}s by {column}s")))
        error = view.comparison.error
        drawn = HeatMap(error[rows], title, row, column, scale_of(error), narrow=True)
        yield _figure(heat_map(drawn), "error", kind)
