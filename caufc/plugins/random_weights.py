"""Random weights that are the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .arch_options import ArchOptions

__all__ = ["seeded"]


@contextmanager
def seeded(options: ArchOptions) -> Iterator[None]:
    """Draw the weights of a network without pretrained ones from its own seed; the caller's random numbers stay."""
    if not options.random_weights:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(options.seed)
        yield
