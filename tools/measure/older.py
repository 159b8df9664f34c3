"""The tools that these programs share with others, from ``tools/measure`` or, before their move, from ``tools``."""

from __future__ import annotations

import sys
from pathlib import Path

try:
    from tools.measure.machine import plain_command, write_results  # type: ignore[import-not-found]
    from tools.measure.scores import Scores  # type: ignore[import-not-found]
    from tools.measure.tap_features import TAPS, extract, load_features  # type: ignore[import-not-found]
except ModuleNotFoundError:
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    from machine import plain_command, write_results
    from scores import Scores
    from tap_features import TAPS, extract, load_features

__all__ = ["TAPS", "Scores", "extract", "load_features", "plain_command", "write_results"]
