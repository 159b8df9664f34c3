"""One sample taken apart without a guess at what it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..limits import DEFAULT_LIMITS, Limits
from ..types import Leaf, Tree
from .notes import alone
from .structure import check_tensors
from .tensors import as_leaf
from .walk import walk

__all__ = ["open_sample"]


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
