"""What feature formats cannot hold: checks that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..descriptors import Problem
from ..errors import InputError
from ..types import FOREIGN, NOTE, Branch, Note, Structure, Tree
from .texts import NO_TEXTS, is_text_note

__all__ = ["array_problem", "dict_problem", "note_problem", "read_only", "samples_problem", "unwritten"]

NOTES = "text, numbers, booleans or None beside tensors"


def unwritten(structure: Structure, names: Sequence[str], dtypes: Sequence[str]) -> Problem:  # noqa: ARG001
    """That of a format which caufc does not write."""
    return "features: caufc reads it, and does not write it", None


def read_only(suffix: str) -> Callable[[Path, Any], None]:
    """What writes a format which caufc does not write."""

    def write(path: Path, features: Any) -> None:  # noqa: ARG001
        raise InputError(f"caufc does not write {suffix}", file=str(path), remedy="write .npz or .pt")

    return write


def dict_problem(
    structure: Structure,
    names: Sequence[str],
    dtypes: Sequence[str],
    allowed: Callable[[str], bool],
    *,
    texts: bool = False,
) -> Problem | None:
    """What a format cannot hold that stores tensors by name, none below another.

    Args:
        structure: of the object.
        names, dtypes: of its tensors, by tensor number.
        allowed: whether the format can hold a name.
        texts: whether it can hold text; then what it cannot hold of notes that are coded is found in writing.
    """
    tree = structure.tree
    if structure.kind in ("list", "tuple"):
        return samples_problem(structure, names)
    found = note_problem(structure, names, dtypes, texts=texts)
    if found is not None:
        return found
    if structure.kind == "keyed":
        return None if isinstance(tree, int) else ("samples of several tensors by key", names[0])
    if not isinstance(tree, Branch):
        return "a tensor without a name", None
    if tree.kind != "dict":
        return f"a {tree.kind} of tensors", names[0] if names else None
    for name, child in zip(tree.names, tree.children, strict=True):
        if isinstance(child, Branch):
            return f"a {child.kind} inside a dict", str(name)
        if not isinstance(name, str):
            return "an integer as a name", str(name)
        if not allowed(name):
            return "this name", name
    return None


def samples_problem(structure: Structure, names: Sequence[str]) -> Problem | None:
    """What a format cannot hold that has no lists of samples."""
    if structure.kind not in ("list", "tuple", "keyed"):
        return None
    kind = "samples by key" if structure.kind == "keyed" else f"a {structure.kind} of samples"
    return kind, names[0] if names else None


def note_problem(
    structure: Structure, names: Sequence[str], dtypes: Sequence[str], *, texts: bool = False
) -> Problem | None:
    """What a format cannot hold that has tensors alone, or tensors and text."""
    if NOTE in dtypes and not texts:
        return NOTES, names[dtypes.index(NOTE)]
    found = _note(structure.tree, (), texts)
    return None if found is None else (NO_TEXTS if texts else NOTES, ".".join(found))


def array_problem(names: Sequence[str], dtypes: Sequence[str]) -> Problem | None:
    """What numpy's formats cannot hold."""
    return next(((dtype, name) for name, dtype in zip(names, dtypes, strict=True) if dtype in FOREIGN), None)


def _note(tree: Tree, path: tuple[str, ...], texts: bool) -> tuple[str, ...] | None:
    """The path of the first note of a tree, or of the first that is no text."""
    if isinstance(tree, Note):
        return None if texts and is_text_note(tree) else path
    if isinstance(tree, Branch):
        for name, child in zip(tree.names, tree.children, strict=True):
            found = _note(child, (*path, str(name)), texts)
            if found is not None:
                return found
    return None
