"""How far decoded values are from what came in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Distortion"]

BLOCK = 1 << 18


@dataclass
class Distortion:
    """Sums over values; values that are stored exactly count with an error of 0, those that are not finite not at all.

    Args:
        energy: sum of squares of the input.
        error: sum of squared errors.
        largest: largest absolute error.
        clipped: values that truncation changed.
        patched: values that are stored exactly.
        rest_energy: sum of squares of what remains when outliers are set aside, tokens divided by their scales.
        rest_error: sum of its squared errors.
    """

    energy: float = 0.0
    error: float = 0.0
    largest: float = 0.0
    clipped: int = 0
    patched: int = 0
    rest_energy: float = 0.0
    rest_error: float = 0.0

    def add(self, original: NDArray[Any], error: NDArray[Any]) -> None:
        """Add finite values and their errors, of one shape."""
        rows = max(1, BLOCK * len(original) // max(1, original.size))
        for start in range(0, len(original), rows):
            self.energy += _squares(original[start : start + rows])
            self.error += _squares(error[start : start + rows])
        if error.size:
            self.largest = max(self.largest, float(error.max()), -float(error.min()))

    def add_rest(self, original: NDArray[Any], error: NDArray[Any]) -> None:
        """Add values that remain when outliers are set aside, and their errors, of one shape."""
        self.rest_energy += _squares(original)
        self.rest_error += _squares(error)

    @property
    def rest_snr_db(self) -> float:
        """10 log10 of energy over error in dB, outliers set aside."""
        if self.rest_error == 0:
            return math.inf
        return 10 * math.log10(self.rest_energy / self.rest_error) if self.rest_energy > 0 else -math.inf

    def merge(self, other: Distortion) -> None:
        self.energy += other.energy
        self.error += other.error
        self.largest = max(self.largest, other.largest)
        self.clipped += other.clipped
        self.patched += other.patched
        self.rest_energy += other.rest_energy
        self.rest_error += other.rest_error

    @property
    def snr_db(self) -> float | None:
        """10 log10 of energy over error in dB; None if the error is 0."""
        if self.error == 0:
            return None
        ratio = self.energy / self.error
        return -math.inf if ratio == 0 else 10 * math.log10(ratio)

    @property
    def nmse(self) -> float:
        """Error over energy."""
        return self.error / self.energy if self.energy > 0 else (0.0 if self.error == 0 else math.inf)


def _squares(values: NDArray[Any]) -> float:
    """Sum of squares, summed in float64; squared in float32 where that neither over- nor underflows much."""
    largest = max(float(values.max()), -float(values.min())) if values.size else 0.0
    if not 1e-12 < largest < 1e15:
        values = values.astype(np.float64)
    with np.errstate(over="ignore"):
        return float(np.sum(np.square(values), dtype=np.float64))
