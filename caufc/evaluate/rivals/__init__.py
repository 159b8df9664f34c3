"""What people use instead: each rival a small adapter, most of them of a library that is imported when it runs."""

from .base import (
    Rival,
    TensorPlan,
)
from .registry import (
    FAMILIES,
    Family,
    find_families,
)
from .zstd_codes import (
    RIVALS,
    HalfFloats,
    IntCodes,
    find_rivals,
)

__all__ = [
    "FAMILIES",
    "RIVALS",
    "Family",
    "HalfFloats",
    "IntCodes",
    "Rival",
    "TensorPlan",
    "find_families",
    "find_rivals",
]
