"""Analysis and synthesis in float32 (spec, section 14.4); the only part of the learned codec that needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...packages import needing
from .constants import MIDDLE, SPREAD, STRIDE
from .layers import LayerNumbers

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Analysis", "Synthesis"]

Values = NDArray[Any]


class Analysis:
    """Planes to latents and hyper-latents, not rounded.

    Args:
        analysis: layers of the analysis.
        hyper_analysis: layers of the hyper-analysis.
    """

    def __init__(self, analysis: Sequence[LayerNumbers], hyper_analysis: Sequence[LayerNumbers]) -> None:
        self.analysis = [_Layer(numbers) for numbers in analysis]
        self.hyper_analysis = [_Layer(numbers) for numbers in hyper_analysis]

    def run(self, planes: Values, gains: NDArray[np.float32]) -> tuple[Values, Values]:
        """Planes ``[B, H, W]`` to latents ``[B, M, h, w]``, times the gains ``[M]``, and hyper-latents."""
        import torch
        from torch.nn import functional

        with torch.inference_mode():
            values = torch.from_numpy(np.ascontiguousarray(planes, np.float32))[:, None]
            right, below = -planes.shape[2] % STRIDE, -planes.shape[1] % STRIDE
            values = functional.pad(values, (0, right, 0, below), mode="replicate")
            centred = (values - MIDDLE) / SPREAD
            latents = _run(self.analysis, centred, inverse=False) * torch.from_numpy(gains)[:, None, None]
            hyper = torch.log1p(latents.abs())
            for number, layer in enumerate(self.hyper_analysis):
                hyper = layer.run(hyper.clamp_min(0) if number else hyper)
            return latents.numpy(), hyper.numpy()


class Synthesis:
    """Rounded latents to planes.

    Args:
        synthesis: its layers.
    """

    def __init__(self, synthesis: Sequence[LayerNumbers]) -> None:
        self.synthesis = [_Layer(numbers) for numbers in synthesis]

    def run(self, latents: Values, gains: NDArray[np.float32]) -> Values:
        """Latents ``[B, M, h, w]``, times the inverse gains ``[M]``, to planes ``[B, 16 h, 16 w]``."""
        import torch

        with torch.inference_mode():
            values = torch.from_numpy(latents.astype(np.float32)) * torch.from_numpy(gains)[:, None, None]
            planes: Values = _run(self.synthesis, values, inverse=True)[:, 0].numpy()
            return planes


def _run(layers: Sequence[_Layer], values: Tensor, *, inverse: bool) -> Tensor:
    """All layers one after the other, and beside them the blocks."""
    found = values
    for layer in layers:
        if layer.kind == "blocks":
            return found + layer.blocks(values, inverse=inverse)
        found = layer.gdn(found, inverse=inverse) if layer.kind == "gdn" else layer.run(found)
    return found


class _Layer:
    """A layer with its numbers as tensors; the first that an encoder or decoder needs of torch.

    Raises:
        MissingPackageError: if torch is not installed.
    """

    def __init__(self, numbers: LayerNumbers) -> None:
        with needing("torch", "the learned codec"):
            import torch

        self.kind, self.layer = numbers.layer.kind, numbers.layer
        kernels = torch.from_numpy(np.array(numbers.kernels, np.float32))
        self.second = torch.from_numpy(np.array(numbers.second, np.float32))
        shapes = {"blocks": (-1, 1, STRIDE, STRIDE), "gdn": (*kernels.shape, 1, 1)}
        self.kernels = kernels.reshape(shapes.get(self.kind, kernels.shape))
        if self.kind == "deconv":
            self.kernels = self.kernels.transpose(0, 1).contiguous()

    def run(self, values: Tensor) -> Tensor:
        from torch.nn import functional

        padding = self.layer.kernel // 2
        if self.kind == "deconv":
            return functional.conv_transpose2d(
                values, self.kernels, self.second, stride=2, padding=padding, output_padding=1
            )
        return functional.conv2d(values, self.kernels, self.second, stride=self.layer.stride, padding=padding)

    def gdn(self, values: Tensor, *, inverse: bool) -> Tensor:
        """Divisive normalisation (Balle et al. 2016), or its inverse."""
        from torch.nn import functional

        norms = functional.conv2d(values.square(), self.kernels, self.second)
        return values * (norms.sqrt() if inverse else norms.rsqrt())

    def blocks(self, values: Tensor, *, inverse: bool) -> Tensor:
        """The linear transform of blocks of 16 x 16."""
        from torch.nn import functional

        run = functional.conv_transpose2d if inverse else functional.conv2d
        return run(values, self.kernels, stride=STRIDE)
