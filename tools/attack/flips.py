"""Every truncation and every flipped bit of golden files: each must be refused, however the file is read.

    python -m tools.attack.flips [--count N] [--stride 1] [--record]

Cases are numbered through the files: of every byte, its eight bits and the cut before it. ``--fault`` breaks the
decoder on purpose, to see that this is found.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import caufc
from caufc.bitstream import Block, BlockParser
from tools.attack.fuzzing import Case, WrongOutcomeError, main, outcome_of

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0"

GOLDEN = {
    "ancillary": "blocks of unknown kinds, a section twice, a later minor version",
    "tokens-ragged": "a list, chunks and an index, statistics per channel, contexts of a lattice",
    "nonfinite": "patches",
    "per-token-bf16": "statistics per token, bfloat16",
    "spectral-own-tables": "frequencies, extents, own tables and context map",
    "spectral-2d-blocks": "several blocks",
    "basis-analysis": "a basis and its analysis, band steps and levels",
    "profile-analysis": "a file that relies on a profile",
    "key-value": "several tensors by name, groups",
    "integers": "all integer dtypes and booleans, without loss",
    "lossless-fp32": "byte planes of floats on grids",
    "outliers": "extra bits",
    "nested": "nested structure",
    "hyperprior-tokens": "the learned codec, with weights that the file names",
    "tiny": "the file that the specification explains",
}
"""Vectors that use every tool of the bitstream."""

PLACES = 9


@functools.cache
def files() -> list[tuple[str, bytes, dict[str, Any]]]:
    """Name and bytes of the golden files, and what they need."""
    return [(name, (VECTORS / "valid" / f"{name}.cauf").read_bytes(), _needed(name)) for name in GOLDEN]


def _needed(name: str) -> dict[str, Any]:
    """Options of readers."""
    if name.startswith("profile"):
        return {"profile": VECTORS / "profiles" / "analysis.caufp"}
    return {"weights": VECTORS / "profiles" / "tiny.caufw"} if name.startswith("hyperprior") else {}


def random_access(data: bytes, **needed: Any) -> None:
    with caufc.open(data, **needed) as reader:
        for number in range(len(reader)):
            reader[number]


READERS: tuple[Callable[..., Any], ...] = (
    caufc.decode,
    caufc.verify,
    functools.partial(caufc.verify, deep=True),
    random_access,
)


def break_decoder(fault: str) -> None:
    """Let blocks pass unchecked, raise what is not a CaufError, or kill the process."""
    if fault == "unchecked":
        BlockParser.cut = _unchecked  # type: ignore[method-assign]
    elif fault == "foreign":
        BlockParser.cut = _foreign  # type: ignore[method-assign]
    elif fault == "abort":
        BlockParser.cut = lambda self: os.abort()  # type: ignore[method-assign]


def _foreign(self: BlockParser) -> Block | None:
    raise KeyError(self.offset)


def _unchecked(self: BlockParser) -> Block | None:
    length = self.length()
    if length is None or len(self.buffer) < length:
        return None
    head = next(at for at in range(1, 10) if self.buffer[at] < 128) + 1
    block = Block(chr(self.buffer[0]), memoryview(bytes(self.buffer[head : length - 4])), self.offset, length)
    del self.buffer[:length]
    self.offset += length
    return block


def check(number: int) -> str:
    """Read a damaged file in every way; what decoding says."""
    ends = list(accumulate(PLACES * len(data) for _, data, _ in files()))
    at = bisect_right(ends, number)
    name, data, needed = files()[at]
    place, way = divmod(number - (ends[at - 1] if at else 0), PLACES)
    rest = b"" if way == PLACES - 1 else bytes([data[place] ^ 1 << way]) + data[place + 1 :]
    damaged = data[:place] + rest
    outcomes = []
    for read in READERS:
        try:
            read(damaged, **needed)
        except (caufc.FormatError, caufc.UnsupportedError) as err:
            outcomes.append(outcome_of(err))
        else:
            raise WrongOutcomeError(f"{name}: byte {place}, way {way} accepted")
    return outcomes[0]


def make(options: argparse.Namespace) -> tuple[Case, int]:
    break_decoder(options.fault)
    there_are = sum(PLACES * len(data) for _, data, _ in files())
    return lambda number: check(number * options.stride % there_are), there_are


if __name__ == "__main__":
    sys.exit(main("tools.attack.flips", __doc__ or "", make, ("--stride", 1), ("--fault", "none")))
