"""Lossless integers by the compiled kernel: the bytes and values of numpy, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_paths import both
from numpy.typing import NDArray

from caufc.codec import kernels
from caufc.codec.lossless.codec import decode_lossless, encode_lossless
from caufc.codec.lossless.integers.symbols import bucketed, extra_bits
from caufc.errors import MalformedError, UnsupportedError

pytestmark = pytest.mark.skipif(kernels.integers is None, reason="the kernel is not built, or switched off")

WIDTHS = st.sampled_from([1, 2, 4, 8])


@st.composite
def integers(draw: st.DrawFn) -> NDArray[Any]:
    """Of every width: any, small, large, steps."""
    width = draw(WIDTHS)
    most = (1 << min(57, 8 * width)) - 1
    few = st.one_of(st.integers(0, min(most, 300)), st.integers(0, most))
    values: NDArray[Any] = draw(hnp.arrays(f"<u{width}", st.integers(1, 200), elements=few))
    return values.cumsum(dtype=values.dtype) % np.array(most, values.dtype) if draw(st.booleans()) else values


@settings(deadline=None, max_examples=125)
@given(integers(), st.integers(0, 2))
def test_buckets_and_extra_bits(values: NDArray[Any], mantissa: int) -> None:
    compiled, plain = both(lambda: bucketed(values, mantissa))
    for found, wanted in zip(compiled, plain, strict=True):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    bits, wanted_bits = both(lambda: extra_bits(values, plain[1]))
    assert bits == wanted_bits


@settings(deadline=None, max_examples=100)
@given(integers(), st.randoms(use_true_random=False))
def test_payloads_and_damage(values: NDArray[Any], random: Any) -> None:
    compiled, plain = both(lambda: encode_lossless(values, rotate=False))
    assert compiled == plain
    damaged = bytearray(plain)
    if random.random() < 0.7:
        damaged[random.randrange(len(damaged))] = random.randrange(256)

    def found() -> Any:
        try:
            return decode_lossless(bytes(damaged), len(values), values.dtype, rotate=False).tolist()
        except MalformedError as err:
            return err.requirement
        except UnsupportedError as err:
            return str(err)

    compiled_values, plain_values = both(found)
    assert compiled_values == plain_values


@settings(deadline=None, max_examples=100)
@given(WIDTHS, st.lists(st.integers(0, 56), max_size=60), st.integers(0, 1 << 30))
def test_fields_of_every_size_come_back(width: int, sizes: list[int], seed: int) -> None:
    bits = np.minimum(np.array(sizes, np.uint8), 8 * width - 1).astype(np.uint8)
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1 << 63, len(bits), np.uint64) >> (np.uint64(63) - bits.astype(np.uint64))
    out = np.empty((int(bits.sum()) + 7) // 8, np.uint8)
    kernels.integers.pack(values.astype(f"u{width}"), bits, out, width)
    back = np.zeros(len(bits), f"u{width}")
    kernels.integers.unpack(out, bits, back, width)
    np.testing.assert_array_equal(back, values)


def test_what_does_not_fit_is_refused() -> None:
    kernel, three = kernels.integers, np.array([3, 60, 1], np.uint8)
    values, out = np.zeros(3, np.uint64), np.zeros(8, np.uint8)
    kernel.pack(values, three, out, 8)
    refused: list[Callable[[], object]] = [
        lambda: kernel.pack(values, three, out[:7], 8),
        lambda: kernel.pack(values, three[:2], out, 8),
        lambda: kernel.pack(values, three + np.uint8(4), out, 8),
        lambda: kernel.pack(values, three, out, 3),
        lambda: kernel.unpack(out, three, values, 8),
        lambda: kernel.unpack(out[:2], three[::2].copy(), values[:2].copy(), 8),
        lambda: kernel.unpack(out[:1], three[::2].copy(), values, 8),
        lambda: kernel.unpack(out[:1], three[::2].copy(), values[:2].copy(), 5),
        lambda: kernel.bucketed(values, 3, three, three.copy(), 8),
        lambda: kernel.bucketed(values, -1, three, three.copy(), 8),
        lambda: kernel.bucketed(values, 1, three[:2], three.copy(), 8),
        lambda: kernel.bucketed(values, 1, three, three[:2].copy(), 8),
    ]
    for call in refused:
        with pytest.raises(ValueError):
            call()
