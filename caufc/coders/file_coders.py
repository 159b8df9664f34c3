"""The coders of a file's tensors, made from their configurations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import CaufError
from ..limits import Limits
from .base import FileShare, TensorCoder
from .config import TensorConfig
from .lossy import channels_of

__all__ = ["coders_of"]


def coders_of(configs: Sequence[TensorConfig], gain: float, limits: Limits) -> list[TensorCoder]:
    """One coder per tensor, for all chunks of a file.

    Args:
        configs: of the tensors.
        gain: factor on all steps.
        limits: checked before a coder is made.

    Raises:
        LimitError: for more channels than allowed.
        MalformedError: if parameters or sections break the specification; it names the tensor.
    """
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
