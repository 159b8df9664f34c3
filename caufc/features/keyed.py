"""Keyed samples: which dicts are samples by name rather than the tensors of one."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence

from ..errors import InputError, OptionError
from ..layouts import Layout
from ..limits import Limits
from ..types import Framework, Tree
from .walk import Walked, walk

__all__ = ["LEAST", "keyed_samples", "signature"]

MOST_WORDS = 8
"""Different words among the names of a batch's tensors, at most, such as ``keys.3`` and ``values.3`` have."""

LEAST = 32
"""So many alike entries of a dict are samples where nobody says otherwise."""


def keyed_samples(
    features: object, layouts: Mapping[str, Layout], keyed: bool | None, limits: Limits
) -> list[Walked] | None:
    """The samples of a dict whose entries are samples, in order; None where it is something else.

    Entries are *alike* if they agree in structure, dtypes, frameworks and ranks, and every tensor of two axes or more
    in the size of one axis at least. A dict of :data:`LEAST` alike entries or more is keyed samples, unless they could
    be the tensors of a batch, by the length of their first axis, and their names are numbers, or differ in one index
    (``layer.3``) and in a few words at most that all have it (``keys.3``, ``values.3``).

    Args:
        features: as people gave them.
        layouts: by tensor name. One that begins with ``b``, or is for one entry alone, says that they are no samples.
        keyed: whether entries are samples; None to find out.
        limits: the most tensors, levels and dimensions of a sample.

    Raises:
        OptionError: if ``keyed`` is True and it is no dict.
        InputError: if ``keyed`` is True and entries are not alike; it names one.
        TensorError: for leaves that are neither tensors nor notes.
        LimitError: for too many levels or dimensions.
    """
    if keyed is False:
        return None
    if not isinstance(features, Mapping):
        if keyed:
            raise OptionError(f"a {type(features).__name__} has no keys", remedy="give a dict of samples, or no keyed=")
        return None
    if not keyed and (len(features) < LEAST or _tensors_are_named(features, layouts)):
        return None
    samples: list[Walked] = []
    for name, sample in features.items():
        samples.append(walk(sample, limits, (str(name),)))
        if not samples[-1].leaves or signature(samples[-1]) != signature(samples[0]):
            if keyed:
                raise _odd(str(name), "differs from the first in structure, dtype or number of axes, or has no tensor")
            return None
    if keyed:
        return samples or None
    if not _sizes_agree(samples) or (_is_batch(samples) and _is_numbered(features)):
        return None
    return samples


def signature(walked: Walked) -> tuple[Tree, list[tuple[str, Framework, int]]]:
    """In what the samples of a sequence agree: structure, dtypes, frameworks and ranks."""
    return walked.tree, [(leaf.dtype, leaf.framework, len(leaf.shape)) for leaf in walked.leaves]


def _odd(name: str, what: str) -> InputError:
    return InputError(what, tensor=name, remedy="keyed samples are alike: leave keyed out, or split the dict")


def _tensors_are_named(features: Mapping[object, object], layouts: Mapping[str, Layout]) -> bool:
    names = {str(name) for name in features}
    return any(layout.batched or (name and name.split(".")[0] in names) for name, layout in layouts.items())


def _sizes_agree(samples: Sequence[Walked]) -> bool:
    """Whether every tensor has an axis of one size; vectors may differ in length."""
    for number in range(len(samples[0].leaves)):
        axes = list(zip(*(sample.leaves[number].shape for sample in samples), strict=True))
        if len(axes) > 1 and all(len(set(sizes)) > 1 for sizes in axes):
            return False
    return True


def _is_batch(samples: Sequence[Walked]) -> bool:
    """Whether all tensors have two axes or more and share the length of the first."""
    shapes = [leaf.shape for sample in samples for leaf in sample.leaves]
    return all(len(shape) > 1 for shape in shapes) and len({shape[0] for shape in shapes}) == 1


def _is_numbered(names: Collection[object]) -> bool:
    """Whether names are numbers, or paths that differ in one index, or in one and in a few words that all have it.

    Numbers with leading zeros count as text.
    """
    paths = [re.split(r"[./]", str(name)) for name in names]
    if len({len(path) for path in paths}) > 1:
        return False
    parts = [set(parts) for parts in zip(*paths, strict=True)]
    numbered = [all(map(_is_index, found)) for found in parts]
    indices = [len(found) for found, number in zip(parts, numbered, strict=True) if number and len(found) > 1]
    words = math.prod(len(found) for found, number in zip(parts, numbered, strict=True) if not number)
    return len(indices) == 1 and words <= MOST_WORDS and words * indices[0] == len(paths)


def _is_index(part: str) -> bool:
    return re.fullmatch("0|[1-9][0-9]*", part) is not None
