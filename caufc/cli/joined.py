"""Features of several files as one object: the samples of one file after those of the other."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..features import to_source
from ..odd_channels import channel_counts
from ..options import make_options
from ..types import Structure, tensor_names

__all__ = ["check_channels", "joined"]


def joined(parts: Sequence[Any], sources: Sequence[str], layouts: Mapping[str, str]) -> Any:
    """One batch where shapes allow it, else a list of samples; a file of one sample is one of these.

    Args:
        parts: what each file holds.
        sources: their names.
        layouts: by tensor name, as they tell which axes count samples.

    Raises:
        InputError: for files whose tensors have other names, axes or dtypes than those of the first.
    """
    if len(parts) == 1:
        return parts[0]
    found = [to_source(part, layouts) for part in parts]
    names = [_names(source.structure) for source in found]
    for number, own in enumerate(names):
        if own != names[0]:
            raise InputError(
                f"holds tensors {_listed(own)}, {sources[0]} {_listed(names[0])}: they cannot be joined",
                file=sources[number],
                remedy="fit on files of one structure",
            )
    if {source.structure.kind for source in found} == {"batch"} and (whole := _stacked(parts)) is not None:
        return whole
    samples = [
        sample
        for part, source in zip(parts, found, strict=True)
        for sample in _samples(part, source.structure.kind, source.samples)
    ]
    if to_source(samples, layouts).structure.kind != "list":
        raise InputError(
            f"holds samples of other axes or dtypes than those of {sources[0]}: they cannot be joined",
            file=sources[-1],
            remedy="fit on files of one structure",
        )
    return samples


def check_channels(parts: Sequence[Any], sources: Sequence[str], layouts: Mapping[str, str], **options: Any) -> None:
    """Refuse files whose samples have other channels than those of the first: joined, they would have none.

    Args:
        parts: what each file holds.
        sources: their names.
        layouts: by tensor name, as for :func:`joined`.
        options: ``arch``, ``tap`` and ``layout`` of :func:`caufc.encode`; a layout may say that the axis is another.

    Raises:
        InputError: for such a file.
    """
    if len(parts) == 1:
        return
    found = [to_source(part, layouts) for part in parts]
    settings = make_options([tensor.name for tensor in found[0].tensors], found[0].dimensions, **options)
    for name, counts in channel_counts(found[0], settings, found[1:]):
        odd = next((number for number, count in enumerate(counts) if count != counts[0]), None)
        if odd is not None:
            raise InputError(
                f"has samples of {_shown(counts[odd])} channels, {sources[0]} of {_shown(counts[0])}: they cannot be "
                "joined",
                file=sources[odd],
                tensor=name or None,
                remedy="fit on files of one structure, or say with --layout that this axis is one of tokens",
            )


def _shown(count: int | None) -> str:
    return "several numbers of" if count is None else f"{count:,}"


def _names(structure: Structure) -> list[str]:
    return sorted(tensor_names(structure.tree))


def _listed(names: Sequence[str]) -> str:
    return "without names" if names == [""] else ", ".join(map(repr, names))


def _stacked(parts: Sequence[Any]) -> Any | None:
    """Batches of one structure as one; None where arrays of the same name cannot be concatenated."""
    first, torch = parts[0], sys.modules.get("torch")  # whoever made a torch tensor has imported it
    if isinstance(first, Mapping):
        whole = {name: _stacked([part[name] for part in parts]) for name in first}
        return None if any(value is None and first[name] is not None for name, value in whole.items()) else whole
    if isinstance(first, list | tuple):
        members = [_stacked(own) for own in zip(*parts, strict=True)]
        return None if any(value is None for value in members) else type(first)(members)
    if not hasattr(first, "shape"):
        return first
    if len({(part.shape[1:], part.dtype) for part in parts}) > 1:
        return None
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    if torch is not None and all(isinstance(part, torch.Tensor) for part in parts):
        return torch.cat(list(parts))
    return None


def _samples(part: Any, kind: str, count: int) -> Sequence[Any]:
    """The samples of one file."""
    if kind == "single":
        return [part]
    if kind == "keyed":
        return list(part.values())
    return [_sample(part, number) for number in range(count)] if kind == "batch" else part


def _sample(batch: Any, number: int) -> Any:
    if isinstance(batch, Mapping):
        return {name: _sample(part, number) for name, part in batch.items()}
    if isinstance(batch, list | tuple):
        return type(batch)(_sample(part, number) for part in batch)
    return batch[number] if hasattr(batch, "shape") else batch
