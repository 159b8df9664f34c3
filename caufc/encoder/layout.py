"""Which layout a tensor has: the one that was given if it fits, else one that names, lengths and bytes speak for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import LayoutError
from ..layouts import Layout
from ..types import FLOATS
from .layout_choice import AlikeTensors, chosen_roles, refined
from .layout_names import kind_of, pattern_of
from .layout_roles import layout_of
from .options import TensorOptions
from .source import Source, SourceTensor

__all__ = ["LayoutChoice", "choose_layout", "choose_layouts", "template_of"]


@dataclass(frozen=True)
class LayoutChoice:
    """The layout of a tensor; None for what is coded without loss because no layout suits it.

    Args:
        layout: with a sample axis where samples are stacked.
        reason: why it was chosen, in a few words; empty for one that was given.
    """

    layout: Layout | None
    reason: str = ""


def template_of(source: Source, tensor: SourceTensor) -> tuple[int | None, ...]:
    """Sizes of a sample's axes, None where they vary."""
    if not source.samples:
        return tuple(tensor.leaves[0].shape[1:]) if tensor.stacked else ()
    shapes = set(tensor.shapes)
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))


def choose_layout(source: Source, tensor: SourceTensor, options: TensorOptions) -> LayoutChoice:
    """The layout of one tensor; see :func:`choose_layouts`."""
    return choose_layouts(source, {tensor.name: options})[tensor.name]


def choose_layouts(source: Source, options: Mapping[str, TensorOptions]) -> dict[str, LayoutChoice]:
    """The layouts of tensors; those whose names differ in numbers alone share what is decided.

    Args:
        source: the input.
        options: by name of the tensors whose layouts are wanted.

    Raises:
        LayoutError: if a layout that was given does not fit.
    """
    found: dict[str, LayoutChoice] = {}
    alike: dict[tuple[str, int], list[SourceTensor]] = {}
    for tensor in source.tensors:
        own = options.get(tensor.name)
        if own is None:
            continue
        if tensor.dtype not in FLOATS:
            found[tensor.name] = LayoutChoice(None)
        elif own.layout is not None:
            found[tensor.name] = LayoutChoice(_fitted(own.layout, source, tensor))
        else:
            key = pattern_of(tensor.name), len(template_of(source, tensor))
            alike.setdefault(key, []).append(tensor)
    for tensors in alike.values():
        found |= _chosen(source, tensors)
    return found


def _chosen(source: Source, tensors: Sequence[SourceTensor]) -> dict[str, LayoutChoice]:
    templates = {tensor.name: template_of(source, tensor) for tensor in tensors}
    group = AlikeTensors(source, tensors, templates, kind_of(tensors[0].name))
    roles, reason = chosen_roles(group)
    if roles is None:
        return {tensor.name: LayoutChoice(None) for tensor in tensors}
    found = {}
    for members in group.by_template():
        layout, more = refined(members, layout_of(roles))
        for tensor in members.tensors:
            found[tensor.name] = LayoutChoice(layout.of_batch() if tensor.stacked else layout, more or reason)
    return found


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
