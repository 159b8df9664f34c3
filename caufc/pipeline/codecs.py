"""Which coder a tensor's codec ID names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import CaufError
from ..limits import Limits
from .coder import Coder, Costs
from .hyperprior_coder import HyperpriorCoder, LearnedCodecs
from .lossless_coder import LosslessCoder
from .setup import HYPERPRIOR, LOSSLESS, TensorSetup
from .token_coder import channels_of
from .transform_coder import TransformCoder

__all__ = ["coder_of", "coders_of"]


def coder_of(
    setup: TensorSetup,
    gain: float,
    learned: LearnedCodecs,
    *,
    bounded: bool = False,
    costs: Costs = None,
) -> Coder:
    """The coder of a tensor.

    Args:
        setup: how it is coded.
        gain: factor on all steps.
        learned: those of the file.
        bounded: whether errors are bounded.
        costs: for the encoder.

    Raises:
        MalformedError: if its parameters or sections break the specification.
        UnsupportedError: for registry numbers that this version does not know.
    """
    if setup.codec == LOSSLESS:
        return LosslessCoder(setup)
    if setup.codec == HYPERPRIOR:
        return HyperpriorCoder(setup, learned.of(setup))
    return TransformCoder(setup, gain, bounded, costs)


def coders_of(setups: Sequence[TensorSetup], gain: float, limits: Limits) -> list[Coder]:
    """The coders of a file's tensors, for decoding.

    Raises:
        LimitError: for more channels than allowed.
        MalformedError, UnsupportedError: as :func:`coder_of`, about the tensor.
    """
    coders: list[Coder] = []
    learned = LearnedCodecs()
    channels = 0
    for setup in setups:
        with _located(setup):
            channels += 0 if setup.codec == LOSSLESS else channels_of(setup)
            limits.check("channels", channels)
    for setup in setups:
        with _located(setup):
            coders.append(coder_of(setup, gain, learned))
    return coders


@contextmanager
def _located(setup: TensorSetup) -> Iterator[None]:
    """Errors of the body name the tensor."""
    try:
        yield
    except CaufError as err:
        raise err.locate(tensor=setup.name) from err
