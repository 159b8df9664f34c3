"""Rate control: passes over the file until its target is met."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from .file_writer import FilePass, FileWriter, Sink
from .options import EncodeOptions, Target
from .tensor_draft import TensorDraft

__all__ = ["Nowhere", "RateControl", "RestartableSink"]


class RestartableSink(Sink, Protocol):
    """Where a container goes; one that cannot restart gets bytes only once all is decided."""

    def restart(self) -> bool:
        """Throw away what came so far; false if that cannot be done."""
        ...


class Nowhere:
    """Takes bytes and drops them: for passes that only measure, where the sink cannot restart."""

    def write(self, data: bytes, /) -> object:
        return len(data)

    def restart(self) -> bool:
        return True


class RateControl(ABC):
    """Writes passes until the target is met.

    Args:
        options: with the target.
        numel: number of values in the file.
        writer: writes the whole file.
    """

    def __init__(self, options: EncodeOptions, numel: int, writer: FileWriter) -> None:
        self.options, self.target, self.numel, self.writer = options, options.target, numel, writer
        self.warnings: list[str] = []

    @staticmethod
    @abstractmethod
    def check(target: Target) -> None:
        """Refuse a target that cannot be promised.

        Raises:
            OptionError: if it cannot.
        """

    @abstractmethod
    def run(self, drafts: Sequence[TensorDraft], sink: RestartableSink) -> FilePass:
        """Write passes until the target is met; the sink holds the last one, which is returned."""
