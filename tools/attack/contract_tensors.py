"""Features seen as tensors: their leaves in numpy, and originals beside what came back as tokens x channels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.layouts import GRID_LETTERS, Layout
from tools.attack.contract_figures import Matrix

__all__ = ["Pair", "as_floats", "bits_of", "form_of", "is_float", "leaves_of", "pairs_of", "raw_bytes"]


def leaves_of(features: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every tensor of a structure with the names that lead to it."""
    if isinstance(features, Mapping):
        for name, child in features.items():
            yield from leaves_of(child, (*path, str(name)))
    elif isinstance(features, list | tuple):
        for index, child in enumerate(features):
            yield from leaves_of(child, (*path, str(index)))
    elif hasattr(features, "dtype"):
        yield path, features


def form_of(features: Any) -> Any:
    """Structure, names, shapes, dtypes and frameworks, as something that compares; text and numbers as they are."""
    if isinstance(features, Mapping):
        return "dict", [(name, form_of(child)) for name, child in features.items()]
    if isinstance(features, list | tuple):
        return type(features).__name__, [form_of(child) for child in features]
    if not hasattr(features, "dtype"):
        return type(features).__name__, features
    return type(features).__module__.partition(".")[0], tuple(features.shape), str(features.dtype)


def _is_torch(leaf: Any) -> bool:
    return type(leaf).__module__.partition(".")[0] == "torch"


def is_float(leaf: Any) -> bool:
    """Whether a tensor may lose something."""
    return "float" in str(leaf.dtype)


def bits_of(leaf: Any) -> NDArray[Any]:
    """The bit patterns of a tensor's values, one after the other, as unsigned integers."""
    if _is_torch(leaf):
        import torch

        flat = leaf.contiguous().reshape(-1)
        array = (flat.view(torch.int16) if leaf.dtype == torch.bfloat16 else flat).numpy()
    else:
        array = np.ascontiguousarray(leaf).reshape(-1)
    bits: NDArray[Any] = array.view(np.dtype(f"u{array.dtype.itemsize}"))
    return bits


def as_floats(leaf: Any) -> Matrix:
    """The values of a tensor in float64."""
    return np.asarray(leaf.double().numpy() if _is_torch(leaf) else leaf.astype(np.float64))


def raw_bytes(features: Any) -> int:
    """Bytes of all values."""
    return sum(bits_of(leaf).nbytes for _, leaf in leaves_of(features))


@dataclass(frozen=True)
class Pair:
    """A float tensor and what came back, as tokens x channels; values that are not finite count as 0 without error.

    Args:
        name: of the tensor.
        original, restored: ``[N, C]``.
    """

    name: str
    original: Matrix
    restored: Matrix

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        return np.isfinite(self.original)

    @cached_property
    def values(self) -> Matrix:
        return np.where(self.finite, self.original, 0.0)

    @cached_property
    def error(self) -> Matrix:
        """Restored minus original; infinite where a finite value is no longer."""
        with np.errstate(all="ignore"):
            found = np.where(self.finite, self.restored - self.values, 0.0)
        found[np.isnan(found)] = math.inf
        return found


def pairs_of(original: Any, restored: Any, layouts: Mapping[str, str | None]) -> list[Pair]:
    """The float tensors of an input beside those that came back.

    Args:
        original, restored: of one form.
        layouts: by the names of tensors that the report tells; None for what is coded without loss. A tensor of a list
            has the leaves of all samples, whose names follow their number.
    """
    before = {path: leaf for path, leaf in leaves_of(original) if is_float(leaf)}
    after = dict(leaves_of(restored))
    groups: dict[str, list[tuple[str, ...]]] = {}
    for path in before:
        whole, inner = ".".join(path), ".".join(path[1:])
        groups.setdefault(inner if whole not in layouts and inner in layouts else whole, []).append(path)
    return [
        Pair(
            name,
            _matrix([as_floats(before[path]) for path in paths], layouts.get(name)),
            _matrix([as_floats(after[path]) for path in paths], layouts.get(name)),
        )
        for name, paths in groups.items()
    ]


def _matrix(arrays: Sequence[Matrix], layout: str | None) -> Matrix:
    """Arrays of one tensor as tokens x channels (the format alignment of CAUFC, section 3)."""
    parts = [_tokens(array, layout) for array in arrays]
    if len({part.shape[1] for part in parts}) > 1:  # without loss, where channels may vary
        parts = [part.reshape(-1, 1) for part in parts]
    return np.concatenate(parts)


def _tokens(array: Matrix, layout: str | None) -> Matrix:
    if layout is None:
        return array.reshape(math.prod(array.shape[:-1]), array.shape[-1]) if array.ndim else array.reshape(1, 1)
    terms = Layout(layout).terms
    channels = [axis for axis, term in enumerate(terms) if term[0] not in GRID_LETTERS and term != "b"]
    tokens = [axis for axis in range(array.ndim) if axis not in channels]
    width = math.prod(array.shape[axis] for axis in channels)
    return array.transpose(*tokens, *channels).reshape(math.prod(array.shape[axis] for axis in tokens), width)
