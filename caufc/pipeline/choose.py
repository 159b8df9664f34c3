"""The encoder's choices for each tensor: layout, alignment, step, tables. They end up in the file as data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import (
    GlobalAligner,
    TokenAligner,
    ValueAligner,
    align_channels,
    align_globally,
    guess_layout,
)
from ..bitstream import AlignmentRecord, section_bytes
from ..codec import (
    DEPENDENT_BITS,
    DEPENDENT_BITS_OF_ERROR,
    GAIN_SHARE,
    TABLES,
    Arrays,
    Geometry,
    Parameters,
    TransformCodec,
    TransformPlan,
    blind_importance,
    bounded_values,
    encode_lossless,
    flat_importance,
    plan,
    sample_bits,
)
from ..errors import InputError, LayoutError, MalformedError
from ..types import ALIGNMENT_KINDS, ALIGNMENT_SCOPES, FLOATS, Alignment, Layout
from .coder import Costs
from .lossless_coder import lattice_of_tokens
from .medium import medium_step, medium_step_of_read
from .numeric import cast_floats, to_floats
from .rate import RateModel, gain_of_quality, provisional_step
from .setup import LOSSLESS, OFFSETS, SCALES, TRANSFORM, TensorSetup, section_of
from .source import Source, SourceTensor
from .survey import TensorSurvey
from .target import Target, TensorOptions
from .token_coder import value_aligner
from .transforms import choose_transforms

__all__ = [
    "TINY_BYTES",
    "Choice",
    "choose_alignment",
    "choose_layout",
    "choose_step",
    "choose_tables",
    "is_sparse",
    "lossless_setup",
    "prefers_lossless",
    "template_of",
]

SECTION_FRAME = 6
"""Bytes of a section's frame: tag, length, checksum."""

SMALL_VALUES = 4096
"""Tensors of at most so many values are coded both ways to see which is smaller."""

CHANNEL_TOKENS = 48
"""With fewer tokens, a channel's statistics take more bytes than they save."""

TINY_BYTES = 64
"""Tensors of so few bytes are smaller without tables and steps."""

BOUND_MARGIN = 1 - 2.0**-16
"""Steps of an error bound are this much under twice the bound: the cast to the output dtype takes its part."""

SPARSE_SHARE = 0.2
"""Share of exact zeros from which features count as sparse: zero must then stay a reconstruction point."""


@dataclass(frozen=True)
class Choice:
    """What was chosen for a tensor, and what the rate control needs to know of it.

    Args:
        setup: so far: alignment, transforms, step.
        scale: features' units per aligned unit, a mean.
        coefficients: of the survey's sample ``[M, K]``.
        geometry: of the coefficients.
        survey: of the tensor.
        profiled: whether a profile made the choices.
        searched: whether there is time to search for indices that depend on each other.
    """

    setup: TensorSetup
    scale: float
    coefficients: NDArray[Any]
    geometry: Geometry
    survey: TensorSurvey
    profiled: bool = False
    searched: bool = True

    @classmethod
    def of(cls, setup: TensorSetup, aligner: ValueAligner, survey: TensorSurvey, *, profiled: bool = False) -> Choice:
        """The choice that a setup stands for."""
        codec = TransformCodec(Parameters.from_fields(setup.parameters), setup.arrays, survey.channels)
        aligned, side = aligner.forward(survey.sample)
        geometry = codec.geometry(survey.geometry.grids, survey.geometry.special)
        scale = float(np.mean(aligner.scales(side))) if aligned.size else 1.0
        coefficients = np.ascontiguousarray(codec.transform(aligned, geometry))
        return cls(setup, scale, coefficients, geometry, survey, profiled)

    @classmethod
    def from_profile(cls, base: TensorSetup, default: TensorSetup, survey: TensorSurvey) -> Choice:
        """Alignment, transforms, step and tables as a profile has them.

        Raises:
            InputError: if the profile is for another number of channels.
        """
        setup = replace(default, dtype=base.dtype, framework=base.framework, template=base.template, layout=base.layout)
        setup = replace(setup, name=base.name, tap=base.tap)
        try:
            return cls.of(setup, value_aligner(setup, survey.channels), survey, profiled=True)
        except MalformedError as err:
            raise InputError(
                f"the profile does not fit features of {survey.channels} channels", tensor=base.name
            ) from err

    @property
    def parameters(self) -> Parameters:
        """The codec's scalars so far, with the plain quantiser."""
        return Parameters.from_fields(self.setup.parameters).with_quantizer(dependent=False)

    def steps(self, gain: float) -> NDArray[np.float64]:
        """Step of every band ``[16]`` at a gain."""
        codec = TransformCodec(self.parameters, self.setup.arrays, self.survey.channels)
        return codec.steps(gain).astype(np.float64)

    def model(self) -> RateModel:
        """The tensor's rate model."""
        return RateModel.thinned(self.coefficients, self.geometry, self.steps(1.0), self.scale, self.survey.scale)


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


def lossless_setup(source: Source, tensor: SourceTensor, layout: Layout | None, tap: str | None) -> TensorSetup:
    """The setup of a tensor that is coded without loss."""
    template = template_of(source, tensor)
    meaning = None if layout is None else layout.unbatched()
    return TensorSetup(tensor.name, tensor.dtype, tensor.framework, template, LOSSLESS, meaning, tap=tap)


def is_sparse(matrix: NDArray[Any]) -> bool:
    """Whether zero must stay a reconstruction point."""
    return int(np.count_nonzero(matrix)) < (1 - SPARSE_SHARE) * matrix.size


def automatic_alignment(survey: TensorSurvey) -> Alignment:
    """The alignment of features that nothing is known of: per channel, zeros kept as zeros where there are many."""
    if is_sparse(survey.sample):
        return Alignment("none")
    return Alignment("mean-deviation", "channel", strength=0.5)


def settled(alignment: Alignment, tokens: int) -> Alignment:
    """A default alignment for so many tokens: per channel only where statistics pay for their bytes."""
    if alignment.scope == "channel" and alignment.strength < 1 and tokens < CHANNEL_TOKENS:
        return replace(alignment, scope="global")
    return alignment


def choose_alignment(
    base: TensorSetup, survey: TensorSurvey, wanted: Alignment | None, target: Target
) -> tuple[TensorSetup, ValueAligner]:
    """Add value alignment to a setup.

    Args:
        base: the setup so far.
        survey: of the tensor.
        wanted: what option, plugin or profile say; None leaves the choice.
        target: under an error bound there is no alignment; for an SNR, channels get equal scales.
    """
    if target.kind == "max_error":
        return base, GlobalAligner(0.0, 1.0)
    alignment = settled(wanted or automatic_alignment(survey), survey.total)
    kind, scope = ALIGNMENT_KINDS.index(alignment.kind), ALIGNMENT_SCOPES.index(alignment.scope)
    if alignment.scope == "token" and alignment.kind != "none":
        record = AlignmentRecord(kind, scope, truncate=alignment.truncate)
        return replace(base, alignment=record), TokenAligner(alignment.kind)
    if alignment.scope == "channel" and alignment.kind != "none":
        strength = 0.0 if target.kind == "snr" else alignment.strength
        aligner = align_channels(alignment.kind, survey.statistics, survey.sample, strength)
        arrays = {OFFSETS: aligner.offset_codes, SCALES: aligner.scale_codes}
        return replace(
            base, alignment=AlignmentRecord(kind, scope, truncate=alignment.truncate), arrays=arrays
        ), aligner
    if alignment.statistics is not None:
        globally = GlobalAligner(*alignment.statistics)
    else:
        globally = align_globally(alignment.kind, survey.statistics, survey.sample)
    if alignment.kind == "none" and alignment.truncate is None:
        return base, globally
    record = AlignmentRecord(kind, 0, globally.offset, globally.scale, alignment.truncate)
    return replace(base, alignment=record), globally


def choose_step(
    base: TensorSetup, aligner: ValueAligner, survey: TensorSurvey, target: Target, reads: str, *, embedded: bool
) -> TensorSetup:
    """Add transforms and the step to a setup; a basis that a file embeds may be coarse.

    Qualities and rates weigh every tensor by its own deviation, an SNR gives all tensors one step in features' units;
    an error bound allows no transform.
    """
    aligned, side = aligner.forward(survey.sample)
    if target.kind == "max_error":
        step = 2 * target.value * BOUND_MARGIN
        return _with_step(base, Parameters(float(np.float32(step))))
    if target.kind == "snr":
        step = 1 / float(np.clip(np.mean(aligner.scales(side)), 2.0**-80, 2.0**80)) if aligned.size else 1.0
    elif reads == "tokens":
        step = medium_step(survey, np.asarray(aligner.scales(side)))
    else:
        step = medium_step_of_read(aligned, survey.geometry, reads)
    step = float(np.float32(step))
    energy = survey.energy / max(1, survey.total * survey.channels) / float(np.mean(aligner.scales(side))) ** 2
    transforms = choose_transforms(
        aligned,
        survey.geometry,
        provisional_step(aligned, step, energy, target),
        survey.total * survey.channels,
        flat_importance() if target.kind == "snr" else blind_importance(replace(survey.geometry, spectral=True), reads),
        embedded=embedded,
    )
    setup = replace(base, arrays={**base.arrays, **transforms.sections()})
    return _with_step(setup, Parameters(step, spectral=transforms.spectral))


def _with_step(base: TensorSetup, parameters: Parameters) -> TensorSetup:
    return replace(base, codec=TRANSFORM, parameters=parameters.to_fields())


def section_cost(arrays: Arrays) -> int:
    """Bytes of integer arrays as sections of a file."""
    return sum(len(section_bytes(section_of(0, kind, array))) + SECTION_FRAME for kind, array in arrays.items())


def prefers_lossless(choice: Choice, target: Target) -> bool:
    """Whether a tensor takes no more bytes without loss than with it."""
    values = choice.survey.total * choice.survey.channels
    if target.kind == "max_error":
        return _bounded_bytes(choice, target.value) >= _lossless_bytes(choice)
    if values * choice.setup.item_size <= TINY_BYTES or choice.survey.constant:
        return True
    if target.kind != "quality" or values > SMALL_VALUES or choice.profiled:
        return False
    made = _plan(choice, gain_of_quality(target.value), target)
    coded = made.bits / 8 + section_cost({**choice.setup.arrays, **made.sections})
    return coded >= _lossless_bytes(choice)


def _plan(choice: Choice, gain: float, target: Target) -> TransformPlan:
    exact = target.kind == "snr"
    least = DEPENDENT_BITS_OF_ERROR if exact else DEPENDENT_BITS
    return plan(
        choice.coefficients,
        choice.geometry,
        choice.steps(gain),
        choice.parameters,
        choice.survey.scale,
        bounded=target.kind == "max_error",
        gain_share=0.0 if exact else GAIN_SHARE,
        dependent_from=least if choice.searched else math.inf,
    )


def _lossless_bytes(choice: Choice) -> float:
    survey = choice.survey
    flat = np.ascontiguousarray(cast_floats(survey.sample, choice.setup.dtype)).ravel()
    lattice = lattice_of_tokens(survey.geometry, survey.channels)
    return len(encode_lossless(flat, rotate=True, lattice=lattice)) * survey.scale


def _bounded_bytes(choice: Choice, bound: float) -> float:
    """Bytes under an error bound, from the sample: payload, sections, and values that must be stored exactly."""
    made = _plan(choice, 1.0, Target("max_error", bound))
    values = bounded_values(choice.coefficients, choice.parameters.step)
    decoded = to_floats(cast_floats(values, choice.setup.dtype), choice.setup.dtype)
    broken = np.count_nonzero(~(np.abs(decoded.astype(np.float64) - choice.survey.sample) <= bound))
    bits = made.bits + 8 * broken * (choice.setup.item_size + 1)
    return bits / 8 * choice.survey.scale + section_cost(made.sections)


def choose_tables(choice: Choice, gain: float, target: Target) -> tuple[TensorSetup, Costs]:
    """Add quantiser, reconstruction points, classes and tables for a gain; also what indices cost the encoder."""
    made = _plan(choice, gain, target)
    if not choice.profiled:
        arrays = {**choice.setup.arrays, **made.sections}
        return replace(choice.setup, parameters=made.parameters.to_fields(), arrays=arrays), made.costs
    return _profiled_tables(choice, made, gain), made.costs


def _profiled_tables(choice: Choice, made: TransformPlan, gain: float) -> TensorSetup:
    """A profile's classes and tables, unless own ones save more than they take; always its reconstruction points."""
    profiled = Parameters.from_fields(choice.setup.parameters).with_quantizer(made.parameters.dependent)
    codec = TransformCodec(profiled, choice.setup.arrays, choice.survey.channels, costs=made.costs)
    kept = sample_bits(codec, choice.coefficients, choice.geometry, gain)
    saved = (kept - made.bits) * choice.survey.scale
    if (TABLES in choice.setup.arrays and not made.tables) or saved <= 8 * section_cost(made.whole_sections):
        return replace(choice.setup, parameters=profiled.to_fields())
    arrays = {**choice.setup.arrays, **made.whole_sections}
    parameters = replace(made.parameters, step=profiled.step, shift=profiled.shift)
    return replace(choice.setup, parameters=parameters.to_fields(), arrays=arrays)
