"""Nested Python objects as a :class:`~caufc.types.Structure` of numbered tensors, and back.

A top-level list or tuple is a sequence of samples; a lone tensor or a dict is a batch whose first axis counts samples,
or one sample. The rules are those of :func:`to_source`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..descriptors import Problem
from ..encoder.source import Source, SourceTensor
from ..errors import InputError, LayoutError, LimitError
from ..layouts import Layout
from ..limits import DEFAULT_LIMITS, Limits
from ..types import FLOATS, AnyArray, Branch, Framework, Leaf, Structure, Tree, tensor_names
from .tensors import as_leaf, as_object, at_hand

__all__ = ["dict_problem", "from_arrays", "samples_problem", "to_source"]


def to_source(features: object, layouts: Mapping[str, str] | None = None, *, limits: Limits = DEFAULT_LIMITS) -> Source:
    """What the encoder reads, from features as people hold them.

    A **list or tuple** whose samples agree in tree, dtypes, frameworks and ranks is a sequence of samples; any other
    is one sample, as it stands. A **lone tensor** of rank 2 or more is a batch. A **dict** is a batch if all its
    tensors share the length of their first axis. Layouts decide otherwise: one that starts with ``b`` makes a batch,
    one without ``b`` makes one sample.

    Args:
        features: a tensor (numpy array, torch tensor, or :class:`~caufc.types.Leaf`), or dicts, lists and tuples of
            such, nested.
        layouts: tensor name (dotted path; empty for a lone tensor) -> layout expression; ``*`` stands for all float
            tensors that are not named.
        limits: the most tensors, levels and dimensions.

    Raises:
        TensorError: for leaves that are no dense, real, numeric tensors; it names the tensor.
        InputError: for dict keys that are neither strings nor integers.
        LayoutError: for a layout that is wrong or contradicts another, and for batches of unequal lengths.
        LimitError: for too many tensors, levels or dimensions.
    """
    wanted = {name: _layout(name, text) for name, text in (layouts or {}).items()}
    if isinstance(features, list | tuple):
        return _sequence(features, limits)
    tree, leaves = _walk(features, limits)
    names = tensor_names(tree)
    given = [
        wanted.get(name, wanted.get("*") if leaf.dtype in FLOATS else None)
        for name, leaf in zip(names, leaves, strict=True)
    ]
    batch = _is_batch(names, leaves, given, lone=isinstance(tree, int))
    return _one_leaf_each(Structure("batch" if batch else "single", tree), leaves)


def from_arrays(
    structure: Structure,
    samples: int,
    frameworks: Sequence[Framework],
    dtypes: Sequence[str],
    arrays: Sequence[AnyArray | list[AnyArray]],
) -> Any:
    """The object that a structure and decoded arrays stand for: the inverse of :func:`to_source`.

    Without torch, numpy arrays stand for its tensors, with a :class:`~caufc.packages.MissingPackageWarning`.

    Args:
        structure: of the object.
        samples: number of samples.
        frameworks: by tensor number.
        dtypes: names of :data:`caufc.types.DTYPES`, by tensor number.
        arrays: by tensor number, in the numpy form of the dtype: one array for ``batch`` and ``single``, a list of
            one array a sample for ``list`` and ``tuple``.

    Raises:
        UnsupportedError: if the installed torch lacks a dtype.
    """
    frameworks = at_hand(frameworks, dtypes)
    if structure.kind in ("batch", "single"):
        return _grow(structure.tree, lambda tensor: as_object(_one(arrays[tensor]), dtypes[tensor], frameworks[tensor]))
    grown = [
        _grow(structure.tree, lambda t, i=index: as_object(arrays[t][i], dtypes[t], frameworks[t]))  # type: ignore[misc]
        for index in range(samples)
    ]
    return tuple(grown) if structure.kind == "tuple" else grown


def dict_problem(structure: Structure, names: Sequence[str], allowed: Callable[[str], bool]) -> Problem | None:
    """What a format cannot hold that stores tensors by name, none below another.

    Args:
        structure: of the object.
        names: of its tensors, by tensor number.
        allowed: whether the format can hold a name.
    """
    tree = structure.tree
    if structure.kind in ("list", "tuple"):
        return samples_problem(structure, names)
    if isinstance(tree, int):
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
    if structure.kind not in ("list", "tuple"):
        return None
    return f"a {structure.kind} of samples", names[0] if names else None


def _one(array: AnyArray | list[AnyArray]) -> AnyArray:
    return array[0] if isinstance(array, list) else array


def _grow(tree: Tree, tensor: Callable[[int], Any]) -> Any:
    if isinstance(tree, int):
        return tensor(tree)
    children = [_grow(child, tensor) for child in tree.children]
    if tree.kind == "dict":
        return dict(zip(tree.names, children, strict=True))
    return tuple(children) if tree.kind == "tuple" else children


def _layout(name: str, text: str) -> Layout:
    try:
        return Layout(text)
    except LayoutError as err:
        raise err.locate(tensor=None if name == "*" else name) from None


def _sequence(features: list[object] | tuple[object, ...], limits: Limits) -> Source:
    samples: list[list[Leaf]] = []
    tree: Tree = 0
    for index, sample in enumerate(features):
        grown, leaves = _walk(sample, limits, (str(index),))
        if not samples:
            tree = grown
        elif grown != tree or [*map(_signature, leaves)] != [*map(_signature, samples[0])]:
            samples.clear()
            break
        samples.append(leaves)
    if not samples:
        tree, leaves = _walk(features, limits)
        return _one_leaf_each(Structure("single", tree), leaves)
    tensors = tuple(
        SourceTensor(name, leaf.dtype, leaf.framework, [sample[number] for sample in samples], stacked=False)
        for number, (name, leaf) in enumerate(zip(tensor_names(tree), samples[0], strict=True))
    )
    return Source(Structure("tuple" if isinstance(features, tuple) else "list", tree), tensors, len(samples))


def _signature(leaf: Leaf) -> tuple[str, Framework, int]:
    return leaf.dtype, leaf.framework, len(leaf.shape)


def _one_leaf_each(structure: Structure, leaves: list[Leaf]) -> Source:
    batch = structure.kind == "batch"
    tensors = tuple(
        SourceTensor(name, leaf.dtype, leaf.framework, (leaf,), stacked=batch)
        for name, leaf in zip(tensor_names(structure.tree), leaves, strict=True)
    )
    return Source(structure, tensors, leaves[0].shape[0] if batch else 1)


def _is_batch(names: list[str], leaves: list[Leaf], given: list[Layout | None], *, lone: bool) -> bool:
    lengths = [leaf.shape[0] if leaf.shape else None for leaf in leaves]
    single = [name for name, layout in zip(names, given, strict=True) if layout is not None and not layout.batched]
    batched = [name for name, layout in zip(names, given, strict=True) if layout is not None and layout.batched]
    if single and batched:
        raise LayoutError(
            f"its layout has no sample axis 'b', but that of '{batched[0]}' has",
            tensor=single[0],
            remedy="give all layouts a 'b', or none",
        )
    if single or not leaves:
        return False
    odd = next((name for name, length in zip(names, lengths, strict=True) if length is None), None)
    if odd is None:
        odd = next((name for name, length in zip(names, lengths, strict=True) if length != lengths[0]), None)
    if not batched:
        return odd is None and (not lone or len(leaves[0].shape) >= 2)
    if odd is not None:
        shape = leaves[names.index(odd)].shape
        raise LayoutError(
            f"has shape {list(shape)}, but the layout of '{batched[0]}' makes the first axis count samples",
            tensor=odd,
            remedy="all tensors of a batch share the length of their first axis",
        )
    return True


def _walk(features: object, limits: Limits, path: tuple[str, ...] = ()) -> tuple[Tree, list[Leaf]]:
    """The tree of an object and its leaves by tensor number; ``path`` leads to the object, for errors."""
    leaves: list[Leaf] = []
    branches = 0

    def walk(node: object, path: tuple[str, ...], depth: int) -> Tree:
        nonlocal branches
        if not isinstance(node, Mapping | list | tuple):
            check("tensors", len(leaves) + 1, path)
            leaves.append(as_leaf(node, ".".join(path), limits))
            return len(leaves) - 1
        branches += 1
        check("tensors", branches, path)
        check("nesting", depth, path)
        if isinstance(node, Mapping):
            names = tuple(_key(key, path) for key in node)
            inner = [
                walk(child, (*path, str(name)), depth + 1) for name, child in zip(names, node.values(), strict=True)
            ]
            return Branch("dict", names, tuple(inner))
        inner = [walk(child, (*path, str(index)), depth + 1) for index, child in enumerate(node)]
        return Branch("tuple" if isinstance(node, tuple) else "list", tuple(range(len(inner))), tuple(inner))

    def check(limit: str, value: int, path: tuple[str, ...]) -> None:
        try:
            limits.check(limit, value)
        except LimitError as err:
            raise err.locate(tensor=".".join(path[:4])) from None

    return walk(features, path, len(path) + 1), leaves


def _key(key: object, path: tuple[str, ...]) -> str | int:
    where = ".".join(path)
    if isinstance(key, str):
        try:
            key.encode()
        except UnicodeEncodeError as err:
            raise InputError("a dict key is not valid Unicode", tensor=where, remedy="rename it") from err
        return str.__str__(key)
    if not isinstance(key, int) or isinstance(key, bool):
        raise InputError(f"a dict key is a {type(key).__name__}", tensor=where, remedy="use strings or integers")
    if not -(1 << 63) <= key < 1 << 63:
        raise InputError("a dict key needs more than 64 bits", tensor=where, remedy="use strings")
    return int(key)
