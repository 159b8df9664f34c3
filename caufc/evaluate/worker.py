"""One point, coded in a process of its own: bytes, error, time of both directions, and peak memory of each.

The process reads one JSON object from stdin (:class:`Job`) and prints one (:class:`Coded`). It runs on one thread.
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

from .feature_file import Stored
from .rivals import find_families
from .rivals.base import Rival

__all__ = ["Coded", "Job"]

Found = TypeVar("Found")
MIB = 1 << 20
SMALLEST = 1e-300


@dataclass(frozen=True)
class Job:
    """What to code.

    Args:
        features: file of :class:`Stored` features.
        decoded: file to write what came back to.
        family: key of a rival; None for caufc.
        setting: options of the point.
        options: of :func:`caufc.encode`.
        profile: file of a profile that is not embedded; None for none.
        calibration: file of the fit half's features, for rivals that are fitted on them.
    """

    features: str
    decoded: str
    family: str | None
    setting: Mapping[str, Any]
    options: Mapping[str, Any]
    profile: str | None = None
    calibration: str | None = None


@dataclass(frozen=True)
class Coded:
    """What a point cost.

    Args:
        bytes: all that decoding needs.
        snr_db: 10 log10 of energy over squared error; None if nothing was lost.
        encode_seconds, decode_seconds: CPU time, which is the wall-clock time of one thread that is alone.
        encode_mib, decode_mib: peak memory above what stood before, the result included.
        method: the variant's full name.
    """

    bytes: int
    snr_db: float | None
    encode_seconds: float
    decode_seconds: float
    encode_mib: float
    decode_mib: float
    method: str


@dataclass(frozen=True)
class Cost:
    """Of one call."""

    seconds: float
    mib: float


def code(job: Job) -> Coded:
    """Code and decode, write what came back, and measure.

    Raises:
        CaufError: for features that cannot be coded so.
    """
    features = Stored.load(Path(job.features))
    _warm_up(job)
    if job.family is None:
        coded, back = _with_caufc(job, features)
    else:
        coded, back = min((_with_rival(each, features) for each in _variants(job)), key=lambda found: found[0].bytes)
    back.save(Path(job.decoded))
    return coded


def _with_caufc(job: Job, features: Stored) -> tuple[Coded, Stored]:
    from .. import api

    shared: dict[str, Any] = {key: job.options[key] for key in ("weights",) if key in job.options}
    shared["profile"] = job.profile
    apart = {f"embed_{name}": False for name in shared}
    options = {"layout": features.layout, **job.options, **job.setting, **shared, **apart}
    data, encoding = measured(lambda: api.encode(features.samples, **options))
    samples, decoding = measured(lambda: api.decode(data, **shared))
    return _coded(features, features.like(samples), len(data), encoding, decoding, "caufc"), features.like(samples)


def _with_rival(rival: Rival, features: Stored) -> tuple[Coded, Stored]:
    plan, form = features.plan, np.dtype("<f4")
    data, encoding = measured(lambda: rival.encode(features.arrays, plan))
    arrays, decoding = measured(lambda: rival.decode(data, plan, form))
    back = features.like(arrays[0] if features.batch else arrays)
    return _coded(features, back, len(data), encoding, decoding, rival.name), back


def _variants(job: Job) -> list[Rival]:
    (family,) = find_families([job.family or ""])
    path = job.calibration

    def calibration() -> Any:
        return Stored.load(Path(path or "")).tokens()

    return list(family.make(job.setting, calibration))


def _warm_up(job: Job) -> None:
    """Code a little of anything, so that no point pays for imports and tables."""
    values = Stored.of(np.random.default_rng(0).standard_normal((8, 64, 16), dtype=np.float32), "b n c")
    if job.family is None:
        from .. import api

        learned: dict[str, Any] = {key: job.options[key] for key in ("codec", "weights") if key in job.options}
        target: dict[str, Any] = {"quality": 50} if "codec" in learned else {"snr": 20}
        api.decode(api.encode(values.samples, **target, **learned), weights=learned.get("weights"))
    elif job.calibration is None:
        for rival in _variants(job):
            rival.decode(rival.encode(values.arrays, values.plan), values.plan, np.dtype("<f4"))


def measured(run: Callable[[], Found]) -> tuple[Found, Cost]:
    """A call's result, its CPU time, which others on the machine do not change, and its memory at its peak."""
    gc.collect()
    before = _reset_peak()
    started = time.process_time()
    found = run()
    seconds = time.process_time() - started
    return found, Cost(max(seconds, 1e-9), max(0.0, _peak() - before))


def _reset_peak() -> float:
    """Resident MiB now; Linux starts its peak anew, elsewhere the process's own peak stands."""
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


def _coded(features: Stored, back: Stored, size: int, encoding: Cost, decoding: Cost, name: str) -> Coded:
    seconds = {"encode_seconds": encoding.seconds, "decode_seconds": decoding.seconds}
    snr = snr_db(features, back)
    return Coded(size, snr, **seconds, encode_mib=encoding.mib, decode_mib=decoding.mib, method=name)


def snr_db(features: Stored, back: Stored) -> float | None:
    """Signal-to-noise ratio over all values; None where nothing was lost."""
    signal = noise = 0.0
    for original, copy in zip(features.arrays, back.arrays, strict=True):
        for x, y in zip(original.reshape(len(original), -1), copy.reshape(len(copy), -1), strict=True):
            signal += float(np.square(x, dtype=np.float64).sum())
            noise += float(np.square(x.astype(np.float64) - y).sum())
    return 10 * math.log10(max(signal, SMALLEST) / noise) if noise else None


def main() -> None:
    """Serve one job; an error of caufc becomes one too for whoever asked."""
    from ..errors import CaufError

    job = Job(**json.load(sys.stdin))
    try:
        answer: dict[str, Any] = asdict(code(job))
    except CaufError as err:
        answer = {"error": err.message, "remedy": err.remedy}
    except MemoryError:
        answer = {"error": "not enough memory", "remedy": "measure fewer samples with --samples N"}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
