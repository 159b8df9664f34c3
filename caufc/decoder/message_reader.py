"""Messages: small files that begin alike, so that what their beginning says is found once."""

from __future__ import annotations

from dataclasses import dataclass

from ..bitstream import BlockParser, Header, Section
from ..coders.prelude import BlockStream, Prelude, read_prelude
from ..limits import Limits
from .file_decoder import ChunkDecoder, FileDecoder
from .lookup import Lookup

__all__ = ["MessageReader"]

MOST_KEPT, LONGEST_KEPT = 8, 4096
"""Beginnings of files that are kept, and bytes of one that is, at most."""


@dataclass(frozen=True)
class _Beginning:
    """Header and sections of files that have been read, and what decodes such files.

    Args:
        data: their bytes.
        header: what they say.
        length: of the header, in bytes.
        sections: what they say.
        seed: the header's checksum.
        decoder: of chunks behind them.
    """

    data: bytes
    header: Header
    length: int
    sections: tuple[Section, ...]
    seed: int
    decoder: ChunkDecoder

    def prelude(self, data: bytes, limits: Limits) -> Prelude | None:
        """The prelude of a file that begins so; None for a file that does not, or has more sections."""
        if not data.startswith(self.data):
            return None
        start = len(self.data)
        stream = BlockStream(iter([data[start:]]), limits, BlockParser(self.seed, start, limits))
        if stream.tag() == "S":
            return None
        return Prelude(self.header, self.length, self.sections, stream.started().offset, stream)


class MessageReader:
    """Makes decoders of files; threads may share it.

    Args:
        profile: content hash of the profile that messages name: only beginnings that name it are kept.
        lookup: finds profiles and weights.
        limits: checked before anything is allocated.
    """

    def __init__(self, profile: bytes, lookup: Lookup, limits: Limits) -> None:
        self.profile, self.lookup, self.limits = profile, lookup, limits
        self._kept: tuple[_Beginning, ...] = ()

    def decoder(self, data: bytes) -> FileDecoder:
        """The decoder of a file's bytes.

        Raises:
            FormatError: if header or sections are damaged or malformed.
            UnsupportedError: for what this version does not know, missing profiles, and over limits.
        """
        for known in self._kept:
            prelude = known.prelude(data, self.limits)
            if prelude is not None:
                return FileDecoder(prelude, known.decoder, self.limits)
        prelude = read_prelude(iter([data]), self.limits)
        made = ChunkDecoder(prelude.header, prelude.sections, self.lookup, self.limits)
        if prelude.header.profile == self.profile and prelude.start <= LONGEST_KEPT:
            seed = prelude.seed
            about = (prelude.header, prelude.length, prelude.sections, seed, made)
            beginning = _Beginning(data[: prelude.start], *about)
            self._kept = (beginning, *self._kept[: MOST_KEPT - 1])  # threads may do so side by side
        return FileDecoder(prelude, made, self.limits)
