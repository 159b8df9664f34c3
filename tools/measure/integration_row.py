"""What a row of `integrations` is: a library, and two ways to keep the same samples in it, caufc's and today's."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import caufc

__all__ = ["Neighbour", "Samples", "Way", "kept", "lines_of"]

Samples = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Way:
    """A way to keep samples in files of a folder.

    Args:
        name: for people.
        write: samples, with a coder that was fitted to others, into a folder; its lines are what a user writes.
        read: all of them, in order. Both import what they need: a library may be missing.
    """

    name: str
    write: Callable[[Samples, caufc.Coder, Path], Any]
    read: Callable[[Path], Sequence[Any]]


@dataclass(frozen=True)
class Neighbour:
    """A library.

    Args:
        name: for people.
        package: whose version counts.
        kind: what is kept in it: ``vectors`` [384], ``texts`` [T, 384], or the ``matrix`` [B, 384] of all vectors.
        ours, today: ways.
    """

    name: str
    package: str
    kind: Literal["vectors", "texts", "matrix"]
    ours: Way
    today: Way


def lines_of(way: Way) -> int:
    """Lines of code in the bodies of a way's two functions: of statements other than imports."""
    count = 0
    for function in (way.write, way.read):
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        assert isinstance(tree, ast.FunctionDef)
        body = [part for part in tree.body if not isinstance(part, ast.Import | ast.ImportFrom)]
        count += sum((part.end_lineno or part.lineno) - part.lineno + 1 for part in body)
    return count


def kept(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
