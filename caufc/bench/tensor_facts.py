"""What a bench knows of each tensor, and what rivals need of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..align import LayoutAligner
from ..encoder.layout import (
    choose_layout,
    template_of,
)
from ..encoder.report import Report
from ..encoder.source import SourceTensor
from ..evaluate.rivals import TensorPlan
from ..layouts import Layout
from ..options import make_options
from ..types import FLOATS
from .features import Subject

__all__ = ["TensorFacts", "rival_plans", "tensor_facts"]


@dataclass(frozen=True)
class TensorFacts:
    """A tensor of the input.

    Args:
        name: dotted path; empty for a lone tensor.
        dtype: of its values.
        shape: of a sample, None where it varies.
        layout: meaning of its axes; None where that does not matter.
        guessed: whether the layout was a guess.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    layout: str | None
    guessed: bool


def tensor_facts(subject: Subject, options: Mapping[str, Any], reports: Sequence[Report]) -> list[TensorFacts]:
    """Layouts as caufc chose them; reports tell those of profiles, but none for what was cheaper without loss.

    Args:
        subject: the features.
        options: of :func:`caufc.encode`, as all reports had them.
        reports: of encoding the subject.
    """
    source, arch = subject.source, options.get("arch")
    settled = make_options(
        [tensor.name for tensor in source.tensors],
        source.dimensions,
        arch=arch,
        tap=options.get("tap") if arch else None,  # without an arch, a tap belongs to a profile
        layout=options.get("layout"),
    )
    found = []
    for number, tensor in enumerate(source.tensors):
        told = next((report.tensors[number] for report in reports if report.tensors[number].layout), None)
        if told is not None:
            text, guessed = told.layout, told.guessed
        else:
            layout, guessed = choose_layout(source, tensor, settled.of(tensor.name))
            text = None if layout is None else (layout.of_batch() if tensor.stacked else layout).expression
        found.append(TensorFacts(tensor.name, tensor.dtype, template_of(source, tensor), text, guessed))
    return found


def rival_plans(subject: Subject, facts: Sequence[TensorFacts]) -> list[TensorPlan]:
    """What rivals need of each tensor."""
    return [
        TensorPlan(tensor.dtype, [array.shape for array in arrays], _channels(tensor, known.layout))
        for tensor, arrays, known in zip(subject.source.tensors, subject.arrays, facts, strict=True)
    ]


def _channels(tensor: SourceTensor, layout: str | None) -> tuple[int, ...] | None:
    """The channel axes of a tensor's arrays; None for a tensor that rivals keep as it is."""
    if layout is None or tensor.dtype not in FLOATS or not tensor.numel:
        return None
    return tuple(axis + tensor.stacked for axis in LayoutAligner(Layout(layout)).channel_axes)
