"""A cluster of Ray that keeps quiet: one of this machine, or one that is there."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
import ray.data

import caufc

__all__ = ["cluster"]

LOCAL = "local"
"""Address of a cluster that is started on this machine."""

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
"""Of the environment, unless it says otherwise: the second is of lines that Ray's own libraries write to stderr."""


@contextmanager
def cluster(address: str = LOCAL, **options: Any) -> Iterator[None]:
    """Connect to a cluster for as long as the body runs, without dashboard, statistics of use and lines on stderr.

    Where the process is connected already, that stays as it is.

    Args:
        address: of the cluster, as ``ray.init`` takes it; ``local`` starts one with the processors of this machine,
            which ends with the body.
        options: of ``ray.init``: ``num_cpus`` and others.

    Raises:
        StorageError: if there is no cluster at the address.
    """
    _hush()
    if ray.is_initialized():
        yield
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if address == LOCAL:
        options = {"include_dashboard": False, **options}
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with _no_stderr():  # where it tells that it is quiet
            ray.init(address=address, **{**quiet, **options})
    except (ConnectionError, RuntimeError, ValueError) as err:
        raise caufc.StorageError(
            f"cannot use Ray there: {err}", file=address, remedy="give the address of a cluster that runs, as HOST:PORT"
        ) from err
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _no_stderr() -> Iterator[None]:
    """What libraries write past Python is dropped."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _hush() -> None:
    """No bars and lines of Ray Data: what matters comes as an error."""
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
