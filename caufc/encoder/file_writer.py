"""One pass over the samples: chunks in, a container out, nothing held but the chunks at hand, one a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property

from ..coders.base import EncodedPayload, FileShare, TensorCoder
from ..coders.distortion import Distortion
from ..coders.side_files import ProfileFile
from ..coders.stack import Stack, shares_out, stacks_of
from ..coders.work import WorkMeter
from ..threads import thread_count
from .chunk_coding import ChunkCoding
from .chunk_size import ChunkSize
from .container import Container, Sink
from .keeping_within import charge_chunk, check_prelude, keeping_within
from .largest_file import largest_file
from .options import EncodeOptions
from .origin import Origin
from .plan import TensorPlan, file_gain
from .prelude import NO_ORIGIN, file_prelude
from .source import Source
from .survey_reading import chunks_of

__all__ = ["FilePass", "FileWriter", "Sink"]


@dataclass
class FilePass:
    """One pass: with what it was written, and what came of it.

    Args:
        plans: of the tensors.
        setting: of rate control, with which they were made.
        gain: factor on the steps that rely on it.
        bytes_out: of the file.
        chunks: how many.
        distortions: one per tensor.
        payload_bytes: bytes of each tensor's payloads; those of a stack are shared out equally.
    """

    plans: Sequence[TensorPlan]
    setting: float
    gain: float
    bytes_out: int = 0
    chunks: int = 0
    distortions: list[Distortion] = field(init=False)
    payload_bytes: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.distortions = [Distortion() for _ in self.plans]
        self.payload_bytes = [0] * len(self.plans)

    @property
    def lossy(self) -> bool:
        """Whether any tensor is coded with loss."""
        return any(plan.config.codec.lossy for plan in self.plans)

    @property
    def distortion(self) -> Distortion:
        """Of all tensors together."""
        return Distortion.merged(self.distortions)

    def count(self, stack: Stack, encoded: EncodedPayload) -> None:
        """Count a chunk of a stack."""
        shares = stack.shared_out(len(encoded.payload))
        for number, distortion, share in zip(stack.members, encoded.distortions, shares, strict=True):
            self.distortions[number].merge(distortion)
            self.payload_bytes[number] += share


class FileWriter:
    """Writes whole containers, as often as rate control wants, and counts the passes.

    Args:
        source: the samples.
        options: what was asked for.
        chunk: tells how many samples a chunk has; the first pass settles it.
        arch: architecture ID.
        profile: that the file relies on.
        advance: makes what is called with the number of values that a pass has written.
        origin: what the file says of how it was made.
    """

    def __init__(
        self,
        source: Source,
        options: EncodeOptions,
        chunk: ChunkSize,
        arch: str | None = None,
        profile: ProfileFile | None = None,
        advance: Callable[[], Callable[[int], None]] = lambda: lambda values: None,
        origin: Origin = NO_ORIGIN,
    ) -> None:
        self.source, self.options, self.sizes = source, options, chunk
        self.chunk = chunk.read
        self.arch, self.profile, self.advance, self.origin = arch, profile, advance, origin
        self.passes = 0

    @cached_property
    def most(self) -> int:
        """Bytes of the largest file that may come of it."""
        return largest_file(self.source, self.options, self.profile, self.arch)

    @property
    def chunks(self) -> int:
        """How many the file has."""
        return -(-self.source.samples // self.chunk)

    def write(self, plans: Sequence[TensorPlan], setting: float, sink: Sink) -> FilePass:
        """Write a container.

        Args:
            plans: one per tensor.
            setting: of rate control, with which they were made.
            sink: takes the bytes.

        Raises:
            LimitError: if the file would be over a limit of the decoders that are to read it; nothing is coded then.
        """
        if not self.passes:
            self.chunk = self.sizes.of(plans)
        self.passes += 1
        given = plans
        gain, plans = file_gain(given)
        indexed = self.options.index if self.options.index is not None else self.source.samples > self.chunk
        result, limits = FilePass(given, setting, gain), self.options.limits
        exact = self.options.target.kind == "bpfp" and not result.lossy
        origin = self.origin.without_loss() if exact else self.origin
        header, sections = file_prelude(
            self.source, self.options, plans, gain, self.arch, self.profile, origin, indexed=indexed
        )
        share = FileShare(gain)
        stacks = stacks_of([plan.config for plan in plans])
        coders: list[TensorCoder] = [stack.config.codec.load("coder")(stack.config, share) for stack in stacks]
        threads = thread_count(self.options.threads) if shares_out(stacks) else 1
        coding = ChunkCoding(self.source, plans, stacks, coders, threads)
        with keeping_within():
            check_prelude(header.to_bytes(), sections, coders, limits)
            self._check_chunks(coding)
        container, advance = Container(sink, header, sections), self.advance()

        def taken(stack: Stack, encoded: EncodedPayload, values: int) -> None:
            result.count(stack, encoded)
            advance(0 if stack.config.noted else values)

        with closing(coding.bodies(chunks_of(self.source.samples, self.chunk), taken)) as bodies:
            for body, count in bodies:
                container.chunk(body, count)
        container.close(self.source.keys)
        result.chunks, result.bytes_out = container.chunks, container.bytes
        return result

    def tried(self, plans: Sequence[TensorPlan], setting: float) -> FilePass:
        """A small container, which is tried and dropped; that counts as no pass over the input."""
        passes, self.passes = self.passes, max(1, self.passes)
        try:
            return self.write(plans, setting, _Nowhere())
        finally:
            self.passes = passes

    def _check_chunks(self, coding: ChunkCoding) -> None:
        """What decoding all chunks will cost, from shapes alone."""
        limits = self.options.limits
        meter = WorkMeter([plan.config for plan in coding.plans], self.source.structure.kind == "batch", limits)
        for start, stop in chunks_of(self.source.samples, self.chunk):
            charge_chunk(meter, coding.stacks, coding.coders, coding.shapes(start, stop), stop - start)


class _Nowhere:
    """Where bytes go that are only counted."""

    def write(self, data: bytes, /) -> object:
        return len(data)
