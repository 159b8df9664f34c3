"""The interface of coders: one tensor's samples to a payload and back, the integer half apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..align import TokenScales
from ..types import AnyArray
from .config import TensorConfig
from .distortion import Distortion

if TYPE_CHECKING:
    from .error_transfer import ErrorTransfer

__all__ = [
    "Apart",
    "Counting",
    "DecodedSymbols",
    "EncodedPayload",
    "FileShare",
    "Quantizer",
    "Samples",
    "Separator",
    "Shapes",
    "TensorCoder",
    "Terms",
    "Work",
    "flat",
    "outliers_of",
    "shapes_of",
    "split",
]

Samples = AnyArray | list[AnyArray]
"""Samples of a chunk: one array ``[B, ...]``, or a list of arrays of several shapes."""

Shapes = Sequence[tuple[int, ...]]
"""Shape of every sample of a chunk."""

Quantizer = Callable[[NDArray[Any], NDArray[np.float64], NDArray[np.uint8]], NDArray[np.int32]]
"""Coefficients ``[N, K]``, steps by band ``[16]`` and bands of the tokens ``[N]`` -> indices ``[N, K]``."""


@dataclass(frozen=True)
class Apart:
    """What of some tokens is coded apart from the rest, so that it changes nothing for the rest.

    Args:
        scales: of the tokens; None where none has one.
        values: which values ``[n, C]`` are stored exactly; None for none.
        centre: per channel ``[C]``, or one for all: what takes the place of those values before they are aligned.
        levelled: whether scales make tokens equally large, and not only those that are outliers.
    """

    scales: TokenScales | None = None
    values: NDArray[np.bool_] | None = None
    centre: NDArray[Any] | float = 0.0
    levelled: bool = False

    def rest(self, matrix: NDArray[Any]) -> NDArray[Any]:
        """What is aligned of features ``[n, C]``."""
        rest = matrix if self.scales is None else self.scales.divide(matrix)
        if self.values is None:
            return rest
        rows = np.flatnonzero(self.values.any(axis=1))
        rest = rest.copy() if rest is matrix else rest
        rest[rows] = np.where(self.values[rows], np.asarray(self.centre, rest.dtype), rest[rows])
        return rest

    def without(self, lost: NDArray[np.bool_] | None, matrix: NDArray[Any]) -> NDArray[Any]:
        """What is aligned of features ``[n, C]`` of which some are not finite; None for none."""
        return matrix if lost is None else np.where(lost, np.asarray(self.centre, matrix.dtype), matrix)

    def mask(self, matrix: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of them are stored exactly, in one column where that is the same for all channels."""
        return np.zeros((len(matrix), 1), np.bool_) if self.values is None else self.values

    def uncounted(self, matrix: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of them do not tell how much is kept of the rest: exact ones, and tokens with a scale."""
        mask = self.mask(matrix)
        return mask if self.scales is None or self.levelled else mask | (self.scales.codes != 0)[:, None]


Counting = Callable[[NDArray[Any]], NDArray[np.bool_] | None]
"""Features ``[n, C]`` -> which of them tell how much is kept, None for all."""


class Separator(Protocol):
    """Finds what of a chunk is coded apart."""

    def __call__(self, matrix: NDArray[Any], lost: NDArray[np.bool_] | None = None) -> Apart:
        """Of finite features ``[n, C]``, some of which only stand for what is not finite; None for none."""


@dataclass(frozen=True)
class Terms:
    """On what terms an encoder codes a tensor; a decoder never sees them.

    Args:
        max_error: largest absolute error after the cast to the output dtype; None for no bound.
        truncate: range to which values are clipped.
        nonfinite: whether NaN and Inf may come, to be kept exactly.
        outliers: whether values beyond the range are stored exactly; else they are lost.
        quantizer: of the transform codec; None for the others.
        separator: finds what is coded apart; None where nothing is.
        counting: which values tell how much is kept; None for all.
        token_snr: dB that every token must have, as a whole and over what counts; None for no such promise.
        token_scales: whether those that have less get finer scales; else they are stored exactly.
        measured: whether errors are wanted that no promise needs.
        transfer: tells errors from those of coefficients; None where what is decoded must tell them.
    """

    max_error: float | None = None
    truncate: tuple[float, float] | None = None
    nonfinite: bool = False
    outliers: bool = False
    quantizer: Quantizer | None = None
    separator: Separator | None = None
    counting: Counting | None = None
    token_snr: float | None = None
    token_scales: bool = True
    measured: bool = True
    transfer: ErrorTransfer | None = None


def outliers_of(features: NDArray[Any], terms: Terms) -> NDArray[np.bool_] | None:
    """Which features ``[n, C]`` are outliers, that must not tell how much is kept of the rest."""
    counted = None if terms.counting is None else terms.counting(features)
    return None if counted is None else ~counted


@dataclass(frozen=True)
class EncodedPayload:
    """A coded chunk of a tensor or a stack.

    Args:
        payload: its bytes.
        covered: the bytes that the symbols' checksum covers.
        distortions: one per tensor of the stack; empty ones where errors were not measured.
    """

    payload: bytes
    covered: Sequence[bytes | memoryview]
    distortions: Sequence[Distortion] = field(default_factory=lambda: [Distortion()])


@dataclass(frozen=True)
class DecodedSymbols:
    """The integers of a decoded chunk of one tensor, and the bytes that their checksum covers."""

    state: Any
    covered: Sequence[bytes | memoryview]


@dataclass(frozen=True)
class Work:
    """What decoding samples costs besides their values.

    Args:
        tokens: rows of the matrix that is coded.
        grids: different token grids.
        products: multiplications by a basis, or by a network's kernels.
        latents: symbols of the learned codec.
    """

    tokens: int = 0
    grids: int = 0
    products: int = 0
    latents: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.tokens + other.tokens,
            self.grids + other.grids,
            self.products + other.products,
            self.latents + other.latents,
        )


@dataclass
class FileShare:
    """What the tensors of one file share.

    Args:
        gain: factor on all steps.
        made: what coders make once for all tensors, such as the learned codec's networks.
    """

    gain: float = 1.0
    made: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: object, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made when it is first asked for."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]


class TensorCoder(Protocol):
    """Codes the chunks of one tensor.

    Args:
        config: of the tensor.
        share: with the other tensors of its file.

    Raises:
        MalformedError: if parameters or sections break the specification.
    """

    def __init__(self, config: TensorConfig, share: FileShare) -> None: ...

    @property
    def channels(self) -> int:
        """Channels of what is coded with loss, for limits; 0 for what is coded without."""
        ...

    @property
    def together(self) -> int:
        """Chunks that are decoded faster side by side than one by one; 1 where that gains nothing."""
        ...

    def work(self, shapes: Shapes) -> Work:
        """What decoding samples of these shapes costs.

        Raises:
            MalformedError: for shapes that the layout does not fit.
        """
        ...

    def encode(self, samples: Samples, terms: Terms) -> EncodedPayload:
        """Samples to a payload."""
        ...

    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> DecodedSymbols:
        """A payload to integers.

        Raises:
            MalformedError: if it cannot be one of these samples.
        """
        ...

    def decode_symbols_of(self, chunks: Sequence[tuple[memoryview, Shapes]]) -> list[DecodedSymbols]:
        """The same for several chunks, which some coders decode faster side by side than one by one.

        Raises:
            MalformedError: if a payload cannot be one of its samples.
        """
        ...

    def reconstruct(self, symbols: DecodedSymbols, shapes: Shapes) -> Samples:
        """Integers to samples."""
        ...


def shapes_of(samples: Samples) -> list[tuple[int, ...]]:
    """Shape of every sample."""
    if isinstance(samples, list):
        return [sample.shape for sample in samples]
    return [samples.shape[1:]] * len(samples)


def flat(samples: Samples) -> AnyArray:
    """Values of samples, one after the other, without a copy where one array has them so."""
    if isinstance(samples, list):
        return np.concatenate([sample.ravel() for sample in samples])
    return samples.reshape(-1)


def split(flat: AnyArray, shapes: Shapes, stacked: bool) -> Samples:
    """Flat values of samples to one array ``[B, ...]`` or a list of arrays."""
    if stacked and len(shapes):
        return flat.reshape(len(shapes), *shapes[0])
    out, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        out.append(flat[start:stop].reshape(shape))
        start = stop
    return out
