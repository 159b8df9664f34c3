"""Networks, rates and payloads of the learned codec that decoders refuse, a file for each clause of section 14."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.bitstream import varint
from tools.make.file_parts import Case, Parts, chunk, malformed, unsupported, with_record
from tools.make.plain_weights import ENCODER, plain_arrays, plain_sections

__all__ = ["learned_clauses", "learned_file"]


def learned_clauses() -> Iterator[Case]:
    """All of them."""
    yield from rates()
    yield from networks()
    yield from numbers()
    yield from limits()
    no_use = [*Parts().fields, None, bytes(16)]
    yield "weights-without-use", 167, "MissingWeightsError", Parts(fields=no_use).to_bytes()


def learned_file(arrays: Mapping[int, NDArray[Any]], **changes: Any) -> Parts:
    """A file of two samples of 20 values, without words."""
    latents, width = (int(arrays[12][1]), int(arrays[12][0])) if 12 in arrays and len(arrays[12]) > 1 else (1, 1)
    parts = with_record(**{"codec": 2, "parameters": [0], **changes})
    parts.sections = plain_sections(arrays)
    parts.chunks = [chunk(symbols=bytes(4 * (latents + width)))]
    return parts


def rates() -> Iterator[Case]:
    """0400."""
    arrays = plain_arrays(rates=2)
    for name, parameters in (
        ("negative", [-1]),
        ("two", [2]),
        ("three-numbers", [0, 0, 0]),
        ("float", [0.0]),
        ("empty", []),
        ("large", [1 << 40]),
    ):
        yield malformed(f"hyperprior-rate-{name}", 400, learned_file(arrays, parameters=parameters))


def networks() -> Iterator[Case]:
    """0401 to 0403, 0006."""
    right = plain_arrays()
    for name, numbers in (("three", [1, 1, 1]), ("five", [1, 1, 1, 0, 0])):
        yield malformed(f"hyperprior-network-of-{name}", 401, learned_file({**right, 12: np.array(numbers)}))
    for name, position, values in (("n", 0, (0, 513, 65535)), ("m", 1, (0, 513)), ("r", 2, (0, 65))):
        for value in values:
            network = right[12].copy()
            network[position] = value
            parts = learned_file(right)
            parts.sections[0] = plain_sections({12: network})[0]
            yield malformed(f"hyperprior-{name}-{value}", 402, parts)
    for flags in (2, 3, 32768):
        network = np.array([1, 1, 1, flags])
        yield unsupported(f"hyperprior-network-flags-{flags}", 6, learned_file({**right, 12: network}))
    for kind in range(14, 22):
        rest = {other: array for other, array in right.items() if other != kind}
        yield malformed(f"hyperprior-no-{kind}", 403, learned_file(rest))
        for name, array in (("short", right[kind][:-1]), ("long", np.append(right[kind], right[kind][:1]))):
            if len(array):
                yield malformed(f"hyperprior-{kind}-{name}", 403, learned_file({**right, kind: array}))
    whole = plain_arrays(encoder=True)
    for kind in ENCODER:
        yield malformed(
            f"hyperprior-encoder-no-{kind}", 403, learned_file({k: a for k, a in whole.items() if k != kind})
        )
        yield malformed(
            f"hyperprior-encoder-{kind}-long", 403, learned_file({**whole, kind: np.append(whole[kind], 0)})
        )
    two = learned_file(right)
    two.fields[4], two.fields[5] = [1, [], [0, 1]], two.fields[5] * 2
    two.sections = [body[:1] + b"\x01" + body[2:] for body in two.sections]
    yield malformed("hyperprior-weights-of-tensor-1", 401, two)


def numbers() -> Iterator[Case]:
    """0404 to 0406, 0230."""
    right = plain_arrays(rates=2)

    def changed(kind: int, position: int, value: float, base: Mapping[int, NDArray[Any]] = right) -> Parts:
        array = base[kind].copy()
        array[position] = value
        return learned_file({**base, kind: array})

    yield malformed("hyperprior-nan-gain", 404, changed(14, 0, np.nan))
    yield malformed("hyperprior-infinite-gain-of-other-rate", 404, changed(14, 1, -np.inf))
    yield malformed("hyperprior-nan-scale", 404, changed(21, 0, np.nan))
    yield malformed("hyperprior-infinite-bias", 404, changed(21, -1, np.inf))
    whole = plain_arrays(encoder=True)
    for kind in (13, 23, 25):
        yield malformed(f"hyperprior-infinite-{kind}", 404, changed(kind, 0, np.inf, whole))
    yield malformed("hyperprior-latent-table-194", 230, changed(15, 64 * 63, 194))
    yield malformed("hyperprior-hyper-table-194", 230, changed(16, 64 + 5, 194))
    empty = right[16].copy()
    empty[64:] = 0
    yield malformed("hyperprior-hyper-table-empty", 230, learned_file({**right, 16: empty}))
    for norm, (bias, kernel) in enumerate(((1, 25), (3, 51), (5, 77))):
        yield malformed(f"hyperprior-norm-{norm}-bias", 405, changed(21, 7 + bias, -1.0))
        codes = right[20].copy()
        codes[kernel] = 1
        floats = right[21].copy()
        floats[bias] = -1
        yield malformed(f"hyperprior-norm-{norm}-kernel", 405, learned_file({**right, 20: codes, 21: floats}))
    for shift in (0, 49, 255):
        for layer in range(3):
            yield malformed(f"hyperprior-shift-{shift}-{layer}", 406, changed(19, layer, shift))


def limits() -> Iterator[Case]:
    """0370, of what networks cost."""
    for name, shape, n, m in (
        ("tokens", [1 << 13, 1 << 12, 1], 1, 1), ("latents", [1 << 10, 1 << 10, 1 << 8], 1, 80),
        ("layers", [1 << 10, 1 << 10, 1 << 4], 96, 1), ("values-of-latents", [1 << 10, 1 << 10, 257], 1, 1),
    ):  # fmt: skip
        parts = learned_file(plain_arrays(n, m), shape=shape, layout="h w c")
        parts.chunks, parts.end = [chunk(count=1)], varint(1)
        yield f"limit-hyperprior-{name}", 370, "LimitError", parts.to_bytes()
