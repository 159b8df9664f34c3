"""Charts of a tensor: sizes of channels and tokens, and where its bits go."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.token_order import BANDS, FREQUENCY_BANDS
from ..text import count
from .axis import number_text, percent
from .chart import Series, line_chart
from .colours import spread_of
from .heat_map import legend
from .map_picture import size_map
from .markup import Markup, joined, table, tag
from .outliers import RULE
from .tensor_view import TensorView

__all__ = ["bit_charts", "size_charts"]

SPECIAL_BANDS = ("first special token", "other special tokens")


def size_charts(view: TensorView) -> Markup:
    """Sizes of channels and of tokens, outliers ringed; of values without a layout, nothing."""
    if view.features.kind == "values" or not view.features.matrix.size:
        return joined()
    return joined(
        tag("p", f"Root mean square over what was looked at; {RULE}.", class_="note"),
        tag("div", *_size_charts(view), class_="charts"),
    )


def _size_charts(view: TensorView) -> Iterator[Markup]:
    shown, compared = view.shown, view.comparison
    for what, sizes, marked in (
        ("channel", shown.channel_sizes, shown.outlying_channels),
        ("token", shown.token_sizes, shown.outlying_tokens),
    ):
        lines = [Series("features", sizes)]
        where = what
        if compared is not None:
            lines.append(Series("error", compared.channel_sizes if what == "channel" else compared.token_sizes))
        if what == "token":
            where, lines, marked = _of_tokens(view, lines, marked)
        title = f"{view.name}: size of every {what}; {count(int(marked.sum()), 'outlier')}"
        yield tag("figure", line_chart(lines, where, "root mean square", title=title, marked=marked))


def _of_tokens(
    view: TensorView, lines: list[Series], marked: NDArray[np.bool_]
) -> tuple[str, list[Series], NDArray[np.bool_]]:
    """The tokens of the first drawn sample that has some; of vectors, those of all that are looked at."""
    if view.features.kind == "vectors":
        return "sample, in the order of the file", lines, marked
    drawn = [(view.features.rows(place), name) for place, name in view.drawn]
    rows, name = next(((rows, name) for rows, name in drawn if rows.start < rows.stop), (slice(None), "all samples"))
    return f"token of {name}", [Series(line.name, line.values[rows]) for line in lines], marked[rows]


def bit_charts(view: TensorView) -> Markup:
    """Bits of components, bands and places, estimated from the tables that code the symbols."""
    coded = view.excerpt.coded
    if coded.components is None or not coded.tokens:
        return tag("p", f"The codec '{view.facts['codec']}' does not tell which bits are whose.", class_="note")
    rate = coded.total / (coded.tokens * len(coded.components))
    text = (
        f"Estimated from the tables that code the symbols: {rate:.3g} bits a symbol, "
        f"{coded.total / 8:,.0f} of the {coded.parts.get('symbols', 0):,} bytes of symbols that were decoded"
    )
    stacked = f"; {view.excerpt.stacked} tensors are coded as one" if view.excerpt.stacked > 1 else ""
    return joined(
        tag("p", text, stacked, ".", class_="note"),
        tag("div", *_bit_charts(view, coded.components / coded.tokens), *_bands(view), class_="charts"),
    )


def _bit_charts(view: TensorView, components: NDArray[np.float64]) -> Iterator[Markup]:
    """Of components, whose bits a token are given ``[K]``, and of places of tokens."""
    coded = view.excerpt.coded
    what = "component of the basis" if coded.in_basis else "channel"
    title = f"{view.name}: bits of every {what}"
    yield tag("figure", line_chart([Series("bits", components)], what, "bits a token", title=title))
    line = coded.by_position()
    if line is not None and len(line) > 1:
        where = "frequency (DCT along the tokens)" if coded.spectral else "position of the token, special ones first"
        title = f"{view.name}: bits by {where}"
        yield tag("figure", line_chart([Series("bits", line)], where, "bits a sample", title=title))
    plane = coded.on_grid()
    if plane is not None:
        grid, special = plane
        high = spread_of(np.concatenate([grid.ravel(), special]))[1]
        where = "frequency (DCT), lowest top left" if coded.spectral else "place on the grid"
        title = f"{view.name}: bits by {where}, up to {number_text(float(np.nanmax(grid)))}"
        caption = tag("figcaption", f"bits by {where}: ", legend("0", number_text(high), signed=False))
        yield tag("figure", size_map(grid, special, high, title), caption)


def _bands(view: TensorView) -> Iterator[Markup]:
    """A table of bands, where tokens are frequencies."""
    coded = view.excerpt.coded
    if not coded.spectral or coded.total == 0:
        return
    rows = [
        (
            str(band) if band < FREQUENCY_BANDS else SPECIAL_BANDS[band - FREQUENCY_BANDS],
            f"{coded.band_values[band]:,.0f}",
            f"{coded.bands[band] / coded.band_values[band]:.3g}",
            percent(coded.bands[band] / coded.total),
        )
        for band in range(BANDS)
        if coded.band_values[band]
    ]
    caption = "Bits by band of frequencies, low to high"
    yield table(("band", "symbols", "bits a symbol", "share of bits"), rows, caption=caption, numbers=3)
