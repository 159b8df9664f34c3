"""The planes that the learned codec is trained on: aligned tokens x channels, and crops of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner, truncate
from ..coders.dtypes import to_floats
from ..encoder.alignment import choose_range
from ..encoder.drafting import lossless_config
from ..encoder.layout import choose_layout
from ..encoder.options import TensorOptions
from ..encoder.separator import Separation
from ..encoder.source import Source, SourceTensor
from ..encoder.survey_reading import chunks_of
from ..encoder.surveying import survey_tensor
from ..errors import InputError
from ..features import to_source
from ..options import layouts_for_structure, make_options
from ..types import FLOATS

__all__ = ["Plane", "aligned_planes", "crops"]

MOST_ROWS, MOST_COLUMNS = 512, 128
"""Sides of a crop at most; chosen by hand."""

STRIDE = 16
"""Sides of a crop are multiples of the model's stride."""

SURVEY_VALUES = 1 << 22
CHUNK = 64
"""Values that statistics are taken of, and samples that are read at a time; chosen by hand."""


@dataclass(frozen=True)
class Plane:
    """A plane: all tokens of one tensor.

    Args:
        name: of the file or tensor.
        values: ``[N, C]``, aligned, float32.
    """

    name: str
    values: NDArray[np.float32]


def aligned_planes(name: str, features: Any, *, layout: Any = None, **options: Any) -> list[Plane]:
    """The planes of features, aligned as the encoder does.

    Args:
        name: for messages.
        features: as for :func:`caufc.encode`.
        layout: meaning of the axes, as for :func:`caufc.encode`.
        options: ``arch``, ``tap``, ``align`` and ``truncate``, as for :func:`caufc.encode`.

    Raises:
        InputError: if there is nothing to train on.
    """
    source = to_source(features, layouts_for_structure(layout))
    settings = make_options([t.name for t in source.tensors], source.dimensions, layout=layout, **options)
    planes = [
        Plane(f"{name}:{tensor.name}" if tensor.name else name, _aligned(source, tensor, settings.of(tensor.name)))
        for tensor in source.tensors
        if tensor.dtype in FLOATS and tensor.numel
    ]
    if not planes:
        raise InputError("no floats to train on", file=name)
    return planes


def _aligned(source: Source, tensor: SourceTensor, options: TensorOptions) -> NDArray[np.float32]:
    layout = choose_layout(source, tensor, options).layout
    if layout is None:
        raise InputError("no layout", tensor=tensor.name)
    survey = survey_tensor(
        source,
        tensor,
        layout,
        chunk=CHUNK,
        budget=SURVEY_VALUES,
        keep_nonfinite=False,
        progress=lambda _: None,
        separation=Separation(),
    )
    base = lossless_config(source, tensor, layout, options.tap)
    _, aligner, limits = choose_range(base, survey, options.alignment)
    tokens = LayoutAligner(layout)
    parts = []
    for start, stop in chunks_of(source.samples, CHUNK):
        matrix = tokens.to_tokens(_floats(tensor, start, stop)).matrix
        clipped = matrix if limits is None else truncate(matrix, *limits)[0]
        parts.append(aligner.forward(clipped)[0].astype(np.float32))
    return np.concatenate(parts)


def _floats(tensor: SourceTensor, start: int, stop: int) -> NDArray[Any] | list[NDArray[Any]]:
    block = tensor.block(start, stop)
    if isinstance(block, list):
        return [to_floats(part, tensor.dtype) for part in block]
    return to_floats(block, tensor.dtype)


def crop_size(plane: Plane, values: int) -> tuple[int, int]:
    """The rows and columns of a crop of about so many values, as wide as channels allow."""
    columns = min(plane.values.shape[1], MOST_COLUMNS)
    rows = max(STRIDE, values // columns // STRIDE * STRIDE)
    return min(len(plane.values), rows, MOST_ROWS), columns


def crops(planes: Sequence[Plane], count: int, values: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Crops ``[B, 1, H, W]`` of about so many values each, of one of the planes; edges are padded to the stride."""
    plane = planes[int(random.integers(len(planes)))]
    rows, columns = crop_size(plane, values)
    tops = random.integers(len(plane.values) - rows + 1, size=count)
    lefts = random.integers(plane.values.shape[1] - columns + 1, size=count)
    found = np.stack([plane.values[t : t + rows, c : c + columns] for t, c in zip(tops, lefts, strict=True)])
    padded: NDArray[np.float32] = np.pad(found, ((0, 0), (0, -rows % STRIDE), (0, -columns % STRIDE)), mode="edge")
    return padded[:, None]
