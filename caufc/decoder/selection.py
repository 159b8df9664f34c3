"""Which tensors of a file are decoded, and the structure that they make up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..coders.config import TensorConfig
from ..errors import OptionError, UnknownNameError
from ..tensor_patterns import fits, unmatched
from ..types import Branch, Structure, Tree

__all__ = ["Selection"]


@dataclass(frozen=True)
class Selection:
    """What is decoded of every sample.

    Args:
        structure: of what is given back, its tensors numbered anew.
        configs: of its tensors.
        numbers: of these tensors in the file, ascending.
    """

    structure: Structure
    configs: tuple[TensorConfig, ...]
    numbers: tuple[int, ...]

    @classmethod
    def of(
        cls, structure: Structure, configs: Sequence[TensorConfig], only: Collection[str] | str | None = None
    ) -> Selection:
        """What names, prefixes and patterns choose of a file's structure; all for None.

        Branches keep what is chosen in them, lists and tuples get shorter, and branches without any are left out.
        Notes beside tensors have names too.

        Raises:
            OptionError: if there is nothing in ``only``, or other things than texts, or the file's lone tensor has no
                name.
            UnknownNameError: for what fits no tensor; it lists what there is.
        """
        names = list(dict.fromkeys(_names(structure.tree)))
        if only is None or (structure.kind == "list" and not names):  # a list of no samples holds whatever is asked for
            return cls(structure, tuple(configs), tuple(range(len(configs))))
        wanted = _texts(only)
        if not wanted:
            raise OptionError("no tensor is asked for", remedy="name one, or leave 'only' out")
        unknown = unmatched(wanted, names)
        if unknown is not None and names == [""]:
            raise OptionError(f"no tensor '{unknown}': there is one, without a name", remedy=_nameless(structure))
        if unknown is not None:
            raise UnknownNameError("tensor", unknown, names)
        numbers: list[int] = []
        tree = _pruned(structure.tree, wanted, (), numbers)
        if tree is None:
            raise OptionError("there is no tensor", remedy="leave 'only' out")
        return cls(Structure(structure.kind, tree), tuple(configs[number] for number in numbers), tuple(numbers))


def _texts(only: object) -> list[str]:
    """What is asked for, one by one."""
    wanted = [only] if isinstance(only, str) else list(only) if isinstance(only, Iterable) else [only]
    odd = [only] if isinstance(only, bytes) else [text for text in wanted if not isinstance(text, str)]
    if odd:
        raise OptionError(
            f"only={odd[0]!r} names no tensor", remedy="give a name, prefix or pattern, or a list of them"
        )
    return [text for text in wanted if isinstance(text, str)]


def _nameless(structure: Structure) -> str:
    return "read samples by their keys: caufc.open(...)[key]" if structure.kind == "keyed" else "leave 'only' out"


def _names(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Dotted names of all leaves."""
    if not isinstance(tree, Branch):
        yield ".".join(path)
        return
    for name, child in zip(tree.names, tree.children, strict=True):
        yield from _names(child, (*path, str(name)))


def _pruned(tree: Tree, wanted: Sequence[str], path: tuple[str, ...], numbers: list[int]) -> Tree | None:
    """What is wanted of a tree, None for nothing; appends the numbers of tensors as they come."""
    if not isinstance(tree, Branch):
        if not any(fits(text, ".".join(path)) for text in wanted):
            return None
        if not isinstance(tree, int):
            return tree
        numbers.append(tree)
        return len(numbers) - 1
    found = [
        (name, kept)
        for name, child in zip(tree.names, tree.children, strict=True)
        if (kept := _pruned(child, wanted, (*path, str(name)), numbers)) is not None
    ]
    if not found:
        return None
    names = tuple(name for name, _ in found) if tree.kind == "dict" else tuple(range(len(found)))
    return Branch(tree.kind, names, tuple(kept for _, kept in found))
