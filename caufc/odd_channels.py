"""Samples that have other channels than the rest: with them no axis of a tensor can be that of its channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .encoder.layout import choose_layouts, template_of
from .encoder.options import EncodeOptions
from .encoder.source import Source, SourceTensor
from .layouts import Layout
from .types import FLOATS

__all__ = ["OddSamples", "channel_counts", "odd_samples"]

LOOKED_AT = 64
"""Samples that tell what the layout of those alike is."""


@dataclass(frozen=True)
class OddSamples:
    """Samples of a tensor whose channels are others than those of most.

    Args:
        tensor: its name.
        layout: of most.
        numbers: of the odd ones.
        channels: of the first of these.
        usual: channels of most.
    """

    tensor: str
    layout: str
    numbers: Sequence[int]
    channels: int
    usual: int


def channel_counts(
    source: Source, options: EncodeOptions, others: Sequence[Source]
) -> list[tuple[str, list[int | None]]]:
    """Channels in a source and in others of the same tensors, by tensor, where shapes of samples differ between them.

    Args:
        source: whose layouts count, given or chosen.
        options: of its tensors.
        others: of tensors with the same names and numbers of axes.

    Raises:
        LayoutError: if a layout that was given does not fit.
    """
    found = []
    for tensor in source.tensors:
        own = [part for each in (source, *others) for part in each.tensors if part.name == tensor.name]
        templates = [template_of(each, part) for each, part in zip((source, *others), own, strict=True)]
        if len(set(templates)) == 1 or len({len(template) for template in templates}) > 1:
            continue
        axis = _channel_axis(source, tensor, options)
        if axis is not None:
            found.append((tensor.name, [template[axis] for template in templates]))
    return found


def odd_samples(source: Source, options: EncodeOptions) -> list[OddSamples]:
    """Of every tensor the samples that keep the layout of most from being that of all."""
    found = []
    for tensor in source.tensors:
        if tensor.dtype not in FLOATS or tensor.stacked:
            continue
        shapes = [leaf.shape for leaf in tensor.leaves]
        usual = [_usual(sizes) for sizes in zip(*shapes, strict=True)]
        alike = [number for number, shape in enumerate(shapes) if _fits(shape, usual)]
        if len(alike) in (0, len(shapes)):
            continue
        part = _part(source, tensor, alike[:LOOKED_AT])
        axis = _channel_axis(part, part.tensors[0], options)
        if axis is None or (size := usual[axis]) is None:
            continue
        numbers = [number for number, shape in enumerate(shapes) if shape[axis] != size]
        if numbers:
            layout = str(_layout(part, part.tensors[0], options))
            found.append(OddSamples(tensor.name, layout, numbers, shapes[numbers[0]][axis], size))
    return found


def _usual(sizes: Sequence[int]) -> int | None:
    """The size that most have; None if there is none."""
    ((size, count),) = Counter(sizes).most_common(1)
    return size if 2 * count > len(sizes) else None


def _fits(shape: Sequence[int], usual: Sequence[int | None]) -> bool:
    return all(wanted in (None, size) for size, wanted in zip(shape, usual, strict=True))


def _part(source: Source, tensor: SourceTensor, numbers: Sequence[int]) -> Source:
    """Some samples of one tensor."""
    own = replace(tensor, leaves=[tensor.leaves[number] for number in numbers])
    return replace(source, tensors=(own,), samples=len(numbers), keys=None)


def _layout(source: Source, tensor: SourceTensor, options: EncodeOptions) -> Layout | None:
    """The layout of a tensor's samples; None for one without."""
    layout = choose_layouts(source, {tensor.name: options.of(tensor.name)})[tensor.name].layout
    return None if layout is None else layout.unbatched()


def _channel_axis(source: Source, tensor: SourceTensor, options: EncodeOptions) -> int | None:
    layout = _layout(source, tensor, options)
    return layout.terms.index("c") if layout is not None and "c" in layout.terms else None
