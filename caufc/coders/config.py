"""What coding a tensor's chunks needs to know, the same for encoder and decoder (spec, sections 3 and 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..bitstream import AlignmentRecord, Shape, TensorRecord
from ..descriptors import ALIGNMENT_KINDS, ALIGNMENT_SCOPES
from ..layouts import Layout
from ..types import DTYPES, NOTE, Arrays, Framework, Structure
from .registry import Codec

__all__ = ["DTYPE_CODES", "FRAMEWORKS", "MAX_CHANNELS", "TensorConfig", "record_of"]

DTYPE_CODES = tuple(DTYPES)
"""dtype codes 0 to 18, in the order of :data:`caufc.types.DTYPES`."""

FRAMEWORKS: tuple[Framework, ...] = ("numpy", "torch")

MAX_CHANNELS = 1 << 24
"""Most channels that codecs with loss take [CAUF-0066]."""


@dataclass(frozen=True)
class TensorConfig:
    """All that a decoder needs to know of one tensor.

    Args:
        name: dotted path, for messages.
        dtype: a name of :data:`caufc.types.DTYPES`.
        framework: where arrays go back to.
        template: sizes of a sample's axes, None where they vary.
        codec: of the registry.
        layout: meaning of the axes; None for what is coded without loss.
        alignment: value alignment; None for identity.
        parameters: the codec's scalars.
        arrays: section name -> integers.
        tap: where the features come from.
        leader: number of the tensor in whose payloads the values are; None for its own.
        stacked: how many tensors the coder codes as this one.
    """

    name: str
    dtype: str
    framework: Framework
    template: Shape
    codec: Codec
    layout: Layout | None = None
    alignment: AlignmentRecord | None = None
    parameters: tuple[int | float, ...] = ()
    arrays: Arrays = field(default_factory=dict)
    tap: str | None = None
    leader: int | None = None
    stacked: int = 1

    def layout_text(self, structure: Structure) -> str | None:
        """The layout as people write it: with a sample axis where there is one."""
        if self.layout is None:
            return None
        return (self.layout.of_batch() if structure.kind == "batch" else self.layout).expression

    @property
    def alignment_text(self) -> str:
        """Value alignment as ``kind/scope``."""
        record = self.alignment
        if record is None:
            return "none"
        return f"{ALIGNMENT_KINDS[record.kind]}/{ALIGNMENT_SCOPES[record.scope]}"

    @property
    def noted(self) -> bool:
        """Whether its samples are notes, and no features."""
        return self.dtype == NOTE

    @property
    def item_size(self) -> int:
        """Bytes of a stored value."""
        return DTYPES[self.dtype].itemsize

    def size(self, shape: Sequence[int]) -> int:
        """Values of a sample."""
        return math.prod(shape)

    def values(self, shapes: Sequence[Sequence[int]]) -> int:
        """Values of samples of these shapes, which fit the template."""
        if shapes and None not in self.template:
            return len(shapes) * self.size(shapes[0])
        return sum(map(self.size, shapes))


def record_of(config: TensorConfig) -> TensorRecord:
    """The header's record of a tensor."""
    return TensorRecord(
        dtype=DTYPE_CODES.index(config.dtype),
        framework=FRAMEWORKS.index(config.framework),
        shape=config.template,
        layout=None if config.layout is None else config.layout.expression,
        tap=config.tap,
        codec=config.codec.id,
        alignment=config.alignment,
        parameters=config.parameters or None,
        leader=config.leader,
    )
