"""Messages: files of one sample each that name a profile, all written by one plan that is made before the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ..bitstream import Chunk, End, Shape, block_bytes, checksum, chunk_bytes, end_bytes, section_bytes, seed_of
from ..coders.base import Samples, TensorCoder, Terms
from ..coders.config import TensorConfig
from ..coders.dtypes import to_floats
from ..coders.file_coders import coders_of
from ..coders.resolve import resolve
from ..coders.side_files import ProfileFile
from ..coders.stack import Stack, stacks_of
from ..coders.work import WorkMeter
from ..errors import InputError, NonFiniteError, OptionError
from ..limits import Limits
from ..threads import one_blas_thread
from ..types import FLOATS, AnyArray, Branch, Framework, Structure, Tree, tensor_names
from .goal import MEDIUM_SNR, OCTAVE_DB, TOKEN_SPARE, quality_of_step
from .keeping_within import charge_chunk, check_prelude, keeping_within
from .options import Target
from .plan import TensorPlan
from .prelude import container_prelude
from .profiled_plan import Steps, fitted_template, profiled_plans
from .tensor_order import in_order_of

__all__ = ["MessageTensor", "MessageWriter", "message_quality"]

Key = TypeVar("Key")
Value = TypeVar("Value")

MOST_SHAPES, MOST_CODINGS = 256, 8
"""Of samples, that are kept ready."""


@dataclass(frozen=True)
class MessageTensor:
    """One tensor of a sample: its values in the numpy form of their dtype, and where they came from."""

    array: AnyArray
    dtype: str
    framework: Framework

    @property
    def kind(self) -> tuple[str, Framework, tuple[int, ...]]:
        """What may differ from sample to sample besides values."""
        return self.dtype, self.framework, self.array.shape


@dataclass(frozen=True, eq=False)
class _Coding:
    """How samples of one kind are coded.

    Args:
        configs: of the tensors.
        stacks: what is coded as one.
        coders: one per stack.
        terms: one per stack.
    """

    configs: tuple[TensorConfig, ...]
    stacks: Sequence[Stack]
    coders: Sequence[TensorCoder]
    terms: Sequence[Terms]


@dataclass(frozen=True)
class _Frame:
    """What stands around the chunk of a message: the same bytes in all."""

    before: bytes
    behind: bytes
    seed: int


def message_quality(target: Target) -> float:
    """The quality of steps at which messages are coded; tokens that lack an SNR there get finer ones.

    Raises:
        OptionError: for a target that messages cannot meet each by itself.
    """
    if target.kind == "quality":
        return target.value
    if target.kind == "snr" and target.by_token:
        return quality_of_step(2.0 ** ((MEDIUM_SNR - TOKEN_SPARE - target.value) / OCTAVE_DB))
    asked = "lossless" if target.kind == "lossless" else f"{target.kind}={target.value:g}"
    remedy = "snr='30/token' promises every token of every message an SNR" if target.kind == "snr" else ""
    raise OptionError(
        f"a prepared coder has steps that are the same for all messages, which {asked} does not allow",
        remedy=remedy or "give quality=, or snr='30/token'; caufc.encode takes any control",
    )


class MessageWriter:
    """Writes messages; threads may share it.

    Args:
        profile: that they name.
        target: the rate control: a quality, or an SNR of every token.
        keep_nonfinite: carry NaN and Inf exactly instead of refusing them.
        limits: of the decoders that are to read them.

    Raises:
        OptionError: for a target that messages cannot meet each by itself.
        MalformedError: if the profile breaks the specification.
    """

    def __init__(self, profile: ProfileFile, target: Target, keep_nonfinite: bool, limits: Limits) -> None:
        self.profile, self.keep_nonfinite, self.limits = profile, keep_nonfinite, limits
        structure, self.configs, self.arch = resolve(profile.header, profile.sections, None)
        self.tree = structure.tree
        self.names = [config.name for config in self.configs]
        snr = target.value if target.by_token else None
        self.asked = Terms(nonfinite=keep_nonfinite, token_snr=snr, measured=False)
        steps = Steps.of(profile, message_quality(target))
        self.gain = steps.wanted
        with one_blas_thread():
            self.plans = profiled_plans(profile, steps)
        self._placed: dict[object, tuple[Tree, list[int]]] = {}
        self._codings: dict[object, _Coding] = {}
        self._known: dict[object, _Coding] = {}
        self._frames: dict[object, _Frame] = {}

    @np.errstate(over="ignore", invalid="ignore")  # among the largest floats
    @one_blas_thread()
    def write(self, tree: Tree, tensors: Sequence[MessageTensor]) -> bytes:
        """The message of a sample.

        Args:
            tree: its structure; its dicts have the profile's names, in any order.
            tensors: by number.

        Raises:
            InputError: for a sample that is not of the profile's kind, and for NaN and Inf that may not come.
            LimitError: for what decoders would refuse.
        """
        if isinstance(tree, Branch):
            tree, numbers = self._placed.get(tree) or self._place(tree)
            tensors = [tensors[number] for number in numbers]
        kind = tuple(tensor.kind for tensor in tensors)
        coding = self._known.get(kind) or self._coding(tree, kind)
        frame = self._frames.get((tree, coding)) or self._frame(tree, coding)
        payloads: list[bytes] = [b""] * len(tensors)
        symbols = 0
        for stack, coder, terms in zip(coding.stacks, coding.coders, coding.terms, strict=True):
            blocks = [self._block(coding.configs[number], tensors[number]) for number in stack.members]
            encoded = coder.encode(stack.joined(blocks), terms)
            payloads[stack.leader] = encoded.payload
            for part in encoded.covered:
                symbols = checksum(part, symbols)
        shapes = tuple((shape,) for _, _, shape in kind)
        templates = [config.template for config in coding.configs]
        body = chunk_bytes(Chunk(0, 1, shapes, tuple(payloads), symbols), templates)
        return frame.before + block_bytes("C", body, frame.seed) + frame.behind

    def _place(self, tree: Tree) -> tuple[Tree, list[int]]:
        """The structure as the profile orders it, and the tensors' numbers in that order."""
        found = in_order_of(self.tree, tree)
        self._placed = _newest({**self._placed, tree: found}, MOST_CODINGS)
        return found

    def _block(self, config: TensorConfig, tensor: MessageTensor) -> Samples:
        """A tensor as coders take it."""
        if not self.keep_nonfinite and tensor.dtype in FLOATS:
            _check_finite(tensor, config.name)
        return [tensor.array] if None in config.template else tensor.array[None]

    def _coding(self, tree: Tree, kind: tuple[tuple[str, Framework, tuple[int, ...]], ...]) -> _Coding:
        """How samples of a kind are coded, checked and kept ready."""
        self._check_names(tree)
        configs = tuple(self._config(config, *own) for config, own in zip(self.configs, kind, strict=True))
        key = tuple((config.dtype, config.framework, config.template) for config in configs)
        coding = self._codings.get(key)
        if coding is None:
            coding = self._made(configs)
            self._codings = _newest({**self._codings, key: coding}, MOST_CODINGS)  # threads may do so side by side
        meter = WorkMeter(coding.configs, batch=False, limits=self.limits)
        with keeping_within():
            charge_chunk(meter, coding.stacks, coding.coders, [(shape,) for _, _, shape in kind], 1)
        self._known = _newest({**self._known, kind: coding}, MOST_SHAPES)
        return coding

    def _check_names(self, tree: Tree) -> None:
        names = tensor_names(tree)
        if names != self.names:
            raise InputError(
                f"holds tensors {_listed(names)}, the profile is for {_listed(self.names)}",
                remedy="give one sample of the structure that the profile was made from",
            )

    def _config(self, config: TensorConfig, dtype: str, framework: Framework, shape: tuple[int, ...]) -> TensorConfig:
        """A tensor's configuration for samples like this one."""
        if config.codec.lossy and dtype in FLOATS:
            template = _located_template(config, shape)
            return replace(config, dtype=dtype, framework=framework, template=template)
        if dtype != config.dtype:
            raise InputError(f"is {dtype}, the profile is for {config.dtype}", tensor=config.name)
        return replace(config, framework=framework, template=_open_template(config, shape))

    def _made(self, configs: tuple[TensorConfig, ...]) -> _Coding:
        plans = [
            self.plans[number].plan(config, self.asked) if number in self.plans else TensorPlan(config, self.asked)
            for number, config in enumerate(configs)
        ]
        planned = tuple(plan.config for plan in plans)
        stacks = stacks_of(planned)
        coders = coders_of(stacks, self.gain, self.limits)
        return _Coding(planned, stacks, coders, [plans[stack.leader].terms for stack in stacks])

    def _frame(self, tree: Tree, coding: _Coding) -> _Frame:
        """The bytes around the chunk of a message."""
        self._check_names(tree)
        header, sections = container_prelude(
            Structure("single", tree),
            coding.configs,
            gain=self.gain if any(config.codec.lossy for config in coding.configs) else None,
            arch=self.arch,
            indexed=False,
            profile=self.profile,
        )
        head = header.to_bytes()
        with keeping_within():
            check_prelude(head, sections, coding.coders, self.limits)
        seed = seed_of(head)
        before = head + b"".join(block_bytes("S", section_bytes(section), seed) for section in sections)
        frame = _Frame(before, block_bytes("E", end_bytes(End(1, None)), seed), seed)
        self._frames = _newest({**self._frames, (tree, coding): frame}, MOST_CODINGS)
        return frame


def _located_template(config: TensorConfig, shape: tuple[int, ...]) -> Shape:
    try:
        return fitted_template(config.template, shape, config.layout)
    except InputError as err:
        raise err.locate(tensor=config.name) from None


def _open_template(config: TensorConfig, shape: tuple[int, ...]) -> Shape:
    """The profile's template, open where a sample that is coded without loss differs from it."""
    if len(shape) != len(config.template):
        raise InputError(
            f"has {len(shape)} axes, the profile is for {len(config.template)}",
            tensor=config.name,
            remedy="give one sample of the kind that the profile was made from",
        )
    return tuple(known if known == size else None for known, size in zip(config.template, shape, strict=True))


def _check_finite(tensor: MessageTensor, name: str) -> None:
    floats = to_floats(tensor.array, tensor.dtype)
    finite = np.isfinite(floats)
    if finite.all():
        return
    nans = int(np.isnan(floats).sum())
    raise NonFiniteError(
        f"holds {nans:,} NaN and {int(math.prod(finite.shape) - finite.sum()) - nans:,} Inf",
        tensor=name,
        remedy="make the coder with nonfinite='keep' to carry them exactly",
    )


def _newest(made: dict[Key, Value], most: int) -> dict[Key, Value]:
    """The last entries, so many at most."""
    return made if len(made) <= most else dict(list(made.items())[-most:])


def _listed(names: Sequence[str]) -> str:
    return "'', without a name" if list(names) == [""] else ", ".join(repr(name) for name in names) or "none"
