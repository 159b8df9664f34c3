"""Keys with rotary positions are found, and coded as if they had none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import caufc
from caufc.align.turns import CIRCLE
from caufc.coders.sections import TURNS
from caufc.encoder import turn_search

HEADS, WIDTH, TOKENS = 2, 16, 96


def keys(samples: int = 6, *, base: float | None = 1e4, halves: bool = True, share: float = 1.0, first: int = 0) -> Any:
    """Keys ``[B, 2, T, 16]`` of a large mean and some directions, with rotary positions of a base."""
    rng = np.random.default_rng(3)
    mean, mixing = 3 * rng.standard_normal((HEADS, 1, WIDTH)), rng.standard_normal((HEADS, 4, WIDTH))
    values = mean + rng.standard_normal((samples, HEADS, TOKENS, 4)) @ mixing
    values = values + 0.1 * rng.standard_normal(values.shape)
    turned = int(WIDTH * share)
    if base is not None:
        angles = np.outer(first + np.arange(TOKENS), base ** -(np.arange(0, turned, 2) / turned))
        x = slice(0, turned // 2) if halves else slice(0, turned, 2)
        y = slice(turned // 2, turned) if halves else slice(1, turned, 2)
        a, b = values[..., x].copy(), values[..., y].copy()
        values[..., x], values[..., y] = (
            a * np.cos(angles) - b * np.sin(angles),
            b * np.cos(angles) + a * np.sin(angles),
        )
    return values.astype(np.float32)


def turns_of(data: bytes, name: str = "keys") -> Any:
    with caufc.Reader(data) as reader:
        configs = {config.name: config for config in reader._reader.chunks.configs}
        return configs[name].arrays.get(TURNS)


def snr(before: Any, after: Any) -> float:
    return float(10 * np.log10(np.square(before).sum() / np.square(after - before).sum()))


@pytest.mark.parametrize("base", [1e4, 5e5, 1e6])
@pytest.mark.parametrize(("halves", "share"), [(True, 1.0), (False, 1.0), (True, 0.5)])
def test_usual_bases_are_found(base: float, halves: bool, share: float) -> None:
    features = {"keys": keys(base=base, halves=halves, share=share)}
    data = caufc.encode(features, layout="b g t d")
    turns = turns_of(data)
    pairs = int(WIDTH * share) // 2
    assert turns[0] == (pairs if halves else 1)
    where = 1 + np.arange(pairs) * (1 if halves else 2)
    expected = base ** -(np.arange(pairs) / pairs)
    np.testing.assert_allclose(turns[where] / CIRCLE * 2 * np.pi, expected, rtol=1e-5, atol=1e-8)
    plain = caufc.encode({"keys": keys(base=None)}, layout="b g t d")
    assert len(data) < 1.1 * len(plain) + 100
    back = caufc.decode(data)["keys"]
    assert back.dtype == np.float32
    assert snr(features["keys"], back) > 20


def test_a_window_that_starts_anywhere() -> None:
    data = caufc.encode({"keys": keys(first=4000)}, layout="b g t d")
    assert turns_of(data) is not None
    assert snr(keys(first=4000), caufc.decode(data)["keys"]) > 20


def test_what_has_no_positions_is_not_turned() -> None:
    for features in ({"values": keys(base=None)}, {"keys": keys(base=None)}):
        (name,) = features
        assert turns_of(caufc.encode(features, layout="b g t d"), name) is None


@pytest.mark.parametrize("control", [{"max_error": 0.05}, {"lossless": True}, {"align": "min-max"}])
def test_what_promises_values_one_by_one_is_not_turned(control: dict[str, Any]) -> None:
    features = {"keys": keys()}
    data = caufc.encode(features, layout="b g t d", **control)
    assert turns_of(data) is None


def test_an_snr_holds() -> None:
    features = {"keys": keys().astype(np.float16), "values": keys(base=None).astype(np.float16)}
    data = caufc.encode(features, layout="b g t d", snr=35)
    assert turns_of(data) is not None
    back = caufc.decode(data)
    for name, values in features.items():
        assert 35 <= snr(values.astype("f8"), back[name].astype("f8")) < 36


def test_outliers_and_what_is_not_finite_stay_exact() -> None:
    values = keys()
    values[1, 1, 9, 3], values[2, 0, 5, 7], values[0, 0, 0, 0] = 1e7, np.nan, np.inf
    back = caufc.decode(caufc.encode({"keys": values}, layout="b g t d", nonfinite="keep"))["keys"]
    assert (back[1, 1, 9, 3], back[0, 0, 0, 0]) == (1e7, np.inf)
    assert np.isnan(back[2, 0, 5, 7])
    near = np.abs(values) < 1e6
    assert snr(values[near], back[near]) > 20


def test_ragged_samples() -> None:
    samples = [{"keys": sample[:, :length]} for sample, length in zip(keys(), (96, 40, 17, 96, 1, 60), strict=True)]
    data = caufc.encode(samples, layout="g t d")
    assert turns_of(data) is not None
    for sample, back in zip(samples, caufc.decode(data), strict=True):
        assert snr(sample["keys"], back["keys"]) > 15


def test_a_large_token_does_not_harm_others() -> None:
    values = keys()
    values[3, :, 20] *= 1e5
    back = caufc.decode(caufc.encode({"keys": values}, layout="b g t d"))["keys"]
    errors = np.square(back - values)
    others = np.ones(values.shape, bool)
    others[3, :, 20] = False
    assert 10 * np.log10(np.square(values[others]).sum() / errors[others].sum()) > 20
    assert 10 * np.log10(np.square(values[~others]).sum() / errors[~others].sum()) > 20


def test_a_network_has_one_kind_of_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    candidates = turn_search._candidates

    def noted(width: int) -> Any:
        searched.append(width)
        return candidates(width)

    monkeypatch.setattr(turn_search, "_candidates", noted)
    features = {"keys.0": keys(), "values.0": keys(base=None), "keys.1": keys(4)[:, ::-1].copy().repeat(2, 0)[:6]}
    data = caufc.encode(features, layout="b g t d")
    assert searched == [WIDTH]
    assert (turns_of(data, "keys.0") == turns_of(data, "keys.1")).all()
    assert turns_of(data, "values.0") is None


@pytest.mark.parametrize("turned", [None, 15])
def test_many_tensors_are_not_all_searched(turned: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where some have turns, all that have are found, wherever they stand."""
    searched: list[int] = []
    bits = turn_search._bits

    def noted(matrix: Any, width: int) -> float:
        searched.append(width)
        return bits(matrix, width)

    monkeypatch.setattr(turn_search, "_bits", noted)
    count = 24
    without = keys(base=None)
    features = {f"past.{n}": keys() if turned and n >= turned else without + n for n in range(count)}
    data = caufc.encode(features, layout="b g t d", quality="low", effort="fast")
    assert [turns_of(data, name) is not None for name in features] == [
        bool(turned and n >= turned) for n in range(count)
    ]
    if turned is None:
        assert len(searched) < 2 * 12
