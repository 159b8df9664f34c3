"""Values as colours: a palette with two arms for signed values, one of rising light for sizes, grey for NaN and Inf."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .png import palette_png

__all__ = ["RISING", "SIGNED", "rising_png", "scale_of", "signed_png", "spread_of"]

ARM = 63
LEVELS = 2 * ARM + 1
UNKNOWN = LEVELS
"""The level of what is not finite, one behind all others."""

ROBUST = 0.99
"""Share of the magnitudes that a scale shows; those beyond have its last colour."""

Bytes = NDArray[np.uint8]


def _palette(anchors: tuple[str, ...]) -> Bytes:
    """Colours between anchors, evenly, and the grey of what is not finite ``[LEVELS + 1, 3]``."""
    colours = np.array([[int(anchor[place : place + 2], 16) for place in (0, 2, 4)] for anchor in anchors], float)
    at = np.linspace(0, len(colours) - 1, LEVELS)
    channels = [np.interp(at, np.arange(len(colours)), colours[:, channel]) for channel in range(3)]
    return np.concatenate([np.rint(np.stack(channels, axis=1)), [[128, 128, 128]]]).astype(np.uint8)


SIGNED = _palette(("0b3d91", "4c8bd0", "f7f7f7", "e0704f", "9b1c1c"))
"""Blue below zero, white at zero, red above."""

RISING = _palette(("2b1055", "3b528b", "21918c", "5ec962", "fde725"))
"""From dark to light, also where a page is printed in grey."""


def scale_of(values: NDArray[np.floating]) -> float:
    """The magnitude that a scale ends at: all but a hundredth of the finite values lie within; above 0."""
    sizes = np.abs(values[np.isfinite(values)])
    if not sizes.size:
        return 1.0
    return float(np.quantile(sizes, ROBUST)) or float(sizes.max()) or 1.0


def spread_of(values: NDArray[np.floating]) -> tuple[float, float]:
    """The ends of a scale of values that have no sign: all but a hundredth at each end lie within."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(end) for end in np.quantile(finite, (1 - ROBUST, ROBUST)))
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))


def signed_png(plane: NDArray[np.floating], scale: float) -> bytes:
    """Values ``[H, W]`` as a PNG in :data:`SIGNED`, from ``-scale`` to ``scale``."""
    return _png(plane, SIGNED, -scale, scale)


def rising_png(plane: NDArray[np.floating], low: float, high: float) -> bytes:
    """Values ``[H, W]`` as a PNG in :data:`RISING`."""
    return _png(plane, RISING, low, high)


def _png(plane: NDArray[np.floating], palette: Bytes, low: float, high: float) -> bytes:
    finite = np.isfinite(plane)
    halves = np.where(finite, plane, low).astype(np.float64) / 2  # whose differences do not overflow
    shares = (halves - low / 2) / (high / 2 - low / 2)
    levels = np.where(finite, np.rint(np.clip(shares, 0, 1) * (LEVELS - 1)), UNKNOWN)
    return palette_png(levels.astype(np.uint8), palette)
