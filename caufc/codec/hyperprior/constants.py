"""Numbers that training and coding share."""

from __future__ import annotations

__all__ = ["LARGEST_SCALE", "MIDDLE", "SCALES", "SMALLEST_SCALE", "SPREAD", "STRIDE"]

STRIDE = 16
"""A latent stands for so many tokens and channels."""

SCALES = 64
SMALLEST_SCALE, LARGEST_SCALE = 0.11, 256.0
"""Deviations that the first and the last scale index stand for in training, evenly on a log scale."""

MIDDLE, SPREAD = 0.5, 0.1
"""Where aligned values lie, about: transforms see them centred and scaled."""
