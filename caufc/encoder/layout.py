"""Which layout a tensor has: the one that was given if it fits, else a guess from its shape."""

from __future__ import annotations

from ..align import guess_layout
from ..errors import LayoutError
from ..layouts import Layout
from ..types import FLOATS
from .options import TensorOptions
from .source import Source, SourceTensor

__all__ = ["choose_layout", "template_of"]


def template_of(source: Source, tensor: SourceTensor) -> tuple[int | None, ...]:
    """Sizes of a sample's axes, None where they vary."""
    if not source.samples:
        return tuple(tensor.leaves[0].shape[1:]) if tensor.stacked else ()
    shapes = {tensor.shape(0)} if tensor.stacked else {leaf.shape for leaf in tensor.leaves}
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))


def choose_layout(source: Source, tensor: SourceTensor, options: TensorOptions) -> tuple[Layout | None, bool]:
    """The layout of a tensor, and whether it was guessed; None for what is coded without loss.

    Raises:
        LayoutError: if the layout that was given does not fit.
    """
    if tensor.dtype not in FLOATS:
        return None, False
    dimensions = len(template_of(source, tensor))
    if options.layout is not None:
        return _fitted(options.layout, source, tensor), False
    if tensor.stacked:
        return guess_layout(dimensions + 1, True), True
    batch_of_one = guess_layout(dimensions, True) if dimensions > 2 and template_of(source, tensor)[0] == 1 else None
    return batch_of_one.nested() if batch_of_one else guess_layout(dimensions, False), True


def _fitted(layout: Layout, source: Source, tensor: SourceTensor) -> Layout:
    """A layout that was given, if it fits; samples of lists may have a sample axis of their own."""
    dimensions = len(template_of(source, tensor))
    if len(layout.sample_terms) == dimensions:
        return layout
    if not tensor.stacked and len(layout.terms) == dimensions:
        return layout.nested()
    axes = f"{dimensions} axes behind 'b'" if tensor.stacked else f"{dimensions} axes"
    raise LayoutError(
        f"layout '{layout}' does not fit samples of shape {_shown(source, tensor)}",
        tensor=tensor.name,
        remedy=f"give one with {axes}",
    )


def _shown(source: Source, tensor: SourceTensor) -> str:
    sizes = ("?" if size is None else str(size) for size in template_of(source, tensor))
    return f"({', '.join(sizes)})"
