"""Nodes of integers that decoders refuse; tools.make.invalid_vectors writes the files."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["integer_nodes"]


def integer_nodes() -> Iterator[tuple[str, int, bytes]]:
    """Nodes of 40 elements of 2 bytes, each malformed in a way of its own."""
    zeros, narrow, short = b"\x01\x00\x00", b"\x03\x02\x00", b"\x01\x00\x00\x00\x00"
    one, two = b"\x01\x01\x00\x00\x00", b"\x01\x02\x00\x00\x00"
    yield "kind", 6, b"\x0d"
    yield "deep", 521, narrow * 32 + zeros
    yield "deflated-short", 523, b"\x02\x02\x03\x00"
    yield "deflated-damaged", 523, b"\x02\x01\xff"
    yield "narrow-width", 524, b"\x03\x03\x00" + zeros
    yield "narrow-wider", 524, b"\x03\x04\x00" + short
    yield "narrow-step", 524, b"\x03\x11\x00\x01\x01\x00"
    yield "delta-mode", 525, b"\x04\x03\x01\x00" + zeros
    yield "delta-stride", 525, b"\x04\x00\x28\x00" + zeros
    yield "delta-start", 525, b"\x04\x00\x01\x80\x80\x04" + zeros
    yield "bits-spare", 526, b"\x05\x03\x06\x00\xff"
    yield "runs-none", 527, b"\x05\x00"
    yield "runs-many", 527, b"\x05\x15" + short + zeros
    yield "runs-short", 527, b"\x05\x02" + two + zeros
    yield "palette-none", 528, b"\x07\x00"
    yield "palette-many", 528, b"\x07\x29" + zeros + b"\x01\x00"
    yield "palette-index", 528, b"\x07\x02" + zeros + b"\x01\x02"
    yield "symbols-one", 529, b"\x08\x01\x01\x01\x00"
    yield "symbols-many", 529, b"\x08\x81\x02\x01\x01\x00"
    yield "symbols-level", 230, b"\x08\x02\x01\xc2\x00"
    yield "symbols-words", 251, b"\x08\x02\x01\x01\x0c" + b"\x01" * 12
    yield "buckets-mantissa", 530, b"\x09\x03\x01\x00\x00"
    yield "buckets-large", 530, b"\x09\x00\x01\x11\x00"
    yield "extra-short", 531, b"\x09\x00\x01\x02\x04" + bytes(4)
    yield "extra-spare", 531, b"\x09\x00\x00" + b"\x02" * 3 + bytes(37) + b"\x01\x08"
    yield "split-none", 532, b"\x0a\x00\x01\x01\x00" + zeros
    yield "split-large", 532, b"\x0a\x29\x01\x01\x00" + zeros
    yield "split-group", 532, b"\x0a\x01\x02\x01\x01" + zeros
    yield "matches-none", 533, b"\x0b\x00"
    yield "matches-many", 533, b"\x0b\x15" + short * 3
    yield "matches-long", 533, b"\x0b\x02" + two + b"\x01\x20\x00\x00\x00" + one
    yield "matches-first", 534, b"\x0b\x02" + one + short + short + zeros
    yield "matches-far", 534, b"\x0b\x01" + one + short + two + zeros
    yield "left", 535, zeros + b"\x00"
