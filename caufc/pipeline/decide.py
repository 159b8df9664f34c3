"""The first half of encoding: survey every tensor, and settle how it will be coded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import InputError, OptionError
from ..types import FLOATS
from .choose import (
    TINY_BYTES,
    Choice,
    choose_alignment,
    choose_layout,
    choose_step,
    choose_tables,
    lossless_setup,
    prefers_lossless,
)
from .coder import Costs, Promise
from .hyperprior_choice import choose_range
from .numeric import to_floats
from .profile import ProfileFile
from .setup import HYPERPRIOR, LOSSLESS, TensorSetup, resolve
from .source import Source, SourceTensor
from .survey import TensorSurvey, check_finite, chunks_of, survey_tensor
from .target import EncodeOptions, Target, TensorOptions
from .weights import WeightsFile

__all__ = ["Decided", "decide", "with_tables"]

Advance = Callable[[int], None]

UNEQUAL = ("quality", "bpfp")
"""Targets that are free to weigh values unequally."""


@dataclass(frozen=True)
class Decided:
    """How a tensor will be coded.

    Args:
        setup: for the coder; tables come later, for a gain.
        guessed: whether the layout was a guess.
        promise: what the coder must keep.
        choice: for the rate control; None for what is coded without loss.
        note: what the user should know.
        costs: for the coder; they come with the tables.
    """

    setup: TensorSetup
    guessed: bool
    promise: Promise
    choice: Choice | None = None
    note: str = ""
    costs: Costs = None


def decide(
    source: Source,
    options: EncodeOptions,
    profile: ProfileFile | None,
    chunk: int,
    advance: Advance,
    *,
    embedded: bool,
) -> list[Decided]:
    """Read every tensor once and settle how it will be coded.

    Args:
        source: what is coded.
        options: what the user wants.
        profile: that supplies what options leave open.
        chunk: samples that are read at a time.
        advance: told of values that were read.
        embedded: whether a file holds what is chosen, rather than a profile for many files.

    Raises:
        InputError: for input that cannot be encoded as asked.
    """
    defaults = _defaults(source, profile)
    total = max(1, sum(tensor.numel for tensor in source.tensors))
    values = options.effort.sample_of(total, profiled=profile is not None)
    return [
        _Decision(source, tensor, options, default, chunk, embedded).decide(
            max(1, values * tensor.numel // total), advance
        )
        for tensor, default in zip(source.tensors, defaults, strict=True)
    ]


def with_tables(tensors: Sequence[Decided], gain: float, target: Target) -> list[Decided]:
    """Add tables for a gain."""
    return [_with_tables(tensor, tensor.choice, gain, target) for tensor in tensors]


def _with_tables(tensor: Decided, choice: Choice | None, gain: float, target: Target) -> Decided:
    if choice is None:
        return tensor
    setup, costs = choose_tables(choice, gain, target)
    return replace(tensor, setup=setup, costs=costs)


def _defaults(source: Source, profile: ProfileFile | None) -> Sequence[TensorSetup | None]:
    """What a profile says of each tensor."""
    if profile is None:
        return [None] * len(source.tensors)
    setups = resolve(profile.header, profile.sections, None)[1]
    if len(setups) != len(source.tensors):
        tensors = "1 tensor" if len(setups) == 1 else f"{len(setups)} tensors"
        there = f"there {'is' if len(source.tensors) == 1 else 'are'} {len(source.tensors)}"
        raise InputError(f"the profile is for {tensors}, {there}", remedy="use another profile, or none")
    return setups


class _Decision:
    """One tensor's way from values to a setup."""

    def __init__(
        self,
        source: Source,
        tensor: SourceTensor,
        options: EncodeOptions,
        default: TensorSetup | None,
        chunk: int,
        embedded: bool,
    ) -> None:
        self.source, self.tensor, self.chunk, self.embedded = source, tensor, chunk, embedded
        self.target, self.keep_nonfinite = options.target, options.keep_nonfinite
        self.default = default
        self.weights, self.outliers = options.weights, options.outliers
        self.searched = options.effort.searched
        own: TensorOptions = options.of(tensor.name)
        if default is not None:
            own = replace(own, layout=own.layout or default.layout, tap=own.tap or default.tap)
        self.options = own

    def decide(self, budget: int, advance: Advance) -> Decided:
        layout, guessed = choose_layout(self.source, self.tensor, self.options)
        base = lossless_setup(self.source, self.tensor, layout, self.options.tap)
        promise = self._promise()
        if layout is None or self.target.kind == "lossless" or not self.tensor.numel:
            self._check_finite(advance)
            return Decided(base, guessed, Promise())
        survey = survey_tensor(
            self.source,
            self.tensor,
            layout,
            promise.truncate,
            chunk=self.chunk,
            budget=budget,
            keep_nonfinite=self.keep_nonfinite,
            progress=advance,
        )
        if self.target.kind != "max_error" and not survey.statistics.moderate:
            wide = f"{self._name()}kept without loss: its values are beyond 2^48 or all below 2^-48"
            return Decided(base, guessed, Promise(), note="" if survey.constant else wide)
        if self.weights is not None:
            return self._learned(base, survey, self.weights, guessed)
        choice = self._choice(base, survey)
        if promise.truncate is None and prefers_lossless(choice, self.target):
            return Decided(base, guessed, Promise())
        note = self._doubt(survey.channels) or self._unread(choice)
        return Decided(choice.setup, guessed, promise, choice, note)

    def _learned(self, base: TensorSetup, survey: TensorSurvey, weights: WeightsFile, guessed: bool) -> Decided:
        """How the learned codec codes a tensor; the rate comes later."""
        if survey.constant or self.tensor.numel * base.item_size <= TINY_BYTES:
            return Decided(base, guessed, Promise())
        wanted = self.options.alignment
        setup, _, limits = choose_range(base, survey, wanted)
        own = wanted is None or wanted.truncate is None
        promise = Promise(None, limits, self.keep_nonfinite, own if self.outliers is None else self.outliers)
        arrays = {**setup.arrays, **weights.weights.arrays}
        setup = replace(setup, codec=HYPERPRIOR, parameters=(0,), arrays=arrays)
        return Decided(setup, guessed, promise, note=self._doubt(survey.channels))

    def _name(self) -> str:
        return f"tensor '{self.tensor.name}' " if self.tensor.name else ""

    def _doubt(self, channels: int) -> str:
        """What the plugin says of the tap, if the features do not look like that."""
        declared = self.options.channels
        if declared in (None, channels):
            return ""
        return f"{self._name()}has {channels} channels, tap '{self.options.tap}' has {declared}: is the tap right?"

    def _unread(self, choice: Choice) -> str:
        """What is kept coarsely because the plugin says that nothing reads it."""
        if choice.profiled or self.options.reads is not None or self._reads() == "tokens":
            return ""
        part = {"mean": "the mean over the grid", "first": "the first token"}[self._reads()]
        return f"{self._name()}keeps {part}, which is what '{self.options.tap}' is read by; --reads tokens keeps all"

    def _profiled(self) -> TensorSetup | None:
        """The profile's setup, where neither option nor target stand against it."""
        default = self.default
        bounded = self.target.kind in ("max_error", "lossless")
        if default is None or default.codec == LOSSLESS or self.options.alignment or bounded:
            return None
        return default

    def _choice(self, base: TensorSetup, survey: TensorSurvey) -> Choice:
        default = self._profiled()
        if default is not None:
            return replace(Choice.from_profile(base, default, survey), searched=self.searched)
        reads = self._reads()
        self._check_read(reads, survey.geometry.special)
        aligned, aligner = choose_alignment(base, survey, self.options.alignment, self.target)
        setup = choose_step(aligned, aligner, survey, self.target, reads, embedded=self.embedded)
        return replace(Choice.of(setup, aligner, survey), searched=self.searched)

    def _reads(self) -> str:
        """What is read: as the user says, else as the plugin says where the target may weigh values unequally."""
        if self.options.reads is not None:
            return self.options.reads
        return self.options.tap_reads if self.target.kind in UNEQUAL else "tokens"

    def _check_read(self, reads: str, special: int) -> None:
        if reads != "tokens" and self.target.kind not in UNEQUAL:
            raise OptionError(f"what is read ('{reads}') says nothing under {self.target.kind}", remedy="leave it out")
        if reads == "first" and not special:
            layout = "b (1 + n) c"
            raise OptionError("no first token in the layout", remedy=f"set it apart, as in --layout '{layout}'")

    def _promise(self) -> Promise:
        default = self._profiled()
        alignment = self.options.alignment
        truncate = None if alignment is None else alignment.truncate
        if default is not None and default.alignment is not None:
            truncate = default.alignment.truncate
        if self.target.kind in ("max_error", "lossless") and truncate is not None:
            raise OptionError("truncation and an error bound contradict each other", remedy="leave one out")
        bound = self.target.value if self.target.kind == "max_error" else None
        return Promise(bound, truncate, self.keep_nonfinite)

    def _check_finite(self, advance: Advance) -> None:
        """What is coded without loss carries NaN and Inf, but only if that was asked for."""
        if self.target.kind == "lossless" or self.keep_nonfinite or self.tensor.dtype not in FLOATS:
            advance(self.tensor.numel)
            return
        for start, stop in chunks_of(self.source.samples, self.chunk):
            block = self.tensor.block(start, stop)
            for part in block if isinstance(block, list) else [block]:
                check_finite(to_floats(part, self.tensor.dtype), self.tensor, start)
                advance(part.size)
