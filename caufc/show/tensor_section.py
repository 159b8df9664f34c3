"""The section of a tensor on a page: facts, pictures, charts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..text import count, shape_text, size
from ..types import FOREIGN
from .axis import number_text, percent
from .features import Features
from .markup import Markup, shortened, table, tag
from .tensor_charts import bit_charts, size_charts
from .tensor_pictures import pictures
from .tensor_view import TensorView

__all__ = ["tensor_section"]

MOST_LISTED = 12
"""Outliers that are listed by their number."""

BITS = FOREIGN.keys() - {"bf16"}
"""dtypes whose values are shown as their bits."""

PARTS = {
    "statistics": "statistics of tokens",
    "scales": "scales of tokens",
    "patches": "values stored exactly",
    "symbols": "symbols",
}


def tensor_section(view: TensorView) -> Markup:
    """Facts, pictures and charts of a tensor."""
    facts = table(("what", "is"), _facts(view), caption=f"Facts of {view.name}", numbers=0)
    return tag(
        "section",
        tag("h3", view.name),
        facts,
        pictures(view),
        tag("h4", "Sizes of channels and tokens") if view.features.kind != "values" else "",
        size_charts(view),
        tag("h4", "Where its bits go"),
        bit_charts(view),
    )


def _facts(view: TensorView) -> Sequence[tuple[str, str]]:
    facts = view.facts
    layout = f", layout '{facts['layout']}'" if facts["layout"] else ", no layout"
    tap = f", tap '{shortened(facts['tap'])}'" if facts["tap"] else ""
    rows = [
        ("a sample", f"{shape_text(facts['shape'])} {facts['dtype']}{layout}{tap}"),
        ("codec", f"{facts['codec']}, alignment {facts['alignment']}"),
        ("payload", f"{size(facts['payload_bytes'])}, {facts['bpfp']:.4g} BPFP{_parts(view)}"),
        *_values(view),
    ]
    if view.comparison is not None:
        rows.append(("error", view.comparison.figures))
    return rows


def _parts(view: TensorView) -> str:
    parts = view.excerpt.coded.parts
    total = sum(parts.values())
    if len(parts) < 2 or not total:
        return ""
    told = ", ".join(f"{PARTS[name]} {percent(length / total)}" for name, length in parts.items())
    return f"; of the decoded chunks: {told}"


def _values(view: TensorView) -> list[tuple[str, str]]:
    matrix = view.features.matrix
    finite = matrix[np.isfinite(matrix)]
    if not finite.size:
        return [("values", "none that is finite")]
    with np.errstate(over="ignore"):
        power, average = np.square(finite, dtype=np.float64).mean(), finite.mean(dtype=np.float64)
    low, high, mean, root = map(number_text, (finite.min(), finite.max(), average, power**0.5))
    text = f"{count(finite.size, 'value')} looked at: {low} to {high}, mean {mean}, root mean square {root}, "
    text += f"{percent(float(np.mean(finite == 0)))} zeros"
    if view.facts["dtype"] in BITS:
        text += "; numpy has no such dtype, these are its bits"
    lost = "" if view.features.kind == "values" else f", {count(matrix.size - finite.size, 'value')} not finite"
    rows = [("values", text + (lost if matrix.size > finite.size else ""))]
    if view.features.kind != "values":
        shown = view.shown
        shares = ", ".join(map(percent, view.components.shares.tolist()))
        rows += [
            ("components", f"the first three have {shares} of the variance, outlying tokens left out"),
            ("outlying channels", _listed(shown.outlying_channels, "channel")),
            ("outlying tokens", _places(shown)),
        ]
    return rows


def _listed(marked: NDArray[np.bool_], noun: str) -> str:
    found = np.flatnonzero(marked).tolist()
    if not found:
        return f"none of {count(len(marked), noun)}"
    more = "" if len(found) <= MOST_LISTED else ", ..."
    return f"{len(found)} of {count(len(marked), noun)}: {', '.join(map(str, found[:MOST_LISTED]))}{more}"


def _places(shown: Features) -> str:
    """How many tokens are outliers, and where most of them stand in their samples."""
    marked = shown.outlying_tokens
    text = f"{int(marked.sum()):,} of {count(len(marked), 'token')}"
    if shown.kind == "vectors" or not marked.any():
        return text
    found = [np.flatnonzero(marked[shown.rows(sample)]) for sample in range(len(shown.grids))]
    counts = np.bincount(np.concatenate(found))
    most = int(counts.argmax())
    return f"{text}; {counts[most]:,} of them token {most} of its sample"
