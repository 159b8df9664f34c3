"""Valid lossless planes by hand: every context with a model of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spec.reference.container import CaufError
from spec.reference.lossless import decode_lossless
from tools.make.file_parts import Parts, chunk, lossless, planes, record

__all__ = ["plane_files"]

SEED = 5
STORAGE = {0: "<f4", 1: "<f2", 3: "<f8", 9: "<u2", 10: "<u4", 11: "<u8", 8: "|u1"}
RAW = b"\x00"
NOTHING = b"\x00"


def plane_files() -> Iterator[tuple[str, str, Parts]]:
    """Name, what it is, and file."""
    rng = np.random.default_rng(SEED)
    yield "planes-favourites", "constants, tables and raw bytes, whose favourites tell contexts", favourites(rng)
    starts = [*range(9, 256, 17)][:15]
    for dtype, sizes in (
        (10, (5, 6, 2)),
        (0, (3, 7, 1)),
        (9, (1, 9, 3)),
        (3, (8, 8, 1)),
        (1, (9, 2, 1)),
        (11, (2, 1, 4)),
        (8, (4, 5, 2)),
    ):
        shape = [2, *sizes]
        name = f"planes-grid-{'x'.join(map(str, sizes))}-of-{dtype}"
        yield (
            name,
            "a grid, 15 intervals, every context its own",
            _file(dtype, shape, _grid(sizes) + _intervals(starts) + _intervals(starts), rng, 15, 15),
        )
    yield (
        "planes-of-intervals",
        "15 intervals without a grid",
        _file(10, [60], NOTHING + _intervals(starts), rng, 0, 15),
    )


def _grid(sizes: Sequence[int]) -> bytes:
    return b"\x01" + np.array(sizes, "<u4").tobytes()


def _intervals(starts: Sequence[int]) -> bytes:
    return bytes([len(starts), *starts])


def constant(byte: int) -> bytes:
    """A model of one byte."""
    return bytes([1, byte])


def table(**levels: int) -> bytes:
    """A model of levels, by byte: ``b5=7``."""
    by_byte = {int(name[1:]): level for name, level in levels.items()}
    there = np.packbits([byte in by_byte for byte in range(256)]).tobytes()
    return b"\x02" + there + bytes(by_byte[byte] for byte in sorted(by_byte))


def favourites(rng: np.random.Generator) -> Parts:
    """Four groups by plane 0; plane 1 has a model of another kind in each; without words, tables give 0."""
    models = [RAW, RAW, constant(77), table(b0=9, b5=9), table(b0=3, b5=40)]
    models += [constant(10 + 3 * context) for context in range(8)] + [
        constant(100 + 7 * context) for context in range(8)
    ]
    payload = _with_raw(NOTHING + _intervals([64, 128, 192]) + b"".join(models), 80, "<u4", rng, rotated=False)
    return _parts(payload, 10, [80], rotated=False)


def _file(dtype: int, shape: Sequence[int], head: bytes, rng: np.random.Generator, near: int, groups: int) -> Parts:
    """Constants in most contexts, raw bytes in some of them."""
    width = np.dtype(STORAGE[dtype]).itemsize
    on_grid = near > 0
    numbers = [near + 2 if on_grid else 1, (3 if on_grid else 1) * (groups + 1), *[2 * (groups + 1)] * 6][:width]
    models = [
        [RAW if context in (0, 3, 4, 11) else constant(int(rng.integers(256))) for context in range(number)]
        for number in numbers
    ]
    rotated = dtype < 4
    payload = _with_raw(
        head + b"".join(model for plane in models for model in plane),
        int(np.prod(shape)),
        STORAGE[dtype],
        rng,
        rotated=rotated,
    )
    return _parts(payload, dtype, shape, rotated=rotated)


def _with_raw(models: bytes, count: int, storage: str, rng: np.random.Generator, *, rotated: bool) -> bytes:
    """A payload with as many raw bytes as its models need."""
    data = rng.integers(0, 256, count * 8).astype("u1").tobytes()
    low, high = 0, len(data)
    while low < high:
        middle = (low + high) // 2
        if _fits(planes(models, raw=data[:middle]), count, storage, rotated):
            high = middle
        else:
            low = middle + 1
    return planes(models, raw=data[:low])


def _fits(payload: bytes, count: int, storage: str, rotated: bool) -> bool:
    """Whether there are enough raw bytes."""
    try:
        decode_lossless(payload, count, storage, rotated)
    except CaufError as error:
        return error.requirement != 312
    return True


def _parts(payload: bytes, dtype: int, shape: Sequence[int], *, rotated: bool) -> Parts:
    count = int(np.prod(shape))
    elements: NDArray[np.generic] = decode_lossless(payload, count, STORAGE[dtype], rotated)
    parts = lossless(payload, dtype=dtype)
    parts.fields[5] = [record(dtype=dtype, shape=list(shape), layout=None, codec=0, parameters=None)]
    parts.chunks = [chunk(count=1, payload=payload, symbols=elements.tobytes())]
    parts.end = b"\x01"
    return parts
