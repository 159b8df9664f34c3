"""Random access to what a damaged or unfinished file still holds."""

from __future__ import annotations

from itertools import accumulate

from ..bitstream import Index
from .chunk_cache import CACHE_BYTES, ChunkCache
from .file_decoder import as_it_is
from .random_access import FileReader
from .recovery import Recovery

__all__ = ["RecoveredReader"]


class RecoveredReader(FileReader):
    """Reads samples of whole chunks, numbered anew without gaps.

    Args:
        found: the chunks.
        cache_bytes: of decoded chunks that are kept.
    """

    def __init__(self, found: Recovery, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.read_at, self.size, self.limits = found.read_at, found.size, found.limits
        self.settle = as_it_is
        self.prelude, self.chunks = found.prelude, found.chunks
        self.charged = found.chunks.selection.configs
        counts = [chunk.count for chunk in found.whole]
        self.index = Index(
            found.whole[0].offset,
            tuple((chunk.length, chunk.count) for chunk in found.whole),
            tuple(chunk.offset for chunk in found.whole),
            tuple(found.keys) if found.chunks.keyed else None,
        )
        self._told = dict(zip(accumulate(counts, initial=0), (chunk.first for chunk in found.whole), strict=False))
        self.cache = ChunkCache(cache_bytes)

    def told_first(self, first: int) -> int:
        return self._told[first]
