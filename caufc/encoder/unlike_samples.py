"""The warning about samples that are not alike: each tensor of each is then coded by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..types import Branch, Note, Tree
from .source import Source

__all__ = ["unlike_samples"]

LEAST = 32
"""So many items of one object look like samples."""

_NOTHING = Note(b"")


def unlike_samples(source: Source) -> list[str]:
    """A sentence if one sample is a list or dict of many that look like samples but are not alike.

    They do where all are dicts that share a name, lists, or tuples; or, in a list, tensors with None or other notes
    among them.
    """
    tree = source.structure.tree
    if source.structure.kind not in ("single", "batch") or not isinstance(tree, Branch) or len(tree.children) < LEAST:
        return []
    if not (_are_branches(tree.children) or _are_tensors(tree)):
        return []
    parts = [_parts(source, child) for child in tree.children]
    odd = next((place for place, found in enumerate(parts) if found != parts[0]), None)
    if odd is None:
        return []
    path = next(path for path in (*parts[0], *parts[odd]) if parts[0].get(path) != parts[odd].get(path))
    where = f" in '{'.'.join(path)}'" if path else ""
    return [
        f"'{tree.names[0]}' and '{tree.names[odd]}' differ{where}: {len(tree.children):,} samples are coded as "
        f"{len(source.tensors):,} tensors of one, which takes many times as long and more bytes; give all of them the "
        "same parts, dtypes and axes, such as an empty tensor in place of None"
    ]


def _are_branches(children: Sequence[Tree]) -> bool:
    found = [child for child in children if isinstance(child, Branch)]
    if len(found) < len(children) or len({child.kind for child in found}) > 1:
        return False
    return found[0].kind != "dict" or bool(set.intersection(*(set(child.names) for child in found)))


def _are_tensors(tree: Branch) -> bool:
    kinds = {type(child) for child in tree.children}
    return tree.kind != "dict" and kinds == {int, Note}


def _parts(source: Source, tree: Tree) -> Mapping[tuple[str, ...], object]:
    """What stands at every path of a sample: dtype and axes of tensors, and that there is a note or branch."""
    if isinstance(tree, int):
        tensor = source.tensors[tree]
        return {(): (tensor.dtype, tensor.framework, len(tensor.shape(0)))}
    if isinstance(tree, Note):
        return {(): _NOTHING}
    found: dict[tuple[str, ...], object] = {(): tree.kind}
    for name, child in zip(tree.names, tree.children, strict=True):
        found |= {(str(name), *path): part for path, part in _parts(source, child).items()}
    return found
