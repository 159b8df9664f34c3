"""Decoded chunks that are kept for the samples that will be asked for next."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from weakref import WeakSet

from .file_decoder import DecodedChunk

__all__ = ["CACHE_BYTES", "ChunkCache"]

CACHE_BYTES = 1 << 28
"""Bytes of decoded chunks that are kept where nobody says otherwise."""


_CACHES: WeakSet[ChunkCache] = WeakSet()


class ChunkCache:
    """The chunks that were used last; threads may share it, and a forked process begins with none.

    Args:
        most: bytes that are kept, of values; the chunk that was used last is, whatever its size.
    """

    def __init__(self, most: int = CACHE_BYTES) -> None:
        self.most = most
        self.clear()
        _CACHES.add(self)

    def clear(self) -> None:
        """Drop all chunks."""
        self._lock = threading.Lock()
        self._chunks: OrderedDict[Hashable, DecodedChunk] = OrderedDict()
        self._decoding: dict[Hashable, threading.Lock] = {}
        self.bytes = 0

    def get(self, key: Hashable, decode: Callable[[], DecodedChunk]) -> DecodedChunk:
        """The chunk of a key; threads that want it at the same time wait for the one that decodes it.

        Raises:
            Exception: what ``decode`` raises.
        """
        with self._lock:
            found = self._kept(key)
            if found is not None:
                return found
            turn = self._decoding.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                found = self._kept(key)
            if found is not None:
                return found
            try:
                made = decode()
                with self._lock:
                    self._keep(key, made)
            finally:
                with self._lock:
                    self._decoding.pop(key, None)
        return made

    def holds(self, key: Hashable) -> bool:
        """Whether the chunk of a key is kept; it may be gone when it is asked for."""
        with self._lock:
            return key in self._chunks

    def _kept(self, key: Hashable) -> DecodedChunk | None:
        if key not in self._chunks:
            return None
        self._chunks.move_to_end(key)
        return self._chunks[key]

    def _keep(self, key: Hashable, chunk: DecodedChunk) -> None:
        if key not in self._chunks:
            self.bytes += chunk.nbytes
        self._chunks[key] = chunk
        while self.bytes > self.most and len(self._chunks) > 1:
            _, oldest = self._chunks.popitem(last=False)
            self.bytes -= oldest.nbytes


def _forked() -> None:
    """In a child process only the thread that forked goes on: locks that others held would stay locked."""
    for cache in list(_CACHES):
        cache.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
