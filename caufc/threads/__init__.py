"""Threads: how many a process may use, work shared out among them in order, and libraries kept to one each."""

from .blas import one_blas_thread
from .cpus import thread_count, usable_cpus
from .ordered import in_order

__all__ = ["in_order", "one_blas_thread", "thread_count", "usable_cpus"]
