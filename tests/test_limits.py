"""What a file may ask for: refused soon and in little memory, however few bytes ask; and what encode writes is read."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from children import Child, run_limited

import caufc
from caufc.bitstream.section import ELEMENTS
from caufc.codec.hyperprior.weights import DECODER_SECTIONS, Weights
from caufc.coders import sections
from caufc.errors import LimitError, OptionError
from caufc.limits import Limits
from caufc.show import show_file
from tools.attack.container import assemble, header_bytes, varint

SECONDS = 20
MEMORY = 1 << 30


def asking(
    records: list[Any], chunks: list[bytes] | None = None, sections: tuple[bytes, ...] = (), content: int = 2
) -> bytes:
    """A tuple of one sample, whose tensors have these records; every payload is one byte of flags."""
    tree = [1, [], list(range(len(records)))]
    chunk = b"\0\1" + b"\1" * len(records) + bytes(4) + bytes(len(records))
    blocks = [*(("S", body) for body in sections), *(("C", body) for body in chunks or [chunk]), ("E", b"\1")]
    return assemble(header_bytes([content, None, 0, None, tree, records]), blocks)


def lossy(shape: list[int | None], layout: str) -> list[Any]:
    return [0, 0, shape, layout, None, 1, None, [1.0, 0, 0, 0]]


def zeros(kind: int, element: int, size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return bytes([kind, 0, element, 1]) + packer.compress(bytes(size)) + packer.flush()


def grids(count: int) -> bytes:
    """A chunk of samples that all differ in their grid."""
    sizes = b"".join(varint(1 + n % 256) + varint(1 + n // 256) for n in range(count))
    return varint(0) + varint(count) + sizes + b"\1" + bytes(4) + b"\0"


def learned(shape: list[int | None], layout: str) -> list[Any]:
    return [0, 0, shape, layout, None, 2, None, [0]]


def weights_of(width: int, latents: int, rates: int = 1) -> tuple[bytes, ...]:
    """Sections of weights whose kernels are all 0: little on a disk, up to 64 MiB in memory."""
    empty = Weights(width, latents, rates, True, {})
    found = []
    for kind in DECODER_SECTIONS:
        size = empty.sizes()[kind]
        if kind == "network":
            array = np.array([width, latents, rates, 1])
        elif kind in ("latent-tables", "hyper-latent-tables"):
            array = np.tile([1, *[0] * 63], size // 64)
        else:
            array = np.full(size, 1 if kind == "hyper-synthesis-shifts" else 0)
        element = sections.ELEMENTS[kind]
        code = ELEMENTS.index(element)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        found.append(
            bytes([sections.NUMBERS[kind], 0, code, 1])
            + packer.compress(array.astype(element).tobytes())
            + packer.flush()
        )
    return tuple(found)


ATTACKS = {
    "chunk_latents": asking([learned([1 << 22, 1], "n c")], sections=weights_of(1, 512)),
    "chunk_tokens": asking([lossy([1 << 12, 1 << 13, 0], "h w c")]),
    "chunk_products": asking(
        [lossy([1 << 16, 1 << 12], "n c")], sections=(zeros(8, 0, 1 << 24), zeros(9, 1, 1 << 13))
    ),
    "chunk_products:learned": asking([learned([1 << 13, 1 << 12], "n c")], sections=weights_of(256, 256)),
    "chunk_tokens:learned": asking([learned([1 << 12, 1 << 13, 0], "h w c")], sections=weights_of(1, 1)),
    "channels:learned": asking([learned([1 << 24], "c")] * 300, sections=weights_of(1, 1)),
    "channels": asking([lossy([1 << 24], "c")] * 300),
    "chunk_elements": asking([lossy([1 << 14, 1 << 15], "n c")]),
    "section_bytes": asking([lossy([1], "c")], sections=tuple(zeros(10, 1, 1 << 24) for _ in range(5))),
    "chunk_arrays": asking([[0, 0, [0], None, None, 0]] * 70, [varint(0) + varint(65_536)], content=1),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_refused_in_little_time_and_memory(attack: str) -> None:
    child = run_limited("import sys, caufc; caufc.decode(sys.stdin.buffer.read())", ATTACKS[attack], SECONDS, MEMORY)
    limit = attack.partition(":")[0]
    assert "caufc.errors.LimitError" in child.stderr and f"Limits({limit}=" in child.stderr, child.stderr[-500:]


def test_many_tensors_share_their_tables() -> None:
    """200 kB of header: 8,000 tensors, whose tables by key would need 230 MB if each had its own."""
    data = asking([lossy([1], "c")] * 8_000)
    child = run_limited("import sys, caufc; caufc.inspect(sys.stdin.buffer.read())", data, SECONDS, MEMORY >> 2)
    assert child == Child(0, "", "")


def test_many_tensors_share_their_weights() -> None:
    """Every tensor with networks of its own would need 30 GB."""
    data = asking([learned([1], "c")] * 2_000, sections=weights_of(128, 128))
    child = run_limited("import sys, caufc; caufc.inspect(sys.stdin.buffer.read())", data, 60, MEMORY)
    assert child == Child(0, "", "")


def test_many_grids_are_bounded() -> None:
    head = header_bytes([1, None, 0, None, None, [lossy([None, None, 1], "h w c")]])
    data = assemble(head, [("C", grids(300)), ("E", varint(300))])
    with pytest.raises(LimitError) as caught:
        caufc.decode(data, limits=Limits(chunk_grids=299))
    assert (caught.value.limit, caught.value.value) == ("chunk_grids", 300)


def test_random_access_and_verify_hold_to_the_same_limits() -> None:
    data = ATTACKS["chunk_tokens"]
    with pytest.raises(LimitError):
        caufc.verify(data)
    with caufc.open(data) as reader, pytest.raises(LimitError):
        reader[0]


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (Limits(chunk_tokens=39), "chunk_tokens"),
        (Limits(file_elements=479), "file_elements"),
        (Limits(output_bytes=1919), "output_bytes"),
        (Limits(channels=11), "channels"),
        (Limits(header_bytes=20), "header_bytes"),
        (Limits(chunk_arrays=9), "chunk_arrays"),
        (Limits(chunk_elements=479), "chunk_elements"),
    ],
)
def test_encode_refuses_what_decoders_would(limits: Limits, limit: str) -> None:
    features = np.random.default_rng(0).standard_normal((10, 4, 12)).astype("f4")
    with pytest.raises(LimitError, match="split the input into smaller samples or") as caught:
        caufc.encode(features, limits=limits)
    assert caught.value.limit == limit


def test_what_encode_writes_by_default_decode_reads_by_default() -> None:
    """Many tensors, many grids: the default chunk is small enough."""
    samples = [{f"{n}": np.ones((1 + (7 * i + n) % 23, 1), "f4") for n in range(30)} for i in range(2300)]
    data = caufc.encode(samples, layout="n c")
    assert caufc.inspect(data).chunks == 2
    assert len(caufc.decode(data)) == 2300


def test_unlimited_must_be_asked_for() -> None:
    bomb = asking([lossy([1 << 10, 1 << 4, 0], "h w c")], [b"\0\1\1" + struct.pack("<I", 0) + b"\0"])
    small = Limits(chunk_tokens=100)
    with pytest.raises(LimitError, match=r"raise it with limits=Limits\(chunk_tokens=N\) if you trust"):
        caufc.decode(bomb, limits=small)
    assert caufc.decode(bomb, limits=Limits.unlimited())[0][0].shape == (1 << 10, 1 << 4, 0)
    assert Limits.unlimited().nesting == Limits().nesting


def test_samples_of_no_value_are_as_many_as_a_list_may_have() -> None:
    """A few bytes could announce any number of them."""
    data = caufc.encode(np.empty((1000, 0), np.float32))
    assert len(data) < 100
    assert caufc.decode(data, limits=Limits(list_samples=1000)).shape == (1000, 0)
    with pytest.raises(LimitError):
        caufc.decode(data, limits=Limits(list_samples=999))


@pytest.mark.parametrize("value", ["1", -1, None, 1.5, True, [1]])
def test_limits_are_whole_numbers(value: Any) -> None:
    with pytest.raises(OptionError, match="output_bytes="):
        Limits(output_bytes=value)
    assert Limits(output_bytes=1e9).output_bytes == 1_000_000_000  # type: ignore[arg-type]


def test_limits_are_limits() -> None:
    data = caufc.encode(np.zeros((2, 3)))
    calls: list[Any] = [
        lambda limits: caufc.decode(data, limits=limits),
        lambda limits: caufc.open(data, limits=limits),
        lambda limits: caufc.inspect(data, limits=limits),
        lambda limits: caufc.verify(data, limits=limits),
        lambda limits: caufc.encode(np.zeros((2, 3)), limits=limits),
        lambda limits: show_file(data, BytesIO(), limits=limits),
    ]
    for call in calls:
        wrong: list[Any] = [{}, None, 5]
        for limits in wrong:
            with pytest.raises(OptionError, match="limits= is a"):
                call(limits)
