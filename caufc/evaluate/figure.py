"""Rate-accuracy curves as SVG: one panel per tap, drawn once for the page, for print and for a README."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["COLOURS", "Measure", "figure", "panel", "style"]

Result = Mapping[str, Any]
Measure = str
"""``agreement`` or ``accuracy``."""

WIDTH, HEIGHT = 460, 330
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 28, 42

AGREEMENT_TICKS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)

LOWEST_AGREEMENT = 0.5
"""Agreements are drawn down to this one; chosen by hand."""

ACCURACY_BELOW = 0.25
"""Accuracies are drawn down to so much below the unquantised one."""

COLOURS = {
    "light": (
        *("#c2185b", "#1565c0", "#2e7d32", "#e65100", "#6a1b9a", "#00838f", "#795548"),
        *("#8d8a14", "#455a64", "#f06292", "#4fa3e0", "#66a96a", "#f5a04c", "#a06cc0"),
    ),
    "dark": (
        *("#ff6f9f", "#64b5f6", "#81c784", "#ffb74d", "#ce93d8", "#4dd0e1", "#bcaaa4"),
        *("#e6ee9c", "#b0bec5", "#d8638f", "#3f8fd2", "#4f9e56", "#d9832b", "#9d62b8"),
    ),
}
"""Colours by the number of the method, round and round; the lines of rivals are dashed."""

MARKERS = ("circle", "square", "diamond", "triangle", "cross")


@dataclass(frozen=True)
class _Axis:
    """An axis: values to pixels, and the values at which a line stands."""

    place: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]


def style(theme: str) -> str:
    """The CSS rules of the figure's colours in one theme."""
    ink, paper, grid = ("#1b1b1f", "#ffffff", "#d9d9e0") if theme == "light" else ("#e6e6ea", "#17171b", "#3a3a42")
    rules = [f".rd{{--ink:{ink};--paper:{paper};--grid:{grid}}}"]
    rules += [f".rd .m{number}{{--c:{colour}}}" for number, colour in enumerate(COLOURS[theme])]
    return "\n".join(rules)


SHAPES = """
.rd text{fill:var(--ink);font:11px system-ui,sans-serif}
.rd .title{font-weight:600;font-size:12.5px}
.rd .grid{stroke:var(--grid);stroke-width:.7;fill:none}
.rd .frame{stroke:var(--ink);stroke-width:1;fill:none}
.rd .curve path{stroke:var(--c);stroke-width:2.2;fill:none}
.rd .rival path{stroke-width:1.2;stroke-dasharray:5 3}
.rd .curve .whisker{stroke-width:1;stroke-dasharray:none;opacity:.4}
.rd .mark{fill:var(--c);stroke:var(--paper);stroke-width:.8}
.rd .level{stroke:var(--ink);stroke-width:.9;stroke-dasharray:2 3;opacity:.7}
"""
"""CSS rules that do not depend on the theme."""


def panel(tap: Result, methods: Sequence[Result], measure: Measure) -> str:
    """The curves of one tap as an ``<svg>``; empty if there is no such measure.

    Args:
        tap: of the results.
        methods: of the results, in the order of their colours.
        measure: ``agreement`` or ``accuracy``.
    """
    if measure == "accuracy" and tap["accuracy"] is None:
        return ""
    points = [point for own in tap["methods"] for point in own["points"]]
    if not points:
        return ""
    lowest = LOWEST_AGREEMENT if measure == "agreement" else max(0.0, tap["accuracy"] - ACCURACY_BELOW)
    shown = [point["bpfp"] for point in points if point[measure]["value"] >= lowest]
    x = _rates(shown or [point["bpfp"] for point in points])
    y = _agreements(tap["samples"]) if measure == "agreement" else _accuracies(lowest, tap["accuracy"])
    name = f"{tap['task']} {tap['tap']}"
    parts = [
        f'<svg class="rd" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}: {measure} by rate">'
    ]
    parts += [*_frame(name, measure, x, y, tap)]
    identity = f"{measure}-{tap['task']}-{tap['tap']}".replace("/", "-")
    inner = f'x="{LEFT}" y="{TOP - 4}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM + 8}"'
    parts.append(f'<clipPath id="clip-{escape(identity)}"><rect {inner}/></clipPath>')
    parts.append(f'<g clip-path="url(#clip-{escape(identity)})">')
    for number, method in enumerate(methods):
        own = next((each for each in tap["methods"] if each["key"] == method["key"]), None)
        if own is not None and own["points"]:
            parts.append(_curve(number, method, own["points"], measure, x, y))
    return "".join([*parts, "</g></svg>"])


def figure(results: Result, measure: Measure = "agreement", columns: int = 2) -> str:
    """All panels and a legend as one SVG file, which follows the reader's light or dark theme."""
    panels = [text for tap in results["taps"] if (text := panel(tap, results["methods"], measure))]
    rows = -(-len(panels) // columns)
    shown = [
        (number, method)
        for number, method in enumerate(results["methods"])
        if any(own["points"] for tap in results["taps"] for own in tap["methods"] if own["key"] == method["key"])
    ]
    lines = -(-len(shown) // (2 * columns))
    width, height = columns * WIDTH, rows * HEIGHT + 22 * lines + 14
    themes = f"{style('light')}@media (prefers-color-scheme:dark){{{style('dark')}}}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rd" viewBox="0 0 {width} {height}" width="{width}">',
        f"<style>{themes}{SHAPES}</style>",
        f'<rect width="{width}" height="{height}" style="fill:var(--paper)"/>',
    ]
    for number, text in enumerate(panels):
        place = f'x="{number % columns * WIDTH}" y="{number // columns * HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        parts.append(text.replace("<svg ", f"<svg {place} ", 1))
    for position, (number, method) in enumerate(shown):
        left = 16 + position % (2 * columns) * (WIDTH / 2)
        top = rows * HEIGHT + 16 + 22 * (position // (2 * columns))
        parts.append(f'<g transform="translate({left:g} {top:g})">{legend_mark(number, method)}')
        parts.append(f'<text x="32" y="4">{escape(method["name"])}</text></g>')
    return "".join([*parts, "</svg>\n"])


def legend_mark(number: int, method: Result) -> str:
    """The line and marker of a method, 26 pixels wide around the height 0."""
    kind = "curve rival" if method["kind"] == "rival" else "curve"
    colour = f"m{number % len(COLOURS['light'])}"
    return f'<g class="{kind} {colour}"><path d="M0 0H26"/>{_marker(number, 13, 0)}</g>'


def _curve(number: int, method: Result, points: Sequence[Result], measure: Measure, x: _Axis, y: _Axis) -> str:
    kind = "curve rival" if method["kind"] == "rival" else "curve"
    places = [(x.place(point["bpfp"]), y.place(point[measure]["value"])) for point in points]
    line = "L".join(f"{left:.1f} {top:.1f}" for left, top in places)
    parts = [f'<g class="{kind} m{number % len(COLOURS["light"])}" data-method="{escape(method["key"])}">']
    parts.append(f'<path d="M{line}"/>')
    for (left, top), point in zip(places, points, strict=True):
        low, high = y.place(point[measure]["low"]), y.place(point[measure]["high"])
        parts.append(f'<path class="whisker" d="M{left:.1f} {low:.1f}V{high:.1f}"/>')
        parts.append(
            f'<g class="point" data-tip="{escape(_tip(method, point), quote=True)}">{_marker(number, left, top)}</g>'
        )
    return "".join([*parts, "</g>"])


def _tip(method: Result, point: Result) -> str:
    setting = ", ".join(f"{key} {value:.4g}" for key, value in point["setting"].items())
    lines = [f"{method['name']}: {setting}", f"{point['bpfp']:.4g} BPFP, {point['bytes']:,} bytes"]
    for measure in ("agreement", "accuracy"):
        if point[measure] is not None:
            low, high = 100 * point[measure]["low"], 100 * point[measure]["high"]
            lines.append(f"{measure} {100 * point[measure]['value']:.2f} % [{low:.2f}, {high:.2f}]")
    snr = "exact" if point["snr_db"] is None else f"SNR {point['snr_db']:.1f} dB"
    lines.append(f"{snr}, encode {point['encode_mb_s']:.1f} MB/s, decode {point['decode_mb_s']:.1f} MB/s")
    return "\n".join(lines)


def _marker(number: int, x: float, y: float) -> str:
    """The marker of a method, a shape of its own, so that curves can be told apart without colour."""
    shape = MARKERS[number % len(MARKERS)]
    if shape == "circle":
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>'
    outlines = {
        "square": ((-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)),
        "diamond": ((0, -4.6), (4.6, 0), (0, 4.6), (-4.6, 0)),
        "triangle": ((0, -4.4), (4.2, 3.4), (-4.2, 3.4)),
        "cross": (
            *((-1.4, -4.2), (1.4, -4.2), (1.4, -1.4), (4.2, -1.4), (4.2, 1.4), (1.4, 1.4)),
            *((1.4, 4.2), (-1.4, 4.2), (-1.4, 1.4), (-4.2, 1.4), (-4.2, -1.4), (-1.4, -1.4)),
        ),
    }
    corners = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in outlines[shape])
    return f'<polygon class="mark" points="{corners}"/>'


def _frame(name: str, measure: Measure, x: _Axis, y: _Axis, tap: Result) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [f'<text class="title" x="{LEFT}" y="17">{escape(name)}</text>']
    for value, text in x.ticks:
        left = x.place(value)
        parts.append(f'<path class="grid" d="M{left:.1f} {TOP}V{bottom}"/>')
        parts.append(f'<text x="{left:.1f}" y="{bottom + 15}" text-anchor="middle">{text}</text>')
    for value, text in y.ticks:
        top = y.place(value)
        parts.append(f'<path class="grid" d="M{LEFT} {top:.1f}H{right}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{top + 4:.1f}" text-anchor="end">{text}</text>')
    level = 0.99 if measure == "agreement" else tap["accuracy"]
    parts.append(f'<path class="level" d="M{LEFT} {y.place(level):.1f}H{right}"/>')
    parts.append(f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{bottom - TOP}"/>')
    middle = (LEFT + right) / 2
    parts.append(f'<text x="{middle:g}" y="{HEIGHT - 9}" text-anchor="middle">bits per feature point (BPFP)</text>')
    turned = f'transform="translate(13 {(TOP + bottom) / 2:g}) rotate(-90)" text-anchor="middle"'
    parts.append(f"<text {turned}>{measure} %</text>")
    return parts


def _rates(rates: Sequence[float]) -> _Axis:
    low, high = math.log10(min(rates)) - 0.08, math.log10(max(rates)) + 0.08
    span = max(high - low, 0.5)

    def place(rate: float) -> float:
        return LEFT + (math.log10(rate) - low) / span * (WIDTH - LEFT - RIGHT)

    decades = [10.0**power for power in range(math.ceil(low), math.floor(low + span) + 1)]
    ticks = decades if len(decades) > 2 else sorted({d * f for d in (*decades, 0.1 * min(rates)) for f in (1, 2, 5)})
    inside = [tick for tick in ticks if low <= math.log10(tick) <= low + span]
    return _Axis(place, [(tick, f"{tick:g}") for tick in inside])


def _agreements(samples: int) -> _Axis:
    """The share of changed predictions on a logarithmic scale; none is drawn as half a sample."""
    best = 0.5 / samples
    low, high = math.log10(1 - LOWEST_AGREEMENT), math.log10(best)

    def place(share: float) -> float:
        part = (math.log10(max(1 - share, best)) - low) / (high - low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    ticks = [tick for tick in AGREEMENT_TICKS if 1 - tick > 1.5 * best]
    return _Axis(place, [*((tick, f"{100 * tick:g}") for tick in ticks), (1.0, "100")])


def _accuracies(low: float, accuracy: float) -> _Axis:
    high = min(1.0, accuracy + 0.04)

    def place(share: float) -> float:
        return HEIGHT - BOTTOM - (share - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    ticks = [number / 100 for number in range(0, 101, 5) if low <= number / 100 <= high]
    return _Axis(place, [(tick, f"{100 * tick:g}") for tick in ticks])
