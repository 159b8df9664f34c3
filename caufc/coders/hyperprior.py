"""The coder of the learned codec: tensors whose aligned tokens are a plane that networks transform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.hyperprior.codec import HyperpriorCodec, Latents
from ..codec.hyperprior.weights import Weights
from ..codec.transform.grids import Geometry
from ..errors import MalformedError
from .base import FileShare, Shapes, Terms, Work
from .blocks import Mask
from .config import TensorConfig
from .lossy import LossyCoder

__all__ = ["HyperpriorCoder", "rate_of"]


def rate_of(config: TensorConfig) -> int:
    """The rate in a tensor's parameters.

    Raises:
        MalformedError: if they are no rate.
    """
    if [type(field) for field in config.parameters] != [int] or config.parameters[0] < 0:
        raise MalformedError(f"codec parameters {list(config.parameters)}", requirement=400, tensor=config.name)
    return int(config.parameters[0])


class HyperpriorCoder(LossyCoder):
    """Codes floats with the learned codec; tensors of a file share its weights, and those of one rate its tables."""

    def __init__(self, config: TensorConfig, share: FileShare) -> None:
        super().__init__(config)
        rate = rate_of(config)
        weights: Weights = share.once("weights", lambda: Weights.from_arrays(config.arrays))
        self.codec: HyperpriorCodec = share.once(("hyperprior", rate), lambda: HyperpriorCodec(weights, rate))

    def work(self, shapes: Shapes) -> Work:
        """Tokens, and what the networks do with their plane.

        Raises:
            MalformedError: for shapes that the layout does not fit.
        """
        tokens = self._count_all_tokens(self._samples_by_shape(shapes))
        weights = self.codec.weights
        products, latents = (cost(tokens, self.channels) for cost in (weights.products_of, weights.symbols_of))
        return Work(tokens, 1, products, latents)

    def _geometry(self, grids: tuple[tuple[int, ...], ...], special: int) -> Geometry:
        return Geometry(grids, special)

    def _blocks(self, geometry: Geometry) -> Iterator[tuple[slice, Geometry]]:
        """One: a chunk is one plane."""
        yield slice(None), geometry

    def _symbols(self, aligned: NDArray[Any], block: Geometry, terms: Terms) -> tuple[Latents, None]:  # noqa: ARG002
        return self.codec.symbols(aligned), None

    def _joined(self, blocks: Sequence[Latents], geometry: Geometry) -> Latents:  # noqa: ARG002
        (whole,) = blocks
        return whole

    def _part(self, symbols: Latents, rows: slice) -> Latents:  # noqa: ARG002
        return symbols

    def _restored(self, symbols: Latents, block: Geometry) -> NDArray[Any]:
        return self.codec.reconstruct(symbols, block.tokens, self.channels).astype(self.working, copy=False)

    def _within_range(self, values: NDArray[Any]) -> NDArray[Any]:
        """Within the truncation range [CAUF-0422]."""
        record = self.config.alignment
        if record is None or record.truncate is None:
            return values
        low, high = (values.dtype.type(end) for end in record.truncate)
        clipped: NDArray[Any] = np.clip(values, low, high)
        return clipped

    @property
    def entropy(self) -> HyperpriorCodec:
        """The learned codec."""
        return self.codec

    def _place(self, geometry: Geometry) -> tuple[int, int]:
        return geometry.tokens, self.channels

    def _integers(self, symbols: Latents) -> list[NDArray[np.int32]]:
        return [symbols.hyper, symbols.latents]

    def _broken(self, error: NDArray[Any], symbols: Latents, scales: NDArray[Any], terms: Terms) -> Mask:  # noqa: ARG002
        """Nowhere: a model promises no error."""
        return None
