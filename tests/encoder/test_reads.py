"""What is read of features may be told: the rest then costs little, at any quality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.errors import OptionError, UnknownNameError


@pytest.fixture(scope="module")
def maps() -> NDArray[np.float32]:
    """Rectified maps ``[B, 24, 7, 7]`` whose means differ from sample to sample."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((96, 24, 7, 7)) + rng.standard_normal((96, 24, 1, 1)) - 0.5
    return np.maximum(values, 0).astype(np.float32)


@pytest.fixture(scope="module")
def tokens() -> NDArray[np.float32]:
    """A first token and patches ``[B, 1 + 25, 24]``."""
    return np.random.default_rng(1).standard_normal((96, 26, 24)).astype(np.float32)


def error(one: Any, other: Any) -> float:
    return float(((one - other) ** 2).mean() / other.var())


def test_means_stay_where_means_are_read(maps: Any) -> None:
    pooled, whole = (caufc.encode(maps, reads=reads) for reads in ("mean", "tokens"))
    assert len(pooled) < len(whole) / 15
    assert error(caufc.decode(pooled).mean((2, 3)), maps.mean((2, 3))) < 0.01


def test_first_tokens_stay_where_they_are_read(tokens: Any) -> None:
    read, whole = (caufc.encode(tokens, layout="b (1 + n) c", reads=reads) for reads in ("first", "tokens"))
    assert len(read) < len(whole) / 10
    assert error(caufc.decode(read)[:, 0], tokens[:, 0]) < 0.01


def test_few_samples_are_enough(maps: Any) -> None:
    decoded = caufc.decode(caufc.encode(maps[:1], reads="mean"))
    assert error(decoded.mean((2, 3)), maps[:1].mean((2, 3))) < 0.05


def test_quality_stays_a_monotone_scale(maps: Any) -> None:
    sizes = [len(caufc.encode(maps, reads="mean", quality=quality)) for quality in (10, 30, 50, 70, 90)]
    assert sizes == sorted(sizes)


def test_reads_may_differ_by_tensor(maps: Any, tokens: Any) -> None:
    both = {"maps": maps, "tokens": tokens}
    mixed = caufc.encode(both, layout={"tokens": "b (1 + n) c"}, reads={"maps": "mean"})
    assert len(mixed) < len(caufc.encode(both, layout={"tokens": "b (1 + n) c"})) - maps.size / 8
    assert error(caufc.decode(mixed)["tokens"], tokens) < 0.02


def test_what_is_no_part_is_refused(maps: Any) -> None:
    with pytest.raises(UnknownNameError, match="tokens, mean, first"):
        caufc.encode(maps, reads="last")


def test_a_first_token_must_be_set_apart(maps: Any) -> None:
    with pytest.raises(OptionError, match="no first token"):
        caufc.encode(maps, reads="first")


@pytest.mark.parametrize("control", [{"snr": 20}, {"max_error": 0.1}])
def test_equal_errors_and_reads_contradict_each_other(maps: Any, control: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="says nothing"):
        caufc.encode(maps, reads="mean", **control)


HEAD: dict[str, Any] = {"arch": "timm/test_resnet", "tap": "head"}


def test_a_tap_tells_what_is_read_of_it(maps: Any, tmp_path: Any) -> None:
    report = caufc.save(tmp_path / "head.cauf", maps, **HEAD)
    assert report.warnings == (
        "keeps the mean over the grid, which is what 'head' is read by; reads='tokens' keeps all",
    )
    told = caufc.encode(maps, arch="timm/test_resnet", tap="layer4", reads="mean")
    assert report.bytes_out <= len(told) + len("head")
    assert error(caufc.load(tmp_path / "head.cauf").mean((2, 3)), maps.mean((2, 3))) < 0.01


def test_users_and_equal_errors_stand_above_what_a_tap_tells(maps: Any, tmp_path: Any) -> None:
    report = caufc.save(tmp_path / "all.cauf", maps, reads="tokens", **HEAD)
    assert report.warnings == () and error(caufc.load(tmp_path / "all.cauf"), maps) < 0.01
    report = caufc.save(tmp_path / "snr.cauf", maps, snr=30, **HEAD)
    assert report.warnings == () and report.snr_db is not None and report.snr_db > 29.9


def test_taps_of_unknown_reading_are_refused() -> None:
    with pytest.raises(OptionError, match="unknown part that is read 'max'"):
        caufc.Tap("head", "b c h w", reads="max")  # type: ignore[arg-type]


@pytest.mark.parametrize("reads", ["mean", "tokens"])
def test_a_small_file_of_what_is_read_may_have_a_rate(reads: str) -> None:
    features = np.random.default_rng(0).standard_normal((8, 16, 5, 5)).astype(np.float32)
    assert len(caufc.encode(features, layout="b c h w", reads=reads, bpfp=2.0)) <= features.size / 4
