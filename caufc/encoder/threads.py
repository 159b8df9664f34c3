"""One thread of BLAS while an encoder decides: sums are then taken in one order, whatever the machine would use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

__all__ = ["one_blas_thread"]


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Products and eigenvectors of the body do not depend on the number of threads, nor do the bytes made of them."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield
