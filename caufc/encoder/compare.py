"""What a tensor takes without loss, to compare with what it takes with some."""

from __future__ import annotations

import numpy as np

from ..codec.lossless.codec import encode_lossless
from ..coders.dtypes import cast_floats, to_floats
from ..coders.lossless import lattice_of_tokens
from .sample_plan import bounded_values
from .survey import TensorSurvey
from .thinning import thinned_rows

__all__ = ["FEWEST_VALUES", "TINY_BYTES", "broken_values", "lossless_bytes"]

TINY_BYTES = 256
"""Tensors of at most so many bytes are smaller without tables and steps."""

THIN_VALUES, FEWEST_VALUES = 1 << 16, 1 << 13
"""Values that are coded without loss to see what a file would take, about, and to see whether it would take far more
than with loss."""


def lossless_bytes(survey: TensorSurvey, dtype: str, values: int = THIN_VALUES) -> float:
    """Bytes of a tensor without loss, about: from about so many values."""
    rows, geometry = thinned_rows(survey.geometry, survey.channels, values)
    if not len(rows):
        return 0.0
    flat = np.ascontiguousarray(cast_floats(survey.features[rows], dtype)).ravel()
    lattice = lattice_of_tokens(geometry, survey.channels)
    return len(encode_lossless(flat, rotate=True, lattice=lattice)) * survey.total / len(rows)


def broken_values(survey: TensorSurvey, dtype: str, step: float, bound: float) -> float:
    """How many values of a tensor rounding cannot keep within an error bound, about."""
    values = bounded_values(survey.sample, step)
    decoded = to_floats(cast_floats(values, dtype), dtype)
    return float(np.count_nonzero(~(np.abs(decoded.astype(np.float64) - survey.sample) <= bound))) * survey.scale
