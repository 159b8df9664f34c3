"""Alignment, transform and lossless codec, patches: a file that decoders refuse for each clause of sections 7 to 11."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.bitstream import varint
from caufc.codec.lossless.codec import encode_lossless
from tools.make.file_parts import (
    MAP,
    TABLE,
    Case,
    Parts,
    chunk,
    lossless,
    malformed,
    planes,
    record,
    section,
    unsupported,
    with_record,
    with_sections,
)
from tools.make.invalid_integers import larger_nodes

__all__ = ["codec_clauses"]


def codec_clauses() -> Iterator[Case]:
    """All of them."""
    yield from alignment()
    yield from parameters()
    yield from transform()
    yield from payloads()
    yield from elements()
    yield from limits()


def coded(values: Sequence[int] | NDArray[Any], form: str) -> bytes:
    """A lossless payload behind its length."""
    data = encode_lossless(np.asarray(values, form), rotate=False)
    return varint(len(data)) + data


def alignment() -> Iterator[Case]:
    """0171, 0351, 0356, 0564."""
    per_channel = {"alignment": [2, 1, 0.0, 1.0]}
    codes = [section(1, bytes(10)), section(2, bytes(10))]
    yield malformed("offsets-few", 351, with_sections(section(1, bytes(8)), codes[1], **per_channel))
    yield malformed("scales-few", 351, with_sections(codes[0], section(2, bytes(8)), **per_channel))
    yield malformed("scales-many", 351, with_sections(codes[0], section(2, bytes(12)), **per_channel))
    yield malformed("offsets-missing", 351, with_sections(codes[1], **per_channel))
    yield malformed("scales-missing", 351, with_sections(codes[0], **per_channel))
    wide = section(27, bytes(16))
    yield malformed("wide-offsets-few", 351, with_sections(*codes, wide, **per_channel))
    for code in (961, -961, 32767, -32768):
        low = section(2, np.array([0, 0, 0, 0, code], "<i2").tobytes())
        yield malformed(f"scale-code-{code}", 356, with_sections(codes[0], low, **per_channel))
        side = b"\x00" + coded([*[0] * 8, *[0] * 7, code], "<i2")
        parts = with_record(alignment=[2, 2, 0.0, 1.0])
        parts.chunks = [chunk(payload=side)]
        yield malformed(f"scale-code-of-side-{code}", 356, parts)
    parts = Parts(chunks=[chunk(payload=b"\x02" + coded([0] * 7 + [-961], "<i2"))])
    yield malformed("token-scale-code-low", 356, parts)
    yield malformed("special-too-many-of-one", 171, with_record(layout="(3 + h) c", shape=[2, 10]))
    turned: tuple[tuple[str, list[int], dict[str, Any]], ...] = (
        ("more", [1, 5, 0, 0, 0, 0, 0], {}), ("negative", [-1, 0, 5, 0, 0, 0], {}), ("no-numbers", [1], {}),
        ("at-the-end", [1, 0, 0, 0, 0, 5], {}), ("large-distance", [(1 << 31) - 1, 5, 0, 0, 0, 0], {}),
        ("two-axes", [1, 5, 0, 0, 0, 0], {"layout": "c h w", "shape": [5, 2, 2]}),
        ("no-tokens", [1, 5, *[0] * 19], {"layout": "c d", "shape": [5, 4]}),
    )  # fmt: skip
    for name, turns, changes in turned:
        found = {"layout": "c t", "shape": [5, 4], **changes}
        yield malformed(f"turns-{name}", 564, with_sections(section(29, np.array(turns, "<i4").tobytes()), **found))


def parameters() -> Iterator[Case]:
    """0201, 0221."""
    for name, values in (
        ("step-integer", [1, 0, 0, 20]), ("step-negative", [-0.5, 0, 0, 20]), ("shift-33", [0.5, -33, 0, 20]),
        ("shift-float", [0.5, 0.0, 0, 20]), ("flags-float", [0.5, 0, 0.0, 20]), ("level-low", [0.5, 0, 0, -256]),
        ("parameters-long", [0.5, 0, 0, 20, 0]), ("parameters-three", [0.5, 0, 0]), ("parameters-empty", []),
        ("parameters-nil", None),
    ):  # fmt: skip
        yield malformed(name, 201, with_record(parameters=values))
    for flag in (8, 16, 1 << 40):
        yield unsupported(f"transforms-{flag}", 6, with_record(parameters=[0.5, 0, flag, 20]))
    late = section(7, bytes(15) + b"\x7f")
    yield malformed("step-infinite-of-no-token", 221, with_sections(late, parameters=[2.0**113, 0, 0, 20]))
    early = section(7, bytes(14) + b"\x80\x00")
    yield malformed("step-zero-of-no-token", 221, with_sections(early, parameters=[2.0**-135, 0, 0, 20]))
    gained = with_record(parameters=[2.0**100, 0, 0, 20])
    gained.fields[3] = 2.0**100
    yield malformed("step-infinite-by-gain", 221, gained)


def transform() -> Iterator[Case]:
    """0203, 0204, 0216, 0227, 0228, 0230, 0561."""
    yield malformed("tables-257", 203, Parts(sections=[section(4, TABLE * 257), section(5, MAP)]))
    yield malformed("tables-part-more", 203, Parts(sections=[section(4, TABLE + b"\x01"), section(5, MAP)]))
    yield malformed("context-map-part", 216, Parts(sections=[section(4, TABLE), section(5, MAP + b"\x00")]))
    yield malformed("context-map-49", 216, Parts(sections=[section(4, TABLE), section(5, MAP * 49)]))
    yield malformed("table-194", 230, Parts(sections=[section(4, b"\xc2" + bytes(63)), section(5, MAP)]))
    unused = TABLE + b"\x01" * 63 + b"\xc2"
    yield malformed("table-of-no-symbol", 230, Parts(sections=[section(4, unused), section(5, MAP)]))
    yield malformed("table-of-no-symbol-empty", 230, Parts(sections=[section(4, TABLE + bytes(64)), section(5, MAP)]))
    for name, kind, counts in (("channel-levels", 3, (6,)), ("band-levels", 6, (1, 17)), ("band-steps", 7, (1, 15))):
        for count in counts:
            yield malformed(f"{name}-{count}", 204, with_sections(section(kind, bytes(count))))
    basis = [section(8, b"\x01" * 10), section(9, bytes(4))]
    for name, bodies, requirement in (
        ("basis-of-six", [section(8, bytes(30)), section(9, bytes(12))], 228),
        ("basis-more", [section(8, bytes(11)), section(9, bytes(4))], 228),
        ("basis-other", [section(8, bytes(15)), section(9, bytes(4))], 228),
        ("analysis-no-scales", [*basis, section(10, bytes(20))], 228),
        ("analysis-scales-alone", [*basis, section(11, bytes(4))], 228),
        ("analysis-more", [*basis, section(10, bytes(30)), section(11, bytes(6))], 228),
        ("basis-scale-801", [basis[0], section(9, np.array([0, 801], "<i2").tobytes())], 227),
        ("basis-scale-low", [basis[0], section(9, np.array([-801, 0], "<i2").tobytes())], 227),
        ("basis-scale-least", [basis[0], section(9, np.array([-32768, 0], "<i2").tobytes())], 227),
    ):
        yield malformed(name, requirement, with_sections(*bodies))
    two = [section(8, b"\x01" * 4), section(9, bytes(4))]
    for name, ranks, shape in (
        ("group-rank-negative", [3, -1], [4, 2, 2]), ("group-rank-large", [3, 0], [4, 2, 2]),
        ("group-ranks-more", [2, 1], [4, 2, 2]), ("group-ranks-less", [1, 0], [4, 2, 2]),
        ("groups-of-three", [1, 1, 0], [4, 2, 2]), ("group-rank-below", [-1, 2, 1], [6, 2, 2]),
    ):  # fmt: skip
        vectors = [section(8, b"\x01" * 6), section(9, bytes(6))] if sum(ranks) == 3 and max(ranks) == 3 else two
        more = section(28, np.array(ranks, "<i4").tobytes())
        yield malformed(name, 561, with_sections(*vectors, more, shape=shape))


def payloads() -> Iterator[Case]:
    """0206, 0250, 0251, 0330 to 0332."""
    for flags in (4, 8, 128):
        yield unsupported(f"payload-flags-{flags}", 6, Parts(chunks=[chunk(payload=bytes([flags]))]))
    yield malformed("payload-empty", 3, Parts(chunks=[chunk(payload=b"")]))
    for name, words, requirement in (
        ("one", b"\x01\x00\x00\x00", 251),
        ("state", b"\x00\x00\x00\x00\x01\x00\x00\x00", 251),
        ("five", b"\x01" * 5, 250),
        ("zero-on-top", b"\x01" * 4 + bytes(4), 250),
    ):
        yield malformed(f"words-{name}", requirement, Parts(chunks=[chunk(payload=b"\x00" + words)]))

    def patched(count: int, gaps: list[int], values: int | None = None) -> Parts:
        stored = encode_lossless(np.ones(len(gaps) if values is None else values, "<f4"), rotate=True)
        data = varint(count) + coded(gaps, "<u4") + stored
        return Parts(chunks=[chunk(payload=b"\x01" + varint(len(data)) + data)])

    yield malformed("patches-many", 331, patched(41, [0] * 41))
    yield malformed("patch-behind", 332, patched(1, [40]))
    yield malformed("patch-far-behind", 332, patched(2, [39, 0]))
    yield malformed("patch-around", 332, patched(2, [(1 << 32) - 1, 3]))


def elements() -> Iterator[Case]:
    """0300 to 0322."""
    value = bytes(40 * 4)
    deflate = b"\x02\x01" + len(value).to_bytes(2, "little") + (0xFFFF ^ len(value)).to_bytes(2, "little")
    for name, payload, requirement in (
        ("stored-long", b"\x00" + value + b"\x00", 300),
        ("stored-part", b"\x00" + value[:-1], 300),
        ("constant-long", b"\x01" + bytes(5), 301),
        ("constant-empty", b"\x01", 301),
        ("deflate-long", b"\x02\x01\xa1\x00\x5e\xff" + bytes(161), 302),
        ("deflate-left", deflate + value + b"\x00", 302),
        ("deflate-open", deflate.replace(b"\x02\x01", b"\x02\x00") + value, 302),
    ):
        yield malformed(f"lossless-{name}", requirement, lossless(payload))
    for method in (5, 255):
        yield unsupported(f"lossless-method-{method}", 6, lossless(bytes([method])))
    yield malformed("lossless-empty", 300, lossless(b""))
    for name, flag in (("high", 255), ("two-of-many", 2)):
        stored = b"\x00" + bytes(39) + bytes([flag])
        yield malformed(f"boolean-{name}", 303, lossless(stored, dtype=12))
    plain, raw = b"\x00\x00", b"\x00" * 5
    grid = b"\x01" + np.array([2, 2, 1], "<u4").tobytes()
    starts = {
        "order-of-grid": (grid + b"\x02\x09\x08", 314), "equal": (b"\x00\x02\x05\x05", 314),
        "many": (b"\x00\x10" + bytes(range(1, 17)), 314), "cut": (b"\x00\x05\x01\x02", 314),
        "none": (b"\x00", 314), "zero-of-grid": (grid + b"\x01\x00", 314),
    }  # fmt: skip
    for name, (models, requirement) in starts.items():
        yield malformed(f"intervals-{name}", requirement, lossless(planes(models)))
    ragged: dict[str, list[int]] = {
        "five": [5, 7, 1],
        "over": [7, 6, 1],
        "inner-none": [2, 2, 0],
        "columns-none": [2, 0, 1],
        "large": [1 << 31, 2, 4],
    }
    for name, sizes in ragged.items():
        models = b"\x01" + np.array(sizes, "<u4").tobytes() + b"\x00\x00" + b"\x01\x07" * 99
        yield malformed(f"lattice-of-{name}", 317, lossless(planes(models)))
    for name, requirement, count, width, node in larger_nodes():
        parts = lossless(b"", dtype=7 + width.bit_length())
        parts.fields[5] = [record(dtype=7 + width.bit_length(), shape=[count], layout=None, codec=0, parameters=None)]
        parts.chunks, parts.end = [chunk(count=1, payload=b"\x04" + node, symbols=bytes(count * width))], b"\x01"
        yield malformed(f"integers-{name}", requirement, parts)
    flagged = b"\x02" + grid[1:] + b"\x00\x00" + b"\x01\x07" * 9
    yield malformed("lattice-flag-two", 316, lossless(planes(flagged)))
    yield malformed("models-left", 311, lossless(planes(plain + b"\x01\x07" * 7)))
    yield malformed("models-cut", 321, lossless(planes(plain + b"\x01\x07" * 5)))
    yield malformed("models-half", 321, lossless(planes(plain + b"\x01\x07" * 5 + b"\x01")))
    yield malformed("planes-words-left", 251, lossless(planes(plain + b"\x01\x07" * 6, words_=b"\x01" * 8)))
    yield malformed("planes-long", 310, lossless(b"\x03" + b"\xff" * 8))
    yield unsupported("context-model-next", 6, lossless(planes(plain + b"\x03" + raw)))
    level = b"\x02\xc0" + bytes(31)
    for name, table, requirement in (("zero", b"\x00\x05", 322), ("194", b"\xc2\x05", 230)):
        yield malformed(f"context-table-{name}", requirement, lossless(planes(plain + level + table + b"\x01\x07" * 5)))
    yield malformed("context-table-cut", 322, lossless(planes(plain + level + b"\x05")))
    yield malformed("context-table-none", 230, lossless(planes(plain + b"\x02" + bytes(32))))


def limits() -> Iterator[Case]:
    """0370."""
    yield "limit-values-of-two", 370, "LimitError", _twice([1 << 14, 1 << 13]).to_bytes()


def _twice(shape: list[int]) -> Parts:
    """A chunk of two tensors, each within the limit of values."""
    parts = with_record(shape=[*shape, 1], layout="h w c")
    parts.fields[4], parts.fields[5] = [1, [], [0, 1]], parts.fields[5] * 2
    parts.sections = []
    body = varint(0) + varint(2) + b"\x01\x01" + bytes(4) + bytes(2)
    parts.chunks = [body]
    return parts
