"""What notebooks show of ``.cauf`` files: a table, and a small picture of the first sample.

``%load_ext caufc.integrations.jupyter`` registers it with IPython, for readers (:func:`caufc.open`) and what a file
says of itself (:func:`caufc.inspect`, ``reader.info``). Nothing here imports IPython.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc

from ..show.colours import scale_of, signed_png
from ..show.planes import binned, places
from ..show.png import data_uri
from .tensor_values import numpy_of

__all__ = ["info_html", "load_ipython_extension", "reader_html", "unload_ipython_extension"]

MOST_TENSORS, MOST_PICTURES = 24, 4
"""That are shown."""
MOST_BYTES = 1 << 26
"""Of a chunk that is decoded for a picture."""
ROWS, COLUMNS = 96, 256
"""Of a picture, at most."""
BAR = 120
"""Pixels of the bar of the tensor that takes most."""


def load_ipython_extension(shell: Any) -> None:
    """Show readers and infos as HTML: what ``%load_ext`` calls."""
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type(caufc.Reader, reader_html)
    formatter.for_type(caufc.Info, info_html)


def unload_ipython_extension(shell: Any) -> None:
    """Show them as text again: what ``%unload_ext`` calls."""
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.pop(caufc.Reader, None)
    formatter.pop(caufc.Info, None)


def reader_html(reader: caufc.Reader) -> str:
    """A file's name, its table, and pictures of its first sample; an error is shown in place of what it concerns."""
    name = f"<b>{escape(reader.name)}</b>"
    try:
        info = reader.info
        return f"<div>{name}{info_html(info)}{''.join(_pictures(reader, info))}</div>"
    except (caufc.CaufError, OSError, ValueError) as err:
        return f"<div>{name}: {escape(str(err))}</div>"


def info_html(info: caufc.Info) -> str:
    """What a file says of itself: samples, bytes, and a row with a bar for every tensor."""
    facts = [
        f"{info.samples:,} sample{'' if info.samples == 1 else 's'}",
        escape(", ".join(part for part in (info.codec, info.control, info.arch) if part)),
        f"{info.bytes:,} bytes, {info.bpfp:.3g} BPFP, 1 : {info.ratio:.3g}",
    ]
    most = max((tensor["payload_bytes"] for tensor in info.tensors), default=0) or 1
    rows = [_row(tensor, tensor["payload_bytes"] / most) for tensor in info.tensors[:MOST_TENSORS]]
    more = len(info.tensors) - MOST_TENSORS
    rest = f"<div>and {more:,} more tensors</div>" if more > 0 else ""
    head = "".join(f"<th>{word}</th>" for word in ("tensor", "dtype", "sample", "layout", "codec", "BPFP", "bytes", ""))
    return f"<div>{'; '.join(facts)}</div><table><tr>{head}</tr>{''.join(rows)}</table>{rest}"


def _row(tensor: Mapping[str, Any], share: float) -> str:
    shape = " x ".join("?" if size is None else str(size) for size in tensor["shape"])
    words = (tensor["name"], tensor["dtype"], shape, tensor["layout"], tensor["codec"])
    cells = "".join(f"<td>{escape(str(word))}</td>" for word in words)
    bar = f'<div style="background:#4c78a8;height:0.7em;width:{max(1, round(BAR * share))}px"></div>'
    return f"<tr>{cells}<td>{tensor['bpfp']:.3g}</td><td>{tensor['payload_bytes']:,}</td><td>{bar}</td></tr>"


def _pictures(reader: caufc.Reader, info: caufc.Info) -> Iterator[str]:
    """Of the first tensors of the first sample; none where much would have to be decoded."""
    if not info.samples or info.raw_bytes / max(1, info.chunks) > MOST_BYTES:
        return
    layouts = {tensor["name"]: str(tensor["layout"]) for tensor in info.tensors}
    shown = [(name, numpy_of(tensor)) for name, tensor in _tensors(reader[0]) if name in layouts]
    for name, values in [(name, values) for name, values in shown if values.size][:MOST_PICTURES]:
        plane, square = _plane(values.astype(np.float64), layouts[name])
        style = f"image-rendering:pixelated;display:block;height:{ROWS}px;{'' if square else f'width:{COLUMNS}px'}"
        yield f'<img title="{escape(name)}[0]" style="{style}" src="{_png(plane)}">'


def _tensors(sample: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The tensors of a sample, with their dotted names; what stands beside them is left out."""
    if isinstance(sample, Mapping | list | tuple):
        parts = sample.items() if isinstance(sample, Mapping) else enumerate(sample)
        for key, part in parts:
            yield from _tensors(part, f"{name}.{key}" if name else str(key))
    elif hasattr(sample, "shape"):
        yield name, sample


def _plane(values: NDArray[np.float64], layout: str) -> tuple[NDArray[np.float64], bool]:
    """What a picture shows: a map's energy over its grid ``[H, W]``, in that aspect, or tokens by channels."""
    axes = [letter for letter in layout.split() if letter != "b"]
    if "h" in axes and "w" in axes and len(axes) == values.ndim:
        others = tuple(number for number, letter in enumerate(axes) if letter not in "hw")
        with np.errstate(over="ignore"):
            return np.sqrt(np.square(values).mean(axis=others)), True
    return values.reshape(-1, values.shape[-1] if values.ndim else 1), False


def _png(plane: NDArray[np.float64]) -> str:
    """Values as a picture: blue below zero, red above, up to the 99th percentile; grey is not finite."""
    drawn, _ = binned(plane[places(len(plane), ROWS)], COLUMNS)
    return data_uri(signed_png(drawn, scale_of(drawn)))
