"""One sample taken apart without a guess at what it is, and the places in memory that one is written to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..limits import DEFAULT_LIMITS, Limits
from ..types import AnyArray, Leaf, Tree
from .leaf import ArrayLeaf
from .notes import alone
from .objects import opened
from .structure import check_tensors
from .tensors import as_leaf
from .walk import walk

__all__ = ["Place", "open_sample", "places_in"]

Place = tuple[str, str, AnyArray]
"""Name, dtype and values of a tensor that is written to."""


def open_sample(sample: object, limits: Limits = DEFAULT_LIMITS) -> tuple[Tree, Sequence[Leaf]]:
    """The tree of one sample, and its tensors by number.

    Raises:
        InputError: for what is no tensor, and holds none.
        LimitError: for too many tensors, levels or dimensions.
    """
    if isinstance(sample, np.ndarray):
        return 0, [as_leaf(sample, "", limits)]
    walked = walk(sample, limits)
    check_tensors(walked, sample)
    tree, tensors = alone(walked)
    return tree, [tensor.leaves[0] for tensor in tensors]


def places_in(out: object, path: tuple[str, ...] = ()) -> Iterator[Place]:
    """The tensors that an object holds, as arrays on the same memory; what else it holds is passed over.

    Raises:
        InputError: for tensors that cannot be written to.
    """
    inner = opened(out)
    if inner is not None:
        items = inner.items() if isinstance(inner, Mapping) else enumerate(inner)
        for name, part in items:
            yield from places_in(part, (*path, str(name)))
    elif hasattr(out, "shape"):
        name = ".".join(path)
        leaf = as_leaf(out, name)
        if not isinstance(leaf, ArrayLeaf) or not _writable(leaf.array, out):
            raise InputError(
                "cannot be written to", tensor=name, remedy="give a numpy array or a torch tensor on the CPU of its own"
            )
        yield name, leaf.dtype, leaf.array


def _writable(array: AnyArray, tensor: Any) -> bool:
    """Whether what is written into an array is in the tensor that it was made from."""
    repeated = any(stride == 0 and size > 1 for stride, size in zip(array.strides, array.shape, strict=True))
    own = not hasattr(tensor, "data_ptr") or not array.size or tensor.data_ptr() == array.ctypes.data
    return array.flags.writeable and not repeated and own
