"""Notes among the tensors of samples: which stay in the tree, and which differ and become tensors of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..bitstream import MAX_NOTE, MAX_NOTE_IN_HEADER, note_bytes
from ..encoder.source import SourceTensor
from ..errors import InputError
from ..types import NOTE, Branch, Leaf, Note, Tree, tensor_names
from .leaf import ArrayLeaf
from .walk import HOLE, Walked

__all__ = ["alone", "columns", "rows"]


@dataclass(frozen=True)
class _Column:
    """What becomes a tensor: leaves, one per sample or one whose first axis counts samples."""

    leaves: Sequence[Leaf]
    stacked: bool = False


def columns(samples: Sequence[Walked], *, streamed: bool = False) -> tuple[Tree, tuple[SourceTensor, ...]]:
    """The tree of samples that agree, and their tensors; notes that are the same everywhere stay in the tree.

    Where others are to follow, notes become tensors, whatever these samples have.
    """
    first = samples[0]
    tensors = [_Column([sample.leaves[number] for sample in samples]) for number in range(len(first.leaves))]
    notes: list[Note | _Column] = []
    for number, note in enumerate(first.notes):
        if (
            not streamed
            and len(note.data) <= MAX_NOTE_IN_HEADER
            and all(sample.notes[number] == note for sample in samples)
        ):
            notes.append(note)
        else:
            notes.append(_Column([_leaf(sample.notes[number]) for sample in samples]))
    return _arranged(first.tree, tensors, notes)


def alone(walked: Walked) -> tuple[Tree, tuple[SourceTensor, ...]]:
    """The tree of one sample, and its tensors; long notes become some."""
    notes = [note if len(note.data) <= MAX_NOTE_IN_HEADER else _Column([_leaf(note)]) for note in walked.notes]
    return _arranged(walked.tree, [_Column([leaf]) for leaf in walked.leaves], notes)


def rows(walked: Walked, samples: int) -> tuple[Tree, tuple[SourceTensor, ...]]:
    """The tree of a batch, and its tensors: a list of as many notes as there are samples is one, the others stay."""
    notes: list[Note | _Column] = []
    for note, value in zip(walked.notes, walked.values, strict=True):
        if isinstance(value, list) and len(value) == samples and samples > 1:
            notes.append(_Column([_leaf(Note(note_bytes(item))) for item in value]))
        else:
            notes.append(note)
    return _arranged(walked.tree, [_Column([leaf], stacked=True) for leaf in walked.leaves], notes)


def _leaf(note: Note) -> Leaf:
    return ArrayLeaf(np.frombuffer(note.data, np.uint8), NOTE)


def _arranged(
    tree: Tree, tensors: Sequence[_Column], notes: Sequence[Note | _Column]
) -> tuple[Tree, tuple[SourceTensor, ...]]:
    """The tree with all that are tensors numbered anew from left to right, and these in order."""
    found: list[_Column] = []
    following = iter(notes)

    def place(node: Tree) -> Tree:
        if isinstance(node, Branch):
            return Branch(node.kind, node.names, tuple(map(place, node.children)))
        part = next(following) if node == HOLE else tensors[node] if isinstance(node, int) else node
        if isinstance(part, Note):
            return part
        found.append(part)
        return len(found) - 1

    placed = place(tree)
    size = sum(len(note.data) for note in notes if isinstance(note, Note))
    if size > MAX_NOTE:
        message = f"text and lists of numbers beside tensors have {size:,} bytes, more than {MAX_NOTE:,}"
        raise InputError(message, remedy="keep them as arrays, or split the input")
    return placed, tuple(
        SourceTensor(name, column.leaves[0].dtype, column.leaves[0].framework, column.leaves, column.stacked)
        for name, column in zip(tensor_names(placed), found, strict=True)
    )
