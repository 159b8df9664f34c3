"""The page in a browser: its script runs, offline, and nothing is lost in print."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from caufc.evaluate.figure import figure
from caufc.evaluate.html_page import html_page
from caufc.evaluate.tables import ReportTable

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def share(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": min(1.0, value + 0.02)}


def point(bpfp: float, value: float) -> dict[str, Any]:
    shares = {"agreement": share(value), "accuracy": share(0.8 * value)}
    speed = {"encode_mb_s": 10.0, "decode_mb_s": 50.0}
    return {"setting": {"quality": 20.0}, "bytes": 100, "bpfp": bpfp, "snr_db": 12.0, **shares, **speed}


RESULTS: dict[str, Any] = {
    "methods": [
        {"key": "blind", "name": "caufc <blind>", "kind": "codec"},
        {"key": "int", "name": "int-k", "kind": "rival"},
    ],
    "taps": [
        {
            **{"task": "a/b", "tap": "x", "samples": 100, "accuracy": 0.8},
            "methods": [
                {"key": "blind", "points": [point(0.1, 0.9), point(0.2, 1.0)]},
                {"key": "int", "points": [point(1.0, 0.95)]},
            ],
        }
    ],
}


def page() -> str:
    return html_page(
        "A <title>", RESULTS, [ReportTable("T", "", ("a", "b"), [("1", "<2>")])], {"command": "caufc x & y"}
    )


def test_names_are_escaped_and_every_point_is_there() -> None:
    text = page()
    assert "A &lt;title&gt;" in text and "caufc &lt;blind&gt;" in text and "&lt;2&gt;" in text and "x &amp; y" in text
    assert text.count('class="point"') == 2 * 3, "for agreement and for accuracy"
    assert "agreement 90.00 % [88.00, 92.00]" in text


def test_the_figure_stands_alone() -> None:
    text = figure(RESULTS)
    assert text.startswith("<svg xmlns=") and "prefers-color-scheme:dark" in text and text.count("<svg ") == 2


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_the_script_runs_in_a_browser(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page(), "utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}"]
    done = subprocess.run(
        [*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert len(re.findall(r'class="point"[^>]*tabindex="0"', done.stdout)) == 6, "the script gave points their events"
    assert done.stdout.count('class="hit"') == 6
