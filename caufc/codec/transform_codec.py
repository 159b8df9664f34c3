"""The transform codec: transforms, quantiser and coefficient coder behind the codec interface (spec, section 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from .base import Arrays, Symbols
from .bucket import BUCKETS, unzigzag, zigzag
from .channel_transform import ChannelTransform, QuantizedRows
from .coefficient_coder import CoefficientCoder, Contexts
from .context import CONTEXTS, classes_of
from .dependent import STEP_RATIO, dependent_quantize, halves_of
from .geometry import Geometry
from .grid_transform import forward_grid, inverse_grid
from .octaves import OCTAVE_PARTS, octaves
from .order import BANDS
from .quantize import SHIFT_PARTS, dead_zones, dequantize, quantize
from .universal import universal_tables

__all__ = [
    "ANALYSIS",
    "ANALYSIS_SCALES",
    "BAND_LEVELS",
    "BAND_STEPS",
    "BASIS",
    "BASIS_SCALES",
    "CHANNEL_LEVELS",
    "CONTEXT_MAP",
    "STEP_PARTS",
    "TABLES",
    "Parameters",
    "TransformCodec",
]

CHANNEL_LEVELS, TABLES, CONTEXT_MAP, BAND_LEVELS, BAND_STEPS = 3, 4, 5, 6, 7
BASIS, BASIS_SCALES, ANALYSIS, ANALYSIS_SCALES = 8, 9, 10, 11
"""Section types; see the registry."""

DEAD_ZONE_ROUNDING = 0.45
NEAREST_ROUNDING = 0.5
STEP_PARTS = OCTAVE_PARTS
SPECTRAL, EXTENTS, DEPENDENT = 1, 2, 4
MAX_LEVEL = 255

Bytes = NDArray[np.uint8]
Values = NDArray[Any]


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
        flags = SPECTRAL * self.spectral + EXTENTS * self.extents + DEPENDENT * self.dependent
        return (self.step, self.shift, flags, self.level)

    @classmethod
    def from_fields(cls, fields: Sequence[int | float]) -> Parameters:
        """Read them.

        Raises:
            MalformedError: if they are not there, or of other types.
        """
        if [type(field) for field in fields] != [float, int, int, int] or fields[2] not in range(2 * DEPENDENT):
            raise MalformedError(f"codec parameters {list(fields)}", requirement=201)
        step, shift, flags, level = fields
        spectral, extents, dependent = (bool(int(flags) & flag) for flag in (SPECTRAL, EXTENTS, DEPENDENT))
        return cls(step, int(shift), spectral, extents, int(level), dependent)

    def with_quantizer(self, dependent: bool) -> Parameters:
        """The same with the plain or the dependent quantiser, and a step with about the same error."""
        if dependent == self.dependent:
            return self
        step = self.step * STEP_RATIO if dependent else self.step / STEP_RATIO
        return replace(self, step=float(np.float32(step)), dependent=dependent)


class TransformCodec:
    """Codes aligned values.

    Args:
        parameters: the scalars.
        arrays: the sections; all may be missing.
        channels: C.
        bounded: the encoder rounds to the nearest.
        costs: of every band and coded channel ``[2, 16, K]``, in squared steps, for the encoder: what a magnitude of
            1 costs more than 0, and what every further one costs.

    Raises:
        MalformedError: if parameters or sections break the specification.
    """

    def __init__(
        self,
        parameters: Parameters,
        arrays: Arrays,
        channels: int,
        *,
        bounded: bool = False,
        costs: Values | None = None,
    ) -> None:
        self.parameters, self.costs = parameters, costs
        self.rounding = NEAREST_ROUNDING if bounded else DEAD_ZONE_ROUNDING
        self.basis = _basis(arrays, channels)
        self.coded = coded = channels if self.basis is None else self.basis.coded
        self.band_steps = _levels(arrays, BAND_STEPS, BANDS)
        classes = classes_of(
            parameters.level, _levels(arrays, CHANNEL_LEVELS, coded), _levels(arrays, BAND_LEVELS, BANDS)
        )
        table_of, tables = _tables(arrays)
        self.coder = CoefficientCoder(Contexts(classes, table_of, tables, parameters.extents))

    def geometry(self, grids: tuple[tuple[int, ...], ...], special: int) -> Geometry:
        """Where coefficients lie."""
        return Geometry(grids, special, self.parameters.spectral)

    def steps(self, gain: float) -> NDArray[np.float32]:
        """The step of every band with the file's gain, rounded to float32 ``[16]`` [CAUF-0221].

        Raises:
            MalformedError: if one is 0 or infinite.
        """
        with np.errstate(over="ignore", under="ignore"):
            steps = (self.parameters.step * gain * octaves(self.band_steps)).astype(np.float32)
        if not (steps > 0).all() or not np.isfinite(steps).all():
            raise MalformedError(f"step {self.parameters.step} with gain {gain}", requirement=221)
        return steps

    def transform(self, aligned: Values, geometry: Geometry) -> Values:
        """Aligned values ``[N, C]`` to coefficients ``[N, K]``."""
        coefficients = aligned if self.basis is None else self.basis.forward(aligned)
        return forward_grid(coefficients, geometry) if geometry.spectral else coefficients

    def symbols(self, coefficients: Values, bands: Bytes, gain: float) -> Symbols:
        """Quantise coefficients ``[N, K]`` of tokens in these bands ``[N]`` to symbols, same shape and memory order."""
        steps = self.steps(gain).astype(np.float64)
        inverse: Values | float = 1 / steps[0] if _alike(steps, bands) else (1 / steps)[bands][:, None]
        if self.parameters.dependent:
            return zigzag(dependent_quantize(coefficients, inverse, bands, self.costs))
        thresholds = None if self.costs is None else dead_zones(self.costs)[bands]
        return zigzag(quantize(coefficients, inverse, self.rounding, thresholds))

    def encode(self, symbols: Symbols, geometry: Geometry) -> bytes:
        """Entropy-code symbols ``[N, K]``."""
        return self.coder.encode(symbols, geometry)

    def decode_symbols(self, payload: bytes | memoryview, geometry: Geometry) -> Symbols:
        """Decode symbols ``[N, K]``.

        Raises:
            MalformedError: if the payload cannot be one of these tokens.
        """
        return self.coder.decode(payload, geometry)

    def reconstruct(self, symbols: Symbols, geometry: Geometry, gain: float, dtype: np.dtype[Any]) -> Values:
        """Symbols ``[N, K]`` to aligned values ``[N, C]``."""
        steps = self.steps(gain)
        alike = (steps == steps[0]).all() or _alike(steps, geometry.bands)
        of_token: Values | float = steps[0] if alike else steps[geometry.bands][:, None]
        halves = halves_of(symbols) if self.parameters.dependent else None
        values = dequantize(unzigzag(symbols), of_token, self.parameters.shift, dtype, halves)
        with np.errstate(over="ignore", invalid="ignore"):
            if geometry.spectral:
                values = inverse_grid(values, geometry)
            return values if self.basis is None else self.basis.inverse(values)


def _alike(steps: Values, bands: Bytes) -> bool:
    """Whether all bands that occur have the first band's step."""
    return bool((steps == steps[0]).all()) or not bands.any()


def _levels(arrays: Arrays, kind: int, count: int) -> NDArray[np.int32]:
    levels = arrays.get(kind)
    if levels is None:
        return np.zeros(count, np.int32)
    if levels.shape != (count,):
        raise MalformedError(f"section {kind} has {levels.size} elements, not {count}", requirement=204)
    return levels.astype(np.int32)


def _basis(arrays: Arrays, channels: int) -> ChannelTransform | None:
    synthesis = _rows(arrays, BASIS, BASIS_SCALES, channels)
    analysis = _rows(arrays, ANALYSIS, ANALYSIS_SCALES, channels)
    if analysis is not None and (synthesis is None or analysis.codes.shape != synthesis.codes.shape):
        raise MalformedError("an analysis of another shape than the basis", requirement=228)
    return None if synthesis is None else ChannelTransform(synthesis, analysis)


def _rows(arrays: Arrays, kind: int, scale_kind: int, channels: int) -> QuantizedRows | None:
    codes, scales = arrays.get(kind), arrays.get(scale_kind)
    if codes is None and scales is None:
        return None
    if codes is None or scales is None or not 0 < len(scales) <= channels or codes.size != len(scales) * channels:
        raise MalformedError(f"a basis that does not fit {channels} channels", requirement=228)
    return QuantizedRows(codes.reshape(len(scales), channels), scales)


def _tables(arrays: Arrays) -> tuple[Bytes, Bytes]:
    """The context map and the tables: the file's, or the universal ones."""
    levels, table_of = arrays.get(TABLES), arrays.get(CONTEXT_MAP)
    if levels is None and table_of is None:
        return universal_tables()
    if levels is None or not levels.size or levels.size % BUCKETS:
        raise MalformedError("levels that are no tables of 64", requirement=203)
    if table_of is None or not table_of.size or table_of.size % CONTEXTS:
        raise MalformedError(f"a context map that is no rows of {CONTEXTS}", requirement=216)
    return table_of.reshape(-1, CONTEXTS), levels.reshape(-1, BUCKETS)
