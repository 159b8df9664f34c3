"""Nothing passes unseen: every flipped bit, every cut, every block of another file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import CaufError, DamagedError, FormatError, UnsupportedError
from tools.attack.container import assemble, split

rng = np.random.default_rng(0)
TOKENS = np.rint(rng.standard_normal((5, 6)) * 8).astype("f4") / 8

FILES = {
    "lossy": caufc.encode([TOKENS, TOKENS[:2]], quality=60),
    "indexed": caufc.encode(np.stack([TOKENS, -TOKENS]), chunk=1, index=True),
    "patched": caufc.encode({"x": np.where(TOKENS > 1, np.inf, TOKENS)}, nonfinite="keep", align="robust/token"),
    "lossless": caufc.encode({"ids": np.arange(9), "x": TOKENS}, lossless=True),
}


def random_access(data: bytes) -> Any:
    with caufc.open(data) as reader:
        return [reader[number] for number in range(len(reader))]


WAYS: dict[str, Callable[[bytes], Any]] = {
    "decode": caufc.decode,
    "verify": caufc.verify,
    "open": random_access,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_every_bit(name: str, way: str) -> None:
    data = FILES[name]
    WAYS[way](data)
    survivors = []
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            WAYS[way](bytes(flipped))
        except (FormatError, UnsupportedError):
            continue
        survivors.append(bit)
    assert not survivors


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_every_cut(name: str, way: str) -> None:
    data = FILES[name]
    for end in range(len(data)):
        with pytest.raises(FormatError):
            WAYS[way](data[:end])
    for more in (b"\0", b"E", data):
        with pytest.raises(FormatError):
            WAYS[way](data + more)


@pytest.mark.parametrize("name", FILES)
def test_cuts_are_damage(name: str) -> None:
    data = FILES[name]
    for end in (0, 5, 11, 20, len(data) // 2, len(data) - 1):
        with pytest.raises(DamagedError, match="fetch the file again"):
            caufc.decode(data[:end])


def test_a_block_of_another_file_is_refused() -> None:
    """Equal shapes and tables, other headers: the checksum goes on from the header's."""
    one = caufc.encode(np.stack([TOKENS, TOKENS]), lossless=True)
    other = caufc.encode(np.stack([TOKENS, -TOKENS])[:, :, ::-1].astype("f8").astype("f4"), lossless=True, index=True)
    header, blocks = split(one)
    assert assemble(header, blocks) == one
    foreign = other[len(split(other)[0]) :]
    assert next(tag for tag, _ in split(other)[1]) == "C"
    with pytest.raises(DamagedError, match="block 'C'"):
        caufc.decode(header + foreign)


def test_errors_name_the_file(tmp_path: Any) -> None:
    path = tmp_path / "a.cauf"
    path.write_bytes(FILES["lossy"][:-2])
    for call in (caufc.load, caufc.verify, caufc.inspect, caufc.open):
        with pytest.raises(CaufError) as caught:
            call(path)
        assert caught.value.file == str(path)
