"""A cluster of Ray that keeps quiet: one of this machine, or one that is there."""

from __future__ import annotations

import logging
import os
import socket
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

REMEDY = "give the address of a cluster that runs, as HOST:PORT"
SECONDS = 10.0
"""In which a cluster must answer."""


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
    else:
        _check_reachable(address)
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with _no_stderr():  # where it tells that it is quiet
            ray.init(address=address, **{**quiet, **options})
    except (ConnectionError, RuntimeError, ValueError) as err:
        raise caufc.StorageError(f"cannot use Ray there: {err}", file=address, remedy=REMEDY) from err
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Whether anybody listens at HOST:PORT: Ray itself would try for minutes, and say nothing.

    Raises:
        StorageError: if nobody does.
    """
    host, colon, port = address.rpartition("//")[2].rpartition(":")
    if not (colon and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS).close()
    except (OSError, OverflowError) as err:
        raise caufc.StorageError(f"nobody answers there: {err}", file=address, remedy=REMEDY) from err


@contextmanager
def _no_stderr() -> Iterator[None]:
    """What libraries write past Python is dropped, where there is anything to write to."""
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
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
