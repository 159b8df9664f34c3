"""What a file needs from outside: found by content hash."""

from __future__ import annotations

from typing import Protocol

from ..coders.side_files import ProfileFile, WeightsFile

__all__ = ["Lookup"]


class Lookup(Protocol):
    """Finds profiles and weights by content hash."""

    def __call__(self, digest: bytes) -> ProfileFile:
        """A profile.

        Raises:
            MissingProfileError: if there is none.
        """
        ...

    def weights(self, digest: bytes) -> WeightsFile:
        """Weights.

        Raises:
            MissingWeightsError: if there are none.
        """
        ...
