"""Encoding: drafts of all tensors, then passes over the chunks until the rate control is met."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..coders.config import TensorConfig
from ..coders.control import control_code
from ..coders.side_files import ProfileFile, side_file_bytes
from ..threads import one_blas_thread
from ..types import Progress
from .chunk_size import ChunkSize
from .file_drafting import draft_tensors
from .file_writer import FileWriter, Sink
from .goal import MEDIUM
from .largest_file import largest_file
from .options import EncodeOptions, Target
from .origin import Origin
from .prelude import container_prelude
from .profile_warnings import profile_warnings
from .rate_control import RateControl
from .report import Report, report_of
from .source import Source
from .tensor_draft import TensorDraft

__all__ = ["Encoder"]


class Encoder:
    """Encodes one source into one container.

    Args:
        source: the samples.
        options: what was asked for.
        profile: supplies what options leave open.
        progress: called with what is being done, how many values are through, and how many there are.
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
        self.numel = source.numel
        self.chunk = ChunkSize(source, options.chunk)
        self.arch = options.arch or (profile.header.arch if profile else None)

    @np.errstate(over="ignore", invalid="ignore")  # among the largest floats
    def encode(self, sink: Sink) -> Report:
        """Write the container.

        Raises:
            InputError: for input that cannot be encoded as asked.
        """
        started = time.perf_counter()
        with one_blas_thread():
            drafts = self._drafts()
            control = self._control()
            done = control.run(drafts, sink)
        report = report_of(self.source, self.arch, done, control, time.perf_counter() - started)
        more = profile_warnings(self.profile, self.options, done.plans, done.bytes_out)
        return replace(report, warnings=(*report.warnings, *more))

    def largest_file(self) -> int:
        """Bytes of the largest file that :meth:`encode` may write, whatever the rate control."""
        return largest_file(self.source, self.options, self.profile, self.arch)

    def _control(self) -> RateControl:
        smallest = self.source.samples == 1 and self.options.relies_on(self.profile)
        origin = Origin.of(self.options, smallest=smallest)
        writer = FileWriter(
            self.source, self.options, self.chunk, self.arch, self.profile, lambda: self._advance("encode"), origin
        )
        control: RateControl = self.options.codec.load("rate_control")(self.options, self.numel, writer, self._drafts)
        return control

    @np.errstate(over="ignore", invalid="ignore")  # among the largest floats
    @one_blas_thread()
    def make_profile(self) -> bytes:
        """The bytes of a profile with the decisions for this source, instead of a container with its samples."""
        target = self.options.target
        setting = target.value if target.kind == "quality" else MEDIUM
        configs = [draft.for_profile(setting, target) for draft in self._drafts(embedded=False)]
        return self.profile_of(configs, setting)

    @np.errstate(over="ignore", invalid="ignore")  # among the largest floats
    @one_blas_thread()
    def blind_drafts(self) -> list[TensorDraft]:
        """How each tensor would be coded by a blind profile, but for tables."""
        return self._drafts(embedded=False)

    def profile_of(self, configs: Sequence[TensorConfig], setting: float = MEDIUM) -> bytes:
        """The bytes of a profile of these configurations, whose tables are for a quality."""
        header, sections = container_prelude(
            self.source.structure,
            configs,
            gain=None,
            arch=self.arch,
            indexed=False,
            profile=None,
            origin=Origin() if setting == MEDIUM else Origin(control_code("quality", setting)),
        )
        return side_file_bytes(replace(header, content="profile"), sections)

    def _drafts(self, target: Target | None = None, *, embedded: bool = True) -> list[TensorDraft]:
        """How each tensor will be coded, to meet another target if one is given."""
        options = self.options if target is None else replace(self.options, target=target)
        advance = self._advance("survey")
        return draft_tensors(self.source, options, self.profile, self.chunk.read, advance, embedded=embedded)

    def _advance(self, what: str) -> Callable[[int], None]:
        """Counts values of one pass for the progress."""
        done = 0

        def advance(values: int) -> None:
            nonlocal done
            done += values
            if self.progress is not None:
                self.progress(what, done, self.numel)

        return advance
