"""Rate control: passes over the file until its target is met."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from .file_writer import FilePass, FileWriter, Sink
from .options import EncodeOptions, Target
from .plan import TensorPlan
from .spool import Spool, Tried
from .tensor_draft import TensorDraft

__all__ = ["MOST_PASSES", "RateControl", "lossless_plans"]

MOST_PASSES = 4

COMPARED_VALUES = 1 << 12
"""Files of at most so many values are always compared with those without loss."""

COMPARED_BYTES = 1 << 11
"""The same of bytes: of features that are zero nearly everywhere a sample does not tell what they take without loss."""

EXACT_WORTH = 4 / 3
"""Times the bytes of a file of so few values that keeping all of them may take: what loss would save is bytes."""

NEAR_LOSSLESS = 0.8
"""Files from such a share of what they take without loss, by estimate, are compared with that."""

CHUNK_BYTES, HEADER_BYTES = 8, 16
"""What a tensor's payload in a chunk, and a file, have besides, at least."""

Drafted = Callable[[Target], Sequence[TensorDraft]]


@runtime_checkable
class Rewindable(Protocol):
    """A sink that can forget what was written to it."""

    def write(self, data: bytes, /) -> object: ...
    def seekable(self) -> bool: ...
    def tell(self) -> int: ...
    def seek(self, offset: int, /) -> object: ...
    def truncate(self) -> object: ...


class RateControl(ABC):
    """Writes passes until the target is met.

    Args:
        options: with the target.
        numel: number of values in the file.
        writer: writes the whole file.
        drafted: drafts for another target.
    """

    def __init__(self, options: EncodeOptions, numel: int, writer: FileWriter, drafted: Drafted) -> None:
        self.options, self.target, self.numel, self.writer = options, options.target, numel, writer
        self.drafted = drafted
        self.warnings: list[str] = []

    @staticmethod
    @abstractmethod
    def check(target: Target) -> None:
        """Refuse a target that cannot be promised.

        Raises:
            OptionError: if it cannot.
        """

    @abstractmethod
    def run(self, drafts: Sequence[TensorDraft], sink: Sink) -> FilePass:
        """Make passes until the target is met; the sink gets the one that is returned."""

    def _try(self, plans: Sequence[TensorPlan], setting: float) -> Tried:
        """A pass that is kept aside."""
        spool = Spool()
        return Tried(self.writer.write(plans, setting, spool), spool)

    def _straight(
        self, plans: Sequence[TensorPlan], setting: float, drafts: Sequence[TensorDraft], sink: Sink
    ) -> FilePass:
        """A pass straight into the sink; what is larger than any file, or than without loss, is undone, if it can."""
        begin = sink.tell() if isinstance(sink, Rewindable) and sink.seekable() else None
        done = self.writer.write(plans, setting, sink)
        if begin is None or not isinstance(sink, Rewindable):
            return done
        instead = self._instead(done, drafts)
        if instead is None:
            return done
        sink.seek(begin)
        sink.truncate()
        return instead.into(sink)

    def _instead(self, done: FilePass, drafts: Sequence[TensorDraft]) -> Tried | None:
        """What is to stand in the place of a pass that took more than was foreseen; None where it may stay."""
        if done.bytes_out > self.writer.most:
            return self._stored(drafts)
        plans = self._plans_near(done.bytes_out, drafts) if done.lossy else []
        if not plans:
            return None
        lossless = self._try(plans, 0.0)
        return lossless if lossless.done.bytes_out < done.bytes_out else None

    def _bounded(self, tried: Tried, drafts: Sequence[TensorDraft]) -> Tried:
        """A pass, or the one that stores all values, if the former is larger than any file."""
        return tried if tried.done.bytes_out <= self.writer.most else self._stored(drafts)

    def _stored(self, drafts: Sequence[TensorDraft]) -> Tried:
        return self._try([draft.stored() for draft in drafts], 0.0)

    def _smaller(self, tried: Tried, drafts: Sequence[TensorDraft]) -> Tried:
        """A pass, or the one without loss if that is smaller, or of few values hardly larger."""
        plans = self._plans_near(tried.done.bytes_out, drafts) if tried.done.lossy else []
        if not plans:
            return tried
        lossless = self._try(plans, 0.0)
        worth = 1.0 if self.target.kind == "bpfp" or self.numel > COMPARED_VALUES else EXACT_WORTH
        return lossless if lossless.done.bytes_out < worth * tried.done.bytes_out else tried

    def _plans_near(self, size: float, drafts: Sequence[TensorDraft]) -> list[TensorPlan]:
        """Plans without loss, if a file of so many bytes may be larger than theirs; none if not."""
        if not self._is_of_few(size) and size < sum(draft.least_lossless_bytes for draft in drafts):
            return []
        plans = lossless_plans(drafts)
        return plans if plans and self._is_near_lossless(size, plans) else []

    def _is_near_lossless(self, size: float, lossless: Sequence[TensorPlan]) -> bool:
        """Whether a file of so many bytes may be larger than the one without loss."""
        return self._is_of_few(size) or size >= NEAR_LOSSLESS * self._expected_file(lossless)

    def _is_of_few(self, size: float) -> bool:
        """Whether a file of so many bytes is so small that nobody can tell."""
        asked = self.target.value * self.numel / 8 if self.target.kind == "bpfp" else size
        return self.numel <= COMPARED_VALUES or max(size, asked) <= COMPARED_BYTES

    def _expected_file(self, plans: Sequence[TensorPlan]) -> float:
        """Bytes of the whole file, about."""
        overhead = self.writer.chunks * len(plans) * CHUNK_BYTES + HEADER_BYTES
        return overhead + sum(plan.expected for plan in plans)


def lossless_plans(drafts: Sequence[TensorDraft]) -> list[TensorPlan]:
    """Plans without loss; none where some tensor must not be so."""
    plans = [draft.lossless() for draft in drafts]
    return [plan for plan in plans if plan is not None] if None not in plans else []
