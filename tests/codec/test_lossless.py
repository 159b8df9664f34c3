from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.codec import decode_lossless, encode_lossless
from caufc.codec.lossless import CONSTANT, DEFLATED, PLANES, STORED
from caufc.errors import MalformedError
from caufc.pipeline.numeric import cast_floats
from caufc.types import DTYPES, FLOATS

Values = NDArray[Any]

STORED_DTYPES = {name: np.dtype("u1") if name == "bool" else dtype for name, dtype in DTYPES.items()}


@st.composite
def values(draw: st.DrawFn) -> tuple[Values, bool]:
    """Any bits of any dtype, sometimes few different ones, and whether they are floats."""
    name = draw(st.sampled_from(list(STORED_DTYPES)))
    dtype = STORED_DTYPES[name]
    raw = draw(st.binary(max_size=400))
    flat = np.frombuffer(raw[: len(raw) // dtype.itemsize * dtype.itemsize], dtype)
    if draw(st.booleans()) and len(flat):
        flat = flat[np.array(draw(st.lists(st.integers(0, min(3, len(flat) - 1)), max_size=600)), np.int64)]
    return np.ascontiguousarray(flat), name in FLOATS


def round_trip(flat: Values, rotate: bool) -> bytes:
    payload = encode_lossless(flat, rotate=rotate)
    back = decode_lossless(payload, len(flat), flat.dtype, rotate=rotate)
    assert back.dtype == flat.dtype
    assert back.tobytes() == flat.tobytes()
    back[:1] = 0
    return payload


@settings(deadline=None, max_examples=300)
@given(values())
def test_round_trip(case: tuple[Values, bool]) -> None:
    flat, rotate = case
    payload = round_trip(flat, rotate)
    assert len(payload) <= 1 + flat.nbytes


@pytest.mark.parametrize("name", list(STORED_DTYPES))
@pytest.mark.parametrize("spread", [1, 5, 1000])
def test_larger_arrays(name: str, spread: int) -> None:
    dtype = STORED_DTYPES[name]
    rng = np.random.default_rng(0)
    if name == "bool":
        flat = (rng.random(5000) < 1 / spread).astype(dtype)
    elif dtype.kind in "iu" and name not in FLOATS:
        flat = (rng.geometric(0.2, 5000) * spread).astype(dtype)
    else:
        floats = np.maximum(rng.standard_normal(5000) * spread, 0)
        flat = cast_floats(floats.astype("f8" if name == "fp64" else "f4"), name)
    payload = round_trip(flat, name in FLOATS)
    assert len(payload) < flat.nbytes


def test_special_floats() -> None:
    bits = np.array([0x7FC00001, 0xFFC00000, 0x7F800000, 0xFF800000, 0x80000000, 1, 0x7F800001] * 9, "<u4")
    round_trip(bits.view("<f4"), True)


@pytest.mark.parametrize("dtype", ["<f4", "<f2", "bf16"])
@pytest.mark.parametrize("features", ["efficientnet", "minilm"])
def test_at_most_the_size_of_zstd_19(dtype: str, features: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(features)
    floats = np.concatenate([part.ravel() for part in found])
    flat = cast_floats(floats, "bf16") if dtype == "bf16" else floats.astype(dtype)
    payload = round_trip(flat, True)
    rival = zstandard.ZstdCompressor(level=19).compress(flat.tobytes())
    assert len(payload) <= len(rival)
    assert payload[0] == PLANES


def test_methods() -> None:
    assert encode_lossless(np.empty(0, "<f4"), rotate=True) == bytes([STORED])
    assert encode_lossless(np.full(9, -0.0, "<f4"), rotate=True) == bytes([CONSTANT, 0, 0, 0, 0x80])
    assert encode_lossless(np.array([0.0, -0.0], "<f4"), rotate=True)[0] != CONSTANT
    assert encode_lossless(np.tile(np.arange(50, dtype="<i4"), 8), rotate=False)[0] == DEFLATED
    assert encode_lossless(np.array([1, 2], "<u4"), rotate=False) == bytes([STORED]) + b"\1\0\0\0\2\0\0\0"


F4 = np.dtype("<f4")


@pytest.mark.parametrize(
    ("payload", "requirement"),
    [
        (b"", 300),
        (b"\4", 300),
        (b"\0" + bytes(7), 300),
        (b"\0" + bytes(9), 300),
        (b"\1" + bytes(3), 301),
        (b"\1" + bytes(5), 301),
        (b"\2", 302),
        (b"\2\xff", 302),
        (b"\2\x03\x00", 302),
        (b"\3", 310),
        (b"\3" + bytes(8), 310),
        (b"\3" + b"\5\0\0\0" + b"\0\0\0\0" + b"\0", 310),
        (b"\3" + b"\1\0\0\0" + b"\xff\xff\xff\xff" + b"\0", 310),
        (b"\3" + b"\1\0\0\0" + b"\0\0\0\0" + b"\0", 321),
        (b"\3" + b"\1\0\0\0" + b"\0\0\0\0" + b"\2", 314),
        (b"\3" + b"\x09\0\0\0" + b"\0\0\0\0" + b"\x08" + bytes(range(8)), 314),
        (b"\3" + b"\3\0\0\0" + b"\0\0\0\0" + b"\2\5\5", 314),
        (b"\3" + b"\3\0\0\0" + b"\0\0\0\0" + b"\2\5\4", 314),
        (b"\3" + b"\2\0\0\0" + b"\0\0\0\0" + b"\0\3", 321),
        (b"\3" + b"\2\0\0\0" + b"\0\0\0\0" + b"\0\1", 321),
        (b"\3" + b"\x22\0\0\0" + b"\0\0\0\0" + b"\0\2" + b"\xff" * 32, 322),
        (b"\3" + b"\x22\0\0\0" + b"\0\0\0\0" + b"\0\2" + b"\0" * 32, 230),
        (b"\3" + b"\2\0\0\0" + b"\0\0\0\0" + b"\0\0" + b"a", 312),
        (b"\3" + b"\x08\0\0\0" + b"\0\0\0\0" + b"\0\0" + bytes(6) + bytes(9), 311),
        (b"\3" + b"\x09\0\0\0" + b"\0\0\0\0" + b"\0\0" + bytes(7) + bytes(8), 311),
        (b"\3" + b"\x08\0\0\0" + b"\3\0\0\0" + b"\0\0" + bytes(6) + b"abc" + bytes(8), 250),
        (b"\3" + b"\x08\0\0\0" + b"\4\0\0\0" + b"\0\0" + bytes(6) + b"abcd" + bytes(8), 251),
    ],
)
def test_malformed(payload: bytes, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        decode_lossless(payload, 2, F4, rotate=True)
    assert caught.value.requirement == requirement


def test_a_deflate_bomb_stops_at_the_announced_size() -> None:
    payload = encode_lossless(np.tile(np.arange(9, dtype="<i4"), 1 << 12), rotate=False)
    assert payload[0] == DEFLATED
    with pytest.raises(MalformedError) as caught:
        decode_lossless(payload, 2, np.dtype("<i4"), rotate=False)
    assert caught.value.requirement == 302


def test_planes_by_hand() -> None:
    """Section 11: two fp16 values, the first plane raw, the second constant."""
    payload = b"\3" + b"\6\0\0\0" + b"\0\0\0\0" + b"\0" + b"\0" + b"\1\x07" + b"\1\x07" + b"\x80\x01"
    found = decode_lossless(payload, 2, np.dtype("<u2"), rotate=True)
    rotated = np.array([0x8007, 0x0107], np.uint16)
    np.testing.assert_array_equal(found, (rotated >> 1) | (rotated << 15))


@settings(deadline=None, max_examples=400)
@given(hnp.arrays("<f4", st.integers(1, 300), elements=st.sampled_from([0.0, 1.0, 2.5, -3.25, 2.0**-10])), st.data())
def test_mutations(flat: Values, data: st.DataObject) -> None:
    payload = bytearray(encode_lossless(np.maximum(flat, -1), rotate=True))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.integers(1, len(payload)))]
    try:
        found = decode_lossless(bytes(payload), len(flat), flat.dtype, rotate=True)
    except MalformedError:
        return
    assert found.shape == flat.shape and found.dtype == flat.dtype
