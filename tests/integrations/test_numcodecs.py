"""A codec of numcodecs, by entry point: configurations are data, arrays come back, zarr's format 2 takes it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc

from .neighbours import decibels, neighbour, python

numcodecs = neighbour("numcodecs")

from caufc.integrations.numcodecs import Cauf  # noqa: E402

Floats = NDArray[np.float32]

CONFIGS: Sequence[dict[str, Any]] = [
    {},
    {"quality": "high"},
    {"snr": "30/token", "layout": "b c"},
    {"max_error": 1e-3},
    {"bpfp": 2.0, "effort": "fast"},
    {"lossless": True},
]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_configuration_is_data(config: dict[str, Any], vectors: Floats) -> None:
    codec = Cauf(**config)
    assert codec.get_config() == {"id": "caufc", **config}
    for same in (numcodecs.get_codec(json.loads(json.dumps(codec.get_config()))), pickle.loads(pickle.dumps(codec))):
        assert type(same) is Cauf and same == codec and repr(same) == repr(codec) and hash(same) == hash(codec)
    assert eval(repr(codec), {"Cauf": Cauf}) == codec
    assert codec != Cauf(quality=12)
    found = codec.decode(codec.encode(vectors[:64]))
    assert found.dtype == np.float32 and found.shape == (64, 384)
    assert decibels(vectors[:64], found) > 10


def test_it_is_found_by_entry_point(vectors: Floats, tmp_path: Path) -> None:
    """In a process that has never heard of caufc."""
    np.save(tmp_path / "a.npy", vectors[:64])
    code = (
        "import sys, numcodecs, numpy as np; first = 'caufc' in sys.modules;"
        "codec = numcodecs.get_codec({'id': 'caufc', 'snr': 30}); x = np.load('a.npy');"
        "print(first, codec, codec.decode(codec.encode(x)).shape)"
    )
    assert python(code, tmp_path) == "False Cauf(snr=30) (64, 384)"


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i2"])
def test_dtypes(dtype: str) -> None:
    values = (np.random.default_rng(0).normal(size=(30, 16)) * 50).astype(dtype)
    codec = Cauf(snr=30)
    found = codec.decode(codec.encode(values))
    assert found.dtype == values.dtype.newbyteorder("=")
    if values.dtype.kind == "f":
        assert 29.9 < decibels(values, found) < 60
    else:
        np.testing.assert_array_equal(found, values)


def test_bfloat16() -> None:
    values = np.random.default_rng(0).normal(size=(30, 16)).astype(neighbour("ml_dtypes").bfloat16)
    for codec in (Cauf(snr=30), Cauf(lossless=True)):
        found = codec.decode(codec.encode(values))
        assert found.dtype == values.dtype and decibels(values, found) > 29.9


def test_what_is_missing_stays_missing() -> None:
    values = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    values[3], values[5, 2] = np.nan, np.inf
    found = Cauf(max_error=1e-2).decode(Cauf(max_error=1e-2).encode(values))
    assert np.isnan(found[3]).all() and found[5, 2] == np.inf
    finite = np.isfinite(values)
    assert np.abs(found[finite] - values[finite]).max() <= 1e-2


def test_out_and_buffers(vectors: Floats) -> None:
    codec = Cauf(lossless=True)
    data = codec.encode(vectors[:9])
    out = np.zeros((9, 384), np.float32)
    assert codec.decode(bytearray(data), out=out) is out
    np.testing.assert_array_equal(out, vectors[:9])
    np.testing.assert_array_equal(codec.decode(memoryview(data)), vectors[:9])
    assert bytes(codec.decode(codec.encode(b"some bytes"))) == b"some bytes"
    np.testing.assert_array_equal(codec.decode(codec.encode(vectors[::3, ::2])), vectors[::3, ::2])


def test_a_profile_is_in_the_configuration(vectors: Floats, coder: caufc.Coder) -> None:
    codec = Cauf(profile=coder)
    same = numcodecs.get_codec(json.loads(json.dumps(codec.get_config())))
    data = codec.encode(vectors[:4])
    np.testing.assert_array_equal(same.decode(data), codec.decode(data))
    assert len(data) < len(Cauf(layout="b c").encode(vectors[:4])) < len(coder.profile)
    assert repr(codec).startswith("Cauf(profile=<1,")
    with pytest.raises(caufc.MissingProfileError):
        Cauf().decode(data)


def test_zarr_of_format_2_takes_it(vectors: Floats, tmp_path: Path) -> None:
    zarr = neighbour("zarr")
    options = {"shape": vectors.shape, "chunks": (100, 384), "dtype": "f4", "zarr_format": 2}
    zarr.create_array(tmp_path / "a.zarr", compressors=Cauf(snr=30), **options)[:] = vectors
    found = zarr.open_array(tmp_path / "a.zarr", mode="r")
    assert found.metadata.compressor == Cauf(snr=30)
    assert 29.9 < decibels(vectors, found[:]) < 31
    fortran = zarr.create_array({}, compressors=Cauf(snr=30), order="F", **options)
    with pytest.raises(caufc.InputError, match="Fortran's order; give order='C'"):
        fortran[:] = vectors


def test_threads_may_share_a_codec(vectors: Floats) -> None:
    codec, parts = Cauf(snr=30), np.array_split(vectors, 16)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(codec.encode, parts))
    assert found == [codec.encode(part) for part in parts]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"quality": 101}, "to 100"),
        ({"quality": 50, "snr": 30}, "two rate controls"),
        ({"layout": "x y"}, "unknown 'x'"),
        ({"effort": "most"}, "most"),
        ({"profile": "no-such"}, "no-such"),
    ],
)
def test_options_are_checked_at_once(options: dict[str, Any], what: str) -> None:
    with pytest.raises(caufc.InputError, match=what):
        Cauf(**options)


@pytest.mark.parametrize("values", [np.ones(3, "c8"), np.array(["a"]), np.array([None]), np.ones(3, "M8[s]")], ids=str)
def test_what_is_no_tensor_is_refused(values: Any) -> None:
    with pytest.raises(caufc.InputError):
        Cauf().encode(values)


def test_damage_is_told(vectors: Floats) -> None:
    data = Cauf().encode(vectors[:9])
    for broken in (data[:-1], b"text", data[:40] + bytes([data[40] ^ 1]) + data[41:]):
        with pytest.raises(caufc.FormatError):
            Cauf().decode(broken)
    with pytest.raises(caufc.ForeignFormatError, match="holds a list"):
        Cauf().decode(caufc.encode([vectors[:9], vectors[:3]]))
