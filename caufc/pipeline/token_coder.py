"""What all coders with loss share: samples to aligned tokens and back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import (
    ChannelAligner,
    GlobalAligner,
    LayoutAligner,
    TokenAligner,
    Tokens,
    ValueAligner,
)
from ..errors import LayoutError, MalformedError
from ..types import ALIGNMENT_KINDS, AnyArray
from .coder import Samples, Shapes, split
from .numeric import to_floats, working_dtype
from .patches import Patches
from .setup import MAX_CHANNELS, OFFSETS, SCALES, TensorSetup

__all__ = ["TokenCoder", "channels_of", "value_aligner"]


def value_aligner(setup: TensorSetup, channels: int) -> ValueAligner:
    """The value aligner that a setup describes."""
    record = setup.alignment
    if record is None:
        return GlobalAligner(0.0, 1.0)
    if record.scope == 0:
        return GlobalAligner(record.offset, record.scale)
    if record.scope == 2:
        return TokenAligner(ALIGNMENT_KINDS[record.kind])
    offsets, scales = (setup.arrays.get(kind, np.empty(0, "<i2")) for kind in (OFFSETS, SCALES))
    if offsets.shape != (channels,) or scales.shape != (channels,):
        raise MalformedError(f"no statistics for {channels} channels", requirement=351, tensor=setup.name)
    return ChannelAligner(offsets, scales)


def channels_of(setup: TensorSetup) -> int:
    """Channels of a tensor that is coded with loss.

    Raises:
        MalformedError: if there is no layout, their number varies, or there are too many.
    """
    if setup.layout is None:
        raise MalformedError("no layout", requirement=200, tensor=setup.name)
    sizes = [setup.template[axis] for axis in LayoutAligner(setup.layout).channel_axes]
    if None in sizes:
        raise MalformedError("the number of channels varies", requirement=66, tensor=setup.name)
    product = math.prod(size or 0 for size in sizes)
    if product > MAX_CHANNELS:
        raise MalformedError(f"{product} channels", requirement=66, tensor=setup.name)
    return product


class TokenCoder:
    """Format and value alignment of one tensor.

    Args:
        setup: layout and alignment.

    Raises:
        MalformedError: if they do not fit the tensor.
    """

    def __init__(self, setup: TensorSetup) -> None:
        self.setup = setup
        if setup.layout is None:
            raise MalformedError("no layout", requirement=200, tensor=setup.name)
        self.format = LayoutAligner(setup.layout)
        self.channels = channels_of(setup)
        self.value = value_aligner(setup, self.channels)
        self.working = working_dtype(setup.dtype)

    def stacked(self, samples: Samples) -> Samples:
        """Samples of one shape as one array."""
        template: Sequence[int | None] = self.setup.template
        if isinstance(samples, list) and None not in template:
            return np.stack(samples) if samples else np.empty((0, *(size or 0 for size in template)))
        return samples

    def tokens_of(self, stored: Samples) -> Tokens:
        """Stored samples as tokens of working floats."""
        if isinstance(stored, list):
            return self.format.to_tokens([to_floats(sample, self.setup.dtype) for sample in stored])
        return self.format.to_tokens(to_floats(stored, self.setup.dtype))

    def count_tokens(self, shape: tuple[int, ...]) -> int:
        """Tokens of a sample.

        Raises:
            MalformedError: if the layout does not fit its shape.
        """
        try:
            return self.format.size(shape)[0]
        except LayoutError as err:
            raise MalformedError(str(err), requirement=171, tensor=self.setup.name) from err

    def samples_by_shape(self, shapes: Shapes) -> Mapping[tuple[int, ...], int]:
        """How many samples have each shape."""
        if shapes and None not in self.setup.template:
            return {shapes[0]: len(shapes)}
        return Counter(shapes)

    def count_all_tokens(self, samples: Mapping[tuple[int, ...], int]) -> int:
        """Tokens of samples, counted by shape.

        Raises:
            MalformedError: if the layout does not fit a shape.
        """
        return sum(count * self.count_tokens(shape) for shape, count in samples.items())

    def patches_where(self, mask: NDArray[np.bool_], tokens: Tokens, stored: Samples) -> Patches:
        """Patches for the values of tokens where ``mask`` ``[N, C]`` is set."""
        back = self.format.from_tokens(Tokens(mask, tokens.shapes, tokens.grids, tokens.special, tokens.stacked))
        flat = np.concatenate([part.ravel() for part in back])
        return Patches.where(flat, np.concatenate([part.ravel() for part in stored]))

    def samples_of(self, stored: NDArray[Any], shapes: Shapes, patches: Patches | None) -> list[AnyArray] | AnyArray:
        """Stored tokens ``[N, C]`` as samples, patched."""
        stacked = None not in self.setup.template
        tokens = Tokens(stored, tuple(shapes), (), self.format.layout.special, stacked)
        samples = self.format.from_tokens(tokens)
        if patches is None:
            return samples
        flat = np.concatenate([np.ascontiguousarray(part).ravel() for part in samples])
        patches.apply(flat)
        return split(flat, shapes, stacked)
