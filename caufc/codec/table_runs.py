"""Runs by table: symbols that are coded each with one of several tables, sorted so that a table's are one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .entropy import RansDecoder, RansEncoder, TableModel

__all__ = ["pull_runs", "push_runs"]

Bytes = NDArray[np.uint8]
Models = Callable[[int], TableModel]


def push_runs(encoder: RansEncoder, symbols: Bytes, tables: NDArray[Any], models: Models) -> None:
    """Append symbols ``[n]``, of tables ``[n]`` whose models are given by number."""
    order, bounds = _sorted(tables)
    run = symbols[order]
    for number in np.flatnonzero(np.diff(bounds)):
        encoder.push(run[bounds[number] : bounds[number + 1]], models(int(number)))


def pull_runs(decoder: RansDecoder, tables: NDArray[Any], models: Models) -> Bytes:
    """The symbols of tables ``[n]``."""
    order, bounds = _sorted(tables)
    run = np.empty(len(tables), np.uint8)
    for number in np.flatnonzero(np.diff(bounds)):
        decoder.pull_into(run[bounds[number] : bounds[number + 1]], models(int(number)))
    symbols = np.empty_like(run)
    symbols[order] = run
    return symbols


def _sorted(tables: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """The order that sorts symbols by table, and where each table's run starts."""
    return np.argsort(tables, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(tables))])
