"""The report of an evaluation, as JSON, Markdown, one HTML page, and a figure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..features import atomic_output
from .figure import figure
from .html_page import html_page
from .tables import tables_of

__all__ = ["RESULTS", "EvaluationReport"]

RESULTS = ("results.json", "results.md", "results.html", "results.svg")
"""Names of the files of a report."""


@dataclass(frozen=True)
class EvaluationReport:
    """The report of an evaluation: its results, and how the run was made.

    Args:
        title: of the pages.
        results: of :func:`caufc.evaluate.summary.summarise`.
        facts: date, command, machine, settings.
        skipped: what was left out, and why.
    """

    title: str
    results: Mapping[str, Any]
    facts: Mapping[str, Any]
    skipped: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, numbers unrounded."""
        return {"title": self.title, **self.facts, "skipped": dict(self.skipped), **self.results}

    def markdown(self) -> str:
        """The report as Markdown: all tables, and what the run was made with."""
        lines = [f"# {self.title}", ""]
        lines += [text for table in tables_of(self.results) for text in (table.markdown(), "")]
        if self.skipped:
            lines += ["## Left out", "", *(f"- {name}: {reason}" for name, reason in self.skipped.items()), ""]
        lines += ["## Made with", "", *(f"- {key}: {value}" for key, value in self._flat_facts().items())]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> list[Path]:
        """Write ``results.json``, ``.md``, ``.html`` and ``.svg``; they replace those of a run before."""
        page = html_page(self.title, self.results, tables_of(self.results), {**self._flat_facts(), **self._left_out()})
        data = json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n"
        for name, text in zip(RESULTS, (data, self.markdown(), page, figure(self.results)), strict=True):
            with atomic_output(folder / name, True) as file:
                file.write(text.encode())
        return [folder / name for name in RESULTS]

    def _flat_facts(self) -> dict[str, Any]:
        machine = self.facts.get("machine", {})
        return {**{key: value for key, value in self.facts.items() if key != "machine"}, **machine}

    def _left_out(self) -> dict[str, str]:
        return {f"left out: {name}": reason for name, reason in self.skipped.items()}
