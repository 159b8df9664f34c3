"""A serializer of zarr's format 3, by entry point: parts of chunks, shards, edges, fill values; xarray and dask."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc

from .neighbours import decibels, neighbour, python

zarr = neighbour("zarr")

from caufc.integrations.zarr import CaufCodec  # noqa: E402

Floats = NDArray[np.float32]


def stored(values: NDArray[Any], codec: CaufCodec, store: Any = None, **options: Any) -> Any:
    """An array of zarr with some values, in chunks of 100 rows."""
    settings = {"shape": values.shape, "dtype": values.dtype, "chunks": (100, *values.shape[1:]), **options}
    made = zarr.create_array({} if store is None else store, serializer=codec, compressors=None, **settings)
    made[...] = values
    return made


@pytest.fixture(scope="module")
def array(vectors: Floats) -> Any:
    """Chunks of several pieces of their own each: 1,500 rows in pieces of 341."""
    return stored(np.tile(vectors, (9, 1)), CaufCodec(snr=30, layout="b c"), chunks=(1500, 384))


def test_it_is_found_by_entry_point(vectors: Floats, tmp_path: Path) -> None:
    """In a process that has never heard of caufc; quality is as asked, in bytes that are far fewer."""
    made = stored(vectors, CaufCodec(snr=30, layout="b c"), tmp_path / "a.zarr")
    assert made.nbytes_stored() < vectors.nbytes / 5
    code = (
        "import sys, zarr, numpy as np; first = 'caufc' in sys.modules;"
        "found = zarr.open_array('a.zarr', mode='r'); np.save('a.npy', found[:]); print(first, found.metadata.codecs)"
    )
    assert python(code, tmp_path) == "False (CaufCodec(snr=30, layout='b c'),)"
    assert 29.9 < decibels(vectors, np.load(tmp_path / "a.npy")) < 31


@pytest.mark.parametrize("config", [{}, {"quality": "high"}, {"snr": "30/token", "layout": "b c"}, {"lossless": True}])
def test_a_configuration_is_data(config: dict[str, Any]) -> None:
    codec = CaufCodec(**config)
    assert codec.to_dict() == {"name": "caufc", "configuration": config}
    for same in (CaufCodec.from_dict(json.loads(json.dumps(codec.to_dict()))), pickle.loads(pickle.dumps(codec))):
        assert same == codec and hash(same) == hash(codec) and repr(same) == repr(codec)
    assert eval(repr(codec), {"CaufCodec": CaufCodec}) == codec


SELECTIONS = [
    *(np.s_[3:7], np.s_[3:2900:70, 5:9], np.s_[5], np.s_[-1], np.s_[5, 6], np.s_[..., 3], np.s_[:, 3], np.s_[:0]),
    *(np.s_[1400:1600], np.s_[1499:1501, ::100], np.s_[:1500], np.s_[2999:]),
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_parts_are_those_of_the_whole(array: Any, selection: Any) -> None:
    np.testing.assert_array_equal(array[selection], array[:][selection])


def test_points_and_grids_are_those_of_the_whole(array: Any) -> None:
    whole = array[:]
    rows, columns = [1, 2005, 7, 7], [3, 4, 300, 2]
    np.testing.assert_array_equal(array.oindex[rows, columns[:2]], whole[np.ix_(rows, columns[:2])])
    np.testing.assert_array_equal(array.vindex[rows, columns], whole[rows, columns])
    np.testing.assert_array_equal(array.blocks[1], whole[1500:3000])
    mask = np.zeros(whole.shape, bool)
    mask[[3, 2000], [4, 7]] = True
    np.testing.assert_array_equal(array.vindex[mask], whole[mask])
    np.testing.assert_array_equal(array.oindex[mask[:, 4]], whole[mask[:, 4]])


def test_a_part_decodes_only_its_pieces(array: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    whole = CaufCodec.unpack

    def counted(self: CaufCodec, data: bytes) -> NDArray[Any]:
        decoded.append(len(data))
        return whole(self, data)

    monkeypatch.setattr(CaufCodec, "unpack", counted)
    assert array[1600:1603].shape == (3, 384) and not decoded
    assert array[1500:3000].shape == (1500, 384) and len(decoded) == 1


def test_inner_chunks_of_a_shard(vectors: Floats) -> None:
    """Their bytes alone are read."""
    made = stored(vectors, CaufCodec(snr=30, layout="b c"), chunks=(20, 384), shards=(200, 384))
    assert len(list(made.store._store_dict)) == 3
    assert decibels(vectors, made[:]) > 29.9
    np.testing.assert_array_equal(made[211:213, 5:7], made[:][211:213, 5:7])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i2"])
def test_dtypes(dtype: str) -> None:
    values = (np.random.default_rng(0).normal(size=(250, 16)) * 50).astype(dtype)
    made = stored(values, CaufCodec(snr=30))
    assert made[:].dtype == values.dtype
    if values.dtype.kind == "f":
        assert 29.9 < decibels(values, made[:]) < 60
    else:
        np.testing.assert_array_equal(made[:], values)
    np.testing.assert_array_equal(made[7:9], made[:][7:9])


@pytest.mark.parametrize("fill", [0, 7.5, np.nan])
def test_edges_and_what_was_never_written(fill: float, vectors: Floats) -> None:
    made = stored(vectors[:150, :50], CaufCodec(max_error=1e-3), chunks=(100, 40), fill_value=fill)
    assert np.abs(made[:] - vectors[:150, :50]).max() <= 1e-3
    made.resize((260, 50))
    np.testing.assert_array_equal(made[210:], np.full((50, 50), fill, np.float32))
    edge = made[150:200]
    assert np.isnan(edge).all() if np.isnan(fill) else np.abs(edge - fill).max() <= 1e-3
    made[3:5] = np.nan
    assert np.isnan(made[3:5]).all() and np.abs(made[5:100] - vectors[5:100, :50]).max() <= 2e-3


@pytest.mark.parametrize("shape", [(), (7,), (3, 4, 5, 6)])
def test_any_number_of_axes(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    made = stored(values, CaufCodec(lossless=True), chunks=tuple(min(size, 2) for size in shape) or "auto")
    np.testing.assert_array_equal(made[...], values)
    if shape:
        np.testing.assert_array_equal(made[1], values[1])


def test_a_profile_is_in_the_metadata(vectors: Floats, coder: caufc.Coder, tmp_path: Path) -> None:
    made = stored(vectors[:90], CaufCodec(profile=coder), tmp_path / "a.zarr", chunks=(10, 384))
    plain = stored(vectors[:90], CaufCodec(layout="b c"), chunks=(10, 384))
    assert made.nbytes_stored() < plain.nbytes_stored()
    code = "import zarr, numpy as np; np.save('a.npy', zarr.open_array('a.zarr', mode='r')[:])"
    python(code, tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), made[:])


def test_arrays_that_cannot_be_are_refused_when_they_are_made() -> None:
    for dtype in ("c8", "S4", "M8[s]"):
        with pytest.raises(caufc.InputError, match="none that caufc codes"):
            stored(np.ones((3, 4), dtype), CaufCodec())
    with pytest.raises(caufc.LayoutError, match=r"layout 'b c h w' has other axes than chunks of shape \[100, 4\]"):
        stored(np.ones((3, 4), "f4"), CaufCodec(layout="b c h w"))
    with pytest.raises(caufc.OptionError, match="to 100"):
        CaufCodec(quality=101)
    for data in ({"name": "zstd"}, {"name": "caufc", "configuration": {"speed": 3}}):
        with pytest.raises(caufc.OptionError, match="which the zarr codec 'caufc' does not know; upgrade caufc"):
            CaufCodec.from_dict(data)


def test_damaged_and_foreign_chunks_are_told(vectors: Floats, tmp_path: Path) -> None:
    made = stored(vectors, CaufCodec(layout="b c"), tmp_path / "a.zarr")
    path = tmp_path / "a.zarr" / "c" / "1" / "0"
    data = path.read_bytes()
    for broken in (data[:-1], b"text", b""):
        path.write_bytes(broken)
        for rows in (slice(100, 200), slice(103, 105)):
            with pytest.raises(caufc.FormatError):
                made[rows]
    for foreign in (vectors[:50], np.tile(vectors[:50], (20, 1)), vectors[:100].astype("f8"), [vectors[:9]] * 100):
        path.write_bytes(caufc.encode(foreign))
        for rows in (slice(100, 200), slice(103, 105)):
            with pytest.raises(caufc.ForeignFormatError, match=r"^a chunk "):
                made[rows]
    assert made[:100].shape == (100, 384)


def test_xarray_writes_and_reads_it(vectors: Floats, tmp_path: Path) -> None:
    xarray = neighbour("xarray")
    data = xarray.Dataset({"states": (("token", "channel"), vectors), "id": ("token", np.arange(len(vectors)))})
    encoding = {"states": {"serializer": CaufCodec(snr=30, layout="b c"), "compressors": None, "chunks": (100, 384)}}
    data.to_zarr(tmp_path / "a.zarr", zarr_format=3, consolidated=False, encoding=encoding)
    assert zarr.open_array(tmp_path / "a.zarr" / "states").metadata.codecs == (CaufCodec(snr=30, layout="b c"),)
    ways: tuple[Any, ...] = (None, {})
    for chunks in ways:
        found = xarray.open_zarr(tmp_path / "a.zarr", consolidated=False, chunks=chunks)
        assert 29.9 < decibels(vectors, found.states.values) < 31
        np.testing.assert_array_equal(found.id.values, np.arange(len(vectors)))
        np.testing.assert_array_equal(found.states.isel(token=slice(3, 5)).values, found.states.values[3:5])


def test_dask_writes_and_reads_it(vectors: Floats, tmp_path: Path) -> None:
    dask = neighbour("dask.array")
    made = zarr.create_array(
        tmp_path / "a.zarr",
        shape=vectors.shape,
        dtype="f4",
        chunks=(50, 384),
        serializer=CaufCodec(snr=30, layout="b c"),
        compressors=None,
    )
    dask.from_array(vectors, chunks=(50, 384)).store(made)
    found = dask.from_zarr(tmp_path / "a.zarr")
    assert found.chunksize == (50, 384) and 29.9 < decibels(vectors, found.compute()) < 31
    np.testing.assert_array_equal(found[[3, 200]].compute(scheduler="processes"), made[:][[3, 200]])
