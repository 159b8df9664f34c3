"""What the four networks are made of (spec, section 14.2): layers, and how sections hold their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from .constants import STRIDE

__all__ = [
    "Layer",
    "LayerNumbers",
    "analysis_layers",
    "hyper_analysis_layers",
    "hyper_synthesis_layers",
    "split_layers",
    "synthesis_layers",
]

KERNEL, HYPER_KERNEL = 5, 3

Kind = Literal["conv", "deconv", "gdn", "blocks"]


@dataclass(frozen=True)
class Layer:
    """One layer.

    Args:
        kind: ``conv``, ``deconv`` (of stride 2, doubling the size), ``gdn`` (divisive normalisation, or its inverse),
            or ``blocks`` (the linear transform of blocks of 16 x 16 that stands beside all others).
        inputs, outputs: channels.
        kernel: size.
        stride: of a ``conv``.
    """

    kind: Kind
    inputs: int
    outputs: int
    kernel: int = KERNEL
    stride: int = 2

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its kernels; the first axis has one scale and one bias each."""
        if self.kind == "blocks":
            return (self.outputs, STRIDE, STRIDE)
        if self.kind == "gdn":
            return (self.outputs, self.inputs)
        return (self.outputs, self.inputs, self.kernel, self.kernel)

    @property
    def size(self) -> int:
        """Numbers of its kernels."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class LayerNumbers:
    """A layer's numbers: kernels of its shape, and two numbers an output ``[outputs]``."""

    layer: Layer
    kernels: NDArray[Any]
    first: NDArray[Any]
    second: NDArray[Any]


def analysis_layers(width: int, latents: int, shortcut: bool) -> list[Layer]:
    """Planes ``[1, H, W]`` to latents ``[M, H/16, W/16]``."""
    inner = [Layer("gdn", width, width), Layer("conv", width, width)] * 2
    deep = [Layer("conv", 1, width), *inner, Layer("gdn", width, width), Layer("conv", width, latents)]
    return [*deep, *_blocks(latents, shortcut)]


def synthesis_layers(width: int, latents: int, shortcut: bool) -> list[Layer]:
    """Latents ``[M, H/16, W/16]`` to planes ``[1, H, W]``."""
    inner = [Layer("gdn", width, width), Layer("deconv", width, width)] * 2
    deep = [Layer("deconv", latents, width), *inner, Layer("gdn", width, width), Layer("deconv", width, 1)]
    return [*deep, *_blocks(latents, shortcut)]


def hyper_analysis_layers(width: int, latents: int) -> list[Layer]:
    """Latents to hyper-latents ``[N, H/64, W/64]``."""
    return [Layer("conv", latents, width, HYPER_KERNEL, 1), Layer("conv", width, width), Layer("conv", width, width)]


def hyper_synthesis_layers(width: int, latents: int) -> list[Layer]:
    """Hyper-latents to scale indexes of the latents."""
    return [
        Layer("deconv", width, width),
        Layer("deconv", width, width),
        Layer("conv", width, latents, HYPER_KERNEL, 1),
    ]


def _blocks(latents: int, shortcut: bool) -> list[Layer]:
    return [Layer("blocks", 1, latents, STRIDE, STRIDE)] if shortcut else []


def split_layers(
    layers: Sequence[Layer], kernels: NDArray[Any], first: NDArray[Any], second: NDArray[Any]
) -> Iterator[LayerNumbers]:
    """Flat numbers of all layers, cut into those of each; sizes must fit."""
    kernel = output = 0
    for layer in layers:
        rows = slice(output, output + layer.outputs)
        codes = kernels[kernel : kernel + layer.size].reshape(layer.shape)
        yield LayerNumbers(layer, codes, first[rows], second[rows])
        kernel, output = kernel + layer.size, output + layer.outputs


def outputs_of(layers: Sequence[Layer]) -> int:
    """Outputs of all layers."""
    return sum(layer.outputs for layer in layers)


def kernels_of(layers: Sequence[Layer]) -> int:
    """Numbers of all kernels."""
    return sum(layer.size for layer in layers)
