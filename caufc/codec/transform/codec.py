"""The transform codec: transforms, quantiser and coefficient coder behind one interface (spec, section 9)."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError
from ...octaves import octaves
from ...types import Arrays
from ..buckets import BUCKETS
from .basis import ChannelTransform, QuantizedRows
from .coefficients import CoefficientCoder, ContextTables
from .contexts import CONTEXTS, classes_of
from .dct import forward_grid, inverse_grid
from .grids import Geometry
from .parameters import (
    ANALYSIS,
    ANALYSIS_SCALES,
    BAND_LEVELS,
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    CHANNEL_LEVELS,
    CONTEXT_MAP,
    GROUP_RANKS,
    TABLES,
    Parameters,
)
from .quantize import points_of
from .token_order import BANDS
from .universal_tables import universal_tables

__all__ = ["TransformCodec", "alike"]

Bytes = NDArray[np.uint8]
Values = NDArray[Any]


class TransformCodec:
    """Codes aligned values.

    Args:
        parameters: the scalars.
        arrays: the sections; all may be missing.
        channels: C.

    Raises:
        MalformedError: if parameters or sections break the specification.
    """

    def __init__(self, parameters: Parameters, arrays: Arrays, channels: int) -> None:
        self.parameters = parameters
        self.basis = _basis(arrays, channels)
        self.coded = coded = channels if self.basis is None else self.basis.coded
        self.band_steps = _levels(arrays, BAND_STEPS, BANDS)
        self._steps: tuple[float, NDArray[np.float32]] | None = None
        classes = classes_of(
            parameters.level, _levels(arrays, CHANNEL_LEVELS, coded), _levels(arrays, BAND_LEVELS, BANDS)
        )
        table_of, tables = _tables(arrays)
        self.coder = CoefficientCoder(ContextTables(classes, table_of, tables, parameters.extents))

    def with_quantizer(self, dependent: bool, shift: int) -> TransformCodec:
        """The same with another kind of quantiser and another shift, at the same step."""
        other = copy.copy(self)
        other.parameters = replace(self.parameters, dependent=dependent, shift=shift)
        return other

    def geometry(self, grids: tuple[tuple[int, ...], ...], special: int) -> Geometry:
        """Where coefficients lie."""
        return Geometry(grids, special, self.parameters.spectral)

    def steps(self, gain: float) -> NDArray[np.float32]:
        """The step of every band with the file's gain, rounded to float32 ``[16]`` [CAUF-0221].

        Raises:
            MalformedError: if one is 0 or infinite.
        """
        known = self._steps
        if known is None or known[0] != gain:
            known = self._steps = gain, self._steps_of(gain)  # threads may do so side by side
        return known[1]

    def _steps_of(self, gain: float) -> NDArray[np.float32]:
        with np.errstate(over="ignore", under="ignore"):
            steps = (self.parameters.step * gain * octaves(self.band_steps)).astype(np.float32)
        if not (steps > 0).all() or not np.isfinite(steps).all():
            raise MalformedError(f"step {self.parameters.step} with gain {gain}", requirement=221)
        steps.flags.writeable = False
        return steps

    def transform(self, aligned: Values, geometry: Geometry) -> Values:
        """Aligned values ``[N, C]`` to coefficients ``[N, K]``."""
        return self.along_grid(self.along_channels(aligned), geometry)

    def along_channels(self, aligned: Values) -> Values:
        """The first half of :meth:`transform`: values of tokens ``[N, C]`` to those of directions ``[N, K]``."""
        return aligned if self.basis is None else self.basis.forward(aligned)

    def along_grid(self, values: Values, geometry: Geometry) -> Values:
        """The second half: values of tokens ``[N, K]`` to those of frequencies."""
        return forward_grid(values, geometry) if geometry.spectral else values

    def encode(self, symbols: NDArray[np.int32], geometry: Geometry) -> bytes:
        """Entropy-code symbols ``[N, K]``."""
        return self.coder.encode(symbols, geometry)

    def decode_symbols(self, payload: bytes | memoryview, geometry: Geometry) -> NDArray[np.int32]:
        """Decode symbols ``[N, K]``.

        Raises:
            MalformedError: if the payload cannot be one of these tokens.
        """
        return self.coder.decode_symbols(payload, geometry)

    def points(self, symbols: NDArray[np.int32], geometry: Geometry, gain: float, dtype: np.dtype[Any]) -> Values:
        """What symbols stand for: coefficients ``[N, K]``."""
        steps = self.steps(gain)
        of_token: Values | float = steps[0] if alike(steps, geometry.bands) else steps[geometry.bands][:, None]
        return points_of(symbols, of_token, self.parameters.shift, dtype, self.parameters.dependent)

    def reconstruct(self, symbols: NDArray[np.int32], geometry: Geometry, gain: float, dtype: np.dtype[Any]) -> Values:
        """Symbols ``[N, K]`` to aligned values ``[N, C]``."""
        return self.inverse(self.points(symbols, geometry, gain, dtype), geometry)

    def inverse(self, values: Values, geometry: Geometry) -> Values:
        """Coefficients ``[N, K]`` to aligned values ``[N, C]``."""
        return self.from_channels(self.from_grid(values, geometry))

    def from_grid(self, coefficients: Values, geometry: Geometry) -> Values:
        """The inverse of :meth:`along_grid`."""
        if not geometry.spectral:
            return coefficients
        with np.errstate(over="ignore", invalid="ignore"):
            return inverse_grid(coefficients, geometry)

    def from_channels(self, values: Values) -> Values:
        """The inverse of :meth:`along_channels`, for any tokens."""
        if self.basis is None:
            return values
        with np.errstate(over="ignore", invalid="ignore"):
            return self.basis.inverse(values)


def alike(steps: Values, bands: Bytes) -> bool:
    """Whether all bands that occur have the first band's step."""
    return len(set(steps.tolist())) == 1 or not bands.any()


def _levels(arrays: Arrays, kind: str, count: int) -> NDArray[np.int32]:
    levels = arrays.get(kind)
    if levels is None:
        return np.zeros(count, np.int32)
    if levels.shape != (count,):
        raise MalformedError(f"section '{kind}' has {levels.size} elements, not {count}", requirement=204)
    return levels.astype(np.int32)


def _basis(arrays: Arrays, channels: int) -> ChannelTransform | None:
    ranks = arrays.get(GROUP_RANKS)
    groups = 1 if ranks is None else len(ranks)
    if channels % groups:
        raise MalformedError(f"{groups} groups of {channels} channels", requirement=561)
    synthesis = _rows(arrays, BASIS, BASIS_SCALES, channels // groups, channels)
    analysis = _rows(arrays, ANALYSIS, ANALYSIS_SCALES, channels // groups, channels)
    if analysis is not None and (synthesis is None or analysis.codes.shape != synthesis.codes.shape):
        raise MalformedError("an analysis of another shape than the basis", requirement=228)
    if synthesis is None:
        if ranks is not None:
            raise MalformedError("groups without a basis", requirement=561)
        return None
    _check_ranks(ranks, synthesis, channels // groups)
    return ChannelTransform(replace(synthesis, ranks=ranks), analysis)


def _check_ranks(ranks: NDArray[Any] | None, rows: QuantizedRows, width: int) -> None:
    if ranks is None:
        return
    within = int(ranks.min()) >= 0 and int(ranks.max()) <= width
    if not within or int(ranks.sum(dtype=np.int64)) != len(rows.scales):
        raise MalformedError(f"groups with other numbers of vectors than {len(rows.scales)}", requirement=561)


def _rows(arrays: Arrays, kind: str, scale_kind: str, width: int, most: int) -> QuantizedRows | None:
    codes, scales = arrays.get(kind), arrays.get(scale_kind)
    if codes is None and scales is None:
        return None
    if codes is None or scales is None or not 0 < len(scales) <= most or codes.size != len(scales) * width:
        raise MalformedError(f"a basis that does not fit {most} channels", requirement=228)
    return QuantizedRows(codes.reshape(len(scales), width), scales)


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
