"""``caufc decode --recover``: what a damaged file still holds, and which samples it lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from tools.attack.container import assemble, split

from .conftest import Run, names

VALUES = np.random.default_rng(3).standard_normal((20, 6, 8)).astype("f4")


def encoded(index: bool, **options: Any) -> bytes:
    return caufc.encode(VALUES, chunk=4, index=index, lossless=True, **options)


def places(data: bytes) -> list[tuple[str, int]]:
    """Tag and offset of every block."""
    header, blocks = split(data)
    offset, found = len(header), []
    for tag, body in blocks:
        found.append((tag, offset))
        offset = data.index(body, offset) + len(body) + 4
    return found


def chunk_places(data: bytes) -> list[int]:
    return [offset for tag, offset in places(data) if tag == "C"]


def flipped(data: bytes, *offsets: int) -> bytes:
    out = bytearray(data)
    for offset in offsets:
        out[offset] ^= 0x20
    return bytes(out)


def kept(*chunks: int) -> np.ndarray[Any, Any]:
    return np.concatenate([VALUES[4 * n : 4 * n + 4] for n in chunks])


@pytest.mark.parametrize("index", [True, False])
def test_damaged_chunks_are_left_out_and_told(run: Run, folder: Path, index: bool) -> None:
    data = encoded(index)
    starts = chunk_places(data)
    Path("x.cauf").write_bytes(flipped(data, starts[1] + 30, starts[3] + 30))
    assert run("decode", "x.cauf", "-o", "x.npy").code == 3
    assert names(folder) == ["x.cauf"]
    ran = run("decode", "x.cauf", "-o", "x.npy", "--recover")
    assert ran.code == 3
    lost = "lost samples 4 to 7, samples 12 to 15; 12 samples written, numbered anew"
    assert ran.err == f"caufc: x.cauf: damaged: {lost}\n"
    assert ran.out.startswith("x.cauf -> x.npy: 12 samples of 1 tensor, ")
    np.testing.assert_array_equal(np.load("x.npy"), kept(0, 2, 4))


@pytest.mark.parametrize("index", [True, False])
def test_a_whole_file_exits_0(run: Run, index: bool) -> None:
    Path("x.cauf").write_bytes(encoded(index))
    ran = run("decode", "x.cauf", "-o", "x.npy", "--recover", "--json")
    assert (ran.code, ran.err, json.loads(ran.out)["lost"]) == (0, "", [])
    np.testing.assert_array_equal(np.load("x.npy"), VALUES)


@pytest.mark.parametrize("index", [True, False])
def test_a_cut_file_holds_what_came_before(run: Run, index: bool) -> None:
    """Without its end, nobody knows how many samples there were."""
    data = encoded(index)
    Path("x.cauf").write_bytes(data[: chunk_places(data)[3] + 9])
    ran = run("decode", "x.cauf", "-o", "x.npy", "--recover", "--json")
    assert ran.code == 3
    assert json.loads(ran.out)["lost"] == [[12, None]]
    assert "lost all samples from 12 on; 12 samples written" in ran.err
    np.testing.assert_array_equal(np.load("x.npy"), kept(0, 1, 2))


def test_an_index_tells_how_many_samples_there_were(run: Run) -> None:
    """Though the end behind it is damaged or missing."""
    data = encoded(True)
    end = dict(places(data))["E"]
    starts = chunk_places(data)
    for damaged in (data[:-1], data[:end], flipped(data, end + 2), flipped(data, len(data) - 1)):
        Path("x.cauf").write_bytes(damaged)
        assert run("decode", "x.cauf", "-o", "x.npy", "-f").code == 3
        ran = run("decode", "x.cauf", "-o", "x.npy", "--recover", "-f", "--json")
        assert (ran.code, ran.err, json.loads(ran.out)["lost"]) == (0, "", [])
        np.testing.assert_array_equal(np.load("x.npy"), VALUES)
        with caufc.open(damaged, recover=True) as reader:
            assert isinstance(reader, caufc.Reader)
            assert reader.lost == ()
        Path("x.cauf").write_bytes(flipped(damaged, starts[4] + 30))
        ran = run("decode", "x.cauf", "-o", "x.npy", "--recover", "-f", "--json")
        assert (ran.code, json.loads(ran.out)["lost"]) == (3, [[16, 20]])


@pytest.mark.parametrize("index", [True, False])
def test_bytes_cut_out_and_lengths_that_lie(run: Run, index: bool) -> None:
    data = encoded(index)
    starts = chunk_places(data)
    Path("hole.cauf").write_bytes(data[: starts[1] + 40] + data[starts[1] + 90 :])
    Path("length.cauf").write_bytes(flipped(data, starts[2] + 1))
    for name, chunks in (("hole", (0, 2, 3, 4)), ("length", (0, 1, 3, 4))):
        ran = run("decode", f"{name}.cauf", "-o", f"{name}.npy", "--recover")
        assert ran.code == 3, ran.err
        np.testing.assert_array_equal(np.load(f"{name}.npy"), kept(*chunks))


def test_the_first_chunk_may_be_lost(run: Run) -> None:
    for index in (True, False):
        data = encoded(index)
        Path("x.cauf").write_bytes(flipped(data, chunk_places(data)[0] + 30))
        assert run("decode", "x.cauf", "-o", "x.npy", "--recover", "-f").code == 3
        np.testing.assert_array_equal(np.load("x.npy"), kept(1, 2, 3, 4))


@pytest.mark.parametrize("index", [True, False])
def test_no_sample_is_trusted_behind_a_damaged_section(run: Run, folder: Path, index: bool) -> None:
    """Statistics are in sections: samples would decode to other values."""
    data = caufc.encode(VALUES, chunk=4, index=index, align="mean-deviation/channel")
    tag, start = places(data)[0]
    assert tag == "S"
    for offset in (start, start + 6):
        Path("x.cauf").write_bytes(flipped(data, offset))
        ran = run("decode", "x.cauf", "-o", "x.npy", "--recover")
        assert (ran.code, names(folder)) == (3, ["x.cauf"])
        assert "no sample can be trusted" in ran.err
    Path("x.cauf").write_bytes(flipped(data, 14))
    assert "header differs" in run("decode", "x.cauf", "-o", "x.npy", "--recover").err


def test_wrong_symbols_are_lost_too(run: Run) -> None:
    """The block's checksum is right, that of the symbols is not."""
    header, blocks = split(encoded(False))
    tag, body = blocks[2]
    place = body.index(bytes([8, 4])) if body[:2] != bytes([8, 4]) else 0
    assert (tag, place) == ("C", 0)
    changed = body[:-1] + bytes([body[-1] ^ 1])
    Path("x.cauf").write_bytes(assemble(header, [*blocks[:2], (tag, changed), *blocks[3:]]))
    assert run("decode", "x.cauf", "-o", "x.npy", "--recover").code == 3
    np.testing.assert_array_equal(np.load("x.npy"), kept(0, 1, 3, 4))


def test_structures_and_pipes(run: Run) -> None:
    pytest.importorskip("torch")
    samples = [{"a": VALUES[n, : 1 + n % 3], "ids": np.arange(n)} for n in range(10)]
    data = caufc.encode(samples, chunk=2, lossless=True)
    damaged = flipped(data, chunk_places(data)[2] + 20)
    ran = run("decode", "-", "-o", "x.pt", "--recover", stdin=damaged)
    assert ran.code == 3
    assert "-: damaged: lost samples 4 to 5; 8 samples written" in ran.err
    Path("x.cauf").write_bytes(damaged)
    again = run("decode", "x.cauf", "-o", "-", "--format", "pt", "--recover", "--quiet")
    assert again.code == 3
    assert again.out_bytes == Path("x.pt").read_bytes()


def test_nothing_whole(run: Run, folder: Path) -> None:
    for index in (True, False):
        data = encoded(index)
        Path("x.cauf").write_bytes(flipped(data, *(start + 30 for start in chunk_places(data))))
        ran = run("decode", "x.cauf", "-o", "x.npy", "--recover")
        assert (ran.code, names(folder)) == (3, ["x.cauf"])
        assert "no chunk is whole, so nothing can be recovered" in ran.err


def test_several_files_exit_with_the_worst(run: Run) -> None:
    data = encoded(True)
    Path("a.cauf").write_bytes(data)
    Path("b.cauf").write_bytes(flipped(data, chunk_places(data)[4] + 30))
    ran = run("decode", "a.cauf", "b.cauf", "-o", "out/", "--format", "npy", "--recover")
    assert ran.code == 3
    assert np.load("out/a.npy").shape == (20, 6, 8)
    assert np.load("out/b.npy").shape == (16, 6, 8)
