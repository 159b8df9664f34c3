"""Rate control: passes over the file until its target is met."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..errors import OptionError
from .file_writer import FilePass, FileWriter, Sink
from .options import EncodeOptions, Target
from .plan import TensorPlan
from .rate import Search, bits_model, gain_of_quality, slope_of, snr_model, solve
from .tensor_draft import HyperpriorDraft, TensorDraft, TransformDraft

__all__ = ["GainControl", "ModelRateControl", "RateControl", "RestartableSink", "first_gain"]

SNR_TOLERANCE = 0.1
"""dB above the wanted SNR that are near enough."""

BPFP_TOLERANCE = 0.02
"""Share below the wanted rate that is near enough."""

BPFP_PROMISED_FROM = 100_000
"""Values from which a rate is promised: tables make those of smaller files jump."""


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


def first_gain(target: Target) -> float:
    """The gain of a target that needs no search."""
    return gain_of_quality(target.value) if target.kind == "quality" else 1.0


class GainControl(RateControl):
    """Finds the gain on the steps of all tensors that meets a target."""

    @staticmethod
    def check(target: Target) -> None:
        """Any target can be promised, or a warning tells how near it came."""

    def run(self, drafts: Sequence[TensorDraft], sink: RestartableSink) -> FilePass:
        lossy = [draft for draft in drafts if isinstance(draft, TransformDraft)]
        if self.target.kind not in ("snr", "bpfp") or not lossy:
            gain = first_gain(self.target) if lossy else 1.0
            done = self.writer.write(self._plans(drafts, gain), gain, sink)
            reached = self.target.kind != "bpfp" or self._measured(done) <= self.target.value * self.numel
            self._warn(self._measured(done), reached)
            return done
        measuring = sink if sink.restart() else Nowhere()
        search = self._search(lossy)
        best, last = self._meet(search, drafts, measuring, None)
        if search.straddles:
            # Choices of tables make the rate jump with the gain; with tables that stay, it moves smoothly.
            refined = search.refined()
            finer, last = self._meet(refined, drafts, measuring, best.plans)
            if refined.nearer_than(search):
                search, best = refined, finer
        value = search.settled[1]
        promised = self.target.kind == "snr" or self.numel >= BPFP_PROMISED_FROM
        self._warn(value, search.kept(value) and (search.good(value) or not promised))
        if best is last and measuring is sink:
            return last
        sink.restart()
        return self.writer.write(best.plans, best.gain, sink)

    def _plans(self, drafts: Sequence[TensorDraft], gain: float) -> list[TensorPlan]:
        return [draft.plan(gain, self.target) for draft in drafts]

    def _meet(
        self,
        search: Search,
        drafts: Sequence[TensorDraft],
        sink: RestartableSink,
        fixed: Sequence[TensorPlan] | None,
    ) -> tuple[FilePass, FilePass]:
        """Passes until a search is over, with tables for each gain or ``fixed`` ones: the best one, and the last."""
        best: FilePass | None = None
        while True:
            sink.restart()
            gain = _gain(search.log_gain)
            last = self.writer.write(fixed if fixed is not None else self._plans(drafts, gain), gain, sink)
            over = search.record(self._measured(last))
            if best is None or search.settled == search.seen[-1]:
                best = last
            if over:
                return best, last

    def _search(self, drafts: Sequence[TransformDraft]) -> Search:
        models = [draft.model() for draft in drafts]
        if self.target.kind == "snr":
            energy = sum(draft.survey.energy for draft in drafts)
            start = solve(snr_model(models, energy), self.target.value)
            return Search(self.target.value, SNR_TOLERANCE, -6.02, above=True, log_gain=start)
        wanted = self.target.value * self.numel
        measure = bits_model(models)
        start = solve(measure, wanted * (1 - 0.75 * BPFP_TOLERANCE))
        return Search(wanted, BPFP_TOLERANCE * wanted, slope_of(measure, start), above=False, log_gain=start)

    def _measured(self, done: FilePass) -> float:
        if self.target.kind == "bpfp":
            return 8.0 * done.bytes_out
        snr = done.distortion.snr_db
        return math.inf if snr is None else snr

    def _warn(self, value: float, reached: bool) -> None:
        if reached:
            return
        unit = "dB" if self.target.kind == "snr" else "BPFP"
        got = value if self.target.kind == "snr" else value / max(1, self.numel)
        self.warnings.append(f"{self.target.value:g} {unit} cannot be met closely; the file has {got:.4g} {unit}")


def _gain(log_gain: float) -> float:
    return float(np.float32(2.0**log_gain))


class ModelRateControl(RateControl):
    """Finds the nearest rate of a learned model that is not above the target."""

    @staticmethod
    def check(target: Target) -> None:
        """Refuse what a model cannot promise.

        Raises:
            OptionError: for targets other than a quality or a rate.
        """
        if target.kind not in ("quality", "bpfp"):
            name = "--" + target.kind.replace("_", "-")
            raise OptionError(
                f"the hyperprior codec cannot meet {name}", remedy="use --quality, --bpfp, or --codec transform"
            )

    @property
    def rates(self) -> int:
        """How many rates the model has."""
        return 1 if self.options.weights is None else self.options.weights.weights.rates

    def run(self, drafts: Sequence[TensorDraft], sink: RestartableSink) -> FilePass:
        if self.target.kind == "quality":
            return self._pass(drafts, int(self.target.value * (self.rates - 1) / 100), sink)
        if not any(isinstance(draft, HyperpriorDraft) for draft in drafts):
            return self._judged(self._pass(drafts, 0, sink))
        measuring = sink if sink.restart() else Nowhere()
        low, high = -1, self.rates
        fitting: FilePass | None = None
        last: FilePass | None = None
        while high - low > 1:
            middle = (low + high) // 2
            measuring.restart()
            last = self._pass(drafts, middle, measuring)
            if self._fits(last):
                low, fitting = middle, last
            else:
                high = middle
        if last is not None and measuring is sink and (last is fitting or (fitting is None and self.rates == 1)):
            return self._judged(last)
        sink.restart()
        return self._judged(self._pass(drafts, max(low, 0), sink))

    def _fits(self, done: FilePass) -> bool:
        return 8 * done.bytes_out <= self.target.value * self.numel

    def _judged(self, done: FilePass) -> FilePass:
        if not self._fits(done):
            got = 8 * done.bytes_out / max(1, self.numel)
            self.warnings.append(f"{self.target.value:g} BPFP cannot be met; the lowest rate has {got:.4g} BPFP")
        return done

    def _pass(self, drafts: Sequence[TensorDraft], rate: int, sink: Sink) -> FilePass:
        return self.writer.write([draft.plan(rate, self.target) for draft in drafts], 1.0, sink)
