"""What a decoder may be asked to do before it refuses with :class:`~caufc.errors.LimitError`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace

from .errors import LimitError, OptionError
from .whole_numbers import whole_number

__all__ = ["DEFAULT_LIMITS", "Limits"]

STRUCTURAL = ("dimensions", "nesting")
"""What numpy and Python's stack bound anyway; :meth:`Limits.unlimited` leaves it."""


@dataclass(frozen=True)
class Limits:
    """Upper bounds, checked before anything is allocated. ``encode`` keeps within the same defaults (spec, section 12).

    Args:
        header_bytes, section_bytes, chunk_bytes, index_bytes: of a file's parts; sections together, inflated.
        tensors: with names.
        dimensions: of a tensor, with its sample axis.
        nesting: levels of structure.
        channels: of all tensors that are coded with loss.
        chunk_elements: values of a chunk, of all tensors; an axis of length 0 counts as 1.
        chunk_tokens: tokens of a chunk, of all tensors that are coded with loss: about 240 bytes each.
        chunk_grids: different token grids of a chunk, tensor by tensor: about 2 ms each; a tensor of the learned codec
            counts as one.
        chunk_arrays: samples of a chunk, tensor by tensor.
        chunk_products: multiplications by bases, and by the learned codec's kernels.
        chunk_latents: latents and hyper-latents of the learned codec.
        file_elements, file_products: of all chunks.
        list_samples: of a list or tuple, or that hold no value.
        output_bytes: of what is decoded.

    Raises:
        OptionError: for what is no whole number, or a negative one.
    """

    header_bytes: int = 1 << 20
    section_bytes: int = 1 << 26
    chunk_bytes: int = 1 << 32
    index_bytes: int = 1 << 28
    tensors: int = 65_536
    dimensions: int = 8
    nesting: int = 16
    channels: int = 1 << 25
    chunk_elements: int = 1 << 28
    chunk_tokens: int = 1 << 24
    chunk_grids: int = 1 << 16
    chunk_arrays: int = 1 << 22
    chunk_products: int = 1 << 38
    chunk_latents: int = 1 << 26
    file_elements: int = 1 << 34
    file_products: int = 1 << 45
    list_samples: int = 1 << 24
    output_bytes: int = 64 << 30

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, whole_number(field.name, getattr(self, field.name)))

    @classmethod
    def given(cls, limits: object) -> Limits:
        """What was given as an option.

        Raises:
            OptionError: for anything but limits.
        """
        if not isinstance(limits, cls):
            found = f"limits= is a {type(limits).__name__}, and no Limits"
            raise OptionError(found, remedy="give caufc.Limits(output_bytes=...)")
        return limits

    def check(self, limit: str, value: int) -> int:
        """Return ``value`` if it is within the named limit.

        Raises:
            LimitError: if it is not.
        """
        maximum: int = getattr(self, limit)
        if value > maximum:
            raise LimitError(limit, value, maximum)
        return value

    @classmethod
    def unlimited(cls) -> Limits:
        """Limits that only memory and patience bound: for files that one trusts."""
        sizes = (field.name for field in fields(cls) if field.name not in STRUCTURAL)
        return replace(cls(), **dict.fromkeys(sizes, sys.maxsize))


DEFAULT_LIMITS = Limits()
