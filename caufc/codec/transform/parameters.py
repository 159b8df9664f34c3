"""The transform codec's scalars and the names of its sections (spec, sections 5 and 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import MalformedError, UnsupportedError
from .quantize import SHIFT_PARTS
from .trellis import STEP_RATIO

__all__ = [
    "ANALYSIS",
    "ANALYSIS_SCALES",
    "BAND_LEVELS",
    "BAND_STEPS",
    "BASIS",
    "BASIS_SCALES",
    "CHANNEL_LEVELS",
    "CONTEXT_MAP",
    "FLAGS",
    "GROUP_RANKS",
    "MAX_LEVEL",
    "TABLES",
    "Parameters",
]

CHANNEL_LEVELS, BAND_LEVELS, BAND_STEPS = "channel-levels", "band-levels", "band-steps"
TABLES, CONTEXT_MAP = "tables", "context-map"
BASIS, BASIS_SCALES, ANALYSIS, ANALYSIS_SCALES = "basis", "basis-scales", "analysis", "analysis-scales"
GROUP_RANKS = "group-ranks"
"""Names of sections, as the registry has them."""

FLAGS = {"spectral": 1, "extents": 2, "dependent": 4}
"""The bits of the flags, by the field of :class:`Parameters` that each stands for, as the registry has them."""

MAX_LEVEL = 255


@dataclass(frozen=True)
class Parameters:
    """The codec's scalars.

    Args:
        step: distance of reconstruction points before the gain, above 0.
        shift: reconstruction shift in 64ths of a step, -32 to 32.
        spectral: whether grids are transformed by a DCT.
        extents: whether blocks have extents.
        level: part of every symbol's class, -255 to 255.
        dependent: whether indices are those of the dependent quantiser.

    Raises:
        MalformedError: if a number is out of range.
    """

    step: float
    shift: int = 0
    spectral: bool = False
    extents: bool = False
    level: int = 0
    dependent: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.step < np.inf or abs(self.shift) > SHIFT_PARTS // 2 or abs(self.level) > MAX_LEVEL:
            raise MalformedError(f"step {self.step}, shift {self.shift}, level {self.level}", requirement=201)

    def to_fields(self) -> tuple[int | float, ...]:
        """As the header holds them [CAUF-0201]."""
        flags = sum(bit for name, bit in FLAGS.items() if getattr(self, name))
        return (self.step, self.shift, flags, self.level)

    @classmethod
    def from_fields(cls, fields: Sequence[int | float]) -> Parameters:
        """Read them.

        Raises:
            MalformedError: if they are not there, or of other types.
        """
        if [type(field) for field in fields] != [float, int, int, int] or fields[2] < 0:
            raise MalformedError(f"codec parameters {list(fields)}", requirement=201)
        if int(fields[2]) & ~sum(FLAGS.values()):
            raise UnsupportedError.unknown(f"a tool of the transform codec, by its flags {fields[2]},")
        step, shift, flags, level = fields
        named = {name: bool(int(flags) & bit) for name, bit in FLAGS.items()}
        return cls(step, int(shift), level=int(level), **named)

    def with_quantizer(self, dependent: bool) -> Parameters:
        """The same with the plain or the dependent quantiser, and a step with about the same error."""
        if dependent == self.dependent:
            return self
        step = self.step * STEP_RATIO if dependent else self.step / STEP_RATIO
        return replace(self, step=float(np.float32(step)), dependent=dependent)
