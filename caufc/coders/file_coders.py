"""The coders of a file's tensors and stacks, made from their configurations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import CaufError
from ..limits import Limits
from .base import FileShare, TensorCoder
from .config import TensorConfig
from .lossy import channels_of
from .stack import Stack

__all__ = ["coders_of"]


def coders_of(stacks: Sequence[Stack], gain: float, limits: Limits) -> list[TensorCoder]:
    """One coder per stack, for all chunks of a file.

    Args:
        stacks: of the file's tensors.
        gain: factor on all steps.
        limits: checked before a coder is made.

    Raises:
        LimitError: for more channels than allowed.
        MalformedError: if parameters or sections break the specification; it names the tensor.
    """
    configs = [stack.config for stack in stacks]
    channels = 0
    for config in configs:
        with _located(config):
            channels += channels_of(config) if config.codec.lossy else 0
            limits.check("channels", channels)
    coders: list[TensorCoder] = []
    share = FileShare(gain)
    for config in configs:
        with _located(config):
            coders.append(config.codec.load("coder")(config, share))
    return coders


@contextmanager
def _located(config: TensorConfig) -> Iterator[None]:
    """Errors of the body name the tensor."""
    try:
        yield
    except CaufError as err:
        raise err.locate(tensor=config.name) from err
