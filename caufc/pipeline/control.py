"""The second half of encoding: passes over the file until the rate control is met."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .choose import Choice
from .decide import Decided, with_tables
from .rate import Search, bits_model, gain_of_quality, slope_of, snr_model, solve
from .target import Target
from .writer import Pass, Sink

__all__ = ["Controlled", "Draft", "RateControl", "RestartableSink", "WritePass"]

SNR_TOLERANCE = 0.1
BPFP_TOLERANCE = 0.02
BPFP_PROMISED_FROM = 100_000


class RestartableSink(Sink, Protocol):
    """Where a container goes; one that cannot restart gets bytes only once all is decided."""

    def restart(self) -> bool:
        """Throw away what came so far; false if that cannot be done."""
        ...


class Draft:
    """Takes bytes and drops them: the draft of a file whose sink cannot restart."""

    def write(self, data: bytes, /) -> object:
        return len(data)

    def restart(self) -> bool:
        return True


@dataclass(frozen=True)
class Controlled:
    """What the sink holds: the tensors with their tables, the pass that wrote them, and its gain."""

    tensors: list[Decided]
    result: Pass
    gain: float


WritePass = Callable[[list[Decided], float, Sink], Pass]


class RateControl:
    """Finds the gain that meets a target.

    Args:
        target: the rate control.
        numel: number of values in the file.
        write: writes the whole file at a gain.
    """

    def __init__(self, target: Target, numel: int, write: WritePass) -> None:
        self.target, self.numel, self.write = target, numel, write
        self.passes = 0
        self.warnings: list[str] = []

    def run(self, tensors: Sequence[Decided], sink: RestartableSink) -> Controlled:
        """Write passes until the target is met; the sink holds the last one."""
        choices = [tensor.choice for tensor in tensors if tensor.choice is not None]
        if self.target.kind not in ("snr", "bpfp") or not choices:
            done = self._pass(tensors, self.first_gain(bool(choices)), sink)
            reached = self.target.kind != "bpfp" or self._measured(done.result) <= self.target.value * self.numel
            self._warn(self._measured(done.result), reached)
            return done
        draft = sink if sink.restart() else Draft()
        search = self._search(choices)
        best, last = self._meet(search, tensors, draft, None)
        if search.straddles:
            # Choices of tables make the rate jump with the gain; with tables that stay, it moves smoothly.
            refined = search.refined()
            finer, last = self._meet(refined, tensors, draft, best.tensors)
            if refined.nearer_than(search):
                search, best = refined, finer
        value = search.settled[1]
        promised = self.target.kind == "snr" or self.numel >= BPFP_PROMISED_FROM
        self._warn(value, search.kept(value) and (search.good(value) or not promised))
        if best is last and draft is sink:
            return last
        sink.restart()
        return self._pass(tensors, best.gain, sink, best.tensors)

    def _meet(
        self, search: Search, tensors: Sequence[Decided], draft: RestartableSink, fixed: Sequence[Decided] | None
    ) -> tuple[Controlled, Controlled]:
        """Passes until a search is over: the best one, and the last."""
        best: Controlled | None = None
        while True:
            draft.restart()
            last = self._pass(tensors, _gain(search.log_gain), draft, fixed)
            over = search.record(self._measured(last.result))
            if best is None or search.settled == search.seen[-1]:
                best = last
            if over:
                return best, last

    def first_gain(self, lossy: bool = True) -> float:
        """The gain of a target that needs no search."""
        return gain_of_quality(self.target.value) if self.target.kind == "quality" and lossy else 1.0

    def _pass(
        self, tensors: Sequence[Decided], gain: float, sink: Sink, fixed: Sequence[Decided] | None = None
    ) -> Controlled:
        """One pass, with tables made for its gain, or with those of ``fixed``."""
        self.passes += 1
        final = list(fixed) if fixed is not None else with_tables(tensors, gain, self.target)
        return Controlled(final, self.write(final, gain, sink), gain)

    def _search(self, choices: Sequence[Choice]) -> Search:
        models = [choice.model() for choice in choices]
        if self.target.kind == "snr":
            energy = sum(choice.survey.energy for choice in choices)
            start = solve(snr_model(models, energy), self.target.value)
            return Search(self.target.value, SNR_TOLERANCE, -6.02, above=True, log_gain=start)
        wanted = self.target.value * self.numel
        measure = bits_model(models)
        start = solve(measure, wanted * (1 - 0.75 * BPFP_TOLERANCE))
        return Search(wanted, BPFP_TOLERANCE * wanted, slope_of(measure, start), above=False, log_gain=start)

    def _measured(self, result: Pass) -> float:
        if self.target.kind == "bpfp":
            return 8.0 * result.bytes_out
        snr = result.distortion.snr_db
        return math.inf if snr is None else snr

    def _warn(self, value: float, reached: bool) -> None:
        if reached:
            return
        unit = "dB" if self.target.kind == "snr" else "BPFP"
        got = value if self.target.kind == "snr" else value / max(1, self.numel)
        self.warnings.append(f"{self.target.value:g} {unit} cannot be met closely; the file has {got:.4g} {unit}")


def _gain(log_gain: float) -> float:
    return float(np.float32(2.0**log_gain))
