"""One row of a bench: the bytes of one method, the error of what came back, and the time of both directions."""

from __future__ import annotations

import functools
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
from ..encoder.report import Report
from ..encoder.source import Source
from ..errors import CaufError
from ..evaluate.rivals.base import Rival, TensorSpec
from ..features import to_source
from ..options import layouts_for_structure
from ..types import DTYPES, FLOATS, AnyArray, Progress
from .features import LoadedFeatures, arrays_of
from .methods import EncodeSetting

__all__ = ["BenchRow", "measure_rival", "measure_setting", "warm_up"]

Found = TypeVar("Found")

BLOCK = 1 << 20
"""Values whose error is taken at a time, so that float64 copies stay small."""


@dataclass(frozen=True)
class BenchRow:
    """The row of one method: its bytes, error and speed on the features.

    Args:
        method: the method's name.
        options: what makes it different from the other methods.
        bytes: all that decoding needs.
        bpfp: bits per feature point, 8 bytes / numel.
        snr_db: 10 log10 of energy over squared error, over all floats; None if nothing was lost.
        max_abs_error: largest absolute error.
        encode_seconds, decode_seconds: wall-clock time of the fastest runs.
        encode_mb_s, decode_mb_s: 10^6 bytes of the input's values per second.
        busy_threads: CPU seconds per second of the busier direction.
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
        """The row as plain data; infinite numbers are null."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Timing:
    """The time of the fastest of several runs: wall-clock, and CPU time of all threads."""

    seconds: float
    cpu_seconds: float


@functools.cache
def warm_up() -> None:
    """Code a little of anything, once per process, so that no method pays for imports and tables."""
    values = np.random.default_rng(0).standard_normal((64, 64), dtype=np.float32)
    api.decode(api.encode(values, snr=20))
    api.decode(api.encode(values, lossless=True))


def measure_setting(
    features: LoadedFeatures,
    setting: EncodeSetting,
    *,
    options: Mapping[str, Any],
    repeat: int,
    progress: Progress | None = None,
) -> tuple[BenchRow, Report]:
    """The row of caufc at one setting, with one thread as rivals have, and the report of its encode.

    Args:
        features: what is coded.
        setting: the options that the row names.
        options: of :func:`caufc.encode`, which all rows share.
        repeat: the fastest of so many runs counts.
        progress: of an encode.

    Raises:
        InputError: for features that cannot be encoded as asked.
        CaufError: if what came back is not built like what went in.
    """

    def encode() -> tuple[bytes, Report]:
        buffer = io.BytesIO()
        encoder = api.make_encoder(features.features, threads=1, progress=progress, **options, **setting.options)
        report = encoder.encode(buffer)
        return buffer.getvalue(), report

    (data, report), encoding = _best(repeat, encode)
    back, decoding = _best(repeat, lambda: api.decode(data, threads=1))
    returned = to_source(back, layouts_for_structure(options.get("layout")))
    _check_build(features.source, returned)
    row = _row(setting.name, setting.options, features, len(data), arrays_of(returned), encoding, decoding)
    return row, report


def measure_rival(features: LoadedFeatures, rival: Rival, specs: Sequence[TensorSpec], *, repeat: int) -> BenchRow:
    """The row of a rival that takes all tensors."""
    forms = [DTYPES[spec.dtype] for spec in specs]
    parts, encoding = _best(repeat, lambda: [rival.encode(*pair) for pair in zip(features.arrays, specs, strict=True)])
    back, decoding = _best(repeat, lambda: [rival.decode(*each) for each in zip(parts, specs, forms, strict=True)])
    return _row(rival.name, rival.options, features, sum(map(len, parts)), back, encoding, decoding)


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
    features: LoadedFeatures,
    size: int,
    back: Sequence[Sequence[AnyArray]],
    encoding: Timing,
    decoding: Timing,
) -> BenchRow:
    error = _distortion(features, back)
    return BenchRow(
        method=name,
        options=dict(options),
        bytes=size,
        bpfp=8 * size / features.numel,
        snr_db=error.snr_db,
        max_abs_error=error.largest,
        encode_seconds=encoding.seconds,
        decode_seconds=decoding.seconds,
        encode_mb_s=features.bytes_in / encoding.seconds / 1e6,
        decode_mb_s=features.bytes_in / decoding.seconds / 1e6,
        busy_threads=max(timing.cpu_seconds / timing.seconds for timing in (encoding, decoding)),
    )


def _distortion(features: LoadedFeatures, back: Sequence[Sequence[AnyArray]]) -> Distortion:
    """The error of the floats that came back; other values must be what they were."""
    total = Distortion()
    for tensor, before, after in zip(features.source.tensors, features.arrays, back, strict=True):
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
            total.add(np.where(finite, a, 0)[None], np.where(finite, b - a, 0)[None])


def _check_build(before: Source, after: Source) -> None:
    """Check that what came back is built like what went in."""

    def build(source: Source) -> Any:
        tensors = [(t.name, t.dtype, [leaf.shape for leaf in t.leaves]) for t in source.tensors]
        return source.structure, source.samples, tensors

    if build(before) != build(after):
        raise _defect("what was decoded is built otherwise than what was encoded")


def _defect(message: str, tensor: str | None = None) -> CaufError:
    return CaufError(message, tensor=tensor, remedy="this is a defect of caufc: please report it")
