from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.codec.lossless import codec
from caufc.codec.lossless.codec import (
    CONSTANT,
    DEFLATED,
    INTEGERS,
    NOWHERE,
    PLANES,
    STORED,
    decode_lossless,
    encode_lossless,
)
from caufc.codec.lossless.grid import Lattice
from caufc.codec.lossless.planes import encode_planes, fewest_bytes
from caufc.coders.dtypes import cast_floats
from caufc.errors import MalformedError, UnsupportedError
from caufc.types import DTYPES, FLOATS
from spec.reference.lossless import decode_lossless as reference_lossless

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


def round_trip(flat: Values, rotate: bool, lattice: Lattice = NOWHERE) -> bytes:
    payload = encode_lossless(flat, rotate=rotate, lattice=lattice)
    back = decode_lossless(payload, len(flat), flat.dtype, rotate=rotate)
    assert back.dtype == flat.dtype
    assert back.tobytes() == flat.tobytes()
    back[:1] = 0
    return payload


def recurring() -> dict[str, tuple[Values, float]]:
    """Floats that come again, and the share of their bytes that a file may take."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, 96)).astype("f4")
    codes = np.clip(np.rint(40 * rng.standard_normal(40_000)), -127, 127)
    return {
        "vectors of a codebook": (vectors[rng.integers(0, 40, 600)], 0.1),
        "a batch that is stored twice": (np.tile(rng.standard_normal(20_000).astype("f4"), 2), 0.45),
        "dequantised": ((codes * 0.0421).astype("f4"), 0.27),
        "of 16 bits": (vectors.astype("f2")[rng.integers(0, 40, 600)], 0.1),
    }


@pytest.mark.parametrize("kind", recurring())
def test_floats_that_come_again(kind: str) -> None:
    floats, share = recurring()[kind]
    payload = round_trip(floats.ravel(), rotate=True)
    assert payload[0] == INTEGERS and len(payload) < share * floats.nbytes
    np.testing.assert_array_equal(reference_lossless(payload, floats.size, floats.dtype.str, True), floats.ravel())


def test_other_floats_are_planes_and_nothing_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "encode_integers", lambda *_, **__: pytest.fail("integers"))
    rng = np.random.default_rng(0)
    sparse = np.where(rng.random(100_000) < 0.05, rng.exponential(size=100_000), 0).astype("f4")
    dense = rng.standard_normal(100_000).astype("f4")
    for floats in (dense, dense.astype("f2"), (dense.view("u4") & 0xFFFF0000).view("f4"), sparse, np.maximum(dense, 0)):
        assert encode_lossless(floats, rotate=True)[0] == PLANES


@settings(deadline=None, max_examples=150)
@given(values())
def test_round_trip(case: tuple[Values, bool]) -> None:
    flat, rotate = case
    payload = round_trip(flat, rotate)
    assert len(payload) <= 1 + flat.nbytes


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(sorted({dtype.str for dtype in STORED_DTYPES.values()})),
    hnp.array_shapes(min_dims=4, max_dims=4, max_side=9),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_grids(dtype: str, shape: tuple[int, int, int, int], seed: int, rotate: bool) -> None:
    rng = np.random.default_rng(seed)
    smooth = rng.normal(size=shape).cumsum(axis=1).cumsum(axis=2) * 9
    flat = smooth.astype(np.dtype(dtype)).ravel() if dtype[1] == "f" else smooth.astype("i8").astype(dtype).ravel()
    round_trip(flat, rotate and flat.itemsize > 1, Lattice(*shape[1:]))


def test_neighbours_make_payloads_smaller() -> None:
    rng = np.random.default_rng(0)
    scales = np.exp2(rng.integers(-9, 9, (1, 1, 1, 64)))
    tokens = (rng.standard_normal((8, 1, 60, 64)) * scales).astype("f4").ravel()
    apart, near = round_trip(tokens, True), round_trip(tokens, True, Lattice(1, 60, 64))
    assert len(near) < len(apart) - len(tokens) // 8


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
def test_smaller_than_zstd_19(dtype: str, features: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(features)
    floats = np.concatenate([part.ravel() for part in found])
    flat = cast_floats(floats, "bf16") if dtype == "bf16" else floats.astype(dtype)
    payload = round_trip(flat, True)
    rival = zstandard.ZstdCompressor(level=19).compress(flat.tobytes())
    assert len(payload) < len(rival)
    assert payload[0] == PLANES
    lattice = Lattice(7, 7, 1) if features == "efficientnet" else Lattice(1, len(flat) // 384, 384)
    assert len(round_trip(flat, True, lattice)) < len(payload)


def test_methods() -> None:
    assert encode_lossless(np.empty(0, "<f4"), rotate=True) == bytes([STORED])
    assert encode_lossless(np.full(9, -0.0, "<f4"), rotate=True) == bytes([CONSTANT, 0, 0, 0, 0x80])
    assert encode_lossless(np.array([0.0, -0.0], "<f4"), rotate=True)[0] != CONSTANT
    assert encode_lossless(np.tile(np.arange(50, dtype="<i4"), 8), rotate=False)[0] == INTEGERS
    assert encode_lossless(np.tile(np.arange(9, dtype="<f4"), 9), rotate=True)[0] == DEFLATED
    assert encode_lossless(np.array([1, 2], "<u4"), rotate=False) == bytes([INTEGERS]) + b"\3\1\2\0\0\1"
    assert encode_lossless(np.array([7, 1], "u1"), rotate=False) == bytes([STORED]) + b"\7\1"


F4 = np.dtype("<f4")
ALL_RAW = bytes(8)
"""Models of four planes without grid and intervals: 1, 1, 2 and 2 raw contexts."""


def planes(models: bytes, words: bytes = b"", raw: bytes = b"") -> bytes:
    return b"\3" + len(models).to_bytes(4, "little") + len(words).to_bytes(4, "little") + models + words + raw


def grid(rows: int, columns: int, inner: int) -> bytes:
    return b"\1" + np.array([rows, columns, inner], "<u4").tobytes()


@pytest.mark.parametrize(
    ("payload", "requirement"),
    [
        (b"", 300),
        (b"\4", 3),
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
        (planes(b""), 310),
        (planes(b"\2"), 316),
        (planes(b"\1" + bytes(11)), 316),
        (planes(grid(1, 3, 1)), 317),
        (planes(grid(1, 4, 1)), 317),
        (planes(grid(1, 1, 2)), 317),
        (planes(grid(0, 2, 1)), 317),
        (planes(grid(65536, 65536, 1 << 31)), 317),
        (planes(grid(1, 2, 1)), 314),
        (planes(grid(1, 2, 1) + b"\0"), 314),
        (planes(b"\0"), 314),
        (planes(b"\0\1"), 314),
        (planes(b"\0\1\0"), 314),
        (planes(b"\0\x10" + bytes(range(1, 17))), 314),
        (planes(b"\0\2\5\5"), 314),
        (planes(b"\0\2\5\4"), 314),
        (planes(b"\0\0"), 321),
        (planes(b"\0\0\1"), 321),
        (planes(b"\0\0\2" + b"\xff" * 32), 322),
        (planes(b"\0\0\2" + b"\0" * 32), 230),
        (planes(b"\0\0\0", raw=b"a"), 312),
        (planes(ALL_RAW, raw=bytes(9)), 311),
        (planes(ALL_RAW + b"\0", raw=bytes(8)), 311),
        (planes(ALL_RAW, b"abc", bytes(8)), 250),
        (planes(ALL_RAW, b"abcd", bytes(8)), 251),
    ],
)
def test_malformed(payload: bytes, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        decode_lossless(payload, 2, F4, rotate=True)
    assert caught.value.requirement == requirement


@pytest.mark.parametrize("payload", [b"\5", planes(b"\0\0\3")], ids=["method", "context model"])
def test_what_a_later_version_may_add_is_unsupported(payload: bytes) -> None:
    with pytest.raises(UnsupportedError, match="is unknown; upgrade caufc"):
        decode_lossless(payload, 2, F4, rotate=True)


def test_a_deflate_bomb_stops_at_the_announced_size() -> None:
    payload = bytes([DEFLATED]) + zlib.compress(bytes(1 << 16), wbits=-15)
    with pytest.raises(MalformedError) as caught:
        decode_lossless(payload, 2, np.dtype("<i4"), rotate=False)
    assert caught.value.requirement == 302


def test_planes_by_hand() -> None:
    """Section 11: two fp16 values, the first plane raw, the second constant."""
    payload = planes(b"\0\0" + b"\0" + b"\1\x87", raw=b"\x80\x01")
    found = decode_lossless(payload, 2, np.dtype("<u2"), rotate=True)
    np.testing.assert_array_equal(found, [0xC007, 0x8087])


def test_a_grid_by_hand() -> None:
    """Section 11: bytes on a line of five tokens; 0, then 4, 2, 1, 3 in contexts of the mean of their neighbours."""
    models = grid(1, 5, 1) + b"\1\x20" + b"\0" + b"\1\x10" + b"\0" + b"\1\x30"
    found = decode_lossless(planes(models, raw=b"\x40"), 5, np.dtype("u1"), rotate=False)
    np.testing.assert_array_equal(found, [0x10, 0x30, 0x30, 0x30, 0x40])


@settings(deadline=None, max_examples=200)
@given(hnp.arrays("<f4", st.integers(1, 300), elements=st.sampled_from([0.0, 1.0, 2.5, -3.25, 2.0**-10])), st.data())
def test_mutations(flat: Values, data: st.DataObject) -> None:
    payload = bytearray(encode_lossless(np.maximum(flat, -1), rotate=True))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.integers(1, len(payload)))]
    try:
        found = decode_lossless(bytes(payload), len(flat), flat.dtype, rotate=True)
    except (MalformedError, UnsupportedError):
        return
    assert found.shape == flat.shape and found.dtype == flat.dtype


@settings(max_examples=200)
@given(st.lists(st.floats(width=32), min_size=1, max_size=9), st.sampled_from(["<u2", "<u4", "<u8"]))
def test_few_elements_never_take_less_as_planes_than_is_foreseen(values: list[float], dtype: str) -> None:
    bits = np.array(values, "<f4").view("<u4").astype(dtype)
    assert len(encode_planes(bits, True, Lattice())) >= fewest_bytes(bits.itemsize)
