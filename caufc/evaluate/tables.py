"""The tables of an evaluation's report, made once and shown as Markdown or HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ReportTable", "tables_of"]

Result = Mapping[str, Any]


@dataclass(frozen=True)
class ReportTable:
    """A table of an evaluation's report: rows of text under a title.

    Args:
        title: what it shows.
        note: how to read it; empty for none.
        head, rows: cells.
        folded: long, and shown only when asked for, where that can be.
    """

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    folded: bool = False

    def markdown(self) -> str:
        """The table as a Markdown section."""
        lines = [f"## {self.title}", ""]
        lines += [self.note, ""] if self.note else []
        lines += [_pipes(self.head), "|---" * len(self.head) + "|", *map(_pipes, self.rows)]
        return "\n".join(lines)


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def tables_of(results: Result) -> list[ReportTable]:
    """All tables of an evaluation's report."""
    tables = [_taps(results)]
    tables += [_rates(results, f"{mark:g}") for mark in results["marks"]]
    tables += [_ratios(results)]
    if any(own["bd"] for tap in results["taps"] for own in tap["methods"]):
        tables += [_deltas(results)]
    return [*tables, _speeds(results), _points(results)]


def _tap_names(results: Result) -> list[str]:
    return [f"{tap['task']} {tap['tap']}" for tap in results["taps"]]


def _of(tap: Result, key: str) -> Result | None:
    return next((own for own in tap["methods"] if own["key"] == key and own["points"]), None)


def _percent(mark: str) -> str:
    return f"{100 * float(mark):g} %"


def _taps(results: Result) -> ReportTable:
    rows = [
        (
            f"{tap['task']} {tap['tap']}",
            tap["place"],
            tap["layout"],
            f"{tap['samples']:,}",
            f"{tap['numel'] * 4 / 1e6:.1f}",
            "-" if tap["accuracy"] is None else f"{100 * tap['accuracy']:.2f}",
        )
        for tap in results["taps"]
    ]
    head = ("tap", "place", "layout", "samples", "MB as fp32", "accuracy unquantised %")
    return ReportTable("Taps", "Read-out: the last tap of a task; all others are interior.", head, rows)


def _rates(results: Result, mark: str) -> ReportTable:
    rows = []
    for method in results["methods"]:
        cells = []
        for tap in results["taps"]:
            own = _of(tap, method["key"])
            cells.append("-" if own is None else _rate(own["at"][mark]))
        rows.append((method["name"], *cells))
    note = (
        "Bits per feature point at which so many top-1 predictions are those from unquantised features, on the "
        "isotonic regression of agreement over rate; all bytes counted but those of profiles and weights, made from "
        "other data. In brackets the 95 % interval of a bootstrap over samples. <: the cheapest point is above "
        "already; >: no point reaches it."
    )
    return ReportTable(f"BPFP at {_percent(mark)} agreement", note, ("method", *_tap_names(results)), rows)


def _rate(at: Result) -> str:
    return f"{at['bound']} {at['bpfp']:.4g} [{at['low']:.3g}, {at['high']:.3g}]".strip()


def _ratios(results: Result) -> ReportTable:
    anchor = _name(results, results["anchor"])
    places = ("all", "interior", "read-out")
    marks = [f"{mark:g}" for mark in results["marks"]]
    head = ["method", *(f"than {anchor}, {_percent(mark)}, {place}" for mark in marks for place in places)]
    head += [f"than the best rival, {_percent(marks[0])}, {place}" for place in places]
    rows = []
    for own in results["summary"]:
        cells = [_mean(own["fewer_than_anchor"][mark][place]) for mark in marks for place in places]
        best = own["fewer_than_best_rival"].get(marks[0])
        cells += ["-" if best is None else f"{_mean(best[place])}{_least(best[place])}" for place in places]
        rows.append((_name(results, own["key"]), *cells))
    note = (
        "Geometric means over taps; in brackets over how many of them, where some do not reach the agreement. A codec "
        "without a profile is compared with rivals that are not calibrated either."
    )
    return ReportTable("How many times fewer bytes", note, head, rows)


def _mean(found: Result) -> str:
    if found["mean"] is None:
        return "-"
    some = "" if found["taps"] == found["of"] else f" ({found['taps']} of {found['of']})"
    return f"{found['mean']:.2f}{some}"


def _least(found: Result) -> str:
    return "" if found["mean"] is None else f", least {found['least']:.2f}"


def _name(results: Result, key: str) -> str:
    return next((str(method["name"]) for method in results["methods"] if method["key"] == key), key)


def _deltas(results: Result) -> ReportTable:
    anchor = _name(results, results["anchor"])
    columns = {
        "BD-rate at equal agreement %": "rate_at_agreement",
        "BD-agreement, points": "agreement_at_rate",
        "BD-rate at equal accuracy %": "rate_at_accuracy",
        "BD-accuracy, points": "accuracy_at_rate",
        "BD-rate at equal SNR %": "rate_at_snr",
    }
    rows = []
    for tap in results["taps"]:
        for own in tap["methods"]:
            if own["bd"]:
                cells = [_interval(own["bd"].get(name)) for name in columns.values()]
                rows.append((f"{tap['task']} {tap['tap']}", _name(results, own["key"]), *cells))
    for own in results["summary"]:
        if own["bd_rate"]["all"] is not None:
            name = _name(results, own["key"])
            rows.append(("mean over taps", name, _places(own["bd_rate"]), "", "", "", ""))
            at_snr = _places(own["bd_rate_at_snr"])
            rows.append(("geometric mean over taps", name, _places(own["bd_rate_geometric"]), "", "", "", at_snr))
    note = (
        f"Against {anchor}, by piecewise cubic interpolation (bjontegaard, pchip) of the points that no cheaper one "
        "reaches (at equal rates, of the best up to each), from 80 % of the unquantised quality on; -: the curves do "
        "not overlap. The geometric mean is that of the ratios of bytes."
    )
    return ReportTable("Bjontegaard deltas", note, ("tap", "method", *columns), rows)


def _places(means: Result) -> str:
    return ", ".join(f"{place} {mean:.1f}" for place, mean in means.items() if mean is not None)


def _interval(found: Result | None) -> str:
    if found is None or found["value"] is None:
        return "-"
    if found["low"] == found["high"] == found["value"]:
        return f"{found['value']:.1f}"
    return f"{found['value']:.1f} [{found['low']:.1f}, {found['high']:.1f}]"


def _speeds(results: Result) -> ReportTable:
    rows = []
    for own in results["summary"]:
        speed = own["speed"]
        if speed:
            rates = (f"{speed['encode_mb_s']:.1f}", f"{speed['decode_mb_s']:.1f}")
            peaks = (f"{speed['encode_mib']:.0f}", f"{speed['decode_mib']:.0f}")
            rows.append((_name(results, own["key"]), *rates, *peaks))
    note = (
        "MB of fp32 values a second of CPU time, in a process of its own on one thread, in memory; geometric means "
        "over taps at the first point from 99 % agreement on. Peak memory above what stood before, the result "
        "included: the largest."
    )
    return ReportTable(
        "Speed and memory", note, ("method", "encode MB/s", "decode MB/s", "encode MiB", "decode MiB"), rows
    )


def _points(results: Result) -> ReportTable:
    rows = []
    for tap in results["taps"]:
        for own in tap["methods"]:
            for point in own["points"]:
                setting = ", ".join(f"{key} {value:.4g}" for key, value in point["setting"].items())
                snr = "exact" if point["snr_db"] is None else f"{point['snr_db']:.2f}"
                shares = [_share(point["agreement"]), _share(point["accuracy"])]
                speed = (f"{point['encode_mb_s']:.1f}", f"{point['decode_mb_s']:.1f}")
                rows.append(
                    (
                        *(f"{tap['task']} {tap['tap']}", _name(results, own["key"]), setting),
                        *(f"{point['bytes']:,}", f"{point['bpfp']:.4f}", snr, *shares, *speed),
                    )
                )
    head = ("tap", "method", "setting", "bytes", "BPFP", "SNR dB", "agreement %", "accuracy %")
    return ReportTable("Points", "", (*head, "encode MB/s", "decode MB/s"), rows, folded=True)


def _share(found: Result | None) -> str:
    if found is None:
        return "-"
    return f"{100 * found['value']:.2f} [{100 * found['low']:.2f}, {100 * found['high']:.2f}]"
