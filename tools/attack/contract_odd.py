"""Odd inputs: the smallest, the largest, what is no float or not finite, and what cannot be encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tools.attack.contract_forms import cast, draw_dtype, largest

__all__ = ["ODD", "Odd"]

Rng = np.random.Generator


@dataclass(frozen=True)
class Odd:
    """An odd input.

    Args:
        form: shape and dtype, for people.
        features: the input.
        magnitude: of its values.
        options: that it needs.
        control: a rate control that it needs; None for any.
        dense: whether medium promises 20 dB on 99 % of the tokens.
        valid: whether it can be encoded.
    """

    form: str
    features: Any
    magnitude: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    control: dict[str, Any] | None = None
    dense: bool = False
    valid: bool = True


def _shape(rng: Rng) -> tuple[int, ...]:
    return tuple(int(2 ** rng.uniform(0, 6)) for _ in range(int(rng.integers(1, 4))))


def _one_value(rng: Rng) -> Odd:
    shape = (1,) * int(rng.integers(0, 5))
    dtype = draw_dtype(rng)
    return Odd(f"{shape} {dtype}", cast(np.asarray(rng.standard_normal(shape)), dtype, torch=bool(rng.random() < 0.3)))


def _empty(rng: Rng) -> Odd:
    shape = [int(rng.integers(0, 4)) for _ in range(int(rng.integers(1, 5)))]
    shape[int(rng.integers(len(shape)))] = 0
    dtype = draw_dtype(rng)
    empty = cast(np.zeros(shape), dtype)
    features = [empty, {"a": empty, "b": empty}, [empty, empty], []][int(rng.choice(4, p=(0.6, 0.2, 0.15, 0.05)))]
    return Odd(f"{type(features).__name__} {shape} {dtype}", features)


def _denormals(rng: Rng) -> Odd:
    shape, dtype = _shape(rng), draw_dtype(rng)
    unit = {"fp16": 2e-6, "bf16": 1e-39, "fp32": 1e-40, "fp64": 1e-311}[dtype]
    return Odd(f"{shape} {dtype}", cast(rng.standard_normal(shape) * unit, dtype), unit, dense=len(shape) > 1)


def _largest(rng: Rng) -> Odd:
    """Values up to the largest of the dtype."""
    shape, dtype = _shape(rng), draw_dtype(rng)
    values = rng.standard_normal(shape)
    unit = largest(dtype) / float(np.abs(values).max())
    return Odd(f"{shape} {dtype}", cast(values * unit, dtype), unit, dense=len(shape) > 1)


def _integers(rng: Rng) -> Odd:
    shape = _shape(rng)
    dtype = np.dtype(rng.choice(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]))
    info = np.iinfo(dtype)
    low, high = (0, min(info.max, 30_000)) if rng.random() < 0.7 else (int(info.min), int(info.max))
    return Odd(f"{shape} {dtype}", rng.integers(low, high, shape, dtype, endpoint=True))


def _booleans(rng: Rng) -> Odd:
    shape = _shape(rng)
    return Odd(f"{shape} bool", rng.random(shape) < rng.random())


def _beside(rng: Rng) -> Odd:
    """Token IDs and a mask beside features."""
    samples, tokens = int(rng.integers(2, 9)), int(rng.integers(1, 33))
    features = {
        "hidden": cast(rng.standard_normal((samples, tokens, 32)), draw_dtype(rng)),
        "ids": rng.integers(0, 30_000, (samples, tokens)),
        "mask": np.arange(tokens) < rng.integers(1, tokens + 1, (samples, 1)),
    }
    return Odd(f"hidden [{samples}, {tokens}, 32]", features)


def _words(rng: Rng) -> Odd:
    """Text, numbers, booleans and None beside a tensor."""
    words = {"label": "sp|P12345", "count": 7, "score": 0.25, "seen": True, "rest": None}
    kept = {name: word for name, word in words.items() if rng.random() < 0.6}
    return Odd("beside [12, 16]", {"hidden": cast(rng.standard_normal((12, 16)), draw_dtype(rng)), **kept})


def _not_finite(rng: Rng) -> Odd:
    shape, dtype = _shape(rng), draw_dtype(rng)
    values = cast(rng.standard_normal(shape), dtype)
    for special in (np.nan, np.inf, -np.inf):
        values[rng.random(shape) < rng.choice((0.0, 0.02, 0.3))] = special
    return Odd(f"{shape} {dtype}", values, options={"nonfinite": "keep"})


def _invalid(rng: Rng) -> Odd:
    """What an encoder must refuse."""
    array = rng.standard_normal((4, 8)).astype(np.float32)
    way = int(rng.integers(8))
    if way == 0:
        array[1, 2] = rng.choice((np.nan, np.inf))
        return Odd("NaN or Inf", array, control={}, options={"nonfinite": "error"}, valid=False)
    if way == 1:
        return Odd("complex", array.astype(np.complex64), valid=False)
    if way == 2:
        return Odd("objects", np.array([object()]), valid=False)
    wrong: list[dict[str, Any]] = [
        {"quality": 101.0},
        {"quality": "excellent"},
        {"bpfp": 0.0},
        {"snr": 30.0, "bpfp": 2.0},
        {"max_error": -1.0},
    ]
    return Odd("an option out of range", array, control=wrong[way - 3], valid=False)


ODD: dict[str, Callable[[Rng], Odd]] = {
    "one value": _one_value,
    "empty": _empty,
    "denormals": _denormals,
    "near the largest": _largest,
    "integers": _integers,
    "booleans": _booleans,
    "integers beside": _beside,
    "words beside": _words,
    "not finite": _not_finite,
    "invalid": _invalid,
}
