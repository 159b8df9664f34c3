"""The two ways through the codecs: with whatever kernels are built, and in numpy and constriction alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar
from unittest import mock

from caufc.codec import kernels

Found = TypeVar("Found")


def without_kernels() -> AbstractContextManager[Any]:
    """As if none were built."""
    patches: dict[str, Any] = dict.fromkeys(kernels.NAMES)
    patching: AbstractContextManager[Any] = mock.patch.multiple(kernels, **patches)
    return patching


def both(job: Callable[[], Found]) -> tuple[Found, Found]:
    """What a job gives with kernels, and without."""
    compiled = job()
    with without_kernels():
        return compiled, job()
