"""Files whose structures are mutated and whose checksums, lengths, index and end are made right again.

    python -m tools.attack.structure [--count 1000000] [--seed 0] [--second 100] [--record]

A case takes a vector, or a file of a kind that vectors lack, apart into header fields, sections, chunks and their
payloads, changes a few of these, and puts it together again, so that nothing but the decoder's own checks stands
between the change and the codec. In three cases of four the checksum of the symbols is ignored, and the file is read in
one way; in the others it is recomputed, and all ways of reading must agree. Every ``--second``th file is given to the
reference decoder too, which must agree.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import random
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import caufc
from caufc.bitstream import Chunk
from caufc.catalog import lookup_of
from caufc.coders.side_files import ProfileFile, WeightsFile, read_profile, read_weights
from caufc.decoder.collector import Collector
from caufc.decoder.file_decoder import ChunkDecoder, FileDecoder
from caufc.decoder.random_access import FileReader
from caufc.limits import Limits
from spec.reference import decoder as reference
from spec.reference.container import CaufError as Refusal
from tools.attack.container_mutations import mutate
from tools.attack.container_parts import Parts, take_apart
from tools.attack.fuzzing import Case, WrongOutcomeError, main, outcome_of

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0"
LARGEST = 1500
"""Bytes of a vector that is used: large ones only make cases slow."""

LIMITS = Limits(
    chunk_elements=1 << 16,
    chunk_tokens=1 << 14,
    chunk_products=1 << 22,
    chunk_latents=1 << 14,
    chunk_arrays=1 << 12,
    chunk_grids=1 << 8,
    file_elements=1 << 18,
    file_products=1 << 24,
    output_bytes=1 << 22,
    section_bytes=1 << 20,
    channels=1 << 16,
    list_samples=1 << 12,
)


@functools.cache
def bases() -> list[tuple[str, Parts]]:
    """Files to start from, by name."""
    rng = np.random.default_rng(7)
    tokens = rng.laplace(size=(12, 10)).astype("f4")
    made = {
        "indexed": caufc.encode(np.maximum(rng.standard_normal((3, 4, 3, 3)), 0).astype("f2"), index=True, chunk=1),
        "single": caufc.encode({"x": tokens, "ids": rng.geometric(0.3, 50)}, lossless=True),
        "bounded": caufc.encode(tokens * 1e4, max_error=1e-3),
        "skewed": caufc.encode(np.rint(rng.laplace(size=700) * 3).astype("f4"), lossless=True),
    }
    paths = sorted((VECTORS / "valid").glob("*.cauf"))
    made |= {path.stem: path.read_bytes() for path in paths if path.stat().st_size <= LARGEST}
    return [(name, take_apart(data)) for name, data in made.items()]


@functools.cache
def profiles() -> dict[bytes, bytes]:
    """Profiles and weights that files may name, by content hash."""
    found = [path.read_bytes() for path in sorted((VECTORS / "profiles").glob("*.cauf[pw]"))]
    return {hashlib.sha256(data).digest()[:16]: data for data in found}


class VectorLookup:
    """Finds what vectors need, and what ships with caufc."""

    def __init__(self) -> None:
        self.shipped = lookup_of(limits=LIMITS)

    def __call__(self, digest: bytes) -> ProfileFile:
        data = profiles().get(digest)
        return self.shipped(digest) if data is None else read_profile(data, LIMITS)

    def weights(self, digest: bytes) -> WeightsFile:
        data = profiles().get(digest)
        return self.shipped.weights(digest) if data is None else read_weights(data, LIMITS)


lookup = VectorLookup()


@contextmanager
def trusting() -> Iterator[None]:
    """Symbols without their checksum, so that mutated payloads get all the way to the samples."""

    def symbols(self: ChunkDecoder, chunk: Chunk, threads: int = 1) -> list[Any]:  # noqa: ARG001
        return [
            coder.decode_symbols(memoryview(stack.payload(chunk.payloads)), stack.shapes(chunk.shapes))
            for stack, coder in zip(self.stacks, self.coders, strict=True)
        ]

    checking = ChunkDecoder.symbols
    ChunkDecoder.symbols = symbols  # type: ignore[method-assign]
    try:
        yield
    finally:
        ChunkDecoder.symbols = checking  # type: ignore[method-assign]


def with_right_symbols(parts: Parts) -> Parts:
    """The checksum of the symbols made right in every chunk whose symbols decode."""
    try:
        decoder = FileDecoder.of(iter([parts.to_bytes()]), lookup, LIMITS)
        sums = []
        with trusting():
            for chunk in decoder.chunks():
                computed = 0
                for symbols in decoder.chunks_decoder.symbols(chunk):
                    for part in symbols.covered:
                        computed = zlib.crc32(part, computed)
                sums.append(computed)
    except caufc.CaufError:
        return parts
    return parts.with_symbol_sums(sums)


def read_all(data: bytes) -> tuple[int, int]:
    """Samples and values that decoding gives; all its arrays are as their tensors say."""
    decoder = FileDecoder.of(iter([data]), lookup, LIMITS)
    collector = Collector(decoder.configs, decoder.structure)
    for chunk in decoder.samples():
        collector.add(chunk)
    found = collector.arrays()
    for config, arrays in zip(decoder.configs, found, strict=True):
        for array in arrays if isinstance(arrays, list) else [arrays]:
            stacked = decoder.structure.kind == "batch" and not config.noted
            template = (None, *config.template) if stacked else config.template
            if array.ndim != len(template) or any(
                n not in (None, m) for n, m in zip(template, array.shape, strict=True)
            ):
                raise WrongOutcomeError(f"shape {array.shape} for {template}")
    features = [arrays for config, arrays in zip(decoder.configs, found, strict=True) if not config.noted]
    values = sum(array.size for arrays in features for array in (arrays if isinstance(arrays, list) else [arrays]))
    if values != decoder.numel:
        raise WrongOutcomeError(f"{values} values, {decoder.numel} announced")
    return decoder.count, values


def read_samples(data: bytes) -> tuple[int, int]:
    """The same by random access."""
    reader = FileReader(lambda offset, length: data[offset : offset + length], len(data), lookup, LIMITS)
    samples = [reader.sample(number) for number in range(min(len(reader), 1 << 12))]
    features = [number for number, config in enumerate(reader.chunks.configs) if not config.noted]
    return len(reader), sum(sample[number].size for sample in samples for number in features)


def read_symbols(data: bytes) -> tuple[int, int]:
    decoder = FileDecoder.of(iter([data]), lookup, LIMITS)
    decoder.symbols_sha256()
    return decoder.count, decoder.numel


Reader = Callable[[bytes], tuple[int, int]]


def outcomes(data: bytes, readers: Sequence[Reader]) -> list[tuple[str, tuple[int, int] | None]]:
    found: list[tuple[str, tuple[int, int] | None]] = []
    for read in readers:
        try:
            found.append(("decoded", read(data)))
        except caufc.CaufError as err:
            found.append((outcome_of(err), None))
    return found


def compare(data: bytes, accepted: bool) -> None:
    """The reference decoder accepts what is accepted, and nothing else, limits apart."""
    try:
        reference.decode(data, profiles())
        other = True
    except Refusal:
        other = False
    if other != accepted:
        raise WrongOutcomeError(f"accepted: {accepted}, by the reference decoder: {other}")


def check(number: int, seed: int, second: int) -> str:
    """Mutate a file and read it."""
    warnings.simplefilter("ignore")
    draw = random.Random(f"{seed}/{number}")
    files = bases()
    parts = files[number % len(files)][1]
    parts = mutate(parts, draw, [other for _, other in files])
    blind = number % 4 != 0
    if blind:
        readers: tuple[Reader, ...] = ((read_all,), (read_symbols,), (read_samples,))[number % 3]
        with trusting():
            found = outcomes(parts.to_bytes(), readers)
    else:
        parts = with_right_symbols(parts)
        found = outcomes(parts.to_bytes(), (read_all, read_symbols, read_samples))
    outcome, decoded = found[0]
    if blind:
        return outcome
    (_, symbols), (_, samples) = found[1:]
    if outcome == "MissingPackageError":  # values of the learned codec need torch, symbols do not
        return outcome
    if (decoded is None) != (symbols is None):
        raise WrongOutcomeError(f"decode: {outcome}, verify: {found[1][0]}")
    if decoded is not None and (decoded != symbols or decoded != samples):
        raise WrongOutcomeError(f"decode {decoded}, verify {symbols}, random access {samples or found[2][0]}")
    if number % second == 0 and not outcome.startswith("LimitError"):
        compare(parts.to_bytes(), decoded is not None)
    return outcome


def make(options: argparse.Namespace) -> tuple[Case, int]:
    return lambda number: check(number, options.seed, options.second), 1_000_000


if __name__ == "__main__":
    sys.exit(main("tools.attack.structure", __doc__ or "", make, ("--seed", 0), ("--second", 100)))
