"""Which axes are known to be of tokens before any bytes are compared: by lengths, by tensors beside, by padding."""

from __future__ import annotations

import numpy as np

from ..types import FLOATS
from .layout_roles import Sizes
from .layout_sample import Box, samples_of
from .source import Source, SourceTensor

__all__ = ["known_tokens"]

PADDED_VALUES = 1 << 12
"""Values of a sample that are looked at for padding along an axis."""

MOST_AXES = 3
DENSE = 0.95
"""Share of values that are not 0 before the padding, as of hidden states."""


def known_tokens(source: Source, tensor: SourceTensor, sizes: Sizes) -> dict[int, str]:
    """Axes of a sample that are tokens, and why, in a few words.

    Args:
        source: the input.
        tensor: one of its tensors, of floats.
        sizes: of its samples' axes, None where they vary.
    """
    varying = [axis for axis, size in enumerate(sizes) if size is None]
    if varying:
        return dict.fromkeys(varying, "lengths vary")
    beside = _beside(source, tensor, sizes)
    return beside or _padded(source, tensor, sizes)


def _beside(source: Source, tensor: SourceTensor, sizes: Sizes) -> dict[int, str]:
    """The axis that is as long as integers or masks beside are, such as token numbers, if just one is."""
    for other in source.tensors:
        if other.dtype in FLOATS or not other.leaves or not source.samples or len(other.shape(0)) != 1:
            continue
        length = other.shape(0)[0]
        alike = [axis for axis, size in enumerate(sizes) if size == length]
        if length > 1 and len(alike) == 1 and _name_goes(other.name, tensor.name):
            return {alike[0]: f"as long as '{other.name}'"}
    return {}


def _name_goes(other: str, name: str) -> bool:
    """Whether two tensors stand in the same dict."""
    return other.rpartition(".")[0] == name.rpartition(".")[0]


def _padded(source: Source, tensor: SourceTensor, sizes: Sizes) -> dict[int, str]:
    """The axis on which dense samples end in zeros, some sooner than others, if just one is."""
    if source.samples < 2 or not 2 <= len(sizes) <= MOST_AXES or not tensor.numel:
        return {}
    found = []
    for axis in (axis for axis, size in enumerate(sizes) if size != 1):
        ends = [_end(box, axis) for box in samples_of(source, tensor, PADDED_VALUES, axis)]
        known = {end for end in ends if end is not None}
        if None not in ends and len(known) > 1:
            found.append(axis)
    return {found[0]: "padded with zeros"} if len(found) == 1 else {}


def _end(box: Box, axis: int) -> int | None:
    """Where the zeros at the end of an axis start; None where values before are sparse, or there are none.

    A spectrum's imaginary part has zeros at both ends.
    """
    there = box != 0
    others = tuple(other for other in range(box.ndim) if other != axis)
    present = np.flatnonzero(there.any(axis=others))
    if not present.size or present[0]:
        return None
    end = int(present[-1]) + 1
    dense = np.count_nonzero(there) >= DENSE * box.size * end / box.shape[axis]
    return end if dense else None
