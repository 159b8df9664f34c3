"""The report of the paper's experiment, as committed: what its JSON says is what its pages show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from caufc.evaluate.figure import figure
from caufc.evaluate.report import EvaluationReport

RESULTS = Path(__file__).resolve().parents[2] / "tools" / "results"


@pytest.fixture(scope="module")
def paper() -> EvaluationReport:
    found: dict[str, Any] = json.loads((RESULTS / "paper.json").read_text("utf-8"))
    results = {key: found.pop(key) for key in ("marks", "anchor", "methods", "taps", "summary")}
    return EvaluationReport(found.pop("title"), results, skipped=found.pop("skipped"), facts=found)


def test_the_markdown(paper: EvaluationReport) -> None:
    assert paper.markdown() == (RESULTS / "paper.md").read_text("utf-8")


def test_the_figure(paper: EvaluationReport) -> None:
    assert figure(paper.results) == (RESULTS / "paper.svg").read_text("utf-8")
