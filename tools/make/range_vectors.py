"""Valid files by hand at the ends of integers and texts, and where one rule comes before another."""

from __future__ import annotations

from collections.abc import Iterator

import msgpack
import numpy as np

from tools.make.file_parts import Parts, chunk, lossless, planes, record, section
from tools.make.invalid_codecs import coded
from tools.make.invalid_learned import learned_file
from tools.make.plain_weights import plain_arrays

__all__ = ["range_files"]

NAMES = [7, "7", -(1 << 63), (1 << 64) - 1, "\0", "\ufeff", "\u00e9", "e\u0301", "\U0010ffff", "a\0", "a"]
"""Distinct, however alike: numbers and digits, an accent in one code point and in two, what ends a text elsewhere."""


def range_files() -> Iterator[tuple[str, str, Parts]]:
    """Name, what it is, and file."""
    fields = Parts().fields
    notes = [[3, msgpack.packb(name)] for name in NAMES]
    tree = [0, [*NAMES, "\ufeffx"], [*notes, 0]]
    yield "names-alike", "names that are distinct by type or code points", Parts(fields=[*fields[:4], tree, fields[5]])
    keys = [b"\x00" + msgpack.packb(pair) for pair in zip(NAMES[::2], NAMES[1::2], strict=False)]
    bodies = [chunk(first=2 * number) + packed for number, packed in enumerate(keys)]
    keyed = Parts(fields=[6, *fields[1:]], chunks=bodies, end=bytes([2 * len(keys)]))
    yield "keys-alike", "keys that are distinct by type or code points", keyed
    floats = msgpack.packb([1, [], [float("inf"), float("-inf"), -0.0, 5e-324]])
    beside = Parts(fields=[*fields[:4], [1, [], [0, [3, floats]]], fields[5]])
    yield "note-floats", "infinities and the least float in a note", beside
    few = lossless(b"\x01\x07", dtype=8)
    few.fields[5] = [record(dtype=8, shape=[2, 5], layout="(3 + h) c", codec=0, parameters=None)]
    few.chunks = [chunk(payload=b"\x01\x07", symbols=b"\x07" * 20)]
    yield "specials-of-lossless", "fewer tokens than special tokens, which lossless tensors may have", few
    none = lossless(b"", dtype=8)
    none.fields[5] = [record(dtype=8, shape=[0], layout=None, codec=0, parameters=None)]
    none.chunks = [chunk(payload=planes(b"\x00\x00\x00"), symbols=b"")]
    yield "planes-of-none", "planes without elements", none
    yield from truncated()


def truncated() -> Iterator[tuple[str, str, Parts]]:
    """Values of 0 of the learned codec, bounded [CAUF-0422]."""
    aligned = learned_file(plain_arrays(), alignment=[1, 0, 5.0, 2.0, 1.0, 3.0])
    yield "hyperprior-truncated-offset", "the ends of a truncation bound what offset and scale make", aligned
    turned = learned_file(plain_arrays(), shape=[4, 5], layout="n c", alignment=[1, 0, 0.0, 1.0, 1.0, 2.0])
    turned.sections.append(section(29, np.array([1, 1 << 29, 0, 0, 1 << 30, 0], "<i4").tobytes()))
    scales = np.array([0, 8, 16, -8, 24, 0, 0, 0], "<i2")
    payload = b"\x02" + coded(scales, "<i2")
    turned.chunks = [chunk(payload=payload, symbols=scales.tobytes() + bytes(8))]
    yield "hyperprior-truncated-turned", "the ends of a truncation, then scales of tokens, then turns", turned
