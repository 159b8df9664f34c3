from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_paths import both
from numpy.typing import NDArray

from caufc.codec.buckets import BUCKETS, LIMIT, add_extra_bits, bucket_of, extra_bits, push_extra_bits, unzigzag, zigzag
from caufc.codec.entropy import RansDecoder, RansEncoder


def bucket_by_spec(symbol: int) -> int:
    """[CAUF-0211]: the last bucket that starts at or below the symbol."""
    return max(bucket for bucket in range(BUCKETS) if start_by_spec(bucket) <= symbol)


def start_by_spec(bucket: int) -> int:
    if bucket < 16:
        return bucket
    octave = (bucket - 16) // 2 + 4
    return (2 + (bucket & 1)) << (octave - 1)


symbols = st.integers(0, LIMIT - 1) | st.integers(0, 300) | st.integers(0, 27).map(lambda bits: (1 << bits) - 1)
arrays = hnp.arrays(np.int32, st.integers(0, 60), elements=symbols)


def test_buckets_are_those_of_the_spec() -> None:
    for bucket in range(BUCKETS):
        first, bits = extra_bits(bucket)
        assert first == start_by_spec(bucket)
        assert bits == (0 if bucket < 16 else (bucket - 16) // 2 + 3)
        following = start_by_spec(bucket + 1) if bucket + 1 < BUCKETS else LIMIT
        assert first + (1 << bits) == following


@given(arrays)
def test_bucket_of(values: NDArray[np.int32]) -> None:
    assert bucket_of(values).tolist() == [bucket_by_spec(value) for value in values.tolist()]
    assert bucket_of(values.reshape(1, -1)).shape == (1, len(values))


@given(arrays)
def test_extra_bits_round_trip(values: NDArray[np.int32]) -> None:
    buckets = bucket_of(values)
    encoder = RansEncoder()
    push_extra_bits(encoder, values, buckets)
    decoder = RansDecoder(encoder.finish())
    np.testing.assert_array_equal(add_extra_bits(decoder, buckets), values)
    decoder.end()


@given(hnp.arrays(np.int32, st.integers(0, 60), elements=st.integers(-LIMIT // 2, LIMIT // 2 - 1)))
def test_zigzag(values: NDArray[np.int32]) -> None:
    zigzagged, plain = both(lambda: zigzag(values))
    np.testing.assert_array_equal(zigzagged, plain)
    assert zigzagged.tolist() == [2 * v if v >= 0 else -2 * v - 1 for v in values.tolist()]
    np.testing.assert_array_equal(unzigzag(zigzagged), values)


@pytest.mark.parametrize(("symbol", "bucket"), [(0, 0), (15, 15), (16, 16), (23, 16), (24, 17), (31, 17), (32, 18)])
def test_golden(symbol: int, bucket: int) -> None:
    assert bucket_of(np.array([symbol], np.int32))[0] == bucket
    assert bucket_of(np.array([LIMIT - 1], np.int32))[0] == 63
