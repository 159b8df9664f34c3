"""The learned codec's model in floats, as it is trained: a scale hyperprior (Balle et al. 2018; arXiv 2506.12737).

One model serves all rates: gains, learned for each rate, scale the latents before and after quantisation (Cui et al.,
Asymmetric gained deep image compression, CVPR 2021). This module needs torch and compressai.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, cast

import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from compressai.layers import GDN
from torch import Tensor, nn
from torch.nn import functional

from ..codec.hyperprior.constants import LARGEST_SCALE, MIDDLE, SCALES, SMALLEST_SCALE, SPREAD, STRIDE

__all__ = ["Loss", "ModelShape", "ScaleHyperprior"]

KERNEL = 5
HYPER_KERNEL = 3
"""Sides of kernels, as in Balle et al. 2018."""

PEAK = 255.0
"""Squared errors are those of values in [0, 255], as in image coding, so that lambdas compare."""

START_INDEX, INDEX_UNIT = 16.0, 8.0
"""The scale index where training begins, and how many indexes a unit of the hyper-synthesis' output is; by hand."""

FIRST_GAIN = 0.4
"""Gain of the lowest rate when training begins: about the step that is best for dense features; chosen by hand."""

BALANCE = 0.35
"""Losses count lambda to the minus so much: otherwise the highest rate would rule the shared layers; by hand."""


Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a model.

    measure_weights.py in tools/ compares the default ones with a wider model (tools/results/weights.md).

    Args:
        width: N, channels of inner layers and of the hyper-latents.
        latents: M, channels of the latents.
        lambdas: one per rate, ascending.
        shortcut: whether linear transforms of blocks stand beside the deep ones, as in residual networks; without
            it, the model is the paper's, and needs many times the steps.
    """

    width: int = 48
    latents: int = 256
    lambdas: tuple[float, ...] = (0.002, 0.008, 0.03, 0.12, 0.5)
    shortcut: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The sizes as plain data, which checkpoints hold."""
        return asdict(self)


@dataclass(frozen=True)
class Loss:
    """The loss of a batch, and its parts per rate.

    Args:
        total: what is minimised.
        bpfp: bits per feature point ``[R]``.
        error: mean squared error of aligned values ``[R]``.
    """

    total: Tensor
    bpfp: Tensor
    error: Tensor


def _even(layer: Layer, terms: float) -> Layer:
    """A layer whose outputs, sums of so many terms, vary as inputs do, so that deep stacks learn from the start."""
    nn.init.normal_(layer.weight, std=terms**-0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _conv(inputs: int, outputs: int, kernel: int = KERNEL, stride: int = 2) -> nn.Conv2d:
    return _even(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), inputs * kernel**2)


def _deconv(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return _even(nn.ConvTranspose2d(inputs, outputs, KERNEL, 2, KERNEL // 2, output_padding=1), inputs * KERNEL**2 / 4)


def _block_transform(latents: int) -> Tensor:
    """A DCT along the tokens of every channel of a block, lowest first: orthonormal rows ``[M, 1, 16, 16]``."""
    tokens = torch.arange(STRIDE)
    number = torch.arange(latents)[:, None]
    frequency = (number // STRIDE) % STRIDE
    cosines = torch.cos(math.pi * (2 * tokens + 1) * frequency / (2 * STRIDE)) * (2 / STRIDE) ** 0.5
    cosines[frequency[:, 0] == 0] *= 0.5**0.5
    channel = (number % STRIDE == tokens).float()
    blocks: Tensor = (cosines[:, :, None] * channel[:, None, :])[:, None]
    return blocks


def _rounded(values: Tensor) -> Tensor:
    """Values rounded, with the gradient of values that are not."""
    return values + (torch.round(values) - values).detach()


def _noisy(values: Tensor) -> Tensor:
    """Values with uniform noise as wide as a step of rounding."""
    return values + torch.empty_like(values).uniform_(-0.5, 0.5)


def _bits(likelihoods: Tensor) -> Tensor:
    """The bits of every item of a batch ``[B]``."""
    return -torch.log2(likelihoods).flatten(1).sum(1)


class ScaleHyperprior(nn.Module):
    """The model: analysis and synthesis, hyper-analysis and hyper-synthesis, and the gains of every rate."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        n, m = shape.width, shape.latents
        self.shape = shape
        self.analysis = nn.Sequential(
            _conv(1, n), GDN(n), _conv(n, n), GDN(n), _conv(n, n), GDN(n), _conv(n, m)
        )  # fmt: skip
        self.synthesis = nn.Sequential(
            _deconv(m, n), GDN(n, inverse=True), _deconv(n, n), GDN(n, inverse=True), _deconv(n, n),
            GDN(n, inverse=True), _deconv(n, 1),
        )  # fmt: skip
        self.hyper_analysis = nn.Sequential(
            _conv(m, n, HYPER_KERNEL, 1), nn.ReLU(), _conv(n, n), nn.ReLU(), _conv(n, n)
        )  # fmt: skip
        self.hyper_synthesis = nn.Sequential(
            _deconv(n, n), nn.ReLU(), _deconv(n, n), nn.ReLU(), _conv(n, m, HYPER_KERNEL, 1)
        )  # fmt: skip
        self.linear_analysis = nn.Parameter(_block_transform(m)) if shape.shortcut else None
        self.linear_synthesis = nn.Parameter(_block_transform(m)) if shape.shortcut else None
        if shape.shortcut:
            for network in (self.analysis, self.synthesis):
                nn.init.zeros_(cast("Tensor", network[-1].weight))
        lambdas = torch.tensor(shape.lambdas)
        gains = math.log(FIRST_GAIN) + 0.5 * torch.log(lambdas / shape.lambdas[0])[:, None].repeat(1, m)
        self.log_gains = nn.Parameter(gains)
        self.log_inverse_gains = nn.Parameter(-gains)
        self.register_buffer("lambdas", lambdas)
        self.hyper_prior = EntropyBottleneck(n)
        self.prior = GaussianConditional(None, scale_bound=SMALLEST_SCALE)

    def latents(self, planes: Tensor, rates: Tensor) -> Tensor:
        """Latents before rounding ``[B, M, H/16, W/16]``, of planes ``[B, 1, H, W]`` at rates ``[B]``."""
        centred = (planes - MIDDLE) / SPREAD
        found: Tensor = self.analysis(centred)
        if self.linear_analysis is not None:
            found = found + functional.conv2d(centred, self.linear_analysis, stride=STRIDE)
        return found * torch.exp(self.log_gains[rates])[:, :, None, None]

    def hyper_latents(self, latents: Tensor) -> Tensor:
        """Hyper-latents before rounding ``[B, N, H/64, W/64]``, of latents."""
        found: Tensor = self.hyper_analysis(torch.log1p(latents.abs()))
        return found

    def indexes(self, hyper_latents: Tensor, rows: int, columns: int) -> Tensor:
        """Scale indexes, not rounded ``[B, M, rows, columns]``, from rounded hyper-latents."""
        found: Tensor = START_INDEX + INDEX_UNIT * self.hyper_synthesis(hyper_latents)
        return found[:, :, :rows, :columns].clamp(0, SCALES - 1)

    def planes(self, latents: Tensor, rates: Tensor) -> Tensor:
        """Planes from rounded latents."""
        scaled = latents * torch.exp(self.log_inverse_gains[rates])[:, :, None, None]
        found: Tensor = self.synthesis(scaled)
        if self.linear_synthesis is not None:
            found = found + functional.conv_transpose2d(scaled, self.linear_synthesis, stride=STRIDE)
        return MIDDLE + SPREAD * found

    def likelihoods(self, latents: Tensor, hyper_latents: Tensor, indexes: Tensor) -> tuple[Tensor, Tensor]:
        """The likelihoods of latents and hyper-latents, with noise instead of rounding."""
        octave = math.log(LARGEST_SCALE / SMALLEST_SCALE) / (SCALES - 1)
        scales = SMALLEST_SCALE * torch.exp(octave * indexes)
        _, of_latents = self.prior(latents, scales, training=True)
        _, of_hyper = self.hyper_prior(hyper_latents, training=True)
        return of_latents, of_hyper

    def loss(self, planes: Tensor, rates: Tensor, *, rounded: bool = False) -> Loss:
        """The rate and distortion of planes ``[B, 1, H, W]`` at rates ``[B]``; rounded, or with noise in its place.

        Sides of planes are multiples of the stride.
        """
        quantized = _rounded if rounded else _noisy
        latents = self.latents(planes, rates)
        hyper_latents = self.hyper_latents(latents)
        indexes = self.indexes(quantized(hyper_latents), *latents.shape[2:])
        decoded = self.planes(quantized(latents), rates)
        of_latents, of_hyper = self.likelihoods(latents, hyper_latents, indexes)
        bits = (_bits(of_latents) + _bits(of_hyper)) / planes[0].numel()
        error = (decoded - planes).square().flatten(1).mean(1)
        lambdas = cast("Tensor", self.lambdas)[rates]
        total = (
            (bits + lambdas * PEAK**2 * error) * (lambdas / float(np.median(self.shape.lambdas))) ** -BALANCE
        ).mean()
        return Loss(total, self._by_rate(bits, rates), self._by_rate(error, rates))

    def _by_rate(self, values: Tensor, rates: Tensor) -> Tensor:
        """The means per rate ``[R]``, NaN for rates that did not occur."""
        sums = torch.zeros(len(self.shape.lambdas), device=values.device).index_add(0, rates, values.detach())
        return sums / torch.bincount(rates, minlength=len(sums))


def shape_of(fields: dict[str, Any]) -> ModelShape:
    """The sizes that plain data holds."""
    lambdas: Sequence[float] = fields["lambdas"]
    return ModelShape(fields["width"], fields["latents"], tuple(lambdas), fields["shortcut"])
