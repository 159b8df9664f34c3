"""Outliers: one token, sample, channel or value, however large, changes nothing for the others."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import caufc
from caufc.encoder.counting import Counting
from caufc.encoder.outliers import TOKEN_RATIO, Typical, mask_values
from caufc.encoder.separator import OutlierSeparator, Separation
from tools.attack.contract_cases import case_of
from tools.attack.contract_figures import is_rest
from tools.attack.contract_values import KINDS, Extent

Matrix = NDArray[Any]


def tokens(samples: int = 4, length: int = 64, channels: int = 64) -> Matrix:
    """Correlated tokens ``[B, T, C]``."""
    rng = np.random.default_rng(0)
    mixing = np.eye(channels) + rng.standard_normal((channels, channels)) / np.sqrt(4 * channels)
    return np.asarray(rng.standard_normal((samples, length, channels)) @ mixing, np.float32)


OUTLIERS: dict[str, Any] = {
    "token": np.s_[1, 5],
    "tokens": np.s_[:, 0],
    "sample": np.s_[2],
    "channel": np.s_[..., 7],
    "value": np.s_[3, 9, 11],
}


def worst_tokens(values: Matrix, decoded: Matrix, rest: NDArray[np.bool_]) -> float:
    """dB that 99 % of tokens reach over what is no outlier."""
    energy, noise = (np.square(np.where(rest, part, 0).astype("f8")).sum(-1) for part in (values, decoded - values))
    present = energy > 0
    return float(np.percentile(10 * np.log10(energy[present] / np.maximum(noise[present], 1e-30)), 1))


@pytest.mark.parametrize("control", [{"quality": "medium"}, {"quality": "high"}, {"snr": 30}, {"snr": "30/token"}])
@pytest.mark.parametrize("kind", OUTLIERS)
@pytest.mark.parametrize("times", [3e2, 1e5, 1e36])
def test_others_keep_what_was_asked_for(kind: str, times: float, control: dict[str, Any]) -> None:
    values = tokens()
    rest = np.ones(values.shape, bool)
    rest[OUTLIERS[kind]] = False
    alone = worst_tokens(values, caufc.decode(caufc.encode(values, **control)), rest)
    values[OUTLIERS[kind]] *= np.float32(times)
    decoded = caufc.decode(caufc.encode(values, **control))
    kept = worst_tokens(values, decoded, rest)
    assert alone - 1.2 < kept
    assert kept < alone + 1.2 or np.array_equal(decoded, values)
    largest = np.abs(values[~rest]) > 0.1 * np.abs(values[~rest]).max()
    np.testing.assert_allclose(decoded[~rest][largest], values[~rest][largest], rtol=0.5)


@pytest.mark.parametrize("mask", [-65504.0, -1e9, float(np.finfo("f4").min)])
@pytest.mark.parametrize("share", [0.05, 0.48, 0.8])
def test_masked_scores_keep_the_scores(mask: float, share: float) -> None:
    rng = np.random.default_rng(0)
    scores = (3 * rng.standard_normal((2, 4, 32, 32))).astype("f4")
    masked = rng.random(scores.shape) < share
    scores[masked] = mask
    for control in ({"quality": "medium"}, {"snr": 30}):
        decoded = caufc.decode(caufc.encode(scores, **control))
        np.testing.assert_array_equal(decoded[masked], scores[masked])
        error = np.sqrt(np.mean(np.square(decoded[~masked] - scores[~masked], dtype="f8")))
        assert error < 3 * 10 ** (-22 / 20)


@pytest.mark.parametrize("control", [{"quality": 10}, {"quality": "low"}, {"snr": "20/token"}, {"bpfp": 3.3}])
def test_masks_of_the_lowest_float_are_coded_without_a_word(control: dict[str, Any]) -> None:
    rng = np.random.default_rng(7)
    queries, keys = rng.standard_normal((2, 2, 4, 64, 16))
    scores = (queries @ keys.transpose(0, 1, 3, 2) / 4).astype("f4")
    scores[..., np.triu(np.ones((64, 64), bool), 1)] = np.finfo("f4").min
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        caufc.encode(scores, **control)


def test_rates_of_hardly_any_loss_are_looked_for_without_a_word() -> None:
    vector = np.random.default_rng(7).standard_normal(768).astype("f4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        caufc.encode(vector, bpfp=27.0)


@pytest.mark.parametrize("times", [1e4, 8e18, 1e37])
def test_an_outlier_costs_bits_for_itself_alone(times: float) -> None:
    """Also where squares of it are too large for float32."""
    values = tokens(2, 20, 155)
    plain = len(caufc.encode(values, layout="b n c", quality=60))
    values[1, 5] *= np.float32(times)
    assert len(caufc.encode(values, layout="b n c", quality=60)) < plain + 400


def test_layers_of_unlike_sizes_in_one_array_share_bits_out() -> None:
    """The first axis is that of layers, of which the smallest is not what all are measured by."""
    layers = tokens(4, 4 * 256, 192).reshape(4, 4, 256, 192) * np.array([0.02, 1, 2, 3], "f4").reshape(4, 1, 1, 1)
    together = len(caufc.encode(layers, layout="b h w c"))
    apart = sum(len(caufc.encode(layer, layout="b n c")) for layer in layers)
    assert together < 1.15 * apart
    decoded = caufc.decode(caufc.encode(layers, layout="b h w c"))
    assert all(
        worst_tokens(one, other, np.ones(one.shape, bool)) > 19 for one, other in zip(layers, decoded, strict=True)
    )


@pytest.mark.parametrize("share", [0.5, 0.7, 0.95])
@pytest.mark.parametrize(
    ("mask", "options"), [(-1e4, {}), (-np.inf, {"nonfinite": "keep"}), (np.nan, {"nonfinite": "keep"})]
)
@pytest.mark.parametrize("offset", [0, 5])
def test_masks_over_most_values_are_next_to_nothing(share: float, mask: float, options: Any, offset: float) -> None:
    rng = np.random.default_rng(0)
    masked, scores = rng.random((512, 300)) < share, rng.standard_normal((512, 300)) + offset
    values = np.where(masked, mask, scores).astype("f4")
    data = caufc.encode(values, **options)
    decoded = caufc.decode(data)
    np.testing.assert_array_equal(decoded[masked], values[masked])
    error = np.square((decoded - scores)[~masked]).mean()
    assert 24 < -10 * np.log10(error) < 26.5
    places = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    assert 8 * len(data) / values.size < 2.1 * places + 5 * (1 - share)


@pytest.mark.parametrize("times", [1e13, 1e15, 1e20, 1e37])
@pytest.mark.parametrize("control", [{}, {"snr": 30}, {"quality": 75}])
def test_a_channel_beyond_what_sums_hold_leaves_the_others_as_they_are(times: float, control: dict[str, Any]) -> None:
    values = tokens(2, 250, 64)
    without = len(caufc.encode(values, **control))
    alone = caufc.decode(caufc.encode(values, **control)) - values
    values[..., 7] *= times
    data = caufc.encode(values, **control)
    others = np.arange(64) != 7
    error = (caufc.decode(data) - values)[..., others]
    assert len(data) <= without + 5 * values[..., 7].size
    assert 10 * abs(np.log10(np.square(error).mean() / np.square(alone[..., others]).mean())) < 1


@pytest.mark.parametrize("wanted", [5, 7, 12])
def test_large_tokens_that_count_do_not_make_an_snr_dear_for_all(wanted: float, tmp_path: Path) -> None:
    """Their errors are no larger than others' by so much that these must be the smaller: they hold the energy."""
    values = tokens(16, 128, 96)
    without = len(caufc.encode(values, layout="b n c", snr=wanted))
    values[:, 0] *= 20
    values[:, 0, 7] *= 50
    report = caufc.save(tmp_path / "a.cauf", values, layout="b n c", snr=wanted)
    (told,) = report.tensors
    assert told.snr_db is not None and wanted <= told.snr_db <= wanted + 1
    assert report.bytes_out < 0.85 * without


def test_few_tokens_keep_what_they_had_beside_a_large_one() -> None:
    values = tokens(1, 4, 65)[0]
    alone = np.square(caufc.decode(caufc.encode(values, layout="b c")) - values)[:3].mean()
    values[3] *= 4e3
    decoded = caufc.decode(caufc.encode(values, layout="b c"))
    assert 0.8 * alone < np.square(decoded - values, dtype="f8")[:3].mean() < 1.2 * alone


def test_a_token_that_is_mostly_outliers_does_not_tell_what_the_rest_keeps(tmp_path: Path) -> None:
    values = tokens(1, 4, 65)[0]
    values[3] *= 4e3
    (told,) = caufc.save(tmp_path / "a.cauf", values, layout="b c").tensors
    assert told.snr_db is not None and told.snr_db > 20 and told.token_snr_db is not None and told.token_snr_db > 20


def test_one_of_two_channels_says_nothing_of_which_tokens_are_outliers() -> None:
    values = np.random.default_rng(1).laplace(size=(400, 2)).astype("f4")
    values[:, 0] *= 700
    values[::9, 0] /= 700
    kept = is_rest(values.astype("f8"))
    assert not kept[:, 0].any() and kept[:, 1].all()
    np.testing.assert_array_equal(Counting.of(values)(values), kept)


@pytest.mark.parametrize("place", [np.s_[1, 5], np.s_[..., 7]], ids=["token", "channel"])
@pytest.mark.parametrize("times", [1e3, 1e30])
def test_the_learned_codec_keeps_the_others_too(times: float, place: Any) -> None:
    pytest.importorskip("torch")
    values = np.abs(tokens())
    rest = np.ones(values.shape, bool)
    rest[place] = False
    alone = np.square(caufc.decode(caufc.encode(values, codec="hyperprior")) - values)[rest].mean()
    values[place] *= np.float32(times)
    decoded = caufc.decode(caufc.encode(values, codec="hyperprior"))
    assert np.square(decoded - values, dtype="f8")[rest].mean() < 1.2 * alone


def test_the_learned_codec_gives_tokens_the_size_of_the_others() -> None:
    """Channels of very different scales must not make a token's scale too small."""
    scales = np.exp(np.random.default_rng(1).standard_normal(178))
    values = tokens(1, 12, 178)[0] * scales.astype("f4")
    typical = Typical.of(values, sparse=False)
    values[7] *= 400
    apart = OutlierSeparator(typical, Separation(by_channel=False))(values)
    assert apart.scales is not None
    sizes = np.sqrt(np.square(apart.scales.divide(values)).mean(axis=1))
    assert 0.7 < sizes[7] / np.median(sizes) < 1.7


def test_masks_are_repeated_ends_far_from_the_rest() -> None:
    rest = np.random.default_rng(0).standard_normal(100)
    assert set(mask_values(np.concatenate([rest, [-1e4, -1e4, 3e5, 3e5]]))) == {-1e4, 3e5}
    assert set(mask_values(np.concatenate([rest, [-1e4, -1e4]]))) == {-1e4}
    assert mask_values(np.concatenate([rest, [-1e4]])) == ()
    assert mask_values(np.concatenate([rest, [5.0, 5.0]])) == ()


def test_heavy_tails_stay_with_the_quantiser() -> None:
    """Values of a continuous tail take fewer bits as indices than exactly."""
    heavy = np.random.default_rng(0).standard_cauchy((512, 64))
    lone = np.random.default_rng(0).standard_normal((512, 64))
    lone[3, 4] = 1e4
    assert OutlierSeparator(Typical.of(heavy, sparse=False))(heavy).values is None
    found = OutlierSeparator(Typical.of(lone, sparse=False))(lone)
    assert found.values is not None and found.values.sum() == 1 and found.scales is None


def test_what_stays_small_in_an_outlying_channel_is_kept_as_the_rest_is() -> None:
    values = tokens()
    values[..., 7] *= 1e3
    decoded = caufc.decode(caufc.encode(values, snr=30))
    small = np.abs(values[..., 7]) < 50 * np.median(np.abs(values))
    assert small.any() and np.array_equal(decoded[..., 7][small], values[..., 7][small])


def test_the_small_half_of_an_outlying_channel_is_kept_too() -> None:
    values = np.random.default_rng(0).standard_normal((46, 37)).astype(np.float32)
    values[1::2, 31] *= 2e5
    decoded = caufc.decode(caufc.encode(values, layout="n c", quality=40))
    np.testing.assert_allclose(decoded[::2], values[::2], atol=0.5)


def test_a_wide_token_keeps_what_others_of_the_file_keep() -> None:
    """A thin sample of very wide tokens would hold too few of them to tell what indices cost."""
    rng = np.random.default_rng([16384, 32])
    values = KINDS["low rank"](rng, Extent(1, (32,), 16384)).astype("f4")
    kept = worst_tokens(values, caufc.decode(caufc.encode(values, layout="b n c")), np.ones(values.shape, bool))
    assert kept > 20


def test_the_learned_codec_s_range_has_no_room_for_outliers() -> None:
    pytest.importorskip("torch")
    values = np.random.default_rng(0).standard_normal((9, 42, 80)).astype(np.float32)
    outlying = values.copy()
    outlying[4] *= 1e11
    errors = []
    for part in (outlying, values):
        decoded = caufc.decode(caufc.encode(part, codec="hyperprior", layout="b n c", quality="low"))
        errors.append(float(np.square(np.delete(decoded - part, 4, axis=0)).mean()))
    assert errors[0] < 1.1 * errors[1]


def test_tokens_that_are_large_all_over_are_no_sinks() -> None:
    values = tokens().reshape(-1, 64)
    sinks, large = values.copy(), values.copy()
    sinks[::40, :2] *= 1e4
    large[::40] *= 1e4
    assert Typical.of(sinks, sparse=False).sinks
    assert not Typical.of(large, sparse=False).sinks


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1 << 32), st.integers(1, 40), st.floats(0, 60))
def test_large_tokens_are_those_of_a_large_level(seed: int, channels: int, times: float) -> None:
    rng = np.random.default_rng(seed)
    typical = Typical.of(rng.standard_normal((40, channels)), sparse=False)
    sample = rng.standard_normal((30, channels)) * times * (rng.random((30, channels)) < rng.random())
    np.testing.assert_array_equal(typical.are_large(sample), typical.token_levels(sample) > TOKEN_RATIO)


@pytest.mark.parametrize("number", [3451, 12532], ids=["a channel that is exact", "half of a channel are sinks"])
def test_what_is_large_makes_others_neither_sparse_nor_small(number: int) -> None:
    """A channel that is stored exactly is no zeros of the rest; and a channel's median says nothing of two halves."""
    case = case_of(3, number)
    values: Any = case.features
    matrix = values.reshape(-1, values.shape[-1]).astype(np.float64)
    decoded = caufc.decode(caufc.encode(values, **case.asked)).reshape(matrix.shape)
    assert worst_tokens(matrix, decoded, is_rest(matrix)) > 20


@pytest.mark.parametrize("channels", [2, 3, 7])
def test_narrow_tokens_that_are_large_are_exact_as_a_whole(channels: int) -> None:
    """A few of an outlying sample's values are no larger than others may be, and would widen the range."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((10, 500, channels)).astype("f4")
    alone = caufc.decode(caufc.encode(values, quality="low"))[:9] - values[:9]
    values[9] *= 6000
    beside = caufc.decode(caufc.encode(values, quality="low"))[:9] - values[:9]
    assert abs(20 * np.log10(beside.std() / alone.std())) < 1


def _sized(seed: int, tokens: int, channels: int) -> NDArray[np.float64]:
    """Tokens of correlated channels."""
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.standard_normal((channels, channels)))[0]
    own = rng.standard_normal((tokens, channels)) * np.arange(1, channels + 1) ** -0.5
    return np.asarray(own @ turned.T * math.sqrt(channels))


@pytest.mark.parametrize("control", [{"quality": "low"}, {"quality": "medium"}, {"quality": 80}, {"snr": 20}])
def test_many_large_tokens_cost_what_they_do_alone(control: dict[str, Any]) -> None:
    """Their smallest values are no values apart: there are others of all sizes above them."""
    values = _sized(1, 1200, 192)
    large = np.random.default_rng(2).random(1200) < 0.25
    values[large] *= 300
    whole, *parts = (
        len(caufc.encode(part.astype("f4"), **control)) for part in (values, values[large], values[~large])
    )
    assert whole < 1.08 * sum(parts)


@pytest.mark.parametrize("spread", [1.5, 2.0, 2.5, 3.0])
@pytest.mark.parametrize("effort", ["default", "fast"])
def test_tokens_of_all_sizes_keep_what_medium_promises(spread: float, effort: str) -> None:
    """Over what counts of them: values over 100 times the median hide no errors of the others."""
    sizes = np.random.default_rng(3).lognormal(0, spread, (300, 1))
    report = caufc.api.encode_to(io.BytesIO(), (_sized(1, 300, 128) * sizes).astype("f4"), effort=effort)
    assert (report.tensors[0].token_snr_db or 0) > 20
