"""Which lists and tuples of tensors are one output of a network, and not samples.

Networks give tuples: the hidden states of all layers ``[B, T, C]``, a cache as pairs of keys and values
``[B, H, T, D]``, a pyramid of maps ``[B, Ci, Hi, Wi]``. Their first axis counts samples.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

__all__ = ["is_one_output"]

MOST_LEVELS = 32
"""Levels of a pyramid, at most."""

SCALE = 1.5
"""Least ratio of sizes in neighbouring levels of tokens."""

Shape = tuple[int, ...]


def is_one_output(items: Sequence[object]) -> bool:
    """Whether a list or tuple is the output of one call for a batch, whose tensors share their first axis.

    Args:
        items: tensors of three axes or more, or pairs of such; anything else counts as samples.
    """
    pairs = [tuple(map(_shape, item)) for item in items if isinstance(item, list | tuple) and len(item) == 2]
    if items and len(pairs) == len(items):
        return _is_cache(pairs, varying=isinstance(items, tuple))
    shapes = [_shape(item) for item in items]
    known = [shape for shape in shapes if shape is not None and len(shape) >= 3]
    if len(known) < 2 or len(known) < len(shapes) or len({(len(shape), shape[0]) for shape in known}) > 1:
        return False
    return _is_pyramid(known) or (isinstance(items, tuple) and _are_layers(known))


def _shape(item: object) -> Shape | None:
    """Shape of a tensor; None for anything else."""
    shape = None if isinstance(item, list | tuple) else getattr(item, "shape", None)
    return None if shape is None else tuple(shape)


def _is_cache(pairs: Sequence[tuple[Shape | None, ...]], *, varying: bool) -> bool:
    """Pairs of keys and values ``[B, H, T, D]`` by layer; lengths that vary between items of a list are of samples."""
    shapes = [shape for pair in pairs for shape in pair if shape is not None]
    if len(shapes) < 2 * len(pairs) or {len(shape) for shape in shapes} != {4} or len({s[0] for s in shapes}) > 1:
        return False
    return varying or all(len(set(of_all)) == 1 for of_all in zip(*pairs, strict=True))


def _is_pyramid(shapes: Sequence[Shape]) -> bool:
    """Maps or tokens at several scales: all sizes but the first vary, as those of samples cannot, whose channels agree.

    Of three axes, ``[C, H, W]`` of images of any size look like that too; but in a pyramid of tokens one axis grows
    from level to level while the other shrinks, a good deal each.
    """
    varying = [axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if len(set(sizes)) > 1]
    if varying != list(range(1, len(shapes[0]))) or len(shapes) > MOST_LEVELS:
        return False
    if len(varying) > 2:
        return True
    pairs = list(itertools.pairwise(shapes))
    return len(shapes) > 2 and (
        all(b >= SCALE * a and SCALE * d <= c for (_, a, c), (_, b, d) in pairs)
        or all(a >= SCALE * b and SCALE * c <= d for (_, a, c), (_, b, d) in pairs)
    )


def _are_layers(shapes: Sequence[Shape]) -> bool:
    """Tensors of one shape with an axis of samples; ``[C, H, W]`` and ``[H, W, C]`` of square maps have none."""
    if len(set(shapes)) > 1:
        return False
    return len(shapes[0]) > 3 or len(set(shapes[0])) == 3
