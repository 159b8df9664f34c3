"""The process that codes one point: bytes, error, time of both directions, and peak memory of each.

It reads one JSON object from stdin (:class:`CodingJob`), prints one (:class:`CodingResult`), and runs on one thread.
"""

from __future__ import annotations

import gc
import json
import math
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .feature_file import FeatureFile
from .rivals.base import Rival, RivalInputs
from .rivals.registry import find_families

__all__ = ["CodingJob", "CodingResult"]

Found = TypeVar("Found")
MIB = 1 << 20
SMALLEST = 1e-300
"""Stands for an energy of 0, whose logarithm there is not."""


@dataclass(frozen=True)
class CodingJob:
    """A job for the process: what to code, and how.

    Args:
        features: a :class:`FeatureFile`.
        decoded: the one to write decoded features to.
        rival: key of a family of rivals; None for caufc.
        setting: options of the point.
        options: of :func:`caufc.encode`, at all settings.
        profile: file of a profile that is not embedded; None for none.
        calibration: a :class:`FeatureFile` of the fit half, for rivals that are fitted on it.
    """

    features: str
    decoded: str
    rival: str | None
    setting: Mapping[str, Any]
    options: Mapping[str, Any]
    profile: str | None = None
    calibration: str | None = None


@dataclass(frozen=True)
class CodingResult:
    """The result of a job: size, error, time and memory.

    Args:
        bytes: all that decoding needs.
        snr_db: 10 log10 of energy over squared error; None if nothing was lost.
        encode_seconds, decode_seconds: CPU time, which is the wall-clock time of one thread that is alone.
        encode_mib, decode_mib: peak memory above what stood before, the result included.
        variant: the full name of the variant that was smallest.
    """

    bytes: int
    snr_db: float | None
    encode_seconds: float
    decode_seconds: float
    encode_mib: float
    decode_mib: float
    variant: str


@dataclass(frozen=True)
class CallCost:
    """CPU time and peak memory of one call."""

    seconds: float
    mib: float


def code(job: CodingJob) -> CodingResult:
    """Code and decode, write the decoded features, and measure.

    Raises:
        CaufError: for features that cannot be coded so.
    """
    features = FeatureFile.load(Path(job.features))
    _warm_up(job)
    if job.rival is None:
        result, back = _with_caufc(job, features)
    else:
        result, back = min((_with_rival(each, features) for each in _variants(job)), key=lambda found: found[0].bytes)
    back.save(Path(job.decoded))
    return result


def _with_caufc(job: CodingJob, features: FeatureFile) -> tuple[CodingResult, FeatureFile]:
    from .. import api

    shared: dict[str, Any] = {key: job.options[key] for key in ("weights",) if key in job.options}
    shared["profile"] = job.profile
    apart = {f"embed_{name}": False for name in shared}
    options = {"layout": features.layout, **job.options, **job.setting, **shared, **apart}
    data, encoding = measured(lambda: api.encode(features.samples, threads=1, **options))
    samples, decoding = measured(lambda: api.decode(data, threads=1, **shared))
    back = features.like(samples)
    return _result(features, back, len(data), encoding, decoding, "caufc"), back


def _with_rival(rival: Rival, features: FeatureFile) -> tuple[CodingResult, FeatureFile]:
    spec, form = features.spec, np.dtype("<f4")
    data, encoding = measured(lambda: rival.encode(features.arrays, spec))
    arrays, decoding = measured(lambda: rival.decode(data, spec, form))
    back = features.like(arrays[0] if features.batch else arrays)
    return _result(features, back, len(data), encoding, decoding, rival.name), back


def _variants(job: CodingJob) -> list[Rival]:
    (family,) = find_families([job.rival or ""])
    path = job.calibration
    calibration = None if path is None else (lambda: FeatureFile.load(Path(path)).tokens())
    return list(family.make(job.setting, RivalInputs(calibration)))


def _warm_up(job: CodingJob) -> None:
    """Code a little of anything, so that no point pays for imports and tables."""
    values = FeatureFile.of(np.random.default_rng(0).standard_normal((8, 64, 16), dtype=np.float32), "b n c")
    if job.rival is None:
        from .. import api

        learned: dict[str, Any] = {key: job.options[key] for key in ("codec", "weights") if key in job.options}
        target: dict[str, Any] = {"quality": 50} if "codec" in learned else {"snr": 20}
        api.decode(api.encode(values.samples, **target, **learned), weights=learned.get("weights"))
    elif job.calibration is None:
        for rival in _variants(job):
            rival.decode(rival.encode(values.arrays, values.spec), values.spec, np.dtype("<f4"))


def measured(run: Callable[[], Found]) -> tuple[Found, CallCost]:
    """The result of a call, and its cost: CPU time, which others on the machine do not change, and peak memory."""
    gc.collect()
    before = _reset_peak()
    started = time.process_time()
    found = run()
    seconds = time.process_time() - started
    return found, CallCost(max(seconds, 1e-9), max(0.0, _peak() - before))


def _reset_peak() -> float:
    """MiB resident now. Linux starts the peak anew; elsewhere the peak of the process so far stands."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MIB
    except OSError:
        return _peak()


def _peak() -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


def _result(
    features: FeatureFile, back: FeatureFile, size: int, encoding: CallCost, decoding: CallCost, variant: str
) -> CodingResult:
    return CodingResult(
        bytes=size,
        snr_db=snr_db(features, back),
        encode_seconds=encoding.seconds,
        decode_seconds=decoding.seconds,
        encode_mib=encoding.mib,
        decode_mib=decoding.mib,
        variant=variant,
    )


def snr_db(features: FeatureFile, back: FeatureFile) -> float | None:
    """Signal-to-noise ratio over all values; None where nothing was lost."""
    signal = noise = 0.0
    for original, copy in zip(features.arrays, back.arrays, strict=True):
        for x, y in zip(original.reshape(len(original), -1), copy.reshape(len(copy), -1), strict=True):
            signal += float(np.square(x, dtype=np.float64).sum())
            noise += float(np.square(x.astype(np.float64) - y).sum())
    return 10 * math.log10(max(signal, SMALLEST) / noise) if noise else None


def main() -> None:
    """Do the job that stdin holds; an error of caufc is the answer then."""
    from ..errors import CaufError

    job = CodingJob(**json.load(sys.stdin))
    try:
        answer: dict[str, Any] = asdict(code(job))
    except CaufError as err:
        answer = {"error": err.message, "remedy": err.command_remedy}
    except MemoryError:
        answer = {"error": "not enough memory", "remedy": "measure fewer samples with --samples N"}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
