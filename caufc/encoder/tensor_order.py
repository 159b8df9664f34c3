"""Tensors in the order of a profile, whose sections go by number, whatever the order of names in dicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..coders.resolve import tree_of
from ..coders.side_files import ProfileFile
from ..types import Branch, Tree
from .source import Source

__all__ = ["in_order_of", "source_for"]


def source_for(profile: ProfileFile | None, source: Source) -> Source:
    """A source whose tensors are in the order of a profile's, those that the profile has."""
    model = None if profile is None else profile.header.tree
    if model is None:
        return source
    tree, numbers = in_order_of(tree_of(model), source.structure.tree)
    if tree == source.structure.tree:
        return source
    structure = replace(source.structure, tree=tree)
    return replace(source, structure=structure, tensors=tuple(source.tensors[number] for number in numbers))


def in_order_of(model: Tree, tree: Tree) -> tuple[Tree, list[int]]:
    """A structure whose dicts have names in a model's order, others behind them, and the numbers that tensors had."""
    ordered = _ordered(model, tree)
    numbers = list(_numbers(ordered))
    return _renumbered(ordered, {number: place for place, number in enumerate(numbers)}), numbers


def _ordered(model: Tree, tree: Tree) -> Tree:
    if not isinstance(model, Branch) or not isinstance(tree, Branch):
        return tree
    models, children = (dict(zip(branch.names, branch.children, strict=True)) for branch in (model, tree))
    names = (*(name for name in models if name in children), *(name for name in children if name not in models))
    placed = (_ordered(models.get(name, children[name]), children[name]) for name in names)
    return replace(tree, names=names, children=tuple(placed))


def _numbers(tree: Tree) -> Iterator[int]:
    """Tensor numbers from left to right."""
    if isinstance(tree, int):
        yield tree
    elif isinstance(tree, Branch):
        for child in tree.children:
            yield from _numbers(child)


def _renumbered(tree: Tree, places: dict[int, int]) -> Tree:
    if isinstance(tree, int):
        return places[tree]
    if isinstance(tree, Branch):
        return replace(tree, children=tuple(_renumbered(child, places) for child in tree.children))
    return tree
