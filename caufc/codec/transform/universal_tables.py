"""The universal tables: trained once over features of several architectures, normative (spec, section 9.2)."""

from __future__ import annotations

import functools
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ..buckets import BUCKETS
from .contexts import CLASSES, CONTEXTS

__all__ = ["universal_tables"]

NAME = "universal.tables"
Bytes = NDArray[np.uint8]


@functools.cache
def universal_tables() -> tuple[Bytes, Bytes]:
    """Context map ``[48, 40]`` and tables as levels ``[T, 64]`` [CAUF-0233]."""
    data = np.frombuffer(resources.files("caufc").joinpath("data", "tables", NAME).read_bytes(), np.uint8)
    size = CLASSES * CONTEXTS
    return data[:size].reshape(CLASSES, CONTEXTS), data[size:].reshape(-1, BUCKETS)
