"""The hyper-synthesis in exact integer arithmetic (spec, section 14.3), the same on every machine.

Products of matrices run in float64. All sums are integers below 2^53, which is proven when the network is made, so
neither the order of summation nor fused operations can change a bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError
from .constants import SCALES
from .layers import LayerNumbers

__all__ = ["LARGEST_ACTIVATION", "LARGEST_HYPER_LATENT", "HyperSynthesis"]

LARGEST_HYPER_LATENT = (1 << 15) - 1
LARGEST_ACTIVATION = (1 << 16) - 1
EXACT = 1 << 53

NEAR = 3
"""Rows and columns of inputs that an output looks at, also of a deconvolution by phase."""

Integers = NDArray[np.int64]


class HyperSynthesis:
    """Hyper-latents to scale indexes.

    Args:
        layers: two deconvolutions and a convolution, integer kernels, biases and shifts.

    Raises:
        MalformedError: if sums could leave the integers that float64 holds, or a shift is out of range.
    """

    def __init__(self, layers: Sequence[LayerNumbers]) -> None:
        self.layers = [_Layer(numbers, bound) for numbers, bound in zip(layers, _bounds(len(layers)), strict=True)]

    def indexes(self, hyper_latents: NDArray[Any], rows: int, columns: int) -> NDArray[np.uint8]:
        """Hyper-latents ``[B, N, h, w]`` to scale indexes ``[B, M, rows, columns]``."""
        values = hyper_latents.astype(np.float64).transpose(0, 2, 3, 1)
        for layer in self.layers[:-1]:
            values = layer.run(values, LARGEST_ACTIVATION).astype(np.float64)
        found = self.layers[-1].run(values, SCALES - 1)[:, :rows, :columns]
        return np.ascontiguousarray(found.transpose(0, 3, 1, 2).astype(np.uint8))


def _bounds(layers: int) -> list[int]:
    """The largest magnitude that enters each layer."""
    return [LARGEST_HYPER_LATENT, *[LARGEST_ACTIVATION] * (layers - 1)]


class _Layer:
    """One layer as a matrix over the neighbourhoods of 3 x 3 inputs."""

    def __init__(self, numbers: LayerNumbers, largest: int) -> None:
        kernels = numbers.kernels.astype(np.int64)
        self.biases, self.shifts = numbers.first.astype(np.int64), numbers.second.astype(np.int64)
        if not ((self.shifts >= 1) & (self.shifts <= 48)).all():
            raise MalformedError("a shift that is not 1 to 48", requirement=406)
        self.halves = np.left_shift(np.int64(1), self.shifts - 1)
        sums = np.abs(kernels).sum(axis=(1, 2, 3)) * largest + np.abs(self.biases) + self.halves
        if int(sums.max(initial=0)) >= EXACT:
            raise MalformedError("a hyper-synthesis whose sums reach 2^53", requirement=406)
        self.phases = 2 if numbers.layer.kind == "deconv" else 1
        by_phase = _phase_kernels(kernels) if self.phases == 2 else kernels[None, None]
        # [phase, phase, outputs, inputs, 3, 3] -> [3, 3, inputs, phase, phase, outputs]
        self.matrix = by_phase.transpose(4, 5, 3, 0, 1, 2).reshape(NEAR * NEAR * kernels.shape[1], -1).astype("f8")
        self.outputs = len(kernels)

    def run(self, values: NDArray[np.float64], largest: int) -> Integers:
        """Integers ``[B, h, w, inputs]`` to ``[B, h, w, outputs]``, or twice the height and width."""
        count, height, width, _ = values.shape
        sums = (_neighbourhoods(values) @ self.matrix).astype(np.int64)
        sums = sums.reshape(count, height, width, self.phases, self.phases, self.outputs)
        found: Integers = np.clip((sums + (self.biases + self.halves)) >> self.shifts, 0, largest)
        full = (count, height * self.phases, width * self.phases, self.outputs)
        return found.transpose(0, 1, 3, 2, 4, 5).reshape(full)


def _phase_kernels(kernels: Integers) -> Integers:
    """Kernels ``[outputs, inputs, 5, 5]`` of a deconvolution as four of 3 x 3, by the parity of row and column.

    An output at row ``2 q`` sees inputs at rows ``q - 1, q, q + 1`` through the taps 4, 2, 0; one at ``2 q + 1`` those
    at ``q, q + 1`` through the taps 3, 1.
    """
    outputs, inputs = kernels.shape[:2]
    found = np.zeros((2, 2, outputs, inputs, NEAR, NEAR), np.int64)
    taps = (((0, 4), (1, 2), (2, 0)), ((1, 3), (2, 1)))
    for down, rows in enumerate(taps):
        for right, columns in enumerate(taps):
            for row, tap_row in rows:
                for column, tap_column in columns:
                    found[down, right, :, :, row, column] = kernels[:, :, tap_row, tap_column]
    return found


def _neighbourhoods(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``[B, h, w, C]`` to ``[B h w, 9 C]``: the 3 x 3 inputs around each, zeros outside."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (NEAR, NEAR), axis=(1, 2))
    count, height, width, channels = values.shape
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(count * height * width, NEAR * NEAR * channels)
