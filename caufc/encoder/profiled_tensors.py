"""Which tensors a profile is for: all, or all but the notes, or integers, that stand beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..coders.config import TensorConfig
from ..coders.resolve import resolve
from ..coders.side_files import ProfileFile
from ..errors import InputError
from ..types import FLOATS, NOTE
from .source import SourceTensor

__all__ = ["profiled_tensors"]


def profiled_tensors(
    profile: ProfileFile, tensors: Sequence[SourceTensor], *, alone: bool
) -> Mapping[int, TensorConfig]:
    """What a profile says of tensors, by their numbers.

    Args:
        profile: for as many tensors, perhaps without notes, or without all that are no floats.
        tensors: of a file.
        alone: whether the file relies on the profile, and so must have as many [CAUF-0162].

    Raises:
        InputError: if they are not as many.
    """
    configs = resolve(profile.header, profile.sections, None)[1]
    every = range(len(tensors))
    featured = [number for number in every if tensors[number].dtype != NOTE]
    floats = [number for number in every if tensors[number].dtype in FLOATS]
    numbers = next((found for found in (every, featured, floats) if len(found) == len(configs)), None)
    if numbers is None:
        there = f"there {'is' if len(featured) == 1 else 'are'} {len(featured)}"
        raise InputError(f"the profile is for {_tensors(configs)}, {there}", remedy="use another profile, or none")
    beside = sorted(set(every) - set(numbers))
    if beside and alone:
        raise InputError(
            f"stands beside what the profile is for, {_tensors(configs)}: a file that relies on it has nothing else",
            tensor=tensors[beside[0]].name,
            remedy="copy the profile into the file: leave out --no-embed-profile",
        )
    return dict(zip(numbers, configs, strict=True))


def _tensors(configs: Sequence[TensorConfig]) -> str:
    return "1 tensor" if len(configs) == 1 else f"{len(configs)} tensors"
