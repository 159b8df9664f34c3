"""Which coder a tensor's codec ID names."""

from __future__ import annotations

from .coder import Coder, DeadZones
from .hyperprior_coder import HyperpriorCoder
from .lossless_coder import LosslessCoder
from .setup import HYPERPRIOR, LOSSLESS, TensorSetup
from .transform_coder import TransformCoder

__all__ = ["coder_of"]


def coder_of(setup: TensorSetup, gain: float, *, bounded: bool = False, dead_zones: DeadZones = None) -> Coder:
    """The coder of a tensor.

    Raises:
        MalformedError: if its parameters or sections break the specification.
        UnsupportedError: for registry numbers that this version does not know.
    """
    if setup.codec == LOSSLESS:
        return LosslessCoder(setup)
    if setup.codec == HYPERPRIOR:
        return HyperpriorCoder(setup)
    return TransformCoder(setup, gain, bounded, dead_zones)
