"""Contracts on what comes back whatever the control: no error, the same form, exact values, a true report."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tools.attack.contract_figures import is_rest, snr_db
from tools.attack.contract_outcome import Misses, Outcome, errors_of
from tools.attack.contract_tensors import as_floats, bits_of, is_float, leaves_of, raw_bytes

__all__ = ["decodes", "deterministic", "exact", "lossless", "max_error", "no_error", "report"]

REPORT_SLACK = 0.02
"""dB by which a told SNR may differ from the measured one."""

BEYOND_FLOATS = 300.0
"""From so many dB on, sums in float64 tell no difference."""


def no_error(found: Outcome) -> Misses:
    """A valid input never meets an internal error: any array at any control gives a file or an `InputError`."""
    if found.case.valid:
        yield from errors_of(found, "encode", "lossless", "twin")
        return
    kinds = [type(error).__mro__ for what, error in found.errors if what == "encode"]
    if not kinds:
        yield "accepted, though it cannot be encoded"
    elif not any(kind.__name__ == "InputError" for kind in kinds[0]):
        yield from errors_of(found, "encode")


def decodes(found: Outcome) -> Misses:
    """`caufc decode` gives back the same structure, names, shapes and dtypes."""
    yield from errors_of(found, "decode", "form")


def deterministic(found: Outcome) -> Misses:
    """The encoder is deterministic in one environment."""
    if found.case.twin is None or found.case.twin.relation != "again" or not (found.twin and found.coded):
        yield None
    elif found.twin.data != found.coded.data:
        yield f"{len(found.coded.data)} bytes, then {len(found.twin.data)}, which differ"


def exact(found: Outcome) -> Misses:
    """Integers, booleans, NaN and Inf come back exactly, and finite values finite, at any control."""
    if found.coded is None:
        yield None
        return
    after = dict(leaves_of(found.coded.restored))
    for path, leaf in leaves_of(found.coded.features):
        before_bits, after_bits = bits_of(leaf), bits_of(after[path])
        if not is_float(leaf):
            kept: NDArray[np.bool_] = np.ones(before_bits.shape, bool)
        else:
            kept = ~np.isfinite(as_floats(leaf)).reshape(-1)
            if not np.isfinite(as_floats(after[path])).reshape(-1)[~kept].all():
                yield f"{'.'.join(path)}: finite values came back as NaN or Inf"
        if (changed := int(np.count_nonzero((before_bits != after_bits)[kept]))) > 0:
            yield f"{'.'.join(path)}: {changed} values changed that must be exact"


def lossless(found: Outcome) -> Misses:
    """`--lossless` keeps every bit, in no more bytes than the values have, but for a small overhead."""
    if found.lossless is None:
        yield None
        return
    after = dict(leaves_of(found.lossless.restored))
    for path, leaf in leaves_of(found.case.features):
        if not np.array_equal(bits_of(leaf), bits_of(after[path])):
            yield f"{'.'.join(path)}: bits changed"
    report = found.lossless.report
    names = sum(64 + len(".".join(path)) for path, _ in leaves_of(found.case.features))
    allowed = raw_bytes(found.case.features) + 64 + names + 4 * report.samples + 32 * report.chunks
    if len(found.lossless.data) > allowed:
        yield f"{len(found.lossless.data)} bytes, of at most {allowed}"


def max_error(found: Outcome) -> Misses:
    """Under `--max-error` the bound is exact, checked after the cast to the output dtype."""
    wanted = found.case.control.get("max_error")
    if wanted is None or found.coded is None or "truncate" in found.case.options:
        yield None
        return
    for pair in found.pairs:
        with np.errstate(all="ignore"):
            wide = np.abs(np.subtract(pair.restored, pair.original, dtype=np.longdouble))[pair.finite]
        if wide.size and not wide.max() <= wanted:
            yield f"'{pair.name}': {float(wide.max()):.6g}, not {wanted:.6g}"


def report(found: Outcome) -> Misses:
    """The report tells the bytes, the SNR and the largest error that are measured on what comes back."""
    if found.coded is None:
        yield None
        return
    said = found.coded.report
    if said.bytes_out != len(found.coded.data):
        yield f"{said.bytes_out} bytes told, {len(found.coded.data)} written"
    if not found.pairs:
        return
    values = np.concatenate([pair.values.reshape(-1) for pair in found.pairs])
    errors = np.concatenate([pair.error.reshape(-1) for pair in found.pairs])
    yield from _differs("SNR of the file", said.snr_db, snr_db(values, errors))
    largest = float(np.abs(errors).max(initial=0))
    if said.max_abs_error is not None and not math.isclose(said.max_abs_error, largest, rel_tol=1e-3, abs_tol=1e-30):
        yield f"largest error {said.max_abs_error:.6g} told, {largest:.6g} measured"
    by_name = {pair.name: pair for pair in found.pairs}
    for tensor in said.tensors:
        if (pair := by_name.get(tensor.name)) is not None and hasattr(tensor, "snr_db"):
            rest = is_rest(pair.values)
            yield from _differs(f"SNR of '{pair.name}'", tensor.snr_db, snr_db(pair.values[rest], pair.error[rest]))


def _differs(what: str, said: float | None, measured: float) -> Misses:
    told = math.inf if said is None else said
    if min(told, measured) < BEYOND_FLOATS and not abs(told - measured) <= REPORT_SLACK:
        yield f"{what}: {told:.3f} dB told, {measured:.3f} measured"
