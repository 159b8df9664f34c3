"""What a decoder may be asked to do before it refuses with :class:`~caufc.errors.LimitError`."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import LimitError

__all__ = ["DEFAULT_LIMITS", "Limits"]


@dataclass(frozen=True)
class Limits:
    """Upper bounds, checked before anything is allocated. ``encode`` keeps within the same defaults."""

    header_bytes: int = 1 << 20
    section_bytes: int = 1 << 26
    chunk_bytes: int = 1 << 32
    index_bytes: int = 1 << 30
    tensors: int = 65_536
    dimensions: int = 8
    nesting: int = 16
    chunk_elements: int = 1 << 28
    file_elements: int = 1 << 34
    list_samples: int = 1 << 24
    output_bytes: int = 64 << 30

    def check(self, limit: str, value: int) -> int:
        """Return ``value`` if it is within the named limit.

        Raises:
            LimitError: if it is not.
        """
        maximum: int = getattr(self, limit)
        if value > maximum:
            raise LimitError(limit, value, maximum)
        return value


DEFAULT_LIMITS = Limits()
