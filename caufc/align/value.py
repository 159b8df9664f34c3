"""Value alignment: truncation to a range, then normalisation (CAUFC, section 3; spec, section 7)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from ..octaves import EIGHTHS, OCTAVE_PARTS
from .base import SideArray
from .statistics import ChannelStatistics

__all__ = [
    "LARGEST_ALIGNED",
    "SCALE_CODE_LIMIT",
    "ChannelAligner",
    "GlobalAligner",
    "TokenAligner",
    "align_channels",
    "align_globally",
    "check_scale_codes",
    "scale_of",
    "truncate",
]

OFFSET_PARTS = 16
CODE_LIMIT, WIDE_CODE_LIMIT = 32_767, 1 << 24
SCALE_CODE_LIMIT = 960
MIN_SCALE, MAX_SCALE = 2.0**-120, 2.0**120

LARGEST_ALIGNED = 8.0
"""Channels get scales that leave them at most so many times larger than the typical one, whatever the strength."""

FLOOR = 1e-3
"""Scales below this share of the typical one are raised to it: constant channels must not get tiny steps."""


def scale_of(codes: NDArray[Any]) -> NDArray[np.float32]:
    """Scale codes to scales: ``2^(code / 8)``, exact in float32 [CAUF-0354]."""
    scales: NDArray[np.float32] = np.ldexp(EIGHTHS[codes & 7], codes >> 3)
    return scales.astype(np.float32)


def _codes(
    offset: NDArray[np.float64], scale: NDArray[np.float64], limit: int = CODE_LIMIT
) -> tuple[NDArray[np.int32], SideArray]:
    """Offsets and scales to the nearest codes."""
    safe = np.clip(scale, MIN_SCALE, MAX_SCALE)
    scale_codes = np.rint(OCTAVE_PARTS * np.log2(safe)).astype(np.int16)
    units = offset * OFFSET_PARTS / scale_of(scale_codes).astype(np.float64)
    return np.clip(np.rint(units), -limit, limit).astype(np.int32), scale_codes


def _offset_of(offset_codes: NDArray[Any], scale_codes: SideArray) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # infinities become the largest finite values [CAUF-0360]
        return offset_codes.astype(np.float32) * (scale_of(scale_codes) / np.float32(OFFSET_PARTS))


def truncate(matrix: NDArray[Any], low: float, high: float) -> tuple[NDArray[Any], int]:
    """Clip to a range; also how many values that changed."""
    outside = int(np.count_nonzero(matrix < low)) + int(np.count_nonzero(matrix > high))
    return (np.clip(matrix, low, high), outside) if outside else (matrix, 0)


class GlobalAligner:
    """One offset and one scale for all values, both float32."""

    def __init__(self, offset: float, scale: float) -> None:
        self.offset, self.scale = float(np.float32(offset)), float(np.float32(scale))

    def forward(self, matrix: NDArray[Any]) -> tuple[NDArray[Any], None]:
        if self.offset == 0 and self.scale == 1:
            return matrix, None
        aligned = matrix * matrix.dtype.type(1 / self.scale) if self.offset == 0 else matrix - self.offset
        if self.offset != 0:
            aligned *= matrix.dtype.type(1 / self.scale)
        return aligned, None

    def inverse(self, aligned: NDArray[Any], side: SideArray | None) -> NDArray[Any]:  # noqa: ARG002
        if self.scale != 1:
            aligned = aligned * aligned.dtype.type(self.scale)
        if self.offset != 0:
            aligned = aligned + aligned.dtype.type(self.offset)
        return aligned

    def scales(self, side: SideArray | None) -> NDArray[Any]:  # noqa: ARG002
        return np.array(self.scale)


def check_scale_codes(codes: NDArray[Any]) -> None:
    """Refuse scale codes out of range.

    Raises:
        MalformedError: for a code beyond 960 on either side.
    """
    if codes.size and (int(codes.min()) < -SCALE_CODE_LIMIT or int(codes.max()) > SCALE_CODE_LIMIT):
        raise MalformedError("a scale code out of range", requirement=356)


class ChannelAligner:
    """An offset and a scale per channel, as codes ``[C]`` that travel in sections; offsets may be large.

    Raises:
        MalformedError: for a scale code out of range.
    """

    def __init__(self, offset_codes: NDArray[Any], scale_codes: SideArray) -> None:
        check_scale_codes(scale_codes)
        self.offset_codes, self.scale_codes = offset_codes, scale_codes
        self.offset, self.scale = _offset_of(offset_codes, scale_codes), scale_of(scale_codes)

    @classmethod
    def of(cls, offset: NDArray[np.float64], scale: NDArray[np.float64]) -> ChannelAligner:
        """The aligner nearest to an offset and a scale per channel ``[C]``."""
        return cls(*_codes(offset, scale, WIDE_CODE_LIMIT))

    @property
    def wide(self) -> bool:
        """Whether offsets need codes of more than 16 bits."""
        return bool(np.abs(self.offset_codes).max(initial=0) > CODE_LIMIT)

    def forward(self, matrix: NDArray[Any]) -> tuple[NDArray[Any], None]:
        aligned: NDArray[Any] = matrix - self.offset.astype(matrix.dtype)
        aligned *= (1 / self.scale).astype(matrix.dtype)
        return aligned, None

    def inverse(self, aligned: NDArray[Any], side: SideArray | None) -> NDArray[Any]:  # noqa: ARG002
        out: NDArray[Any] = aligned * self.scale.astype(aligned.dtype)
        out += self.offset.astype(aligned.dtype)
        return out

    def scales(self, side: SideArray | None) -> NDArray[Any]:  # noqa: ARG002
        return self.scale


class TokenAligner:
    """An offset and a scale per token, measured on each token and sent with its chunk."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def forward(self, matrix: NDArray[Any]) -> tuple[NDArray[Any], SideArray]:
        wide = matrix.astype(np.float64)
        if matrix.shape[1]:
            offset, scale = _rows_by_kind(self.kind, wide)
        else:
            offset, scale = np.zeros(len(matrix)), np.ones(len(matrix))
        typical = float(np.mean(scale)) if len(scale) else 0.0
        offset_codes, scale_codes = _codes(offset, np.maximum(scale, FLOOR * typical) if typical > 0 else scale + 1)
        side = np.stack([offset_codes.astype(np.int16), scale_codes])
        token_offset, token_scale = self._of(side)
        aligned = (wide - token_offset[:, None]) / token_scale[:, None]
        return aligned.astype(matrix.dtype), side

    def inverse(self, aligned: NDArray[Any], side: SideArray | None) -> NDArray[Any]:
        offset, scale = self._of(side)
        out: NDArray[Any] = aligned * scale[:, None].astype(aligned.dtype)
        out += offset[:, None].astype(aligned.dtype)
        return out

    def scales(self, side: SideArray | None) -> NDArray[Any]:
        return self._of(side)[1][:, None]

    @staticmethod
    def _of(side: SideArray | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if side is None:
            raise ValueError("per-token alignment needs its side array")
        return _offset_of(side[0], side[1]), scale_of(side[1])


def _rows_by_kind(kind: str, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offset and scale of every row ``[M, K]`` by kind."""
    if kind == "min-max":
        low = rows.min(axis=1)
        return low, rows.max(axis=1) - low
    if kind == "percentile":
        low, high = np.percentile(rows, [1, 99], axis=1)
        return low, high - low
    if kind == "robust":
        lower, middle, upper = np.percentile(rows, [25, 50, 75], axis=1)
        return middle, upper - lower
    return rows.mean(axis=1), rows.std(axis=1)


def align_globally(kind: str, statistics: ChannelStatistics, sample: NDArray[Any]) -> GlobalAligner:
    """Measure a global aligner.

    Args:
        kind: one of the alignment kinds.
        statistics: of all values.
        sample: tokens ``[M, C]`` of the same features, for kinds that need order statistics.
    """
    if kind == "none" or not statistics.count or not sample.size:
        return GlobalAligner(0.0, 1.0)
    if kind == "min-max":
        low = float(statistics.low.min())
        offset, scale = low, float(statistics.high.max()) - low
    elif kind == "mean-deviation":
        offset, scale = statistics.global_mean, statistics.global_deviation
    else:
        offsets, scales = _rows_by_kind(kind, sample.reshape(1, -1).astype(np.float64))
        offset, scale = float(offsets[0]), float(scales[0])
    typical = statistics.global_deviation or abs(statistics.global_mean)
    if scale <= 0:
        scale = typical
    return GlobalAligner(offset, max(scale, FLOOR * typical, MIN_SCALE))


def _median_of_positive(values: NDArray[np.float64]) -> float:
    """The median of what is above 0, 0 if nothing is: massive channels must not set the scale of all others."""
    positive = values[values > 0]
    return float(np.median(positive)) if positive.size else 0.0


def align_channels(
    kind: str, statistics: ChannelStatistics, sample: NDArray[Any], strength: float, groups: int = 1
) -> ChannelAligner:
    """Measure a per-channel aligner.

    Args:
        kind: one of the alignment kinds but ``none``.
        statistics: of all values.
        sample: tokens ``[M, C]`` of the same features, for kinds that need order statistics.
        strength: 1 gives channels their own scales, 0 the common one of their group, so that equal steps mean equal
            errors.
        groups: of channels, each with as many.
    """
    if kind == "min-max":
        offset, scale = statistics.low, statistics.high - statistics.low
    elif kind == "mean-deviation" or not sample.size:
        offset, scale = statistics.mean, statistics.deviation
    else:
        offset, scale = _rows_by_kind(kind, sample.T.astype(np.float64))
    if not statistics.count:
        offset, scale = np.zeros_like(scale), np.ones_like(scale)
    fallback = max(statistics.global_deviation, float(np.abs(offset).max(initial=0)), MIN_SCALE)
    by_group = [_median_of_positive(part) or fallback for part in np.split(scale, groups)]
    typical = np.repeat(by_group, len(scale) // groups)
    ratios = np.maximum(scale / typical, FLOOR)
    return ChannelAligner.of(offset, typical * np.maximum(ratios**strength, ratios / LARGEST_ALIGNED))
