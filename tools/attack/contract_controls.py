"""Random rate controls and other options of an encode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["NAMED", "draw_control", "draw_options", "higher"]

Rng = np.random.Generator

SHARES = {
    "medium": 0.1,
    "name": 0.08,
    "quality": 0.25,
    "snr": 0.2,
    "snr per token": 0.07,
    "bpfp": 0.2,
    "max_error": 0.06,
    "lossless": 0.04,
}

OF_ONE_MEANING = ("medium", "name", "quality", "snr", "snr per token", "max_error")
"""Controls that say what is kept, and not how many bytes."""


def draw_control(rng: Rng, magnitude: float, *, meaning: bool = False) -> dict[str, Any]:
    """A rate control.

    Args:
        rng: random generator.
        magnitude: of the values: what an absolute error is measured by.
        meaning: only controls that say what is kept.
    """
    shares = {name: share for name, share in SHARES.items() if not meaning or name in OF_ONE_MEANING}
    kind = str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))
    if kind == "medium":
        return {}
    if kind == "name":
        return {"quality": str(rng.choice(["low", "medium", "high"]))}
    if kind == "quality":
        return {"quality": _rounded(rng, rng.uniform(0, 100))}
    if kind in ("snr", "snr per token"):
        level = rng.uniform(10, 60) if rng.random() < 0.7 else rng.uniform(-20, 150)
        wanted = _rounded(rng, level)
        return {"snr": wanted if kind == "snr" else f"{wanted!r}/token"}
    if kind == "bpfp":
        return {"bpfp": float(2 ** rng.uniform(-6.6, 6) if rng.random() < 0.5 else 2 ** rng.uniform(-2, 3.5))}
    if kind == "max_error":
        return {"max_error": float(np.clip(max(magnitude, 1e-25) * 10 ** rng.uniform(-5, 0.5), 1e-29, 1e29))}
    return {"lossless": True}


def _rounded(rng: Rng, value: float) -> float:
    """What people write, or any number."""
    return float(round(value) if rng.random() < 0.5 else value)


NAMED = {"low": 25.0, "medium": 50.0, "high": 75.0}
"""What names of qualities stand for."""


def higher(rng: Rng, control: Mapping[str, Any]) -> dict[str, Any] | None:
    """More of a control, by little or much; None where there is no such thing."""
    if not control:
        return {"quality": 50 + float(rng.choice((0.5, 5, 25)))}
    (name, value), *_ = control.items()
    if name == "quality":
        return {name: min(100.0, NAMED.get(value, value) + float(rng.exponential(10)))}
    if name == "bpfp":
        return {name: min(64.0, value * 2 ** rng.uniform(0.02, 2))}
    if name == "snr":
        more = float(rng.uniform(0.5, 20))
        if isinstance(value, str):
            return {name: f"{float(value.partition('/')[0]) + more!r}/token"}
        return {name: value + more}
    return None


def draw_options(rng: Rng, control: Mapping[str, Any], *, plain: bool = False) -> dict[str, Any]:
    """Options beside the control.

    Args:
        rng: random generator.
        control: the learned codec takes only a quality or a rate.
        plain: none that change what is kept.
    """
    found: dict[str, Any] = {}
    if set(control) <= {"quality", "bpfp"} and rng.random() < 0.04:
        found["codec"] = "hyperprior"
    if rng.random() < 0.25:
        found["effort"] = "fast" if rng.random() < 0.8 else "best"
    if rng.random() < 0.2:
        found["chunk"] = int(2 ** rng.uniform(0, 8))
    if rng.random() < 0.05:
        found["index"] = bool(rng.random() < 0.5)
    if rng.random() < 0.05:
        found["nonfinite"] = "keep"
    way = rng.random()
    if plain or way > 0.09:
        return found
    if way < 0.06:
        kind = rng.choice(["none", "min-max", "mean-deviation", "percentile", "robust"])
        found["align"] = f"{kind}/{rng.choice(['global', 'channel', 'token'])}"
    elif way < 0.08 and set(control) <= {"quality", "bpfp"}:
        found["reads"] = "mean"
    elif set(control) <= {"quality"}:
        found["truncate"] = (-1.0, 2.0)
    return found
