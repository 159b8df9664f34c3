"""The report as one HTML page that needs no network: curves with values on hover, methods to switch, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from .figure import SHAPES, legend_mark, panel, style
from .tables import ReportTable

__all__ = ["html_page"]

Result = Mapping[str, Any]

USE = (
    "Point at a mark for its values; click a method to hide or show it, double-click to see it alone. Bars are 95 % "
    "intervals. Agreement is drawn by the share of changed predictions, on a logarithmic scale; the dotted line is "
    "99 %, or the unquantised accuracy."
)


def html_page(title: str, results: Result, tables: Sequence[ReportTable], facts: Mapping[str, Any]) -> str:
    """The page, as HTML.

    Args:
        title: of the page.
        results: of :func:`caufc.evaluate.summary.summarise`.
        tables: what stands below the curves.
        facts: what is said of the run: date, command, machine.
    """
    dark = f"@media (prefers-color-scheme:dark){{{style('dark')}}}@media print{{{style('light')}}}"
    css = _asset("page.css") + style("light") + dark + SHAPES
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="note">{USE}</p>',
        _controls(results),
        '<div class="panels" data-measure="agreement">',
        *(_both(tap, results["methods"]) for tap in results["taps"]),
        "</div>",
        *map(_table, tables),
        "<footer><h2>Made with</h2><ul>",
        *(f"<li>{escape(key)}: {escape(str(value))}</li>" for key, value in facts.items()),
        '</ul></footer><div id="tip" role="status"></div>',
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    head += f"<title>{escape(title)}</title><style>{css}</style>"
    script = f"<script>{_asset('page.js')}</script>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>\n{"".join(body)}{script}</body></html>\n'


def _asset(name: str) -> str:
    return (resources.files("caufc") / "data" / "evaluate" / name).read_text("utf-8")


def _controls(results: Result) -> str:
    parts = ['<div class="controls">']
    for measure in ("agreement", "accuracy"):
        checked = " checked" if measure == "agreement" else ""
        radio = f'<input type="radio" name="measure" value="{measure}"{checked}>'
        parts.append(f'<label class="switch">{radio} {measure}</label>')
    for number, method in enumerate(results["methods"]):
        mark = f'<svg class="rd" viewBox="0 -7 26 14">{legend_mark(number, method)}</svg>'
        name = f"{mark}{escape(method['name'])}"
        parts.append(f'<button type="button" aria-pressed="true" data-method="{escape(method["key"])}">{name}</button>')
    return "".join([*parts, '<button type="button" id="all" class="switch">show all</button></div>'])


def _both(tap: Result, methods: Sequence[Result]) -> str:
    drawn = {measure: panel(tap, methods, measure) for measure in ("agreement", "accuracy")}
    return "".join(f'<div class="{measure}">{svg}</div>' for measure, svg in drawn.items() if svg)


def _table(table: ReportTable) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    inner = f'{note}<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    if table.folded:
        return f"<details><summary>{escape(table.title)}</summary>{inner}</details>"
    return f"<section><h2>{escape(table.title)}</h2>{inner}</section>"
