"""What an evaluation found, as plain data: points with intervals, rates at equal agreement, Bjontegaard deltas."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

import numpy as np

from .curve_run import Lane
from .curves import (
    FLOOR,
    Curve,
    bd_accuracy,
    bd_available,
    bd_rate,
    bd_rate_at_snr,
)
from .methods import (
    Codec,
    Method,
)
from .rivals import FAMILIES

__all__ = ["MARKS", "at_mark", "summarise"]

MARKS = (0.99, 0.95)

Result = dict[str, Any]


def summarise(lanes: Sequence[Lane], anchor: str, read_outs: Mapping[str, Collection[str]]) -> Result:
    """All figures of a run.

    Args:
        lanes: as measured, those of one tap side by side.
        anchor: key of the method that Bjontegaard deltas and ratios compare with.
        read_outs: task ID -> the taps behind which its network only reads out; the others are interior.
    """
    taps = [_tap(list(group), anchor, read_outs) for _, group in groupby(lanes, key=lambda lane: (lane.task, lane.tap))]
    methods: dict[str, Result] = {}
    for lane in lanes:
        methods.setdefault(lane.method.key, _facts(lane.method))
    return {
        "marks": list(MARKS),
        "anchor": anchor,
        "methods": list(methods.values()),
        "taps": taps,
        "summary": [_summary(method, taps, anchor) for method in methods.values()],
    }


def _facts(method: Method) -> Result:
    own = isinstance(method, Codec)
    fitted = method.fitted if isinstance(method, Codec) else ("calibration" if method.calibrated else "none")
    return {"key": method.key, "name": method.name, "kind": "codec" if own else "rival", "fitted": fitted}


def _tap(lanes: Sequence[Lane], anchor: str, read_outs: Mapping[str, Collection[str]]) -> Result:
    first = lanes[0]
    known = first.labels >= 0
    accuracy = float((first.reference == first.labels)[known].mean()) if known.any() else None
    curves = {lane.method.key: (_agreement(lane), _accuracy(lane)) for lane in lanes if lane.points}
    decibels = {lane.method.key: _decibels(lane) for lane in lanes}
    return {
        "task": first.task,
        "tap": first.tap,
        "place": "read-out" if first.tap in read_outs.get(first.task, ()) else "interior",
        "layout": first.layout,
        "samples": first.samples,
        "numel": first.numel,
        "accuracy": accuracy,
        "methods": [_method(lane, curves, decibels, anchor, accuracy) for lane in lanes],
    }


def _agreement(lane: Lane) -> Curve:
    right = np.stack([point.agrees(lane.reference) for point in lane.points])
    return Curve([point.bpfp for point in lane.points], right)


def _accuracy(lane: Lane) -> Curve | None:
    known = lane.labels >= 0
    if not known.any():
        return None
    right = np.stack([point.agrees(lane.labels)[known] for point in lane.points])
    return Curve([point.bpfp for point in lane.points], right)


def _decibels(lane: Lane) -> list[tuple[float, float]]:
    """BPFP and SNR of the points that are not exact."""
    return [(point.bpfp, point.snr_db) for point in lane.points if point.snr_db is not None]


def _method(
    lane: Lane,
    curves: Mapping[str, tuple[Curve, Curve | None]],
    decibels: Mapping[str, Sequence[tuple[float, float]]],
    anchor: str,
    accuracy: float | None,
) -> Result:
    found: Result = {"key": lane.method.key, "points": [], "at": {}, "bd": {}, "failures": lane.failures}
    if not lane.points:
        return found
    agreement, right = curves[lane.method.key]
    intervals = agreement.intervals()
    accuracies = None if right is None else right.intervals()
    for number, point in enumerate(lane.points):
        facts = {key: value for key, value in asdict(point).items() if key != "top1"}
        facts["agreement"] = asdict(intervals[number])
        facts["accuracy"] = None if accuracies is None else asdict(accuracies[number])
        found["points"].append(facts)
    found["at"] = {f"{mark:g}": asdict(agreement.at(mark)) for mark in MARKS}
    if anchor in curves and anchor != lane.method.key and bd_available():
        base, base_right = curves[anchor]
        found["bd"] = {
            "rate_at_agreement": asdict(bd_rate(base, agreement, FLOOR)),
            "agreement_at_rate": asdict(bd_accuracy(base, agreement, FLOOR)),
            "rate_at_snr": asdict(bd_rate_at_snr(decibels[anchor], decibels[lane.method.key])),
        }
        if right is not None and base_right is not None and accuracy is not None:
            floor = FLOOR * accuracy
            found["bd"]["rate_at_accuracy"] = asdict(bd_rate(base_right, right, floor))
            found["bd"]["accuracy_at_rate"] = asdict(bd_accuracy(base_right, right, floor))
    return found


def _summary(method: Result, taps: Sequence[Result], anchor: str) -> Result:
    """Means of one method over taps: how many times fewer bytes than the anchor and than the best rival, and speed.

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
    """The mean of changes in %, as ratios."""
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
    """Times fewer bytes than another method; None where either does not reach the mark."""
    if other is None or ">" in (own["at"][mark]["bound"], other["at"][mark]["bound"]):
        return None
    return float(other["at"][mark]["bpfp"]) / float(own["at"][mark]["bpfp"])


def _mean(ratios: Sequence[float | None]) -> Result:
    """Geometric mean, least, and over how many taps."""
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return {"mean": None, "least": None, "taps": 0, "of": len(ratios)}
    mean = math.exp(sum(map(math.log, known)) / len(known))
    return {"mean": mean, "least": min(known), "taps": len(known), "of": len(ratios)}


def at_mark(points: Sequence[Result]) -> Result:
    """The first point from 99 % agreement on, or the last there is."""
    return next((point for point in points if point["agreement"]["value"] >= MARKS[0]), points[-1])


def _speed(rows: Sequence[Result]) -> Result:
    """At the first point from the mark on, or the last there is: geometric means of speeds, largest memory."""
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
