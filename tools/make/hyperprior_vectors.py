"""Vectors of the hyperprior codec, valid and invalid; tools.make.vectors and invalid_vectors write them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc
from caufc.bitstream import Header, block_bytes, chunk_bytes, parse_chunk, section_bytes
from caufc.codec.hyperprior.codec import HyperpriorCodec, Latents
from caufc.codec.hyperprior.weights import (
    DECODER_SECTIONS,
    GAINS,
    HYPER_SYNTHESIS,
    HYPER_SYNTHESIS_SHIFTS,
    INVERSE_GAINS,
    LATENT_TABLES,
    NETWORK,
    SYNTHESIS,
    SYNTHESIS_FLOATS,
    Weights,
)
from caufc.coders.prelude import read_prelude
from caufc.coders.sections import section_of
from caufc.coders.side_files import side_file_bytes
from caufc.limits import DEFAULT_LIMITS
from tools.make.file_parts import refusal
from tools.make.tiny_weights import tiny_arrays

__all__ = ["SEED", "Learned", "farthest_hyper_latent", "invalid", "learned", "without_shortcut"]

SEED = 7


@dataclass(frozen=True)
class Learned:
    """A valid file: its name, what it is, whether it names weights, and how it is made."""

    name: str
    what: str
    features: Any
    named: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def encode(self, weights: Path) -> bytes:
        """The file."""
        return caufc.encode(
            self.features, codec="hyperprior", weights=weights, embed_weights=not self.named, **self.options
        )


def sparse(*shape: int) -> NDArray[np.float32]:
    """Features that are mostly small, with a few far out."""
    random = np.random.default_rng(SEED)
    values = random.gamma(0.5, 2, shape).astype(np.float32)
    values.flat[:: values.size // 3] = 90
    return values


def learned() -> Iterator[Learned]:
    """The valid ones."""
    yield Learned("hyperprior-named", "weights that the file names", sparse(3, 6, 5, 4), True, {"layout": "b c h w"})
    yield Learned(
        "hyperprior-embedded",
        "weights in the file, two chunks, a truncation that clips",
        sparse(2, 23, 37),
        False,
        {"layout": "b n c", "chunk": 1, "quality": 100, "truncate": (0, 8)},
    )
    yield Learned(
        "hyperprior-tiles",
        "a plane of several tiles, values beyond the range kept",
        sparse(1100, 18).astype(np.float16),
        True,
        {"layout": "b c", "truncate": (0, 8), "outliers": "keep"},
    )
    yield Learned(
        "hyperprior-tokens",
        "statistics of tokens, two tensors, one of them integers",
        {"hidden": sparse(2, 19, 33).astype(np.float64), "ids": np.arange(38).reshape(2, 19)},
        True,
        {"layout": {"hidden": "b n c"}, "align": {"hidden": "mean-deviation/token"}, "quality": 100},
    )


def without_shortcut() -> Learned:
    """A file whose weights have no linear transforms."""
    what = "weights without a shortcut, statistics of channels"
    options = {"layout": "b n c", "align": "mean-deviation/channel"}
    return Learned("hyperprior-plain", what, sparse(2, 21, 35), False, options)


@dataclass(frozen=True)
class Pieces:
    """A file in pieces that can be replaced one by one."""

    header: Header
    arrays: Mapping[str, NDArray[Any]]
    chunks: tuple[bytes, ...]
    end: bytes

    @classmethod
    def base(cls, weights: Path) -> Pieces:
        """A valid file with its weights in it."""
        data = Learned("", "", sparse(2, 9, 11), False, {"layout": "b n c"}).encode(weights)
        prelude = read_prelude(iter([data]), DEFAULT_LIMITS)
        chunk = bytes(prelude.first.body)
        end = bytes(prelude.stream.block().body)
        arrays = {name: array for name, array in tiny_arrays(SEED).items() if name in DECODER_SECTIONS}
        return cls(prelude.header, arrays, (chunk,), end)

    def to_bytes(self) -> bytes:
        """The file."""
        head = self.header.to_bytes()
        seed = int.from_bytes(head[-4:], "little")
        blocks = [("S", section_bytes(section_of(0, name, array))) for name, array in self.arrays.items()]
        blocks += [("C", body) for body in self.chunks] + [("E", self.end)]
        return head + b"".join(block_bytes(tag, body, seed) for tag, body in blocks)

    def with_parameters(self, *parameters: int | float) -> Pieces:
        """With other parameters of the codec."""
        (record,) = self.header.tensors or ()
        return replace(self, header=replace(self.header, tensors=(replace(record, parameters=parameters or None),)))

    def with_array(self, name: str, array: Any) -> Pieces:
        """With another section; None leaves it out."""
        rest = {kept: other for kept, other in self.arrays.items() if kept != name}
        return replace(self, arrays=rest if array is None else {**rest, name: np.asarray(array)})

    def changed(self, name: str, position: int, value: int) -> Pieces:
        """With one element of a section changed."""
        array = self.arrays[name].copy()
        array[position] = value
        return self.with_array(name, array)

    def with_words(self, words: bytes) -> Pieces:
        """With other words in the payload."""
        chunk = parse_chunk(memoryview(self.chunks[0]), [(9, 11)], 0, DEFAULT_LIMITS)
        body = chunk_bytes(replace(chunk, payloads=(b"\0" + words,)), [(9, 11)])
        return replace(self, chunks=(body,))


def invalid(weights: Path) -> Iterator[tuple[str, int, str, bytes]]:
    """Name, requirement, error and bytes of the invalid ones."""
    base = Pieces.base(weights)
    caufc.decode(base.to_bytes())
    not_finite = int(np.float32(np.inf).view("<i4"))
    below_zero = int(np.float32(-1).view("<i4"))
    bias_of_norm = len(base.arrays[SYNTHESIS_FLOATS]) // 2 + 3
    malformed = {
        "hyperprior-no-rate": (400, base.with_parameters()),
        "hyperprior-float-rate": (400, base.with_parameters(1.0)),
        "hyperprior-rate-too-high": (400, base.with_parameters(2)),
        "hyperprior-no-weights": (401, base.with_array(NETWORK, None)),
        "hyperprior-no-width": (402, base.changed(NETWORK, 0, 0)),
        "hyperprior-network-flags": (6, base.changed(NETWORK, 3, 2)),
        "hyperprior-no-synthesis": (403, base.with_array(SYNTHESIS, None)),
        "hyperprior-short-kernels": (403, base.with_array(HYPER_SYNTHESIS, base.arrays[HYPER_SYNTHESIS][:-1])),
        "hyperprior-part-of-encoder": (403, base.with_array(GAINS, base.arrays[INVERSE_GAINS])),
        "hyperprior-infinite-gain": (404, base.changed(INVERSE_GAINS, 1, not_finite)),
        "hyperprior-negative-norm": (405, base.changed(SYNTHESIS_FLOATS, bias_of_norm, below_zero)),
        "hyperprior-no-shift": (406, base.changed(HYPER_SYNTHESIS_SHIFTS, 2, 0)),
        "hyperprior-table-level": (230, base.changed(LATENT_TABLES, 70, 194)),
        "hyperprior-far-hyper-latent": (413, base.with_words(_far_words(70_000))),
        "hyperprior-hyper-latent-65535": (413, base.with_parameters(1).with_words(_far_words(65_535))),
        "hyperprior-words-left": (251, base.with_words(bytes([1, 2, 3, 4] * 900))),
    }
    for name, (requirement, pieces) in malformed.items():
        yield name, requirement, refusal(requirement), pieces.to_bytes()
    short = replace(base, header=replace(base.header, weights=b"1234567"))
    yield "hyperprior-short-hash", 53, "MalformedError", short.to_bytes()
    unknown = replace(base, header=replace(base.header, weights=b"0123456789abcdef"))
    yield "hyperprior-unknown-weights", 167, "MissingWeightsError", unknown.to_bytes()
    yield "weights-alone", 164, "MalformedError", weights.read_bytes()
    yield "weights-with-tensors", 54, "MalformedError", side_file_bytes(replace(base.header, content="weights"), ())


def farthest_hyper_latent(weights: Path) -> bytes:
    """A file whose first hyper-latent is the largest that there may be."""
    base = Pieces.base(weights).with_parameters(1)
    chunk = parse_chunk(memoryview(base.chunks[0]), [(9, 11)], 0, DEFAULT_LIMITS)
    words, symbols = _far_words(65_534), _far_symbols(65_534)
    covered = symbols.hyper.astype("<i4").tobytes() + symbols.latents.astype("<i4").tobytes()
    body = chunk_bytes(replace(chunk, payloads=(b"\0" + words,), symbols_checksum=zlib.crc32(covered)), [(9, 11)])
    return replace(base, chunks=(body,)).to_bytes()


def _far_symbols(first: int) -> Latents:
    """Zeros, but for the first hyper-latent."""
    codec = HyperpriorCodec(Weights.from_arrays(tiny_arrays(SEED)), 1)
    symbols = np.zeros(len(codec.hyper_tables(18, 11)), np.int32)
    symbols[0] = first
    return Latents(symbols, np.zeros(len(codec.scale_indexes(symbols * 0, 18, 11)), np.int32))


def _far_words(first: int) -> bytes:
    """Words of these symbols."""
    return HyperpriorCodec(Weights.from_arrays(tiny_arrays(SEED)), 1).encode(_far_symbols(first), 18, 11)
