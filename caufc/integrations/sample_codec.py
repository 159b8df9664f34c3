"""Samples one by one, as rows and files of other people's containers hold them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import caufc

__all__ = ["MOST_KEPT", "SampleCodec", "profile_of", "sample_codec"]

MOST_KEPT = 32
"""Codecs that are kept at a time; one of a wide profile takes some megabytes."""


class SampleCodec:
    """Samples to bytes and back: messages of a prepared coder where there is a profile, else files of one sample.

    Messages are far smaller than files for a few hundred values, and a hundred times as quick. Files need no profile.

    Args:
        profile: bytes of a ``.caufp`` file.
        options: of :class:`caufc.Coder`, or of :func:`caufc.encode` without a profile.

    Raises:
        OptionError: for controls that messages cannot keep, and a layout, which a profile has.
        CaufError: for what is wrong with the profile or the options.
    """

    def __init__(self, profile: bytes | None = None, **options: Any) -> None:
        self.options = {name: value for name, value in options.items() if value is not None}
        layout = self.options.get("layout")
        if profile is not None:
            if layout is not None:
                raise caufc.OptionError("a layout beside a profile, which has one", remedy="leave layout= out")
            self.coder: caufc.Coder | None = caufc.Coder(profile, **self.options)
            return
        self.coder = None
        caufc.size_bound((2, 2), "float32", **{**self.options, "layout": None})  # checks the other options
        if layout is not None:
            caufc.Layout(layout)

    def encode(self, sample: Any) -> bytes:
        """The bytes of a sample.

        Raises:
            InputError: for what cannot be encoded as asked, and what is not of the profile's kind.
        """
        if self.coder is not None:
            return self.coder.encode(sample)
        return caufc.encode(sample, threads=1, **self.options)

    def decode(self, data: bytes) -> Any:
        """The sample of some bytes; of a file without a profile too, where there is one.

        Raises:
            FormatError: for damaged or malformed bytes.
            UnsupportedError: for newer versions, other profiles, and over limits.
        """
        return caufc.decode(data, threads=1) if self.coder is None else self.coder.decode(data)


@lru_cache(MOST_KEPT)
def sample_codec(profile: bytes | None = None, **options: Any) -> SampleCodec:
    """The codec of a profile and options, made once; threads may share it."""
    return SampleCodec(profile, **options)


def profile_of(given: Any) -> bytes | None:
    """The bytes of a profile: of a coder, or by name, ``.caufp`` file or bytes.

    Raises:
        CaufError: if there is none.
    """
    if given is None:
        return None
    if isinstance(given, caufc.Coder):
        return given.profile
    if isinstance(given, bytes):
        sample_codec(given)
        return given
    return caufc.Coder(given).profile
