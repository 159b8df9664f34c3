"""The summary of an evaluation as plain data: points with intervals, rates at equal agreement, Bjontegaard deltas."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .curve_run import MeasuredCurve
from .curves import FLOOR, Curve, bd_accuracy, bd_available, bd_rate, bd_rate_at_snr
from .methods import CodecMethod, Method
from .rivals.registry import FAMILIES

__all__ = ["MARKS", "at_mark", "summarise"]

MARKS = (0.99, 0.95)
"""Agreements at which rates are compared: what a user hardly notices, and what some put up with; chosen by hand."""

Result = dict[str, Any]


def summarise(curves: Sequence[MeasuredCurve], anchor: str, read_outs: Mapping[str, Collection[str]]) -> Result:
    """All results of a run; their keys are those of ``results.json``.

    Args:
        curves: as measured, those of one tap side by side.
        anchor: key of the method that Bjontegaard deltas and ratios compare with.
        read_outs: task ID -> the taps behind which its network only reads out; the others are interior.
    """
    groups = groupby(curves, key=lambda measured: (measured.task, measured.tap))
    taps = [_tap(list(group), anchor, read_outs) for _, group in groups]
    methods: dict[str, Result] = {}
    for measured in curves:
        methods.setdefault(measured.method.key, _facts(measured.method))
    return {
        "marks": list(MARKS),
        "anchor": anchor,
        "methods": list(methods.values()),
        "taps": taps,
        "summary": [_summary(method, taps, anchor) for method in methods.values()],
    }


def _facts(method: Method) -> Result:
    own = isinstance(method, CodecMethod)
    fitted = method.fitted if isinstance(method, CodecMethod) else ("calibration" if method.calibrated else "none")
    return {"key": method.key, "name": method.name, "kind": "codec" if own else "rival", "fitted": fitted}


def _tap(group: Sequence[MeasuredCurve], anchor: str, read_outs: Mapping[str, Collection[str]]) -> Result:
    first = group[0]
    known = _known(first)
    accuracy = float((first.reference == first.labels)[known].mean()) if known.any() else None
    curves = {measured.method.key: (_agreement(measured), _accuracy(measured)) for measured in group if measured.points}
    decibels = {measured.method.key: _decibels(measured) for measured in group}
    return {
        "task": first.task,
        "tap": first.tap,
        "place": "read-out" if first.tap in read_outs.get(first.task, ()) else "interior",
        "layout": first.layout,
        "samples": first.samples,
        "numel": first.numel,
        "accuracy": accuracy,
        "methods": [_method(measured, curves, decibels, anchor, accuracy) for measured in group],
    }


def _known(measured: MeasuredCurve) -> NDArray[np.bool_]:
    """The samples ``[B]`` whose right class is known; none where a sample has several predictions."""
    known: NDArray[np.bool_] = (measured.labels >= 0) & (measured.reference.ndim == 1)
    return known


def _agreement(measured: MeasuredCurve) -> Curve:
    right = np.stack([point.agrees(measured.reference) for point in measured.points])
    return Curve([point.bpfp for point in measured.points], right)


def _accuracy(measured: MeasuredCurve) -> Curve | None:
    known = _known(measured)
    if not known.any():
        return None
    right = np.stack([point.agrees(measured.labels)[known] for point in measured.points])
    return Curve([point.bpfp for point in measured.points], right)


def _decibels(measured: MeasuredCurve) -> list[tuple[float, float]]:
    """BPFP and SNR in dB of the points that are not exact."""
    return [(point.bpfp, point.snr_db) for point in measured.points if point.snr_db is not None]


def _method(
    measured: MeasuredCurve,
    curves: Mapping[str, tuple[Curve, Curve | None]],
    decibels: Mapping[str, Sequence[tuple[float, float]]],
    anchor: str,
    accuracy: float | None,
) -> Result:
    found: Result = {"key": measured.method.key, "points": [], "at": {}, "bd": {}, "failures": measured.failures}
    if not measured.points:
        return found
    agreement, right = curves[measured.method.key]
    intervals = agreement.intervals()
    accuracies = None if right is None else right.intervals()
    for number, point in enumerate(measured.points):
        facts = {key: value for key, value in asdict(point).items() if key != "top1"}
        facts["agreement"] = asdict(intervals[number])
        facts["accuracy"] = None if accuracies is None else asdict(accuracies[number])
        found["points"].append(facts)
    found["at"] = {f"{mark:g}": asdict(agreement.at(mark)) for mark in MARKS}
    if anchor in curves and anchor != measured.method.key and bd_available():
        base, base_right = curves[anchor]
        found["bd"] = {
            "rate_at_agreement": asdict(bd_rate(base, agreement, FLOOR)),
            "agreement_at_rate": asdict(bd_accuracy(base, agreement, FLOOR)),
            "rate_at_snr": asdict(bd_rate_at_snr(decibels[anchor], decibels[measured.method.key])),
        }
        if right is not None and base_right is not None and accuracy is not None:
            floor = FLOOR * accuracy
            found["bd"]["rate_at_accuracy"] = asdict(bd_rate(base_right, right, floor))
            found["bd"]["accuracy_at_rate"] = asdict(bd_accuracy(base_right, right, floor))
    return found


def _summary(method: Result, taps: Sequence[Result], anchor: str) -> Result:
    """The means of one method over taps: how many times fewer bytes than the anchor and the best rival, and speed.

    Bjontegaard deltas have two means: that of the percentages, as is the custom, and that of the ratios of bytes that
    they stand for, the geometric one.
    """
    rows = [(tap, own) for tap in taps for own in tap["methods"] if own["key"] == method["key"] and own["points"]]
    found: Result = {"key": method["key"], "fewer_than_anchor": {}, "fewer_than_best_rival": {}}
    found |= {"bd_rate": {}, "bd_rate_geometric": {}, "bd_rate_at_snr": {}}
    for place in ("all", "interior", "read-out"):
        chosen = [(tap, own) for tap, own in rows if place in ("all", tap["place"])]
        for mark in (f"{mark:g}" for mark in MARKS):
            against = [_ratio(_named(tap, anchor), own, mark) for tap, own in chosen]
            found["fewer_than_anchor"].setdefault(mark, {})[place] = _mean(against)
            if method["kind"] == "codec":
                best = [_ratio(_best_rival(tap, mark, method["fitted"]), own, mark) for tap, own in chosen]
                found["fewer_than_best_rival"].setdefault(mark, {})[place] = _mean(best)
        deltas = _known_deltas(chosen, "rate_at_agreement")
        found["bd_rate"][place] = sum(deltas) / len(deltas) if deltas else None
        found["bd_rate_geometric"][place] = _geometric(deltas)
        found["bd_rate_at_snr"][place] = _geometric(_known_deltas(chosen, "rate_at_snr"))
    found["speed"] = _speed([own for _, own in rows])
    return found


def _known_deltas(chosen: Sequence[tuple[Result, Result]], name: str) -> list[float]:
    deltas = [own["bd"].get(name, {}).get("value") for _, own in chosen]
    return [delta for delta in deltas if delta is not None]


def _geometric(deltas: Sequence[float]) -> float | None:
    """The geometric mean of changes in %."""
    logs = [math.log1p(max(delta, -99.999) / 100) for delta in deltas]
    return 100 * math.expm1(sum(logs) / len(logs)) if logs else None


def _named(tap: Result, key: str) -> Result | None:
    return next((own for own in tap["methods"] if own["key"] == key and own["points"]), None)


def _best_rival(tap: Result, mark: str, fitted: str) -> Result | None:
    """The rival of the fewest bytes that reaches the mark; for a codec without a profile, of those without too."""
    allowed = {family.key for family in FAMILIES if fitted != "none" or not family.calibrated}
    rivals = [own for own in tap["methods"] if own["key"] in allowed and own["points"]]
    reaching = [own for own in rivals if own["at"][mark]["bound"] != ">"]
    return min(reaching, key=lambda own: float(own["at"][mark]["bpfp"]), default=None)


def _ratio(other: Result | None, own: Result, mark: str) -> float | None:
    """How many times fewer bytes than another method; None where either does not reach the mark."""
    if other is None or ">" in (own["at"][mark]["bound"], other["at"][mark]["bound"]):
        return None
    return float(other["at"][mark]["bpfp"]) / float(own["at"][mark]["bpfp"])


def _mean(ratios: Sequence[float | None]) -> Result:
    """The geometric mean of ratios, the least, and over how many taps."""
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return {"mean": None, "least": None, "taps": 0, "of": len(ratios)}
    mean = math.exp(sum(map(math.log, known)) / len(known))
    return {"mean": mean, "least": min(known), "taps": len(known), "of": len(ratios)}


def at_mark(points: Sequence[Result]) -> Result:
    """The first point from 99 % agreement on, or the last there is."""
    return next((point for point in points if point["agreement"]["value"] >= MARKS[0]), points[-1])


def _speed(rows: Sequence[Result]) -> Result:
    """Geometric means of speeds, and the largest memory, at the first point from the mark on or the last there is."""
    points = [at_mark(own["points"]) for own in rows]
    if not points:
        return {}

    def mean(name: str) -> float:
        return math.exp(sum(math.log(max(point[name], 1e-9)) for point in points) / len(points))

    return {
        "encode_mb_s": mean("encode_mb_s"),
        "decode_mb_s": mean("decode_mb_s"),
        "encode_mib": max(point["encode_mib"] for point in points),
        "decode_mib": max(point["decode_mib"] for point in points),
    }
