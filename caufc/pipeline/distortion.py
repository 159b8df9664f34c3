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
    """

    energy: float = 0.0
    error: float = 0.0
    largest: float = 0.0
    clipped: int = 0
    patched: int = 0

    def add(self, original: NDArray[Any], error: NDArray[Any]) -> None:
        """Add flat finite values and their errors."""
        for start in range(0, len(original), BLOCK):
            part = original[start : start + BLOCK].astype(np.float64)
            wrong = error[start : start + BLOCK].astype(np.float64)
            with np.errstate(over="ignore"):
                self.energy += float(np.sum(part * part))
                self.error += float(np.sum(wrong * wrong))
        if len(error):
            self.largest = max(self.largest, float(error.max()), -float(error.min()))

    def merge(self, other: Distortion) -> None:
        self.energy += other.energy
        self.error += other.error
        self.largest = max(self.largest, other.largest)
        self.clipped += other.clipped
        self.patched += other.patched

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
