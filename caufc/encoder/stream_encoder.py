"""Encoding samples as they come: a plan from the first, then chunk after chunk, nothing held but tables."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from ..bitstream import Key
from ..coders.base import EncodedPayload, FileShare, TensorCoder
from ..coders.side_files import ProfileFile
from ..coders.stack import Stack, shares_out, stacks_of
from ..coders.work import WorkMeter
from ..threads import one_blas_thread, thread_count
from ..types import NOTE
from .chunk_coding import ChunkCoding
from .container import Container, Sink
from .file_writer import FilePass
from .keeping_within import charge_chunk, check_prelude, keeping_within
from .options import EncodeOptions
from .origin import Origin
from .plan import TensorPlan, file_gain
from .prelude import file_prelude
from .report import Report, report_of_stream
from .source import Source
from .stream_control import ChunkTrial, StreamControl, at_codes
from .stream_plan import plan_stream

__all__ = ["StreamEncoder"]

BLOCK_FRAME = 10
"""Bytes of a chunk's block besides its body, about."""


class StreamEncoder:
    """Encodes a stream into one container.

    Args:
        source: its first samples, from which it is planned; they are not written yet.
        options: what was asked for.
        profile: supplies what options leave open.
        sink: takes the bytes.

    Attributes:
        chunk: samples of a chunk, as planned.

    Raises:
        InputError: for samples that cannot be encoded as asked.
        LimitError: for what decoders would refuse.
    """

    @np.errstate(over="ignore", invalid="ignore")  # among the largest floats
    @one_blas_thread()
    def __init__(self, source: Source, options: EncodeOptions, profile: ProfileFile | None, sink: Sink) -> None:
        self.started = time.perf_counter()
        self.options, self.structure = options, source.structure
        self.arch = options.arch or (profile.header.arch if profile else None)
        planned = plan_stream(source, options, profile)
        self.chunk = planned.chunk
        gain, self.plans = file_gain(planned.plans)
        origin = Origin.of(options, smallest=False)
        header, sections = file_prelude(source, options, self.plans, gain, self.arch, profile, origin, indexed=True)
        self.stacks = stacks_of([plan.config for plan in self.plans])
        share = FileShare(gain)
        self.coders: list[TensorCoder] = [
            stack.config.codec.load("coder")(stack.config, share) for stack in self.stacks
        ]
        self.threads = thread_count(options.threads) if shares_out(self.stacks) else 1
        with keeping_within():
            check_prelude(header.to_bytes(), sections, self.coders, options.limits)
        self.meter = WorkMeter([plan.config for plan in self.plans], batch=False, limits=options.limits)
        self.control = StreamControl(options.target, len(self.stacks))
        self.done = FilePass(planned.plans, 0.0, gain)
        self.numels = [0] * len(self.plans)
        self.container = Container(sink, header, sections)

    @property
    def samples(self) -> int:
        """How many were written."""
        return self.container.samples

    @np.errstate(over="ignore", invalid="ignore")  # among the largest floats
    @one_blas_thread()
    def write(self, source: Source) -> None:
        """Write samples as a chunk.

        Args:
            source: alike to the first.

        Raises:
            LimitError: for what decoders would refuse; nothing is written then.
        """
        shapes = [tuple(map(tensor.shape, range(source.samples))) for tensor in source.tensors]
        with keeping_within():
            charge_chunk(self.meter, self.stacks, self.coders, shapes, source.samples)
        numel = sum(tensor.numel for tensor in source.tensors if tensor.dtype != NOTE)
        lossy = [stack.config.codec.lossy for stack in self.stacks]

        def trial(codes: Sequence[float]) -> ChunkTrial:
            plans = list(self.plans)
            for stack, code in zip(self.stacks, codes, strict=True):
                plan = plans[stack.leader]
                plans[stack.leader] = replace(plan, terms=at_codes(plan.terms, code))
            body, payloads = self._coded(source, plans)
            return ChunkTrial(body, len(body) + BLOCK_FRAME, payloads, lossy, numel)

        found = self.control.run(trial)
        for stack, encoded in found.payloads:
            self.done.count(stack, encoded)
        for number, tensor in enumerate(source.tensors):
            self.numels[number] += tensor.numel
        self.container.chunk(found.body, source.samples)

    def _coded(self, source: Source, plans: Sequence[TensorPlan]) -> tuple[bytes, list[tuple[Stack, EncodedPayload]]]:
        """The body of the next chunk by some plans, and its payloads by stack."""
        coding = ChunkCoding(source, plans, self.stacks, self.coders, self.threads)
        payloads: list[tuple[Stack, EncodedPayload]] = []

        def taken(stack: Stack, encoded: EncodedPayload, values: int) -> None:  # noqa: ARG001
            payloads.append((stack, encoded))

        with closing(coding.bodies([(0, source.samples)], taken, self.samples)) as bodies:
            ((body, _),) = bodies
        return body, payloads

    def close(self, keys: Sequence[Key] | None) -> Report:
        """Write index and end, and say what was done.

        Args:
            keys: of keyed samples, in order.
        """
        self.container.close(keys)
        self.done.chunks, self.done.bytes_out = self.container.chunks, self.container.bytes
        return report_of_stream(
            self.structure, self.options, self.arch, self.done, self.numels, self.control, self.samples, self.started
        )
