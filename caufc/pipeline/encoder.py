"""Encoding: survey, choices, passes over the chunks until the rate control is met."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ..errors import InputError, OptionError
from ..types import DTYPES, FLOATS, Alignment
from .choose import (
    Choice,
    choose_alignment,
    choose_layout,
    choose_step,
    choose_tables,
    lossless_setup,
    prefers_lossless,
)
from .coder import Promise
from .numeric import to_floats
from .profile import ProfileFile
from .rate import Search, bits_model, gain_of_quality, slope_of, snr_model, solve
from .report import Report, TensorReport
from .setup import LOSSLESS, TensorSetup, resolve
from .source import Source, SourceTensor
from .survey import SAMPLE_VALUES, check_finite, chunks_of, survey_tensor
from .target import EncodeOptions
from .writer import Pass, Sink, container_prelude, write_pass

__all__ = ["Encoder", "Progress", "RestartableSink"]

CHUNK_VALUES = 1 << 22
CHUNK_SAMPLES = 4096
"""A chunk holds as many samples as make four million values, at most 4,096."""

SNR_TOLERANCE = 0.1
BPFP_TOLERANCE = 0.02
BPFP_PROMISED_FROM = 100_000

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many values are through, and how many there are."""


class RestartableSink(Sink, Protocol):
    """Where a container goes; one that cannot restart gets bytes only once all is decided."""

    def restart(self) -> bool:
        """Throw away what came so far; false if that cannot be done."""
        ...


class _Counter:
    """Takes bytes and drops them."""

    def write(self, data: bytes, /) -> object:
        return len(data)


@dataclass(frozen=True)
class _Tensor:
    """A tensor on its way: its setup so far, and the choice if it is coded with loss."""

    setup: TensorSetup
    guessed: bool
    promise: Promise
    choice: Choice | None = None


class Encoder:
    """Encodes one source into one container.

    Args:
        source: the samples.
        options: what was asked for.
        profile: supplies what options leave open.
        progress: told how far it is.
    """

    def __init__(
        self,
        source: Source,
        options: EncodeOptions,
        profile: ProfileFile | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.source, self.options, self.profile = source, options, profile
        self.progress: Progress = progress or (lambda what, done, total: None)
        self.numel = sum(tensor.numel for tensor in source.tensors)
        self.chunk = options.chunk or self._chunk_samples()
        self.warnings: list[str] = []
        self.passes = 0
        self.defaults = self._profile_setups()

    def _chunk_samples(self) -> int:
        if not self.source.samples:
            return 1
        return max(1, min(CHUNK_SAMPLES, CHUNK_VALUES * self.source.samples // max(1, self.numel)))

    def _profile_setups(self) -> tuple[TensorSetup, ...] | None:
        if self.profile is None:
            return None
        setups = resolve(self.profile.header, self.profile.sections, None)[1]
        if len(setups) != len(self.source.tensors):
            raise InputError(f"the profile is for {len(setups)} tensors, there are {len(self.source.tensors)}")
        return setups

    def encode(self, sink: RestartableSink) -> Report:
        """Write the container.

        Raises:
            InputError: for input that cannot be encoded as asked.
        """
        started = time.perf_counter()
        tensors = self._choose()
        tensors, result, gain = self._passes(tensors, sink)
        return self._report(tensors, result, gain, time.perf_counter() - started)

    def _choose(self) -> list[_Tensor]:
        done, chosen = 0, []
        for number, tensor in enumerate(self.source.tensors):

            def advance(values: int) -> None:
                nonlocal done
                done += values
                self.progress("survey", done, self.numel)

            chosen.append(self._choose_tensor(number, tensor, advance))
        return chosen

    def _choose_tensor(self, number: int, tensor: SourceTensor, advance: Callable[[int], None]) -> _Tensor:
        options = self.options.of(tensor.name)
        default = self.defaults[number] if self.defaults else None
        if default is not None:
            options = replace(options, layout=options.layout or default.layout, tap=options.tap or default.tap)
        layout, guessed = choose_layout(self.source, tensor, options)
        base = lossless_setup(self.source, tensor, layout, options.tap)
        target = self.options.target
        if layout is None or target.kind == "lossless" or not tensor.numel:
            self._check_finite(tensor)
            return _Tensor(base, guessed, Promise())
        alignment = options.alignment
        survey = survey_tensor(
            self.source,
            tensor,
            layout,
            alignment,
            chunk=self.chunk,
            budget=max(1, SAMPLE_VALUES * tensor.numel // self.numel),
            keep_nonfinite=self.options.keep_nonfinite,
            progress=advance,
        )
        promise = self._promise(alignment)
        if default is not None and alignment is None and default.codec != LOSSLESS and target.kind != "max_error":
            choice = Choice.from_profile(base, default, survey)
        else:
            aligned, aligner = choose_alignment(base, survey, alignment, target)
            setup, sample = choose_step(aligned, aligner, survey, target)
            choice = Choice(setup, aligner, sample, survey)
        if prefers_lossless(choice, target):
            return _Tensor(base, guessed, Promise())
        return _Tensor(choice.setup, guessed, promise, choice)

    def _check_finite(self, tensor: SourceTensor) -> None:
        """What is coded without loss carries NaN and Inf, but only if that was asked for."""
        if self.options.target.kind == "lossless" or self.options.keep_nonfinite or tensor.dtype not in FLOATS:
            return
        for start, stop in chunks_of(self.source.samples, self.chunk):
            block = tensor.block(start, stop)
            for part in block if isinstance(block, list) else [block]:
                check_finite(to_floats(part, tensor.dtype), tensor, start)

    def _promise(self, alignment: Alignment | None) -> Promise:
        target = self.options.target
        truncate = None if alignment is None else alignment.truncate
        if target.kind == "max_error" and truncate is not None:
            raise OptionError("truncation and an error bound contradict each other", remedy="leave one out")
        bound = target.value if target.kind == "max_error" else None
        return Promise(bound, truncate, self.options.keep_nonfinite)

    def _passes(self, tensors: list[_Tensor], sink: RestartableSink) -> tuple[list[_Tensor], Pass, float]:
        """Passes over the file until the target is met; the last one is what the sink holds."""
        target = self.options.target
        choices = [tensor.choice for tensor in tensors if tensor.choice is not None]
        if target.kind not in ("snr", "bpfp") or not choices:
            gain = gain_of_quality(target.value) if target.kind == "quality" and choices else 1.0
            final = self._with_tables(tensors, gain)
            return final, self._write(final, gain, sink), gain
        search = self._search(choices)
        direct = sink.restart()
        while True:
            gain = float(np.float32(2.0**search.log_gain))
            final = self._with_tables(tensors, gain)
            result = self._write(final, gain, sink if direct else _Counter())
            value = self._measured(result)
            if search.record(value):
                break
            sink.restart()
        return self._settle(search, tensors, sink, (final, result, gain), direct)

    def _settle(
        self,
        search: Search,
        tensors: list[_Tensor],
        sink: RestartableSink,
        last: tuple[list[_Tensor], Pass, float],
        direct: bool,
    ) -> tuple[list[_Tensor], Pass, float]:
        """Write the best pass, unless the last one was it and is written."""
        log_gain = search.best[0] if search.best else search.seen[-1][0]
        self._warn(search)
        gain = float(np.float32(2.0**log_gain))
        if direct and gain == last[2]:
            return last
        sink.restart()
        final = self._with_tables(tensors, gain)
        return final, self._write(final, gain, sink), gain

    def _warn(self, search: Search) -> None:
        target = self.options.target
        unit = "dB" if target.kind == "snr" else "BPFP"
        value = search.best[1] if search.best else search.seen[-1][1]
        got = value if target.kind == "snr" else value / max(1, self.numel)
        if not search.best or (not search.good(value) and self.numel >= BPFP_PROMISED_FROM):
            self.warnings.append(f"{target.value:g} {unit} is out of reach; the nearest is {got:.4g} {unit}")

    def _search(self, choices: list[Choice]) -> Search:
        models = [choice.model() for choice in choices]
        if self.options.target.kind == "snr":
            wanted = self.options.target.value
            energy = sum(choice.survey.energy for choice in choices)
            start = solve(snr_model(models, energy), wanted)
            return Search(wanted, SNR_TOLERANCE, -6.02, above=True, log_gain=start)
        wanted = self.options.target.value * self.numel
        measure = bits_model(models)
        start = solve(measure, wanted * 0.985)
        slope = slope_of(measure, start)
        return Search(wanted, BPFP_TOLERANCE * wanted, slope, above=False, log_gain=start)

    def _measured(self, result: Pass) -> float:
        if self.options.target.kind == "bpfp":
            return 8.0 * result.bytes_out
        snr = result.distortion.snr_db
        return math.inf if snr is None else snr

    def _with_tables(self, tensors: list[_Tensor], gain: float) -> list[_Tensor]:
        target = self.options.target
        return [
            tensor if tensor.choice is None else replace(tensor, setup=choose_tables(tensor.choice, gain, target))
            for tensor in tensors
        ]

    def _write(self, tensors: list[_Tensor], gain: float, sink: Sink) -> Pass:
        self.passes += 1
        setups = [tensor.setup for tensor in tensors]
        relied = self.profile if self.profile and (self.profile.shipped or not self.options.embed_profile) else None
        indexed = self.options.index if self.options.index is not None else self.source.samples > self.chunk
        arch = self.options.arch or (self.profile.header.arch if self.profile else None)
        lossy = any(tensor.choice for tensor in tensors)
        prelude = container_prelude(
            self.source.structure, setups, gain=gain if lossy else None, arch=arch, indexed=indexed, profile=relied
        )
        done = 0

        def advance(values: int) -> None:
            nonlocal done
            done += values
            self.progress("encode", done, self.numel)

        promises = [tensor.promise for tensor in tensors]
        return write_pass(
            self.source, setups, prelude, sink, promises=promises, gain=gain, chunk=self.chunk, progress=advance
        )

    def _report(self, tensors: list[_Tensor], result: Pass, gain: float, seconds: float) -> Report:
        distortion = result.distortion
        return Report(
            bytes_in=sum(tensor.numel * DTYPES[tensor.dtype].itemsize for tensor in self.source.tensors),
            bytes_out=result.bytes_out,
            numel=self.numel,
            samples=self.source.samples,
            snr_db=distortion.snr_db,
            nmse=distortion.nmse,
            max_abs_error=distortion.largest,
            clipped=distortion.clipped,
            exact=distortion.patched,
            chunks=result.chunks,
            passes=self.passes,
            seconds=seconds,
            arch=self.options.arch or (self.profile.header.arch if self.profile else None),
            codec="lossless" if all(t.setup.codec == LOSSLESS for t in tensors) else "transform",
            tensors=tuple(_tensor_report(tensor, gain) for tensor in tensors),
            warnings=tuple(self.warnings),
        )


def _tensor_report(tensor: _Tensor, gain: float) -> TensorReport:
    setup = tensor.setup
    lossless = setup.codec == LOSSLESS
    layout = None if lossless or setup.layout is None else setup.layout.expression
    step = None if lossless else float(np.float32(float(setup.parameters[0]) * gain))
    codec = "lossless" if lossless else "transform"
    return TensorReport(
        setup.name,
        setup.dtype,
        setup.template,
        layout,
        tensor.guessed and not lossless,
        codec,
        setup.alignment_text,
        step,
    )
