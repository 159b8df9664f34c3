"""Errors that coefficients tell are those of what is decoded, on features of several kinds and dtypes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.coders.transform import TransformCoder

torch = pytest.importorskip("torch")


def mixed(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Channels last, of unequal variances and mixed with each other."""
    channels = shape[-1]
    mixing = np.linalg.qr(rng.standard_normal((channels, channels)))[0] * 2.0 ** -np.linspace(0, 3, channels)
    values = rng.standard_normal(shape) @ mixing.T + 0.3 * rng.standard_normal(channels)
    return values.astype(np.float32)


def states(rng: np.random.Generator) -> NDArray[np.float32]:
    """Of a language model: the first token is far larger, one of its channels more so; sizes differ."""
    found = mixed(rng, 40, 64, 96) * np.exp(rng.standard_normal((40, 64, 1)) / 2).astype(np.float32)
    found[:, 0] *= 400
    found[:, 0, 7] *= 50
    found[3, 5, 9] = 1e4
    return found


def maps(rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth maps with channels first, none below 0."""
    found = np.cumsum(np.cumsum(mixed(rng, 40, 14, 14, 32), axis=1), axis=2)
    return np.ascontiguousarray(np.maximum(found.transpose(0, 3, 1, 2), 0))


def attended(rng: np.random.Generator) -> NDArray[np.float32]:
    return mixed(rng, 40, 65, 64)


FEATURES = {"states": (states, "b n c"), "maps": (maps, "b c h w"), "attended": (attended, "b (1 + h w) c")}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the errors of blocks were told, in order."""
    seen: list[bool] = []
    tell = TransformCoder._told

    def noting(*arguments: Any) -> Any:
        found = tell(*arguments)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(TransformCoder, "_told", noting)
    return seen


def decibels(energy: float, error: float) -> float:
    return 10 * float(np.log10(energy / error))


@pytest.mark.parametrize("quality", [30, 50, 75])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("kind", FEATURES)
def test_reports_tell_what_is_decoded(
    kind: str, dtype: str, quality: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, layout = FEATURES[kind]
    features = torch.from_numpy(make(np.random.default_rng(0))).to(getattr(torch, dtype))
    reports, data = [], []
    for name in ("told", "decoded"):
        path = tmp_path / f"{name}.cauf"
        reports.append(caufc.save(path, features, layout=layout, quality=quality).tensors[0])
        data.append(path.read_bytes())
        monkeypatch.setattr(TransformCoder, "_told", lambda *_: None)
    quick, exact = reports
    assert data[0] == data[1]
    assert quick.snr_db == pytest.approx(exact.snr_db, abs=0.02)
    assert quick.token_snr_db == pytest.approx(exact.token_snr_db, abs=0.25)
    assert quick.cosine == pytest.approx(exact.cosine, abs=2e-4)
    assert quick.snr_apart_db == pytest.approx(exact.snr_apart_db, abs=0.02)


@pytest.mark.parametrize("control", [{"snr": 28}, {"bpfp": 2}], ids=str)
@pytest.mark.parametrize("kind", FEATURES)
def test_controls_by_what_is_told(kind: str, control: dict[str, float], tmp_path: Path) -> None:
    make, layout = FEATURES[kind]
    features = make(np.random.default_rng(0)).astype(np.float64)
    path = tmp_path / "x.cauf"
    report = caufc.save(path, features.astype(np.float32), layout=layout, **control)  # type: ignore[arg-type]
    error = np.asarray(caufc.load(path)) - features
    assert report.snr_db == pytest.approx(decibels(float((features**2).sum()), float((error**2).sum())), abs=0.02)
    if "snr" in control:
        kept = report.tensors[0].snr_db
        assert kept is not None and kept >= 27.98


@pytest.mark.parametrize("kind", ["maps", "states"])
def test_blocks_are_told_at_medium(kind: str, told: list[bool], tmp_path: Path) -> None:
    make, layout = FEATURES[kind]
    report = caufc.save(tmp_path / "x.cauf", make(np.random.default_rng(0)), layout=layout)
    assert all(told) and told
    assert report.max_abs_error is None


@pytest.mark.parametrize("seed", range(3))
def test_few_decoded_tokens_tell_what_coarse_bases_do_to_the_others(
    seed: int, told: list[bool], tmp_path: Path
) -> None:
    features = mixed(np.random.default_rng(seed), 8, 512, 400)
    report = caufc.save(tmp_path / "x.cauf", features, layout="b n c", quality=40)
    error = np.asarray(caufc.load(tmp_path / "x.cauf")).astype(np.float64) - features
    assert all(told) and told
    exact = decibels(float((features.astype(np.float64) ** 2).sum()), float((error**2).sum()))
    assert report.snr_db == pytest.approx(exact, abs=0.015)


@pytest.mark.parametrize("seed", range(3))
def test_a_lone_outlier_is_decoded(seed: int, tmp_path: Path) -> None:
    """Its rounding to half precision is not that of many values together."""
    rng = np.random.default_rng(seed)
    features = np.where(rng.random((5, 409, 18)) < 0.01, rng.exponential(size=(5, 409, 18)), 0)
    features[2, 7, 3] = 1e3
    features = features.astype(np.float16)
    path = tmp_path / "x.cauf"
    report = caufc.save(path, features, layout="b n c")
    wide = features.astype(np.float64)
    error = np.asarray(caufc.load(path)).astype(np.float64) - wide
    assert report.snr_db == pytest.approx(decibels(float((wide**2).sum()), float((error**2).sum())), abs=0.02)


def test_promises_are_checked_on_what_is_decoded(told: list[bool], tmp_path: Path) -> None:
    features = states(np.random.default_rng(0))
    for control in ({"max_error": 0.05}, {"snr": "30/token"}, {"truncate": (-2.0, 2.0)}):
        report = caufc.save(tmp_path / "x.cauf", features, layout="b n c", force=True, **control)
        back = caufc.load(tmp_path / "x.cauf")
        assert report.max_abs_error == pytest.approx(float(np.abs(np.asarray(back) - features).max()), rel=1e-4)
    assert not any(told)


@pytest.mark.parametrize("snr", [90, 116])
def test_of_errors_as_small_as_those_of_products(snr: float, tmp_path: Path, told: list[bool]) -> None:
    rng = np.random.default_rng(0)
    signals = np.cumsum(rng.standard_normal((114, 2)), axis=0)
    features = (signals @ rng.standard_normal((2, 431)) + 0.01 * rng.standard_normal((114, 431))).astype(np.float32)
    report = caufc.save(tmp_path / "x.cauf", features, layout="n c", snr=snr)
    error = np.asarray(caufc.load(tmp_path / "x.cauf"), np.float64) - features
    measured = decibels(np.square(features, dtype=np.float64).sum(), np.square(error).sum())
    assert report.snr_db == pytest.approx(measured, abs=0.02)
    assert any(told) == (snr == 90)
