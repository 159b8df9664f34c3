"""Integers and booleans to bytes and back: one node, whose tree says how it is made (spec, section 11.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....bitstream import Cursor
from ....errors import MalformedError
from . import affine, matches, plain, runs, split, symbols
from .choose import Place, shortest
from .coded import coded
from .nodes import Integers, Kind, NodeDecoder, NodeReader

__all__ = ["decode_integers", "encode_integers"]

DECODERS: Mapping[int, NodeDecoder] = {
    Kind.RAW: plain.decode_raw,
    Kind.CONSTANT: plain.decode_constant,
    Kind.DEFLATED: plain.decode_deflated,
    Kind.NARROW: affine.decode_narrow,
    Kind.DELTA: affine.decode_delta,
    Kind.RUNS: runs.decode_runs,
    Kind.BITS: plain.decode_bits,
    Kind.PALETTE: runs.decode_palette,
    Kind.SYMBOLS: symbols.decode_symbols,
    Kind.BUCKETS: symbols.decode_buckets,
    Kind.SPLIT: split.decode_split,
    Kind.MATCHES: matches.decode_matches,
    Kind.BYTES: plain.decode_as_bytes,
}


def encode_integers(values: Integers, strides: Sequence[int] = (), *, briefly: bool = False) -> bytes:
    """Code ``values`` ``[n]``, unsigned and at least one, the shortest way that is found.

    Args:
        values: the elements; negative ones in two's complement.
        strides: elements between neighbours along the axes of the tensor, where it has more than one.
        briefly: whether they are coded one by one, without a search for what they have in common.
    """
    return coded(values) if briefly else shortest(values, Place(strides, values.itemsize))


def decode_integers(data: memoryview, count: int, width: int) -> Integers:
    """Decode ``count`` integers, at least one, of ``width`` bytes.

    Raises:
        MalformedError: if the data breaks the specification.
    """
    cursor = Cursor(data)
    found = NodeReader(DECODERS, cursor, count).read(count, width)
    if cursor.left:
        raise MalformedError(f"{cursor.left} bytes behind the last node", requirement=535)
    return found
