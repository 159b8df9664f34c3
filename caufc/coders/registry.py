"""The registry of codecs: the only place that knows their IDs (spec, section 4).

Two codecs share an ID if and only if each decodes what the other encoded. A new codec is a folder in ``codec/``, its
coder, drafting and rate control, a line here, and its section in the specification.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import UnsupportedError

__all__ = [
    "CODECS",
    "HYPERPRIOR",
    "LOSSLESS",
    "TRANSFORM",
    "Codec",
    "codec_named",
    "codec_of",
    "codec_of_all",
    "lossy_codecs",
]


@dataclass(frozen=True)
class Codec:
    """A codec, as files and people name it, and where its parts are: they are imported when they are used.

    Args:
        id: in headers.
        name: in options and reports.
        coder: ``module:class`` of its :class:`~caufc.coders.base.TensorCoder`.
        drafting: ``module:class`` of how an encoder chooses for a tensor; None where there is nothing to choose.
        rate_control: ``module:class`` of how an encoder meets a target; None where there is nothing to control.
        note: what help says of it, if anything.
        weighted: whether the weights that a file names or holds are sections of each of its tensors.
    """

    id: int
    name: str
    coder: str
    drafting: str | None = None
    rate_control: str | None = None
    note: str = ""
    weighted: bool = False

    @property
    def lossy(self) -> bool:
        """Whether it codes floats as aligned tokens, with loss."""
        return self.rate_control is not None

    def load(self, part: str) -> Any:
        """The class that the field ``part`` names."""
        module, _, name = getattr(self, part).partition(":")
        return getattr(importlib.import_module(f"caufc.{module}"), name)


LOSSLESS = Codec(0, "lossless", coder="coders.lossless:LosslessCoder")
TRANSFORM = Codec(
    1,
    "transform",
    coder="coders.transform:TransformCoder",
    drafting="encoder.transform_drafting:TransformDrafting",
    rate_control="encoder.setting_control:SettingControl",
)
HYPERPRIOR = Codec(
    2,
    "hyperprior",
    coder="coders.hyperprior:HyperpriorCoder",
    drafting="encoder.hyperprior_drafting:HyperpriorDrafting",
    rate_control="encoder.model_control:ModelRateControl",
    note="learned",
    weighted=True,
)

CODECS = (LOSSLESS, TRANSFORM, HYPERPRIOR)


def codec_of(number: int, tensor: str) -> Codec:
    """The codec of an ID.

    Raises:
        UnsupportedError: for an ID that this version does not know; it names the tensor.
    """
    for codec in CODECS:
        if codec.id == number:
            return codec
    raise UnsupportedError.unknown(f"codec {number}", tensor=tensor)


def codec_named(name: str) -> Codec | None:
    """The lossy codec of a name; None if there is none."""
    return next((codec for codec in lossy_codecs() if codec.name == name), None)


def lossy_codecs() -> list[Codec]:
    """The codecs with loss, among which options choose."""
    return [codec for codec in CODECS if codec.lossy]


def codec_of_all(codecs: Iterable[Codec]) -> Codec:
    """What a file of such tensors is said to be coded with: the one with loss that is among them, else none."""
    return max(codecs, key=lambda codec: codec.id, default=LOSSLESS)
