"""Measuring one way to code features: bytes, the error of what came back, and the time of both directions."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from .. import api
from ..coders.distortion import Distortion
from ..coders.dtypes import to_floats
from ..encoder.encoder import Progress
from ..encoder.report import Report
from ..encoder.source import Source
from ..errors import CaufError
from ..evaluate.rivals import (
    Rival,
    TensorPlan,
)
from ..features import to_source
from ..options import layouts_for_structure
from ..types import (
    DTYPES,
    FLOATS,
    AnyArray,
)
from .features import (
    Subject,
    stored_arrays,
)

__all__ = ["Row", "measure_codec", "measure_rival", "warm_up"]

Found = TypeVar("Found")

BLOCK = 1 << 20
"""Values whose error is taken at a time."""


@dataclass(frozen=True)
class Row:
    """One method on some features.

    Args:
        method: its name.
        options: what makes it different from the other methods.
        bytes: all that decoding needs.
        bpfp: bits per feature point, 8 bytes / numel.
        snr_db: 10 log10 of energy over squared error, over all floats; None if nothing was lost.
        max_abs_error: largest absolute error.
        encode_seconds, decode_seconds: of the fastest runs.
        encode_mb_s, decode_mb_s: 10^6 bytes of the input's values a second.
        busy_threads: CPU seconds a second of the busier of both.
    """

    method: str
    options: Mapping[str, Any]
    bytes: int
    bpfp: float
    snr_db: float | None
    max_abs_error: float
    encode_seconds: float
    decode_seconds: float
    encode_mb_s: float
    decode_mb_s: float
    busy_threads: float

    def to_json(self) -> dict[str, Any]:
        """As plain data; infinite numbers are null."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Timing:
    """The fastest of several runs: wall-clock time, and CPU time of all threads."""

    seconds: float
    cpu_seconds: float


def warm_up() -> None:
    """Code a little of anything, so that no method pays for imports and tables."""
    values = np.random.default_rng(0).standard_normal((64, 64), dtype=np.float32)
    api.decode(api.encode(values, snr=20))
    api.decode(api.encode(values, lossless=True))


def measure_codec(
    subject: Subject,
    name: str,
    options: Mapping[str, Any],
    *,
    common: Mapping[str, Any],
    repeat: int,
    progress: Progress | None = None,
) -> tuple[Row, Report]:
    """Encode and decode with caufc.

    Args:
        subject: the features.
        name: of the row.
        options: of :func:`caufc.encode`, which the row names.
        common: those that all rows share.
        repeat: the fastest of so many runs counts.
        progress: told how far an encode is.

    Raises:
        InputError: for features that cannot be encoded as asked.
        CaufError: if what came back is not built like what went in.
    """

    def encode() -> tuple[bytes, Report]:
        buffer = io.BytesIO()
        report = api.encode_to(buffer, subject.features, progress=progress, **common, **options)
        return buffer.getvalue(), report

    (data, report), encoding = _best(repeat, encode)
    back, decoding = _best(repeat, lambda: api.decode(data))
    returned = to_source(back, layouts_for_structure(common.get("layout")))
    _check_build(subject.source, returned)
    return _row(name, options, subject, len(data), stored_arrays(returned), encoding, decoding), report


def measure_rival(subject: Subject, rival: Rival, plans: Sequence[TensorPlan], *, repeat: int) -> Row:
    """Encode and decode with a rival that takes all tensors."""
    forms = [DTYPES[plan.dtype] for plan in plans]
    parts, encoding = _best(repeat, lambda: [rival.encode(*pair) for pair in zip(subject.arrays, plans, strict=True)])
    back, decoding = _best(repeat, lambda: [rival.decode(*each) for each in zip(parts, plans, forms, strict=True)])
    return _row(rival.name, rival.options, subject, sum(map(len, parts)), back, encoding, decoding)


def _best(repeat: int, run: Callable[[], Found]) -> tuple[Found, Timing]:
    timings = []
    for _ in range(repeat):
        started, cpu = time.perf_counter(), time.process_time()
        found = run()
        timings.append(Timing(max(time.perf_counter() - started, 1e-9), time.process_time() - cpu))
    return found, min(timings, key=lambda timing: timing.seconds)


def _row(
    name: str,
    options: Mapping[str, Any],
    subject: Subject,
    size: int,
    back: Sequence[Sequence[AnyArray]],
    encoding: Timing,
    decoding: Timing,
) -> Row:
    error = _distortion(subject, back)
    return Row(
        method=name,
        options=dict(options),
        bytes=size,
        bpfp=8 * size / subject.numel,
        snr_db=error.snr_db,
        max_abs_error=error.largest,
        encode_seconds=encoding.seconds,
        decode_seconds=decoding.seconds,
        encode_mb_s=subject.bytes_in / encoding.seconds / 1e6,
        decode_mb_s=subject.bytes_in / decoding.seconds / 1e6,
        busy_threads=max(timing.cpu_seconds / timing.seconds for timing in (encoding, decoding)),
    )


def _distortion(subject: Subject, back: Sequence[Sequence[AnyArray]]) -> Distortion:
    """The error of the floats that came back; other values must be what they were."""
    total = Distortion()
    for tensor, before, after in zip(subject.source.tensors, subject.arrays, back, strict=True):
        for original, copy in zip(before, after, strict=True):
            if tensor.dtype in FLOATS:
                _add(total, original, copy, tensor.dtype)
            elif not np.array_equal(original, copy):
                raise _defect("came back with other values", tensor.name)
    return total


def _add(total: Distortion, original: AnyArray, copy: AnyArray, dtype: str) -> None:
    x, y = original.reshape(-1), copy.reshape(-1)
    for start in range(0, x.size, BLOCK):
        a, b = (to_floats(values[start : start + BLOCK], dtype) for values in (x, y))
        finite = np.isfinite(a)
        with np.errstate(over="ignore", invalid="ignore"):
            total.add(np.where(finite, a, 0), np.where(finite, b - a, 0))


def _check_build(before: Source, after: Source) -> None:
    """What came back is built like what went in."""

    def build(source: Source) -> Any:
        tensors = [(t.name, t.dtype, [leaf.shape for leaf in t.leaves]) for t in source.tensors]
        return source.structure, source.samples, tensors

    if build(before) != build(after):
        raise _defect("what was decoded is built otherwise than what was encoded")


def _defect(message: str, tensor: str | None = None) -> CaufError:
    return CaufError(message, tensor=tensor, remedy="this is a defect of caufc: please report it")
