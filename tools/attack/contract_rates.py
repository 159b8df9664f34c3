"""Contracts on bytes: rates that are met, and no file that is larger than the one without loss."""

from __future__ import annotations

import functools
import math
from typing import Any

from tools.attack.contract_figures import snr_db
from tools.attack.contract_outcome import Coded, Misses, Outcome

__all__ = ["bpfp", "bpfp_reach", "passes", "rate_above", "size"]

SPARE_BYTES = 16
"""That a file may have beyond the one without loss."""

MOST_PASSES = 4

RATE_SHARE, RATE_BYTES = 0.02, 64
"""A rate is met within this share or so many bytes, whichever is more."""

OTHER_CONTROLS: list[dict[str, float]] = [
    *({"quality": float(quality)} for quality in range(0, 101, 4)),
    *({"snr": float(level)} for level in range(2, 62, 2)),
]
"""By which it is told whether a rate that a file does not have is in reach."""


def size(found: Outcome) -> Misses:
    """A file is never larger than the one without loss, unless values are to be clipped."""
    if found.coded is None or found.lossless_bytes is None or "truncate" in found.case.options:
        yield None
    elif len(found.coded.data) > found.lossless_bytes + SPARE_BYTES:
        yield f"{len(found.coded.data)} bytes, {found.lossless_bytes} without loss"


def rate_above(found: Outcome) -> Misses:
    """A rate above the lossless one gives the lossless file."""
    rate = found.case.control.get("bpfp")
    if rate is None or found.coded is None or found.lossless_bytes is None:
        yield None
        return
    numel = found.coded.report.numel
    if rate * numel / 8 < found.lossless_bytes:
        yield None
    elif any(pair.error.any() for pair in found.pairs):
        level = min(snr_db(pair.values, pair.error) for pair in found.pairs)
        yield f"{level:.1f} dB at {rate:g} BPFP, {8 * found.lossless_bytes / numel:.3g} without loss"


def bpfp(found: Outcome) -> Misses:
    """`--bpfp` is met within 2 % or 64 bytes where the rate is in reach, else by the nearest below, with a warning."""
    rate = found.case.control.get("bpfp")
    if rate is None or found.coded is None or found.lossless_bytes is None:
        yield None
        return
    warned, missed = bool(found.coded.report.warnings), _beyond(found, rate)
    if missed > 0 and warned:
        if found.coarsest_bytes is None or len(found.coded.data) > _with_slack(found.coarsest_bytes):
            yield f"{_rate_text(found, rate)}, {found.coarsest_bytes} at the coarsest"
    elif missed and not warned:
        yield f"{_rate_text(found, rate)}, without a warning"


def bpfp_reach(found: Outcome) -> Misses:
    """A rate between that of the coarsest file and that without loss is in reach if another control comes nearer.

    Such as another rate. Of a few different values, steps keep all or nothing: no control has a file between.
    """
    rate = found.case.control.get("bpfp")
    if rate is None or found.coded is None or found.lossless_bytes is None or not found.coded.report.warnings:
        yield None
    elif _beyond(found, rate) < 0 and (nearer := _nearer(found, found.coded, rate)) is not None:
        yield f"{_rate_text(found, rate)}; {nearer}"


def _nearer(found: Outcome, coded: Coded, rate: float) -> str | None:
    """A control whose file keeps more and is nearer to a rate from below; None if there is none."""
    least, most = _with_slack(len(coded.data)), rate * coded.report.numel / 8
    rates = [{"bpfp": rate * 2.0 ** (place / 16)} for place in range(-16, 17) if place]
    for control in rates + OTHER_CONTROLS:
        options = {**found.case.options, **control}
        encode = functools.partial(found.subject.encode, found.case.features, **options)
        made = found.attempt("encode", encode)
        if made is not None and least < len(made[0]) <= most and _level(made[1]) > _level(coded.report):
            return f"{len(made[0])} at {control}"
    return None


def _level(report: Any) -> float:
    """The SNR of a file in dB, infinite without loss."""
    return math.inf if report.snr_db is None else float(report.snr_db)


def _with_slack(wanted: float) -> float:
    return wanted + max(RATE_SHARE * wanted, RATE_BYTES)


def _beyond(found: Outcome, rate: float) -> float:
    """By how many bytes a file is over a rate, or below it (negative) though more bytes would keep more."""
    coded = found.coded
    if coded is None or found.lossless_bytes is None:
        return 0.0
    wanted, got = rate * coded.report.numel / 8, len(coded.data)
    if abs(got - wanted) <= _with_slack(wanted) - wanted or wanted >= found.lossless_bytes:
        return 0.0
    if got < wanted and (found.learned or not any(pair.error.any() for pair in found.pairs)):
        return 0.0
    return float(got - wanted)


def _rate_text(found: Outcome, rate: float) -> str:
    if found.coded is None:
        return ""
    wanted = rate * found.coded.report.numel / 8
    return f"{len(found.coded.data)} bytes, not {wanted:.0f}; {found.lossless_bytes} without loss"


def passes(found: Outcome) -> Misses:
    """Rate control takes at most 4 passes."""
    if found.coded is None:
        yield None
    elif found.coded.report.passes > MOST_PASSES:
        yield f"{found.coded.report.passes} passes"
