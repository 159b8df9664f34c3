"""All valid vectors that no encoder makes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tools.make.coded_vectors import coded_files
from tools.make.drawn_latents import drawn_latents
from tools.make.floor_vectors import floor_files
from tools.make.node_vectors import node_files
from tools.make.plane_vectors import plane_files
from tools.make.range_vectors import range_files
from tools.make.relying_vectors import relying_files
from tools.make.valid_clauses import by_hand_clauses

__all__ = ["hand_files", "relying_files"]


def hand_files() -> Iterator[tuple[str, str, bytes]]:
    """Name, what it is, and bytes of those that rely on no other file."""
    for file in by_hand_clauses():
        yield file.name, file.what, file.data
    by_kind = node_files(), plane_files(), coded_files(), drawn_latents(), range_files(), floor_files()
    for name, what, parts in chain.from_iterable(by_kind):
        yield name, what, parts.to_bytes()
