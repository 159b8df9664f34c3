"""Plans for samples that are still to come, made from the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..align import LayoutAligner
from ..coders.side_files import ProfileFile
from .chunk_size import ChunkSize
from .file_drafting import draft_tensors
from .options import EncodeOptions
from .plan import TensorPlan
from .rate_control import lossless_plans
from .rate_search import RateSearch
from .source import Source
from .tensor_draft import TensorDraft
from .transform_draft import TransformDraft

__all__ = ["StreamPlan", "plan_stream"]


@dataclass(frozen=True)
class StreamPlan:
    """How all samples of a stream are coded.

    Args:
        plans: one per tensor; axes of tokens, and all of what is coded without loss, may vary from sample to sample.
        chunk: samples of a chunk.
    """

    plans: tuple[TensorPlan, ...]
    chunk: int


def plan_stream(source: Source, options: EncodeOptions, profile: ProfileFile | None) -> StreamPlan:
    """The plan of a stream.

    Args:
        source: its first samples, with the number of times that there will be as many.
        options: what was asked for.
        profile: supplies what options leave open.

    Raises:
        InputError: for samples that cannot be encoded as asked.
    """
    sizes = ChunkSize(source, options.chunk)
    drafts = draft_tensors(source, options, profile, sizes.read, lambda values: None, embedded=True)
    setting = _setting(source, options, drafts)
    plans: Sequence[TensorPlan] = [draft.plan(setting, options.target) for draft in drafts]
    lossless = lossless_plans(drafts)
    if lossless and _expected(lossless) and _expected(plans) >= _expected(lossless):
        plans = lossless
    return StreamPlan(tuple(_opened(plan) for plan in plans), sizes.of(plans))


def _setting(source: Source, options: EncodeOptions, drafts: Sequence[TensorDraft]) -> float:
    """The quality that was asked for, or that a rate allows as samples tell."""
    target = options.target
    lossy = [draft for draft in drafts if isinstance(draft, TransformDraft)]
    if target.kind == "quality":
        return target.value
    if target.kind != "bpfp" or not lossy:
        return 0.0
    numel = round(source.numel * source.repeats)

    def expected(setting: float) -> float:
        return sum(draft.expected_bytes(setting, target) for draft in lossy)

    return RateSearch(target.value * numel / 8, numel, expected).setting


def _expected(plans: Sequence[TensorPlan]) -> float:
    return sum(plan.expected for plan in plans)


def _opened(plan: TensorPlan) -> TensorPlan:
    """The plan with the axes open that later samples may have in other sizes."""
    config = plan.config
    template: list[int | None] = list(config.template)
    if config.codec.lossy and config.layout is not None:
        for axis in LayoutAligner(config.layout).grid_axes:
            template[axis] = None
    else:
        template = [None] * len(template)
    return replace(plan, config=replace(config, template=tuple(template)))
