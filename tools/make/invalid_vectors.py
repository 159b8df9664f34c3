"""Make the invalid conformance vectors: small files, each of which breaks one requirement of the specification.

    python -m tools.make.invalid_vectors [--out spec/vectors/1.0/invalid]

Checksums are right unless they are what is wrong. The JSON beside each file names the requirement and caufc's error.
Vectors that are there stay as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

import caufc
from caufc.bitstream import varint
from caufc.codec.lossless.codec import encode_lossless
from tools.make import hyperprior_vectors
from tools.make.file_parts import (
    MAP,
    TABLE,
    UINT16,
    Parts,
    chunk,
    framed,
    lossless,
    planes,
    record,
    refusal,
    section,
    with_record,
    with_sections,
)
from tools.make.invalid_chunks import chunk_clauses
from tools.make.invalid_codecs import codec_clauses
from tools.make.invalid_header import header_clauses
from tools.make.invalid_integers import integer_nodes
from tools.make.invalid_learned import learned_clauses
from tools.make.invalid_notes import note_clauses
from tools.make.invalid_orders import order_clauses
from tools.make.invalid_records import record_clauses
from tools.make.invalid_side_files import relying_clauses
from tools.make.vector_sums import FOLDER, write_sums


def header_cases() -> Iterator[tuple[str, int, str, bytes]]:
    """Signature, version, blocks, header."""
    yield "varint-long-form", 2, "MalformedError", Parts(end=b"\x82\x00").to_bytes()
    yield "body-cut", 3, "MalformedError", Parts(end=b"").to_bytes()
    yield "end-trailing-bytes", 4, "MalformedError", Parts(end=b"\x02\x00").to_bytes()
    yield "signature", 10, "MalformedError", Parts(signature=b"\x89CAUF\n\x1a\n").to_bytes()
    yield "newer-major", 11, "VersionError", Parts(version=b"\x02\x00").to_bytes()
    whole = Parts().to_bytes()
    yield "header-flipped", 12, "DamagedError", whole[:14] + bytes([whole[14] ^ 1]) + whole[15:]
    yield "block-flipped", 13, "DamagedError", whole[:-7] + bytes([whole[-7] ^ 4]) + whole[-6:]
    yield "cut", 20, "DamagedError", whole[:-9]
    yield "cut-before-end", 20, "DamagedError", whole[:-7]
    yield "tag-no-letter", 21, "MalformedError", Parts(extra=[("7", b"")]).to_bytes()
    yield "unknown-critical", 21, "UnsupportedError", Parts(extra=[("Q", b"")]).to_bytes()
    late = Parts(extra=[("C", chunk())], chunks=[])
    late.extra.append(("S", late.sections[0]))
    yield "section-late", 22, "MalformedError", late.to_bytes()
    yield "bytes-behind-end", 22, "DamagedError", Parts(behind=b"x").to_bytes()
    yield "header-no-array", 40, "MalformedError", Parts(packed=msgpack.packb(3)).to_bytes()
    yield "header-two-values", 41, "MalformedError", Parts(packed=msgpack.packb([3]) * 2).to_bytes()
    yield "header-long-int", 42, "MalformedError", Parts(packed=b"\x93\xcc\x00\xc0\x00").to_bytes()
    yield "header-map", 42, "MalformedError", Parts(packed=msgpack.packb([0, None, 0, None, {}])).to_bytes()
    yield "header-nan", 42, "MalformedError", with_record(parameters=[float("nan"), 0]).to_bytes()
    deep: list[Any] = []
    for _ in range(60):
        deep = [deep]
    yield "header-deep", 43, "MalformedError", Parts(fields=[0, None, 0, None, deep]).to_bytes()
    yield "header-trailing-nil", 44, "MalformedError", Parts(fields=[*Parts().fields, None]).to_bytes()
    for name, position, value, requirement in (
        ("content", 0, 9, 6), ("content-text", 0, "a", 45), ("profile-short", 1, b"abc", 46), ("flags", 2, 2, 6),
        ("flags-negative", 2, -1, 47), ("gain-zero", 3, 0.0, 48),
        ("arch-number", 6, 5, 44), ("control-number", 8, 50, 550), ("control-long", 8, "q" * 65, 550),
        ("software-number", 9, 1.0, 551), ("software-long", 9, "s" * 65, 551),
    ):  # fmt: skip
        parts = Parts()
        parts.fields += [None] * (10 - len(parts.fields))
        parts.fields[position] = value
        while parts.fields[-1] is None:
            parts.fields.pop()
        yield f"header-{name}", requirement, refusal(requirement), parts.to_bytes()
    yield "no-tensors", 49, "MalformedError", Parts(fields=[0, None, 0]).to_bytes()
    yield "profile-missing", 162, "MissingProfileError", Parts(fields=[0, b"0123456789abcdef", 0]).to_bytes()
    for name, tree, requirement in (
        ("kind", [9, [], [0]], 6), ("no-kind", ["a", [], [0]], 50), ("names", [0, ["a", "a"], [0]], 51),
        ("list-names", [1, ["a"], [0]], 51),
        ("leaves", [1, [], [0, 0]], 52), ("missing-leaf", [1, [], []], 52),
    ):  # fmt: skip
        parts = Parts()
        parts.fields[4] = tree
        yield f"tree-{name}", requirement, refusal(requirement), parts.to_bytes()


def record_cases() -> Iterator[tuple[str, int, str, bytes]]:
    """Records, sections, chunks, end."""
    yield "record-no-shape", 61, "MalformedError", with_record(shape=None).to_bytes()
    yield "dtype-unknown", 61, "UnsupportedError", with_record(dtype=77).to_bytes()
    yield "codec-unknown", 61, "UnsupportedError", with_record(codec=9).to_bytes()
    yield "scale-zero", 62, "MalformedError", with_record(alignment=[1, 0, 0.0, 0.0]).to_bytes()
    yield "layout-unknown", 64, "MalformedError", with_record(layout="q").to_bytes()
    yield "layout-axes", 65, "MalformedError", with_record(layout="n c").to_bytes()
    channels = with_record(shape=[None, 2, 2])
    channels.fields[0] = 1
    yield "channels-vary", 66, "MalformedError", channels.to_bytes()
    yield "batch-varies", 67, "MalformedError", with_record(shape=[5, None, 2]).to_bytes()
    yield "section-packing", 6, "UnsupportedError", Parts(sections=[b"\x04\x00\x03\x07" + TABLE]).to_bytes()
    yield "section-deflate", 92, "MalformedError", Parts(sections=[b"\x04\x00\x03\x01" + TABLE]).to_bytes()
    yield "section-part", 93, "MalformedError", Parts(sections=[b"\x01\x00\x01\x00abc"]).to_bytes()
    yield "section-tensor", 94, "MalformedError", Parts(sections=[b"\x04\x05\x03\x00" + TABLE]).to_bytes()
    yield "section-element", 94, "MalformedError", with_sections(b"\x03\x00\x03\x00" + bytes(5))
    yield "section-unknown", 94, "UnsupportedError", Parts(sections=[b"\x3f\x00\x03\x00" + TABLE]).to_bytes()
    yield "chunk-empty", 111, "MalformedError", Parts(chunks=[chunk(count=0)]).to_bytes()
    varying = with_record(shape=[5, None, 2])
    varying.fields[0] = 1
    varying.chunks = [varint(0) + varint(60_000) + b"\x02"]
    yield "chunk-shapes", 112, "MalformedError", varying.to_bytes()
    single = Parts(end=b"\x01", chunks=[chunk(count=2)])
    single.fields[0] = 3
    yield "single-of-two", 113, "MalformedError", single.to_bytes()
    yield "chunk-gap", 114, "MalformedError", Parts(chunks=[chunk(first=1)]).to_bytes()
    yield "symbols-checksum", 118, "DamagedError", Parts(chunks=[chunk(symbols=b"x")]).to_bytes()
    indexed = Parts(index=b"\x00\x05\x00", end=b"\x02\x00\x00\x00\x00")
    indexed.fields[2] = 1
    yield "index-short", 141, "MalformedError", indexed.to_bytes()
    indexed.index = b"\x01\x01\x09\x02"
    yield "index-wrong", 142, "MalformedError", indexed.to_bytes()
    yield "end-count", 146, "MalformedError", Parts(end=b"\x03").to_bytes()
    profile = Parts()
    profile.fields[0] = 4
    yield "profile-with-samples", 164, "MalformedError", profile.to_bytes()


def stack_cases() -> Iterator[tuple[str, int, str, bytes]]:
    """Tensors that are stacked on others."""

    def stacked(*records: list[Any], lengths: bytes = b"\x01\x00", shapes: bytes = b"") -> Parts:
        parts = Parts()
        parts.fields[0], parts.fields[4] = 1, [1, [], list(range(len(records)))]
        parts.fields[5] = list(records)
        crc = zlib.crc32(bytes(4 * 20 * 2 * len(records))).to_bytes(4, "little")
        parts.chunks = [varint(0) + varint(2) + shapes + lengths + crc + bytes(sum(lengths))]
        return parts

    lossless_record = record(codec=0, parameters=None, leader=0)
    for name, records in (
        ("later", [record(leader=1), record()]),
        ("missing", [record(), record(leader=7)]),
        ("led", [record(), record(leader=0), record(leader=1)]),
        ("dtype", [record(), record(dtype=1, leader=0)]),
        ("shape", [record(), record(shape=[5, 2, 1], leader=0)]),
        ("layout", [record(), record(layout="c w h", leader=0)]),
        ("codec", [record(), lossless_record]),
        ("lossless", [record(codec=0, parameters=None), lossless_record]),
        ("no-channels", [record(layout="t h w"), record(layout="t h w", leader=0)]),
    ):
        yield f"stack-{name}", 562, "MalformedError", stacked(*records).to_bytes()
    yield "stack-payload", 563, "MalformedError", stacked(record(), record(leader=0), lengths=b"\x01\x01").to_bytes()
    ragged = [record(shape=[5, None, 2]), record(shape=[5, None, 2], leader=0)]
    yield "stack-ragged", 563, "MalformedError", stacked(*ragged, shapes=b"\x02\x02\x02\x01").to_bytes()


def codec_cases() -> Iterator[tuple[str, int, str, bytes]]:
    """Alignment, transform codec, patches, lossless codec."""
    special = with_record(layout="(9 + h) c", shape=[2, 10])
    yield "special-too-many", 171, "MalformedError", special.to_bytes()
    yield "statistics-missing", 351, "MalformedError", with_record(alignment=[2, 1, 0.0, 1.0]).to_bytes()
    wild = with_record(alignment=[2, 1, 0.0, 1.0])
    wild.sections += [b"\x01\x00\x01\x00" + bytes(10), b"\x02\x00\x01\x00" + b"\xc1\x03" * 5]
    yield "scale-code", 356, "MalformedError", wild.to_bytes()
    yield "alignment-unknown", 352, "UnsupportedError", with_record(alignment=[40, 0, 0.0, 1.0]).to_bytes()
    crossed = with_record(alignment=[1, 0, 0.0, 1.0, 2.0, 1.0])
    yield "truncation-crossed", 62, "MalformedError", crossed.to_bytes()
    yield "transform-no-layout", 200, "MalformedError", with_record(layout=None).to_bytes()
    yield "transform-integers", 200, "MalformedError", with_record(dtype=6).to_bytes()
    for name, parameters in (
        ("step-zero", [0.0, 0, 0, 20]), ("shift-large", [0.5, 33, 0, 20]), ("transforms-negative", [0.5, 0, -1, 20]),
        ("level-large", [0.5, 0, 0, 256]), ("parameters-short", [0.5, 0]), ("level-float", [0.5, 0, 0, 20.0]),
    ):  # fmt: skip
        yield name, 201, "MalformedError", with_record(parameters=parameters).to_bytes()
    yield "transforms-unknown", 6, "UnsupportedError", with_record(parameters=[0.5, 0, 8, 20]).to_bytes()
    yield "tables-missing", 203, "MalformedError", Parts(sections=[section(5, MAP)]).to_bytes()
    yield "tables-part", 203, "MalformedError", with_sections(section(4, TABLE[1:]))
    yield "tables-many", 203, "MalformedError", with_sections(section(4, TABLE * 257))
    for name, contexts in (("short", MAP[1:]), ("table", MAP[1:] + b"\x01"), ("tall", MAP * 49)):
        yield f"context-map-{name}", 216, "MalformedError", with_sections(section(5, contexts))
    yield "context-map-missing", 216, "MalformedError", Parts(sections=[section(4, TABLE)]).to_bytes()
    for name, kind, count in (("channel-levels", 3, 4), ("band-levels", 6, 15), ("band-steps", 7, 17)):
        yield f"{name}-length", 204, "MalformedError", with_sections(section(kind, bytes(count)))
    yield (
        "channel-levels-of-basis",
        204,
        "MalformedError",
        with_sections(section(3, bytes(5)), section(8, bytes(10)), section(9, bytes(4))),
    )
    yield (
        "step-infinite",
        221,
        "MalformedError",
        with_sections(section(7, bytes(15) + b"\x60"), parameters=[2.0**120, 0, 0, 20]),
    )
    yield (
        "step-underflows",
        221,
        "MalformedError",
        with_sections(section(7, b"\x80" + bytes(15)), parameters=[2.0**-140, 0, 0, 20]),
    )
    basis = [section(8, b"\x01" * 10), section(9, bytes(4))]
    bases = {
        "basis-no-scales": basis[:1],
        "basis-no-codes": basis[1:],
        "basis-part": [section(8, bytes(9)), basis[1]],
        "basis-wide": [section(8, bytes(30)), section(9, bytes(12))],
        "analysis-alone": [section(10, bytes(20)), section(11, bytes(4))],
        "analysis-shape": [*basis, section(10, bytes(10)), section(11, bytes(2))],
    }
    for name, sections in bases.items():
        yield name, 228, "MalformedError", with_sections(*sections)
    lone = [section(8, bytes(2)), section(9, bytes(4))]
    for name, ranks, rows in (
        ("group-ranks", [2, 0, 0, 0, 0], lone),
        ("group-ranks-few", [1, 0, 0, 0, 0], lone),
        ("groups-uneven", [1, 1], lone),
        ("groups-alone", [1, 1, 0, 0, 0], []),
    ):
        yield name, 561, "MalformedError", with_sections(*rows, section(28, np.array(ranks, "<i4").tobytes()))
    for name, turns, layout in (
        ("short", [1, 5, 0, 0, 0], "c t"),
        ("distance", [0, 5, 0, 0, 0, 0], "c t"),
        ("none", [1, 0, 0, 0, 0, 0], "c t"),
        ("beyond", [2, 5, 0, 0, 7, 0], "c t"),
        ("chained", [1, 5, 7, 0, 0, 0], "c t"),
        ("grid", [1, 5, 0, 0, 0, 0], "c (h w)"),
        ("tokens", [1, *[5, 0] * 10], "c d"),
    ):
        turned = section(29, np.array(turns, "<i4").tobytes())
        yield f"turns-{name}", 564, "MalformedError", with_sections(turned, shape=[5, 4], layout=layout)
    yield "basis-scale", 227, "MalformedError", with_sections(basis[0], section(9, b"\x21\x03\x00\x00"))
    yield (
        "analysis-scale",
        227,
        "MalformedError",
        with_sections(*basis, section(10, bytes(20)), section(11, b"\x00\x00\xdf\xfc")),
    )
    empty = with_record(shape=[5, 0, 2])
    empty.chunks = [chunk(payload=b"\x00abcd", symbols=b"")]
    yield "words-for-nothing", 251, "MalformedError", empty.to_bytes()
    yield "payload-flags", 6, "UnsupportedError", Parts(chunks=[chunk(payload=b"\x04")]).to_bytes()
    codes = encode_lossless(np.full(8, 961, "<i2"), rotate=False)
    scaled = b"\x02" + varint(len(codes)) + codes
    yield "token-scale-code", 356, "MalformedError", Parts(chunks=[chunk(payload=scaled)]).to_bytes()
    yield "table-level", 230, "MalformedError", with_sections(section(4, b"\xff" * 64))
    yield "table-empty", 230, "MalformedError", with_sections(section(4, bytes(64)))
    yield "words-part", 250, "MalformedError", Parts(chunks=[chunk(payload=b"\x00abc")]).to_bytes()
    yield "words-zero", 250, "MalformedError", Parts(chunks=[chunk(payload=bytes(5))]).to_bytes()
    left = b"\x00" + b"\x01\x02\x03\x04" * 40
    yield "words-left", 251, "MalformedError", Parts(chunks=[chunk(payload=left)]).to_bytes()

    def patched(count: int, gaps: list[int]) -> bytes:
        coded = encode_lossless(np.array(gaps, "<u4"), rotate=False)
        values = encode_lossless(np.ones(len(gaps), "<f4"), rotate=True)
        data = varint(count) + varint(len(coded)) + coded + values
        return Parts(chunks=[chunk(payload=b"\x01" + varint(len(data)) + data)]).to_bytes()

    yield "patches-none", 331, "MalformedError", patched(0, [1])
    yield "patch-outside", 332, "MalformedError", patched(2, [7, 40])
    yield "lossless-method", 6, "UnsupportedError", lossless(b"\x09").to_bytes()
    yield "lossless-stored-short", 300, "MalformedError", lossless(b"\x00abc").to_bytes()
    yield "lossless-constant", 301, "MalformedError", lossless(b"\x01ab").to_bytes()
    yield "lossless-deflate", 302, "MalformedError", lossless(b"\x02\x00").to_bytes()
    yield "boolean-two", 303, "MalformedError", lossless(b"\x01\x02", dtype=12).to_bytes()
    yield "planes-cut", 310, "MalformedError", lossless(b"\x03\x00").to_bytes()
    flat = b"\x00\x00"
    yield "planes-left", 311, "MalformedError", lossless(planes(flat + b"\x01\x07" * 6, raw=b"x")).to_bytes()
    yield "planes-raw-short", 312, "MalformedError", lossless(planes(flat + b"\x00" * 6, raw=b"x")).to_bytes()
    yield "intervals-order", 314, "MalformedError", lossless(planes(b"\x00\x02\x05\x04")).to_bytes()
    yield "intervals-zero", 314, "MalformedError", lossless(planes(b"\x00\x01\x00")).to_bytes()
    yield "lattice", 316, "MalformedError", lossless(planes(b"\x02")).to_bytes()
    for name, sizes in (("divide", [1, 3, 1]), ("large", [8, 8, 1]), ("one", [1, 1, 4]), ("zero", [0, 4, 1])):
        grid = b"\x01" + np.array(sizes, "<u4").tobytes()
        yield f"lattice-{name}", 317, "MalformedError", lossless(planes(grid)).to_bytes()
    yield "context-model", 6, "UnsupportedError", lossless(planes(flat + b"\x05")).to_bytes()
    yield "context-table", 322, "MalformedError", lossless(planes(flat + b"\x02" + b"\xff" * 32)).to_bytes()
    for name, requirement, node in integer_nodes():
        yield f"integers-{name}", requirement, refusal(requirement), lossless(b"\x04" + node, dtype=UINT16).to_bytes()


def limit_cases() -> Iterator[tuple[str, int, str, bytes]]:
    """Small files that ask for more than the default limits."""
    one = [0, None, 0, None, None]

    def asking(name: str, shape: list[int], layout: str, count: int = 1, **more: Any) -> tuple[str, int, str, bytes]:
        parts = with_record(shape=shape, layout=layout, **more)
        parts.sections = []
        parts.chunks, parts.end = [chunk(count=count)], varint(count)
        return f"limit-{name}", 370, "LimitError", parts.to_bytes()

    yield asking("axes", [1] * 9, "c")
    yield asking("values", [1 << 14, 1 << 14], "h w", 2)
    yield asking("tokens", [1 << 13, 1 << 12], "h w")
    yield asking("empty-axes", [0, 1 << 29], "c n")
    basis = with_record(shape=[1 << 13, 1 << 15], layout="c n")
    basis.sections = [deflated(8, bytes(1 << 26)), section(9, bytes(1 << 14))]
    basis.chunks, basis.end = [chunk(count=1)], b"\x01"
    yield "limit-sections", 370, "LimitError", basis.to_bytes()
    products = with_record(shape=[1 << 12, 1 << 16], layout="c n")
    products.sections = [deflated(8, bytes(1 << 24)), deflated(9, bytes(1 << 13))]
    products.chunks, products.end = [chunk(count=1)], b"\x01"
    yield "limit-products", 370, "LimitError", products.to_bytes()
    fields: list[Any] = [*one[:4], [1, [], [0, 1, 2]], [record(shape=[1 << 24], layout="c")] * 3]
    yield "limit-channels", 370, "LimitError", Parts(fields=fields, sections=[], chunks=[], end=b"\x00").to_bytes()
    lossless_record = record(shape=[0], layout=None, codec=0, parameters=None)
    many = Parts(fields=[*one[:4], [1, [], list(range(65))], [lossless_record] * 65], sections=[])
    many.chunks, many.end = [varint(0) + varint(65_536) + b"\x01" * 65 + bytes(4) + bytes(65)], varint(65_536)
    yield "limit-arrays", 370, "LimitError", many.to_bytes()
    deep: Any = 0
    for _ in range(17):
        deep = [1, [], [deep]]
    yield "limit-nesting", 370, "LimitError", Parts(fields=[*one[:4], deep, [record()]]).to_bytes()


def deflated(kind: int, data: bytes) -> bytes:
    """The body of a deflated section of tensor 0."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = section(kind, b"")
    return raw[:-1] + b"\x01" + packer.compress(data) + packer.flush()


def bad_profile(out: Path) -> tuple[bytes, str]:
    """A profile that holds samples, and the bytes of a file that relies on it."""
    parts = Parts()
    parts.fields[0] = 4
    name = "with-samples.caufp"
    (out.parent / "profiles" / name).write_bytes(parts.to_bytes())
    relying = Parts(fields=[0, hashlib.sha256(parts.to_bytes()).digest()[:16], 0])
    return relying.to_bytes(), name


def write(out: Path, name: str, requirement: int, error: str, data: bytes, **needed: str) -> None:
    """Write a vector and its JSON, if it is not there, and say so if caufc refuses it for another reason."""
    if (out / f"{name}.cauf").exists():
        return
    found = outcome(data, **{kind: out.parent / "profiles" / file for kind, file in needed.items()})
    if found[0] != error or found[1] not in (None, requirement):
        print(f"{name}: wanted {error} [{requirement}], found {found}")
    (out / f"{name}.cauf").write_bytes(data)
    facts = {"requirement": requirement, "error": error, **needed}
    (out / f"{name}.json").write_text(json.dumps(facts) + "\n")


def outcome(data: bytes, **needed: Path) -> tuple[str, int | None]:
    """The error that caufc's decoder raises."""
    options: dict[str, Any] = {**needed}
    try:
        caufc.decode(data, **options)
    except caufc.CaufError as err:
        return type(err).__name__, getattr(err, "requirement", None)
    return "nothing", None


def note_cases() -> Iterator[tuple[str, int, str, bytes]]:
    """Notes, keyed samples, metadata."""
    for name, leaf, requirement in (
        ("leaf", [3, "text"], 501), ("packing", [3, b"\xc0", 2], 6), ("deflate", [3, b"\xc0", 1], 501),
        ("two-values", [3, b"\xc0\xc0"], 500), ("long-form", [3, b"\xcc\x01"], 500), ("map", [3, b"\x80"], 500),
        ("float-32", [3, b"\xca" + bytes(4)], 500), ("branch", [3, msgpack.packb([0, ["a"], []])], 500),
        ("names", [3, msgpack.packb([0, ["a", "a"], [1, 2]])], 500), ("kind", [3, msgpack.packb([3, [], []])], 500),
        ("long", [3, deflated(0, b"\xdb\x00\x40\x00\x00" + bytes(1 << 22))[4:], 1], 502),
    ):  # fmt: skip
        parts = Parts()
        parts.fields[4] = [0, ["a", "b"], [0, leaf]]
        yield f"note-{name}", requirement, refusal(requirement), parts.to_bytes()
    axes = with_record(dtype=18, codec=0, shape=[1, 1], layout=None, parameters=None)
    axes.sections, axes.chunks = [], [chunk(payload=b"\x01\xc0", symbols=b"\xc0" * 2)]
    yield "note-axes", 503, "MalformedError", axes.to_bytes()
    sample = with_record(dtype=18, codec=0, shape=[1], layout=None, parameters=None)
    sample.sections, sample.chunks = [], [chunk(payload=b"\x01\xc1", symbols=b"\xc1" * 2)]
    yield "note-sample", 500, "MalformedError", sample.to_bytes()
    good = b"\x00\x92\xa1a\xa1b"
    bad = (
        ("twice", 505, b"\x00\x92\xa1a\xa1a"),
        ("boolean", 505, b"\x00\x92\xa1a\xc3"),
        ("packing", 6, b"\x02\x92\xa1a\xa1b"),
        ("deflate", 92, b"\x01\x92\xa1a\xa1b"),
        ("count", 506, b"\x00\x91\xa1a"),
        ("long-form", 506, b"\x00\x92\xcc\x01\x02"),
        ("left", 506, good + b"\x00"),
    )
    for name, requirement, keys in bad:
        yield f"keys-{name}", requirement, refusal(requirement), keyed(keys).to_bytes()
        yield f"index-keys-{name}", requirement, refusal(requirement), keyed(good, keys).to_bytes()
    yield "index-keys-other", 507, "MalformedError", keyed(good, b"\x00\x92\xa1a\xa1c").to_bytes()
    for name, requirement, body in (
        ("metadata-number", 510, b"\x1a\x00\x03\x00" + msgpack.packb([0, ["a"], [1]])),
        ("metadata-list", 510, b"\x1a\x00\x03\x00" + msgpack.packb([1, [], ["a"]])),
        ("metadata-tensor", 94, b"\x1a\x01\x03\x00" + msgpack.packb([0, ["a"], ["b"]])),
    ):
        yield name, requirement, "MalformedError", with_sections(body)


def keyed(keys: bytes, indexed: bytes | None = None) -> Parts:
    """A keyed file of two samples, with the keys of its chunk, and those of its index, if it is to have one."""
    parts = Parts()
    parts.fields[0] = 6
    parts.chunks = [chunk() + keys]
    if indexed is None:
        return parts
    parts.fields[2] = 1
    block = len(framed("C", parts.chunks[0], 0))
    first = len(parts.to_bytes()) - block - len(framed("E", parts.end, 0))
    parts.index = varint(first) + b"\x01" + varint(block) + b"\x02" + indexed
    distance = len(framed("I", parts.index, 0)) + len(framed("E", bytes(9), 0))
    parts.end = b"\x02" + distance.to_bytes(8, "little")
    return parts


def learned_cases(out: Path) -> Iterator[tuple[str, int, str, bytes]]:
    """Of the hyperprior codec, with the weights that tools.make.vectors has made."""
    yield from hyperprior_vectors.invalid(out.parent / "profiles" / "tiny.caufw")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER / "invalid")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    assert_valid = Parts().to_bytes()
    if outcome(assert_valid)[0] != "nothing":
        raise SystemExit(f"the base file is not valid: {outcome(assert_valid)}")
    cases = [*header_cases(), *record_cases(), *stack_cases(), *codec_cases(), *limit_cases(), *note_cases()]
    cases += [*header_clauses(), *record_clauses(), *chunk_clauses(), *codec_clauses(), *note_clauses()]
    cases += [*learned_clauses(), *learned_cases(out), *order_clauses()]
    for name, requirement, error, data in cases:
        write(out, name, requirement, error, data)
    for file in relying_clauses():
        needed = file.write_others(out.parent / "profiles")
        write(out, file.name, file.requirement, "MalformedError", file.data, **needed)
    repeated = sorted(name for name, count in Counter(case[0] for case in cases).items() if count > 1)
    if repeated:
        raise SystemExit(f"names that stand twice: {repeated}")
    data, profile = bad_profile(out)
    write(out, "profile-of-samples", 160, "MalformedError", data, profile=profile)
    write_sums(out.parent)


if __name__ == "__main__":
    main()
