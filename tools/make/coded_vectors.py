"""Valid files of symbols, tables and sections that are drawn at random: no encoder would choose them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.bitstream import varint
from caufc.codec.lossless.codec import encode_lossless
from caufc.codec.transform.codec import TransformCodec
from caufc.codec.transform.parameters import (
    BAND_LEVELS,
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    CHANNEL_LEVELS,
    CONTEXT_MAP,
    GROUP_RANKS,
    TABLES,
    Parameters,
)
from caufc.coders.sections import NUMBERS
from tools.make.file_parts import Parts, chunk, planes, record, section
from tools.make.invalid_codecs import coded

__all__ = ["coded_files"]

SEED = 17
LARGEST = (1 << 28) - 1
BUCKET_STARTS = [*range(16), *((2 + (k & 1)) << ((k - 16) // 2 + 3) for k in range(16, 64))]


def coded_files() -> Iterator[tuple[str, str, Parts]]:
    """Name, what it is, and file."""
    yield from orders()
    yield from values()


def random_arrays(rng: np.random.Generator, channels: int, rows: int = 48) -> dict[str, NDArray[Any]]:
    """Sections in which every context of every class has a table of its own choice."""
    tables = 96
    return {
        TABLES: rng.integers(1, 150, tables * 64).astype("u1"),
        CONTEXT_MAP: rng.integers(0, tables, rows * 40).astype("u1"),
        CHANNEL_LEVELS: rng.integers(-20, 20, channels).astype("i1"),
        BAND_LEVELS: rng.integers(-20, 20, 16).astype("i1"),
        BAND_STEPS: rng.integers(-30, 30, 16).astype("i1"),
    }


def coded_file(
    rng: np.random.Generator,
    grids: Sequence[tuple[int, ...]],
    parameters: Parameters,
    arrays: Mapping[str, NDArray[Any]],
    symbols: NDArray[np.int32] | None = None,
    *,
    shape: list[int | None],
    layout: str,
    special: int = 0,
    gain: float | None = None,
    channels: int = 4,
    payload: bytes = b"\x00",
    covered: bytes = b"",
    **changes: Any,
) -> Parts:
    """One chunk of a list, of samples with these grids.

    Args:
        rng: draws symbols where none are given.
        grids: of the samples.
        parameters: of the codec.
        arrays: its sections.
        symbols: ``[N, K]``.
        shape: of the record.
        layout: of the record.
        special: tokens before each grid.
        gain: of the header.
        channels: C.
        payload: what stands before the words.
        covered: what the checksum covers before the symbols.
        changes: of the record.
    """
    codec = TransformCodec(parameters, arrays, channels)
    geometry = codec.geometry(tuple(grids), special)
    if symbols is None:
        size = (geometry.tokens, codec.coded)
        symbols = np.minimum(np.exp2(rng.exponential(2.0, size)) * (rng.random(size) < 0.6), LARGEST).astype(np.int32)
    words = codec.encode(np.ascontiguousarray(symbols), geometry)
    varying = b"".join(varint(n) for grid in grids for n in grid) if None in shape else b""
    parts = Parts(fields=[1, None, 0, gain, None, [record(shape=shape, layout=layout, **changes)]])
    parts.fields[5][0][7] = parameters.to_fields()
    parts.sections = [section(NUMBERS[name], array.tobytes()) for name, array in arrays.items()]
    symbols_bytes = covered + symbols.astype("<i4").tobytes()
    parts.chunks = [chunk(count=len(grids), payload=payload + words, symbols=symbols_bytes, shapes=varying)]
    parts.end = varint(len(grids))
    return parts


def orders() -> Iterator[tuple[str, str, Parts]]:
    """Order, contexts and classes: section 9.1."""
    rng = np.random.default_rng(SEED)
    ragged = [(19, 11), (1, 1), (8, 9), (3, 17), (1, 5)]
    far = [(2, 70), (66, 3), (1, 64), (65, 1)]
    for spectral in (False, True):
        for extents in (False, True):
            name = "-".join(["coded", "spectral" if spectral else "interlaced", *["extents"] * extents])
            parameters = Parameters(0.25, 3, spectral, extents, 24)
            arrays = random_arrays(rng, 4)
            grids = [*ragged, *far] if spectral else ragged
            yield (
                name,
                "tables of every context drawn at random",
                coded_file(
                    rng, grids, parameters, arrays, shape=[4, None, None], layout="c h w", gain=float(np.float32(1.7))
                ),
            )
            cubes = [(2, 9, 3), (2, 9, 3)]
            yield (
                f"{name}-3d",
                "planes of three grid axes",
                coded_file(rng, cubes, parameters, arrays, shape=[2, 9, 3, 4], layout="t h w c"),
            )
            yield (
                f"{name}-special",
                "special tokens, random tables",
                coded_file(rng, [(5, 5), (5, 5)], parameters, arrays, special=3, shape=[28, 4], layout="(3 + h w) c"),
            )
    lowest = {**random_arrays(rng, 4, rows=5), CHANNEL_LEVELS: np.array([-128, 127, 0, 5], "i1")}
    for level in (-255, -3, 255):
        yield (
            f"coded-level-{level}",
            "classes at both ends",
            coded_file(rng, [(9, 9)], Parameters(0.25, 0, False, True, level), lowest, shape=[4, 9, 9], layout="c h w"),
        )
    joined: tuple[tuple[str, str, list[int | None], list[tuple[int, ...]]], ...] = (
        ("three", "(t h w) c", [64, 4], [(64,)]), ("not-square", "(h w) c", [24, 4], [(24,)]),
        ("one-letter", "h c", [25, 4], [(25,)]), ("two", "t (h w) c", [2, 25, 4], [(2, 5, 5)]),
    )  # fmt: skip
    for name, layout, shape, grids_of in joined:
        arrays = random_arrays(rng, 4)
        yield (
            f"coded-joined-{name}",
            "an axis of joined letters",
            coded_file(rng, grids_of, Parameters(0.25, 0, True, True, 24), arrays, shape=shape, layout=layout),
        )


def values() -> Iterator[tuple[str, str, Parts]]:
    """Extra bits and reconstruction: 0211 to 0221, 0229, 0350, 0360."""
    rng = np.random.default_rng(SEED + 1)
    ends = BUCKET_STARTS + [start - 1 for start in BUCKET_STARTS[1:]] + [LARGEST]
    odd = [2 * ((1 << bits) + more) + sign for bits in (11, 24, 26) for more in (1, 3, 5) for sign in (0, -1)]
    ends += [symbol for symbol in odd for _ in range(4)]
    several = np.array([*ends, *ends[::-1]], np.int32)[: len(ends) * 2 // 4 * 4].reshape(-1, 4)
    flat: dict[str, Any] = {"shape": [len(several), 4], "layout": "n c"}
    for dtype, name in enumerate(("fp32", "fp16", "bf16", "fp64")):
        for shift, dependent, step in ((0, False, 0.1), (-32, True, 1e-3), (32, True, 0.7), (5, False, 3e-6)):
            parameters = Parameters(float(np.float32(step)), shift, False, False, 24, dependent=dependent)
            arrays = {BAND_STEPS: np.arange(-8, 8, dtype="i1")}
            yield (
                f"coded-values-{name}{shift:+}",
                "the ends of all buckets, reconstructed",
                coded_file(
                    rng,
                    [(len(several),)],
                    parameters,
                    arrays,
                    several,
                    gain=float(np.float32(1.1)),
                    dtype=dtype,
                    **flat,
                ),
            )
    parameters = Parameters(float(np.float32(0.013)), 9, False, False, 24)
    small = rng.integers(0, 4000, (30, 4)).astype(np.int32)
    grid: dict[str, Any] = {"shape": [30, 4], "layout": "n c"}
    side = np.concatenate([rng.integers(-3000, 3000, 30), rng.integers(-20, 20, 30)]).astype("<i2")
    scales = rng.integers(-9, 9, 30).astype("<i2")
    for dtype, name in enumerate(("fp32", "fp16", "bf16", "fp64")):
        for kind, alignment in (
            ("global", [2, 0, float(np.float32(0.3)), float(np.float32(1.7))]),
            ("scale", [2, 0, 0.0, float(np.float32(1.7))]),
            ("offset", [2, 0, float(np.float32(0.3)), 1.0]),
        ):
            yield (
                f"coded-{kind}-{name}",
                "an alignment of scope global",
                coded_file(rng, [(30,)], parameters, {}, small, dtype=dtype, alignment=alignment, **grid),
            )
        yield (
            f"coded-token-{name}",
            "statistics and scales of tokens",
            coded_file(
                rng,
                [(30,)],
                parameters,
                {},
                small,
                dtype=dtype,
                alignment=[2, 2, 0.0, 1.0],
                payload=b"\x02" + coded(side, "<i2") + coded(scales, "<i2"),
                covered=side.tobytes() + scales.tobytes(),
                **grid,
            ),
        )
        yield f"coded-patched-{name}", "scales of tokens, then patches", _patched(rng, parameters, small, scales, dtype)
    wide = rng.integers(0, 9, (12, 24)).astype(np.int32)
    yield "coded-dependent-wide", "halves of many channels", coded_file(
        rng, [(12,)], Parameters(0.25, 7, False, False, 24, dependent=True), {}, wide,
        channels=24, shape=[12, 24], layout="n c",
    )  # fmt: skip
    basis = {
        BASIS: rng.integers(-128, 128, 3 * 2).astype("i1"), BASIS_SCALES: np.array([-50, -61, -43], "<i2"),
        GROUP_RANKS: np.array([1, 2], "<i4"),
    }  # fmt: skip
    yield (
        "coded-groups",
        "bases of two groups, drawn at random",
        coded_file(rng, [(30,)], parameters, basis, small[:, :3], **grid),
    )
    yield from steps(rng)
    for tokens in (1, 3):
        few = np.array([[1, 0, 2, 0]] * tokens, np.int32)
        yield (
            f"coded-words-of-{tokens}",
            "a word or two",
            coded_file(rng, [(tokens,)], parameters, {}, few, shape=[tokens, 4], layout="n c"),
        )
    twice = coded_file(rng, [(30,)], parameters, random_arrays(rng, 4), **grid)
    twice.sections = [section(3, b"\x09\x00\xf7\x30"), *twice.sections]
    yield "coded-section-twice", "a section twice, of which the later counts", twice
    yield "coded-stack", "two tensors along the first of two channel axes", _stacked(rng, parameters)
    channel_axes: dict[str, Any] = {"shape": [2, 30, 2], "layout": "c n d"}
    yield "coded-channel-axes", "two channel axes", coded_file(rng, [(30,)], parameters, {}, small, **channel_axes)


def steps(rng: np.random.Generator) -> Iterator[tuple[str, str, Parts]]:
    """Steps whose products round, of a large block and of special tokens; side arrays as planes: 0206, 0221, 0224."""
    for number in range(6):
        step, gain = (float(np.float32(value)) for value in rng.uniform(0.1, 2, 2))
        arrays = {BAND_STEPS: rng.integers(-40, 40, 16).astype("i1")}
        yield f"coded-steps-{number}", "steps of three bands", coded_file(
            rng, [(3, 3)], Parameters(step, 0, False, False, 24), arrays, gain=gain, special=2,
            shape=[11, 4], layout="(2 + h w) c",
        )  # fmt: skip
    large = rng.integers(0, 5, (64 * 64, 1)).astype(np.int32)
    arrays = {BAND_STEPS: rng.integers(-40, 40, 16).astype("i1"), BAND_LEVELS: rng.integers(-9, 9, 16).astype("i1")}
    yield (
        "coded-block",
        "a block of 64 x 64",
        coded_file(
            rng,
            [(64, 64)],
            Parameters(0.25, 0, True, True, 24),
            arrays,
            large,
            channels=1,
            shape=[1, 64, 64],
            layout="c h w",
        ),
    )
    side, scales = (
        planes(b"\x00\x00" + b"\x01" + high + b"\x01" + low) for high, low in ((b"\xfe", b"\x11"), (b"\x00", b"\x90"))
    )
    covered = np.full(6, -495, "<i2").tobytes() + np.full(3, 144, "<i2").tobytes()
    yield "coded-side-as-planes", "side array and scales of tokens as planes", coded_file(
        rng, [(3,)], Parameters(0.25, 0, False, False, 24), {}, alignment=[2, 2, 0.0, 1.0], shape=[3, 4], layout="n c",
        payload=b"\x02" + varint(len(side)) + side + varint(len(scales)) + scales, covered=covered,
    )  # fmt: skip


def _stacked(rng: np.random.Generator, parameters: Parameters) -> Parts:
    """Two tensors of 2 x 3 channels, coded as one of 4 x 3."""
    parts = coded_file(
        rng, [(5,)], parameters, {}, rng.integers(0, 90, (5, 12)).astype(np.int32),
        channels=12, shape=[2, 5, 3], layout="c n d",
    )  # fmt: skip
    leader = parts.fields[5][0]
    parts.fields[4:] = [[1, [], [0, 1]], [leader, [*leader, 0]]]
    length = parts.chunks[0][2]
    parts.chunks = [parts.chunks[0][:2] + bytes([length, 0]) + parts.chunks[0][3:]]
    return parts


def _patched(
    rng: np.random.Generator, parameters: Parameters, symbols: NDArray[np.int32], scales: NDArray[Any], dtype: int
) -> Parts:
    """Scales of tokens, and patches of two samples."""
    storage = ("<f4", "<f2", "<u2", "<f8")[dtype]
    stored = np.array([0x7FC0, 0xFF80, 5], "<u2") if dtype == 2 else np.array([np.nan, -np.inf, 1e-3], storage)
    positions = np.array([3, 17, 119])
    data = encode_lossless(stored, rotate=True)
    body = varint(3) + coded(np.diff(positions, prepend=-1) - 1, "<u4") + data
    payload = b"\x03" + coded(scales, "<i2") + varint(len(body)) + body
    parts = coded_file(
        rng, [(15,), (15,)], parameters, {}, symbols, dtype=dtype, payload=payload, covered=scales.tobytes(),
        shape=[4, 15], layout="c n",
    )  # fmt: skip
    covered = scales.tobytes() + symbols.astype("<i4").tobytes() + positions.astype("<u4").tobytes() + stored.tobytes()
    words = parts.chunks[0].split(payload, 1)[1]
    parts.chunks = [chunk(payload=payload + words, symbols=covered)]
    return parts
