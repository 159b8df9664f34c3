"""``LIST.txt``: many inputs, and their shards."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError, OptionError
from .leaf import open_input, storing

__all__ = ["parse_shard", "read_entries", "read_list", "shard"]

_SHARD = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})")


def read_list(path: Path) -> list[str]:
    """The paths that a list names; see :func:`read_entries`."""
    return list(read_entries(path))


def read_entries(path: Path) -> dict[str, str]:
    """What a list names, one per line, as it is written there, by path; blank lines and ``#`` lines are skipped.

    Relative paths are relative to the list's folder.

    Raises:
        StorageError: if the list cannot be read.
        InputError: for a line that is no path, or that repeats an earlier one; it names the line.
    """
    with open_input(path) as stream, storing(str(path)):
        lines = stream.read().removeprefix(b"\xef\xbb\xbf").splitlines()
    entries: dict[str, str] = {}
    found: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        text = os.fsdecode(line.strip())
        if not text or text.startswith("#"):
            continue
        if "\0" in text:
            raise InputError(f"line {number} is not a path", file=str(path), remedy="one path a line, as text")
        full = str(path.parent / text)
        if full in found:
            raise InputError(f"line {number} repeats line {found[full]}", file=str(path), remedy="remove one of them")
        found[full] = number
        entries[full] = text
    return entries


def parse_shard(text: str) -> tuple[int, int]:
    """``"2/8"`` -> ``(2, 8)``, the second of eight shards.

    Raises:
        OptionError: unless it is ``i/n`` with ``1 <= i <= n``.
    """
    match = _SHARD.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise OptionError(f"shard '{text}' is not i/n with 1 <= i <= n", remedy="for example 2/8")
    return int(match[1]), int(match[2])


def shard(paths: Sequence[str], i: int, n: int) -> list[str]:
    """The paths of shard ``i`` of ``n``, counted from 1: every n-th path, so that lengths differ by one at most.

    Raises:
        OptionError: unless ``1 <= i <= n``.
    """
    if not 1 <= i <= n:
        raise OptionError(f"shard {i}/{n} is not i/n with 1 <= i <= n", remedy="for example 2/8")
    return list(paths[i - 1 :: n])
