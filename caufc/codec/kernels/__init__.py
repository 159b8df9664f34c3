"""Compiled twins of hot loops: each gives the same bytes and values as the numpy code that calls it.

A kernel is an attribute, None where it is not built, or where the environment variable ``CAUFC_KERNELS`` is ``0``:
callers then go on in numpy. Kernels take arrays as pointers, into which they write; they keep nothing between two
calls and let go of the interpreter in their loops, so that threads may share them. They are safe for any arguments:
what does not fit is a ValueError before a pointer is used, and what a file may say is checked by callers before.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

__all__ = ["NAMES", "VARIABLE", "built", "described"]

VARIABLE = "CAUFC_KERNELS"
"""Of the environment: ``0`` switches kernels off."""

NAMES = ("coefficients", "counts", "dct", "integers", "planes", "quantizer", "rans", "rows")


def _loaded(name: str) -> Any:
    """A kernel, or None; they read integers in the machine's order, which must be that of files."""
    if os.environ.get(VARIABLE) == "0" or sys.byteorder != "little":
        return None
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ImportError:
        return None


if TYPE_CHECKING:
    from . import coefficients, counts, dct, integers, planes, quantizer, rans, rows
else:
    coefficients, counts, dct, integers, planes, quantizer, rans, rows = (_loaded(name) for name in NAMES)


def built() -> tuple[str, ...]:
    """Names of the kernels that are in use, sorted."""
    return tuple(name for name in NAMES if globals()[name] is not None)


def described() -> str:
    """Which kernels are in use, in a line, and what to do about those that are not."""
    found = built()
    if os.environ.get(VARIABLE) == "0":
        return f"none, {VARIABLE}=0 switches them off"
    if not found:
        return "none, caufc is slower without; with a C compiler, installing it again builds them"
    missing = [name for name in NAMES if name not in found]
    return ", ".join(found) + (f"; not built: {', '.join(missing)}" if missing else "")
