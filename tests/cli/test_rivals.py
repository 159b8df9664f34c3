"""The rivals that caufc is compared with: what they give back, and what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from caufc.errors import OptionError, UnknownNameError
from caufc.evaluate.rivals.base import Rival, TensorSpec
from caufc.evaluate.rivals.fp16 import HalfFloats
from caufc.evaluate.rivals.int_codes import IntCodes
from caufc.evaluate.rivals.registry import RIVAL_NAMES, find_rivals
from caufc.types import DTYPES

LEVEL = 3
ALL = [variant for group in find_rivals(RIVAL_NAMES, LEVEL) for variant in group]


def floats(*shapes: tuple[int, ...]) -> list[NDArray[np.float32]]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype(np.float32) for shape in shapes]


def spec_of(arrays: list[Any], channels: tuple[int, ...] | None, dtype: str = "fp32") -> TensorSpec:
    return TensorSpec(dtype, [array.shape for array in arrays], channels)


def there_and_back(rival: Rival, arrays: list[Any], spec: TensorSpec) -> tuple[bytes, list[Any]]:
    data = rival.encode(arrays, spec)
    return data, rival.decode(data, spec, DTYPES[spec.dtype])


@pytest.mark.parametrize("rival", ALL, ids=str)
@pytest.mark.parametrize("channels", [(1,), (3,), (1, 3), ()])
def test_they_give_back_what_they_can_hold(rival: Rival, channels: tuple[int, ...]) -> None:
    arrays = floats((1, 6, 5, 6), (3, 6, 5, 6), (0, 6, 5, 6))
    _, back = there_and_back(rival, arrays, spec_of(arrays, channels))
    reach = max(np.ptp(array) for array in arrays if array.size)
    bound = 0.51 * reach / (2**rival.bits - 1) if isinstance(rival, IntCodes) else 0.01
    for before, after in zip(arrays, back, strict=True):
        assert (after.shape, after.dtype) == (before.shape, before.dtype)
        assert np.abs(before - after).max(initial=0) <= bound


def test_int_codes_by_hand() -> None:
    """Channels of their own ranges; two fp32 a channel, then the codes."""
    array = np.array([[0, -8], [1, 0], [2, 8], [3, 16]], np.float32)
    data, back = there_and_back(IntCodes(LEVEL, 2), [array], spec_of([array], (1,)))
    assert np.frombuffer(data[:16], "<f4").tolist() == [0, -8, 1, 8]
    assert list(zstandard.ZstdDecompressor().decompress(data[16:])) == [0, 0, 1, 1, 2, 2, 3, 3]
    np.testing.assert_array_equal(back[0], array)


def test_packed_codes_are_the_same_codes() -> None:
    arrays = floats((7, 3), (2, 3))
    spec = spec_of(arrays, (1,))
    for bits in (2, 4):
        plain, back = there_and_back(IntCodes(LEVEL, bits), arrays, spec)
        packed, same = there_and_back(IntCodes(LEVEL, bits, packed=True), arrays, spec)
        assert plain[:24] == packed[:24]
        assert len(zstandard.ZstdDecompressor().decompress(packed[24:])) == -(-27 * bits // 8)
        for one, other in zip(back, same, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rival", ALL, ids=str)
def test_a_constant_channel_is_exact(rival: Rival) -> None:
    array = np.full((5, 2), 0.75, np.float32)
    _, back = there_and_back(rival, [array], spec_of([array], (1,)))
    np.testing.assert_array_equal(back[0], array)


@pytest.mark.parametrize("rival", ALL, ids=str)
def test_what_has_no_channels_is_kept(rival: Rival) -> None:
    array = np.arange(50).reshape(5, 10)
    _, back = there_and_back(rival, [array], spec_of([array], None, "int64"))
    np.testing.assert_array_equal(back[0], array)
    assert back[0].dtype == np.int64


def test_values_come_back_in_their_dtype() -> None:
    bits = np.array([[0x3F80, 0x4049], [0xBF80, 0x3DCD]], np.uint16)  # 1, 3.14, -1, 0.1
    _, back = there_and_back(HalfFloats(LEVEL), [bits], spec_of([bits], (1,), "bf16"))
    np.testing.assert_array_equal(back[0], bits)
    halves = floats((4, 3))[0].astype(np.float16)
    _, back = there_and_back(HalfFloats(LEVEL), [halves], spec_of([halves], (1,), "fp16"))
    np.testing.assert_array_equal(back[0], halves)
    assert back[0].dtype == np.float16


def test_refusals() -> None:
    half, ints = HalfFloats(LEVEL), IntCodes(LEVEL, 8)

    def refusal(rival: Rival, value: float, dtype: str = "fp32") -> str | None:
        array = np.array([[0, 1], [2, value]], DTYPES[dtype])
        return rival.refusal([array], spec_of([array], (1,), dtype))

    assert refusal(half, 65504) is None
    assert refusal(half, -1e5) == "holds values beyond 65,504"
    assert refusal(half, np.nan) is None
    assert refusal(ints, 1e5) is None
    assert refusal(ints, np.inf) == "holds NaN or Inf"
    assert refusal(ints, 1e60, "fp64") == "has a range beyond that of fp32"


def test_names() -> None:
    assert [group[0].name for group in find_rivals(["int4", "fp16"], 19)] == ["int4 + zstd -19", "fp16 + zstd -19"]
    with pytest.raises(UnknownNameError, match="unknown rival 'int9'; did you mean 'int"):
        find_rivals(["int9"], 19)
    with pytest.raises(OptionError, match="rival 'int4' is named twice; name it once"):
        find_rivals(["int4", "int4"], 19)
