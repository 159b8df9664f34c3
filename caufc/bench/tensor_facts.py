"""The facts that a bench reports of each tensor, and the specs that rivals get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..align import LayoutAligner
from ..encoder.layout import choose_layout, template_of
from ..encoder.report import Report
from ..encoder.source import SourceTensor
from ..evaluate.rivals.base import TensorSpec
from ..layouts import Layout
from ..options import make_options
from ..types import FLOATS
from .features import LoadedFeatures

__all__ = ["TensorFacts", "rival_specs", "tensor_facts"]


@dataclass(frozen=True)
class TensorFacts:
    """A tensor of the input, as a bench reports it.

    Args:
        name: dotted path; empty for a lone tensor.
        dtype: of its values.
        shape: of a sample, None where it varies.
        layout: meaning of its axes; None where that does not matter.
        layout_reason: why caufc chose the layout; empty for one that was given.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    layout: str | None
    layout_reason: str


def tensor_facts(features: LoadedFeatures, options: Mapping[str, Any], reports: Sequence[Report]) -> list[TensorFacts]:
    """The facts of every tensor, with the layout that caufc chose.

    Reports know layouts that came from a profile, but none of a tensor that was cheaper without loss.

    Args:
        features: the input.
        options: of :func:`caufc.encode`, as all reports had them.
        reports: of encoding the features.
    """
    source, arch = features.source, options.get("arch")
    settled = make_options(
        [tensor.name for tensor in source.tensors],
        source.dimensions,
        arch=arch,
        tap=options.get("tap") if arch else None,  # without an arch, a tap belongs to a profile
        layout=options.get("layout"),
    )
    found = []
    for number, tensor in enumerate(source.tensors):
        coded = next((report.tensors[number] for report in reports if report.tensors[number].layout), None)
        if coded is not None:
            text, reason = coded.layout, coded.layout_reason
        else:
            choice = choose_layout(source, tensor, settled.of(tensor.name))
            layout, reason = choice.layout, choice.reason
            text = None if layout is None else (layout.of_batch() if tensor.stacked else layout).expression
        found.append(TensorFacts(tensor.name, tensor.dtype, template_of(source, tensor), text, reason))
    return found


def rival_specs(features: LoadedFeatures, facts: Sequence[TensorFacts]) -> list[TensorSpec]:
    """The spec of each tensor, as rivals need it."""
    return [
        TensorSpec(tensor.dtype, [array.shape for array in arrays], _channels(tensor, known.layout))
        for tensor, arrays, known in zip(features.source.tensors, features.arrays, facts, strict=True)
    ]


def _channels(tensor: SourceTensor, layout: str | None) -> tuple[int, ...] | None:
    """The channel axes of a tensor's arrays; None for a tensor that rivals keep as it is."""
    if layout is None or tensor.dtype not in FLOATS or not tensor.numel:
        return None
    return tuple(axis + tensor.stacked for axis in LayoutAligner(Layout(layout)).channel_axes)
