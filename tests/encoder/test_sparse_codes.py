"""Sparse codes of many channels (sparse autoencoders, lexical retrieval): a thin sample has most channels by chance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.codec.transform.grids import Geometry
from caufc.encoder.few_events import FewEvents, parts_of

Codes = NDArray[np.float32]
Shares = NDArray[np.float64]


def codes(tokens: int, shares: Shares, seed: int = 0) -> Codes:
    """Tokens ``[N, C]`` that have each channel so often, exponentially distributed."""
    rng = np.random.default_rng(seed)
    there = rng.random((tokens, len(shares))) < shares
    found: Codes = np.where(there, rng.exponential(size=there.shape), 0).astype(np.float32)
    return found


def alike(channels: int, count: float) -> Shares:
    return np.full(channels, count / channels)


def unlike(channels: int, count: float) -> Shares:
    """Of few channels that are frequent and many that are rare, as concepts are."""
    shares = 1 / (np.random.default_rng(1).permutation(channels) + 20.0)
    found: Shares = np.minimum(shares * count / shares.sum(), 0.9)
    return found


KINDS = {
    "alike": (512, alike(16384, 64)),
    "unlike": (512, unlike(16384, 64)),
    "few tokens": (128, alike(65536, 32)),
    "many tokens": (2000, unlike(4096, 20)),
}


def bits_of_places(shares: Shares) -> float:
    """What the place of a code takes where all shares are known."""
    rest = 1 - shares
    bits = -(shares * np.log2(shares) + rest * np.log2(rest))
    return float(bits.sum() / shares.sum())


@pytest.mark.parametrize("kind", KINDS)
def test_codes_take_about_what_their_places_do(kind: str) -> None:
    """Sizes of those that are kept at 20 dB take about what is saved on those that are not."""
    tokens, shares = KINDS[kind]
    given = codes(tokens, shares)
    coded = caufc.encode(given, layout="b c", snr=20, threads=1)
    assert 8 * len(coded) / np.count_nonzero(given) < bits_of_places(shares) + 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_medium_keeps_what_it_promises_of_tokens(kind: str) -> None:
    given = codes(*KINDS[kind])
    found = caufc.decode(caufc.encode(given, layout="b c", threads=1))
    error = np.square(given - found, dtype=np.float64).sum(axis=1)
    snr = 10 * np.log10(np.square(given, dtype=np.float64).sum(axis=1) / error)
    assert np.percentile(snr, 1) > 19


@pytest.mark.parametrize("shape", [(1024, 16384), (1, 1024, 16384)])
def test_an_snr_is_met_closely(shape: tuple[int, ...]) -> None:
    """Steps that were made coarser by too much are made finer again, not as fine as they were."""
    given = codes(1024, unlike(16384, 64)).reshape(shape)
    layout = "b c" if len(shape) == 2 else "b n c"
    found = caufc.decode(caufc.encode(given, layout=layout, snr=20, threads=1))
    error = np.square(given - found, dtype=np.float64).sum()
    assert 20 <= 10 * np.log10(np.square(given, dtype=np.float64).sum() / error) < 20.3


def events(given: Codes, tokens: int = 1) -> FewEvents | None:
    geometry = Geometry(((tokens,),) * (len(given) // tokens), 0)
    return FewEvents.of(np.rint(2 * given).astype(np.int32), parts_of(geometry))


def test_what_one_part_alone_has_is_not_expected_of_others() -> None:
    given = np.zeros((16, 40), np.float32)
    given[0, 0] = given[1:3, 1] = given[:, 2] = 1
    found = events(given)
    assert found is not None
    assert found.by_channel[:4].tolist() == [1, 2, 16, 0]
    np.testing.assert_allclose(found.elsewhere[:3], [0, 0.5 / (15 / 16), 1])
    of_two = events(given, tokens=2)
    assert of_two is not None
    np.testing.assert_allclose(of_two.elsewhere[:3], [0, 0.5 / (7 / 8), 1])


def test_dense_features_and_many_parts_say_enough() -> None:
    assert events(np.ones((100, 8), np.float32)) is None
    assert events(codes(1000, alike(16, 3))) is None
    assert events(np.zeros((10, 8), np.float32)) is None
    assert events(codes(1, alike(4096, 30))) is None


def test_frequencies_of_one_sample_are_no_parts() -> None:
    assert parts_of(Geometry(((64,),), 0)).tolist() == [0, 8, 16, 24, 32, 40, 48, 56]
    assert parts_of(Geometry(((64,),), 0, spectral=True)).tolist() == [0]
    assert parts_of(Geometry(((3,), (2,)), 1)).tolist() == [0, 1, 2, 3, 4, 5, 6]
