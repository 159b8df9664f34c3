"""Files whose transforms, extents, levels and tables are given, not chosen: for vectors of every tool of the codec."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.align import LayoutAligner
from caufc.bitstream import AlignmentRecord
from caufc.codec.transform.basis import principal_basis, quantize_rows
from caufc.codec.transform.codec import TransformCodec
from caufc.codec.transform.parameters import (
    ANALYSIS,
    ANALYSIS_SCALES,
    BAND_LEVELS,
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    CHANNEL_LEVELS,
    GROUP_RANKS,
    Parameters,
)
from caufc.coders.base import Terms
from caufc.coders.config import TensorConfig
from caufc.coders.dtypes import to_floats
from caufc.coders.lossy import value_aligner
from caufc.coders.registry import TRANSFORM
from caufc.coders.sections import TURNS
from caufc.coders.side_files import side_file_bytes
from caufc.encoder.chunk_size import ChunkSize
from caufc.encoder.file_writer import FileWriter
from caufc.encoder.layout import template_of
from caufc.encoder.options import EncodeOptions
from caufc.encoder.origin import Origin
from caufc.encoder.plan import TensorPlan
from caufc.encoder.prelude import NO_ORIGIN, container_prelude
from caufc.encoder.quantize import IndexQuantizer
from caufc.encoder.sample_plan import plan_sample
from caufc.encoder.source import Source, SourceTensor
from caufc.features import to_source
from caufc.layouts import Layout
from caufc.options import layouts_for_structure
from caufc.types import Arrays

__all__ = ["Forced", "forced_file", "forced_profile"]

LARGER = 30.0
"""So many times more values make own tables pay."""


@dataclass(frozen=True)
class Forced:
    """How one tensor is coded.

    Args:
        layout: of its axes.
        step: distance of reconstruction points.
        spectral: transform grids.
        extents: code extents.
        vectors: of the basis, the first of the Karhunen-Loeve basis; 0 for none.
        groups: of channels, each with as many vectors, the last with one less.
        analysis: whether the file has analysis vectors too.
        turns: of pairs of channels ``[1 + C]``; None for none.
        band_steps: step codes of every band; None for none.
        own_tables: tables made for these features, or the universal ones.
        dependent: the dependent quantiser.
        levels: whether channels and bands have levels.
        per_token: align every token.
        chunk: samples a chunk.
        gain: factor on all steps.
        origin: what the header says of how the file was made.
    """

    layout: str
    step: float
    spectral: bool = False
    extents: bool = False
    vectors: int = 0
    groups: int = 1
    analysis: bool = False
    turns: NDArray[np.int32] | None = None
    band_steps: NDArray[np.int8] | None = None
    own_tables: bool = False
    dependent: bool = False
    levels: bool = True
    per_token: bool = False
    chunk: int = 100
    gain: float = 1.0
    origin: Origin = NO_ORIGIN


def _samples(tensor: SourceTensor, samples: int) -> Any:
    block = tensor.block(0, samples)
    return (
        [to_floats(part, tensor.dtype) for part in block] if isinstance(block, list) else to_floats(block, tensor.dtype)
    )


def _basis(matrix: NDArray[Any], wanted: Forced) -> Arrays:
    if not wanted.vectors:
        return {}
    parts = np.split(matrix, wanted.groups, axis=1)
    ranks = np.full(wanted.groups, wanted.vectors, np.int32)
    ranks[-1] -= wanted.groups > 1
    bases = [principal_basis(np.cov(part.T.astype(np.float64)))[0] for part in parts]
    coded = quantize_rows(np.concatenate([rows[:rank] for rows, rank in zip(bases, ranks, strict=True)]))
    found = {BASIS: coded.codes.ravel(), BASIS_SCALES: coded.scales}
    if wanted.groups > 1:
        found[GROUP_RANKS] = ranks
    if wanted.analysis:
        inverse = quantize_rows(np.linalg.pinv(coded.values()).T, 16)
        found |= {ANALYSIS: inverse.codes.ravel(), ANALYSIS_SCALES: inverse.scales}
    return found


def _config(source: Source, wanted: Forced) -> TensorConfig:
    tensor, layout = source.tensors[0], Layout(wanted.layout).unbatched()
    base = TensorConfig(
        tensor.name, tensor.dtype, tensor.framework, template_of(source, tensor), TRANSFORM, layout,
        alignment=AlignmentRecord(2, 2) if wanted.per_token else None,
    )  # fmt: skip
    tokens = LayoutAligner(layout).to_tokens(_samples(tensor, source.samples))
    channels = tokens.matrix.shape[1]
    aligned, _ = value_aligner(base, channels).forward(tokens.matrix)
    arrays = {**_basis(aligned, wanted)}
    if wanted.turns is not None:
        arrays[TURNS] = wanted.turns
    if wanted.band_steps is not None:
        arrays[BAND_STEPS] = wanted.band_steps
    parameters = Parameters(wanted.step, spectral=wanted.spectral)
    codec = TransformCodec(parameters, arrays, channels)
    geometry = codec.geometry(tokens.grids, tokens.special)
    steps = codec.steps(wanted.gain).astype(np.float64)
    scale = LARGER if wanted.own_tables else 0.0
    coefficients = codec.transform(aligned, geometry)
    made = plan_sample(coefficients, geometry, steps, parameters, scale)
    sections = dict(made.sections)
    if not wanted.levels:
        sections = {kind: array for kind, array in sections.items() if kind not in (CHANNEL_LEVELS, BAND_LEVELS)}
    chosen = replace(made.parameters, extents=wanted.extents, dependent=wanted.dependent)
    return replace(base, parameters=chosen.to_fields(), arrays={**arrays, **sections})


def _source(features: Any, wanted: Forced) -> Source:
    return to_source(features, layouts_for_structure(wanted.layout))


def forced_file(features: Any, wanted: Forced) -> bytes:
    """The bytes of a file."""
    source = _source(features, wanted)
    config = _config(source, wanted)
    terms = Terms(quantizer=IndexQuantizer(dependent=wanted.dependent))
    sink = io.BytesIO()
    writer = FileWriter(source, EncodeOptions(index=False), ChunkSize(source, wanted.chunk), origin=wanted.origin)
    writer.write([TensorPlan(config, terms, gain=wanted.gain)], 0.0, sink)
    return sink.getvalue()


def forced_profile(features: Any, wanted: Forced) -> bytes:
    """The bytes of a profile with the same decisions."""
    source = _source(features, wanted)
    header, sections = container_prelude(
        source.structure,
        [_config(source, wanted)],
        gain=None if wanted.gain == 1 else wanted.gain,
        arch=None,
        indexed=False,
        profile=None,
    )
    return side_file_bytes(replace(header, content="profile"), sections)
