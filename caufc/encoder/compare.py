"""Whether a tensor takes fewer bytes without loss than with it."""

from __future__ import annotations

import numpy as np

from ..codec.lossless.codec import encode_lossless
from ..coders.dtypes import cast_floats, to_floats
from ..coders.lossless import lattice_of_tokens
from .options import Target
from .rate import gain_of_quality
from .sample_plan import bounded_values, section_cost
from .tensor_draft import TransformDraft

__all__ = ["TINY_BYTES", "prefers_lossless"]

SMALL_VALUES = 4096
"""Tensors of at most so many values are coded both ways to see which is smaller."""

TINY_BYTES = 64
"""Tensors of at most so many bytes are smaller without tables and steps."""


def prefers_lossless(draft: TransformDraft, target: Target) -> bool:
    """Whether a tensor takes no more bytes without loss than with it."""
    values = draft.survey.total * draft.survey.channels
    if target.kind == "max_error":
        return _bounded_bytes(draft, target.value) >= _lossless_bytes(draft)
    if values * draft.config.item_size <= TINY_BYTES or draft.survey.constant:
        return True
    if target.kind != "quality" or values > SMALL_VALUES or draft.profiled:
        return False
    made = draft.sample_plan(gain_of_quality(target.value), target)
    coded = made.bits / 8 + section_cost({**draft.config.arrays, **made.sections})
    return coded >= _lossless_bytes(draft)


def _lossless_bytes(draft: TransformDraft) -> float:
    survey = draft.survey
    flat = np.ascontiguousarray(cast_floats(survey.sample, draft.config.dtype)).ravel()
    lattice = lattice_of_tokens(survey.geometry, survey.channels)
    return len(encode_lossless(flat, rotate=True, lattice=lattice)) * survey.scale


def _bounded_bytes(draft: TransformDraft, bound: float) -> float:
    """Bytes under an error bound, from the sample: payload, sections, and values that must be stored exactly."""
    made = draft.sample_plan(1.0, Target("max_error", bound))
    values = bounded_values(draft.coefficients, draft.parameters.step)
    decoded = to_floats(cast_floats(values, draft.config.dtype), draft.config.dtype)
    broken = np.count_nonzero(~(np.abs(decoded.astype(np.float64) - draft.survey.sample) <= bound))
    bits = made.bits + 8 * broken * (draft.config.item_size + 1)
    return bits / 8 * draft.survey.scale + section_cost(made.sections)
