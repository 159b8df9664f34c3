"""Encoding: survey and decisions, then passes over the chunks until the rate control is met."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..types import DTYPES
from .control import Controlled, RateControl, RestartableSink
from .decide import Decided, decide, with_tables
from .hyperprior_control import HyperpriorControl
from .profile import ProfileFile, profile_bytes
from .report import Report, TensorReport
from .setup import CODEC_NAMES, HYPERPRIOR, LOSSLESS, TRANSFORM, TensorSetup
from .source import Source
from .target import EncodeOptions
from .threads import one_blas_thread
from .writer import Pass, Sink, container_prelude, write_pass

__all__ = ["Encoder", "Progress"]

CHUNK_VALUES = 1 << 22
CHUNK_SAMPLES = 4096
CHUNK_ARRAYS = 1 << 16
"""A chunk holds as many samples as make four million values, at most 4,096, and fewer of many tensors."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many values are through, and how many there are."""


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
        self.progress = progress
        self.numel = sum(tensor.numel for tensor in source.tensors)
        self.chunk = options.chunk or _chunk_samples(source, self.numel)
        self.arch = options.arch or (profile.header.arch if profile else None)

    @one_blas_thread()
    def encode(self, sink: RestartableSink) -> Report:
        """Write the container.

        Raises:
            InputError: for input that cannot be encoded as asked.
        """
        started = time.perf_counter()
        tensors = self._decide()
        control = self._control()
        done = control.run(tensors, sink)
        return self._report(control, done, time.perf_counter() - started)

    def _control(self) -> RateControl | HyperpriorControl:
        target, weights = self.options.target, self.options.weights
        if weights is None:
            return RateControl(target, self.numel, self._write)
        return HyperpriorControl(target, weights.weights.rates, self.numel, self._write)

    @one_blas_thread()
    def make_profile(self) -> bytes:
        """The bytes of a profile with the decisions for this source, instead of a container with its samples."""
        control = RateControl(self.options.target, self.numel, self._write)
        tensors = with_tables(self._decide(embedded=False), control.first_gain(), self.options.target)
        return self.profile_of([tensor.setup for tensor in tensors])

    @one_blas_thread()
    def setups(self) -> list[TensorSetup]:
        """How each tensor would be coded by a profile, but for tables."""
        return [tensor.setup for tensor in self._decide(embedded=False)]

    def profile_of(self, setups: Sequence[TensorSetup]) -> bytes:
        """The bytes of a profile of these setups."""
        header, sections = container_prelude(
            self.source.structure, setups, gain=None, arch=self.arch, indexed=False, profile=None
        )
        return profile_bytes(replace(header, content="profile"), sections)

    def _decide(self, *, embedded: bool = True) -> list[Decided]:
        return decide(self.source, self.options, self.profile, self.chunk, self._advance("survey"), embedded=embedded)

    def _advance(self, what: str) -> Callable[[int], None]:
        """Counts values of one pass for the progress."""
        done = 0

        def advance(values: int) -> None:
            nonlocal done
            done += values
            if self.progress is not None:
                self.progress(what, done, self.numel)

        return advance

    def _write(self, tensors: Sequence[Decided], gain: float, sink: Sink) -> Pass:
        relied = self.profile if self.profile and (self.profile.shipped or not self.options.embed_profile) else None
        weights = self.options.weights
        prelude = container_prelude(
            self.source.structure,
            [tensor.setup for tensor in tensors],
            gain=gain if any(tensor.choice for tensor in tensors) else None,
            arch=self.arch,
            indexed=self.options.index if self.options.index is not None else self.source.samples > self.chunk,
            profile=relied,
            weights=weights if any(tensor.setup.codec == HYPERPRIOR for tensor in tensors) else None,
            embed_weights=weights is not None and self.options.embed_weights and not weights.shipped,
        )
        return write_pass(
            self.source,
            [tensor.setup for tensor in tensors],
            prelude,
            sink,
            promises=[tensor.promise for tensor in tensors],
            costs=[tensor.costs for tensor in tensors],
            gain=gain,
            chunk=self.chunk,
            progress=self._advance("encode"),
            limits=self.options.limits,
        )

    def _report(self, control: RateControl | HyperpriorControl, done: Controlled, seconds: float) -> Report:
        distortion = done.result.distortion
        return Report(
            bytes_in=sum(tensor.numel * DTYPES[tensor.dtype].itemsize for tensor in self.source.tensors),
            bytes_out=done.result.bytes_out,
            numel=self.numel,
            samples=self.source.samples,
            snr_db=distortion.snr_db,
            nmse=distortion.nmse,
            max_abs_error=distortion.largest,
            clipped=distortion.clipped,
            exact=distortion.patched,
            chunks=done.result.chunks,
            passes=control.passes,
            seconds=seconds,
            arch=self.arch,
            codec=CODEC_NAMES[max((tensor.setup.codec for tensor in done.tensors), default=LOSSLESS)],
            tensors=tuple(self._tensor_report(tensor, done.gain) for tensor in done.tensors),
            warnings=(*(tensor.note for tensor in done.tensors if tensor.note), *control.warnings),
        )

    def _tensor_report(self, tensor: Decided, gain: float) -> TensorReport:
        setup = tensor.setup
        lossless = setup.codec == LOSSLESS
        return TensorReport(
            name=setup.name,
            dtype=setup.dtype,
            shape=setup.template,
            layout=None if lossless else setup.layout_text(self.source.structure),
            guessed=tensor.guessed and not lossless,
            codec=CODEC_NAMES[setup.codec],
            alignment=setup.alignment_text,
            step=float(np.float32(float(setup.parameters[0]) * gain)) if setup.codec == TRANSFORM else None,
        )


def _chunk_samples(source: Source, numel: int) -> int:
    by_values = CHUNK_VALUES * source.samples // max(1, numel)
    by_arrays = CHUNK_ARRAYS // max(1, len(source.tensors))
    return max(1, min(CHUNK_SAMPLES, by_values, by_arrays))
