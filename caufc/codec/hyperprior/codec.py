"""The learned codec behind the codec interface: planes of aligned tokens to symbols, bytes, and back."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError
from ..buckets import LIMIT, unzigzag, zigzag
from ..entropy import RansDecoder, RansEncoder
from .integer_network import LARGEST_HYPER_LATENT
from .latent_coder import TableCoder
from .tiles import Tile, tiles
from .weights import HYPER_TABLES, LATENT_TABLES, Weights

__all__ = ["HyperpriorCodec", "Latents"]

BATCH_VALUES = 1 << 19
"""Values of tiles of one shape, padded, that run through a network together."""

LARGEST_LATENT = LIMIT // 2 - 1

Symbols = NDArray[np.int32]


@dataclass(frozen=True)
class Latents:
    """The symbols of a plane, tile after tile, each tile's in C order.

    Args:
        hyper: of the hyper-latents, flat.
        latents: of the latents, flat.
    """

    hyper: Symbols
    latents: Symbols


class HyperpriorCodec:
    """Codes planes at one rate.

    Args:
        weights: the model.
        rate: which of its rates.

    Raises:
        MalformedError: if the model has no such rate, or its sums could not be exact.
    """

    def __init__(self, weights: Weights, rate: int) -> None:
        if not 0 <= rate < weights.rates:
            raise MalformedError(f"rate {rate} of {weights.rates}", requirement=400)
        self.weights, self.rate = weights, rate
        self.hyper_synthesis = weights.hyper_synthesis
        own = slice(rate * weights.width, (rate + 1) * weights.width)
        self.hyper_coder = TableCoder(weights.tables(HYPER_TABLES)[own])
        self.latent_coder = TableCoder(weights.tables(LATENT_TABLES))

    def symbols(self, plane: NDArray[Any]) -> Latents:
        """Aligned values ``[N, C]`` to symbols."""
        layout = _PlanePlaces(plane.shape[0], plane.shape[1], self.weights)
        hyper, latents = np.empty(layout.hyper_size, np.int32), np.empty(layout.latent_size, np.int32)
        gains = self.weights.gains(self.rate)
        for batch in layout.batches:
            found, found_hyper = self.weights.analysis_network.run(
                np.stack([plane[item.tile.there] for item in batch]), gains
            )
            _fill(latents, [item.latents for item in batch], _rounded(found, LARGEST_LATENT))
            _fill(hyper, [item.hyper for item in batch], _rounded(found_hyper, LARGEST_HYPER_LATENT))
        return Latents(zigzag(hyper), zigzag(latents))

    def encode(self, symbols: Latents, rows: int, columns: int) -> bytes:
        """Entropy-code the symbols of a plane ``[rows, columns]``."""
        layout = _PlanePlaces(rows, columns, self.weights)
        encoder = RansEncoder()
        self.hyper_coder.push(encoder, symbols.hyper, layout.hyper_tables)
        self.latent_coder.push(encoder, symbols.latents, self._indexes(symbols.hyper, layout))
        return encoder.finish()

    def decode_symbols(self, payload: bytes | memoryview, rows: int, columns: int) -> Latents:
        """Decode the symbols of a plane ``[rows, columns]``; numpy alone.

        Raises:
            MalformedError: if the payload cannot be one of this plane.
        """
        layout = _PlanePlaces(rows, columns, self.weights)
        decoder = RansDecoder(payload)
        hyper = self.hyper_coder.pull(decoder, layout.hyper_tables)
        if hyper.size and int(hyper.max()) > 2 * LARGEST_HYPER_LATENT:
            raise MalformedError("a hyper-latent out of range", requirement=413)
        latents = self.latent_coder.pull(decoder, self._indexes(hyper, layout))
        decoder.end()
        return Latents(hyper, latents)

    def reconstruct(self, symbols: Latents, rows: int, columns: int) -> NDArray[np.float32]:
        """Symbols to aligned values ``[rows, columns]``."""
        layout = _PlanePlaces(rows, columns, self.weights)
        plane = np.empty((rows, columns), np.float32)
        gains = self.weights.gains(self.rate, inverse=True)
        values = unzigzag(symbols.latents)
        for batch in layout.batches:
            shape = (self.weights.latents, *batch[0].tile.latents)
            found = self.weights.synthesis_network.run(
                np.stack([values[item.latents].reshape(shape) for item in batch]), gains
            )
            for item, part in zip(batch, found, strict=True):
                plane[item.tile.there] = part[: item.tile.rows, : item.tile.columns]
        return plane

    def scale_indexes(self, hyper: Symbols, rows: int, columns: int) -> NDArray[np.uint8]:
        """Tables of the latents of a plane ``[rows, columns]``, flat, from its hyper-latents' symbols."""
        return self._indexes(hyper, _PlanePlaces(rows, columns, self.weights))

    def hyper_tables(self, rows: int, columns: int) -> NDArray[np.int32]:
        """Tables of the hyper-latents of a plane ``[rows, columns]``, flat."""
        return _PlanePlaces(rows, columns, self.weights).hyper_tables

    def _indexes(self, hyper: Symbols, layout: _PlanePlaces) -> NDArray[np.uint8]:
        """Scale indexes of all latents, flat."""
        indexes = np.empty(layout.latent_size, np.uint8)
        values = unzigzag(hyper)
        for batch in layout.batches:
            shape = (self.weights.width, *batch[0].tile.hyper_latents)
            stacked = np.stack([values[item.hyper].reshape(shape) for item in batch])
            found = self.hyper_synthesis.indexes(stacked, *batch[0].tile.latents)
            _fill(indexes, [item.latents for item in batch], found)
        return indexes


@dataclass(frozen=True)
class _Placed:
    """A tile, and where its symbols stand among all."""

    tile: Tile
    hyper: slice
    latents: slice


class _PlanePlaces:
    """Where the symbols of a plane stand."""

    def __init__(self, rows: int, columns: int, weights: Weights) -> None:
        self.width = weights.width
        self.placed: list[_Placed] = []
        hyper = latents = 0
        for tile in tiles(rows, columns):
            ends = hyper + _area(tile.hyper_latents) * weights.width, latents + _area(tile.latents) * weights.latents
            self.placed.append(_Placed(tile, slice(hyper, ends[0]), slice(latents, ends[1])))
            hyper, latents = ends
        self.hyper_size, self.latent_size = hyper, latents

    @property
    def batches(self) -> Iterator[list[_Placed]]:
        """Tiles of one shape, as many as run together."""
        for _, group in itertools.groupby(self.placed, key=lambda item: (item.tile.rows, item.tile.columns)):
            alike = list(group)
            size = max(1, BATCH_VALUES // alike[0].tile.padded)
            yield from (alike[start : start + size] for start in range(0, len(alike), size))

    @functools.cached_property
    def hyper_tables(self) -> NDArray[np.int32]:
        """The table of every hyper-latent, flat: its channel."""
        channels = np.arange(self.width, dtype=np.int32)
        parts = [np.repeat(channels, _area(item.tile.hyper_latents)) for item in self.placed]
        return np.concatenate([np.empty(0, np.int32), *parts])


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _fill(flat: NDArray[Any], places: Sequence[slice], values: NDArray[Any]) -> None:
    for place, part in zip(places, values, strict=True):
        flat[place] = part.ravel()


def _rounded(values: NDArray[Any], largest: int) -> NDArray[np.int32]:
    clipped: NDArray[np.int32] = np.clip(np.rint(np.nan_to_num(values)), -largest, largest).astype(np.int32)
    return clipped
