"""A tensor of the file in the reference decoder, and what decoding costs: section 12 of cauf-1.0.md."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .container import (
    GLOBAL,
    MAX_CHUNK_PRODUCTS,
    MAX_CHUNK_VALUES,
    MAX_FILE_PRODUCTS,
    MAX_FILE_VALUES,
    MAX_GRIDS,
    MAX_LATENTS,
    MAX_OUT,
    MAX_TOKENS,
    Array,
    limit,
)
from .hyperprior import Model, cost
from .transform import Codec


@dataclass
class Tensor:
    """A tensor of the file; `samples` are its arrays, bf16 as u16 bits, bool as u8.

    Unless `exact`, decoders may differ; `sums` then has what the tolerance of [CAUF-0222] depends on.
    """

    name: str
    dtype: str
    storage: str  # numpy's type
    framework: str
    shape: list[int | None]
    layout: str | None
    codec: int
    samples: list[Array] = field(default_factory=list)
    sums: list[Array] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)  # what samples of dtype note stand for
    values: int = 0  # in all samples
    products: int = 0  # by basis or layers, in all samples
    channels: int = 0  # of the codec's matrix
    letters: list[int] = field(default_factory=list)  # of the grid, that an axis joins
    specials: int = 0
    scope: int = GLOBAL
    offset: Any = 0.0  # of the tensor, or of channels
    scale: Any = 1.0
    ends: tuple[float, float] | None = None  # of the truncation
    turns: Array | None = None  # the distance, then one per channel
    transform: Codec | None = None
    model: Model | None = None

    @property
    def exact(self) -> bool:
        return self.model is None and self.turns is None and (self.transform is None or self.transform.exact)


def check_work(tensors: list[Tensor], shapes: list[list[list[int]]]) -> None:
    """What decoding a chunk costs, and the file so far: [CAUF-0370]."""
    work = sum(math.prod(max(n, 1) for n in shape) for of_tensor in shapes for shape in of_tensor)
    limit(work, MAX_CHUNK_VALUES, "values a chunk, an empty axis counted as 1")
    tokens = grids = products = latents = 0
    for t, of_tensor in zip(tensors, shapes, strict=True):
        t.values += sum(math.prod(shape) for shape in of_tensor)
        if t.codec == 0:
            continue
        by_sample = [[n for n, count in zip(shape, t.letters, strict=True) if count] for shape in of_tensor]
        added = sum(math.prod(sizes) for sizes in by_sample)
        tokens += added
        if t.model is not None:
            added, found = cost(t.model, added, t.channels)
            grids, latents = grids + 1, latents + found
        elif t.transform is not None:
            grids += len({tuple(sizes) for sizes in by_sample})
            added *= t.transform.products
        products, t.products = products + added, t.products + added
    limit(tokens, MAX_TOKENS, "tokens a chunk")
    limit(grids, MAX_GRIDS, "different grids a chunk")
    limit(products, MAX_CHUNK_PRODUCTS, "products a chunk")
    limit(latents, MAX_LATENTS, "latents and hyper-latents a chunk")
    limit(sum(t.products for t in tensors), MAX_FILE_PRODUCTS, "products a file")
    limit(sum(t.values for t in tensors), MAX_FILE_VALUES, "values a file")
    limit(sum(t.values * np.dtype(t.storage).itemsize for t in tensors), MAX_OUT, "bytes out")
