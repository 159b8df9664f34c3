"""Rate control of the transform codec: a quality, an SNR per tensor, or the quality that a rate allows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..coders.distortion import Distortion
from .file_writer import FilePass
from .options import Target
from .plan import TensorPlan
from .rate_control import Nowhere, RateControl, RestartableSink
from .rate_search import RATE_BYTES, RATE_TOLERANCE, RateSearch
from .tensor_draft import TensorDraft
from .transform_draft import TransformDraft

__all__ = ["SettingControl"]

MOST_PASSES = 4
SNR_SPARE, SNR_EXCESS = 0.05, 0.3
"""dB above a wanted SNR that a corrected step aims at, and from which on a step is made coarser."""

NEAR_LOSSLESS = 0.8
"""Files from such a share of what they take without loss, by estimate, are compared with that."""

OCTAVE_DB = 20 * math.log10(2)


class SettingControl(RateControl):
    """Finds the qualities, or the steps of each tensor, that meet a target."""

    @staticmethod
    def check(target: Target) -> None:
        """Any target can be promised, or a warning tells how near it came."""

    def run(self, drafts: Sequence[TensorDraft], sink: RestartableSink) -> FilePass:
        if not any(isinstance(draft, TransformDraft) for draft in drafts):
            return self._judged(self._pass([draft.plan(0.0, self.target) for draft in drafts], 0.0, sink))
        lossless = self._lossless_if_it_fits(drafts, sink)
        if lossless is not None:
            return lossless
        if self.target.kind == "bpfp":
            done = self._meet_rate(drafts, sink)
        elif self.target.kind == "snr":
            done = self._meet_snr(drafts, sink)
        else:
            setting = self.target.value if self.target.kind == "quality" else 0.0
            done = self._pass(self._plans(drafts, setting), setting, sink)
        return self._judged(self._smaller(drafts, done, sink))

    def _plans(self, drafts: Sequence[TensorDraft], setting: float) -> list[TensorPlan]:
        return [draft.plan(setting, self.target) for draft in drafts]

    def _pass(self, plans: Sequence[TensorPlan], setting: float, sink: RestartableSink) -> FilePass:
        return self.writer.write(plans, setting, sink)

    def _lossless_if_it_fits(self, drafts: Sequence[TensorDraft], sink: RestartableSink) -> FilePass | None:
        """The file without loss, if a rate allows that."""
        wanted = self.target.value * self.numel / 8
        if self.target.kind != "bpfp" or not self._lossless(drafts):
            return None
        if sum(plan.expected for plan in self._lossless(drafts)) * NEAR_LOSSLESS > wanted:
            return None
        measuring = self._measuring(sink)
        done = self._pass(self._lossless(drafts), 0.0, measuring)
        if done.bytes_out > wanted:
            return None
        return done if measuring is sink else self._pass(done.plans, 0.0, sink)

    def _lossless(self, drafts: Sequence[TensorDraft]) -> list[TensorPlan]:
        """Plans without loss; none where some tensor must not be so."""
        if any(isinstance(draft, TransformDraft) and not draft.may_be_lossless for draft in drafts):
            return []
        return [
            draft.lossless() if isinstance(draft, TransformDraft) else draft.plan(0.0, self.target) for draft in drafts
        ]

    def _smaller(self, drafts: Sequence[TensorDraft], done: FilePass, sink: RestartableSink) -> FilePass:
        """A pass that stands in the sink, or the file without loss if that is smaller."""
        lossless = self._lossless(drafts)
        if not lossless or done.bytes_out < NEAR_LOSSLESS * sum(plan.expected for plan in lossless):
            return done
        if all(not plan.config.codec.lossy for plan in done.plans) or not sink.restart():
            return done
        other = self._pass(lossless, 0.0, sink)
        if other.bytes_out <= done.bytes_out:
            return other
        sink.restart()
        return self._pass(done.plans, done.setting, sink)

    def _measuring(self, sink: RestartableSink) -> RestartableSink:
        """Where passes go that may not be the last."""
        return sink if sink.restart() else Nowhere()

    def _meet_rate(self, drafts: Sequence[TensorDraft], sink: RestartableSink) -> FilePass:
        """The file at the highest quality whose bytes a rate allows."""
        wanted = self.target.value * self.numel / 8
        search = RateSearch(wanted, lambda setting: self._expected(drafts, setting))
        measuring = self._measuring(sink)
        best: FilePass | None = None
        plans = self._plans(drafts, search.setting)
        while True:
            measuring.restart()
            last = self._pass(plans, search.setting, measuring)
            if best is None or search.better(last.bytes_out, best.bytes_out):
                best = last
            over = search.record(last.bytes_out)
            if over or self.writer.passes >= MOST_PASSES - (measuring is not sink):
                break
            factor = search.fine_factor(last.bytes_out, self.numel)
            plans = self._plans(drafts, search.setting) if factor is None else _with_steps(last.plans, factor)
        if best is last and measuring is sink:
            return last
        sink.restart()
        return self._pass(best.plans, best.setting, sink)

    def _expected(self, drafts: Sequence[TensorDraft], setting: float) -> float:
        return sum(
            draft.expected_bytes(setting, self.target) if isinstance(draft, TransformDraft) else 0.0 for draft in drafts
        )

    def _meet_snr(self, drafts: Sequence[TensorDraft], sink: RestartableSink) -> FilePass:
        """The file in which every tensor has an SNR: steps from samples, corrected by what a pass measures."""
        plans = self._plans(drafts, 0.0)
        measuring = self._measuring(sink)
        if self.target.by_token:
            return self._pass(plans, 0.0, sink)
        while True:
            measuring.restart()
            done = self._pass(plans, 0.0, measuring)
            corrected = self._corrected(
                done, drafts, last=self.writer.passes >= MOST_PASSES - 1 - (measuring is not sink)
            )
            if corrected == list(plans) or self.writer.passes >= MOST_PASSES - (measuring is not sink):
                break
            plans = corrected
        if measuring is sink:
            return done
        return self._pass(done.plans, 0.0, sink)

    def _corrected(self, done: FilePass, drafts: Sequence[TensorDraft], *, last: bool) -> list[TensorPlan]:
        """Plans with finer steps for tensors that have less than the wanted SNR, coarser ones for those with more."""
        return [
            self._corrected_plan(plan, _decibels(distortion) - self.target.value, draft, last=last)
            for plan, distortion, draft in zip(done.plans, done.distortions, drafts, strict=True)
        ]

    def _corrected_plan(self, plan: TensorPlan, spare: float, draft: TensorDraft, *, last: bool) -> TensorPlan:
        if not plan.config.codec.lossy or not isinstance(draft, TransformDraft) or 0 <= spare <= SNR_EXCESS:
            return plan
        if spare < 0 and last and draft.may_be_lossless:
            return draft.lossless()
        if not math.isfinite(spare):
            return plan
        return plan.with_step(2.0 ** ((spare - SNR_SPARE) / OCTAVE_DB))

    def _judged(self, done: FilePass) -> FilePass:
        """A pass, with a warning if it is not what was asked for."""
        if self.target.kind == "snr" and not self.target.by_token:
            found = min(map(_decibels, done.distortions), default=math.inf)
            if found < self.target.value:
                self._warn(found, "dB")
        if self.target.kind == "bpfp":
            found = 8 * done.bytes_out / max(1, self.numel)
            wanted = self.target.value
            lossy = any(plan.config.codec.lossy for plan in done.plans)
            slack = max(RATE_TOLERANCE * wanted, 8 * RATE_BYTES / max(1, self.numel))
            if found > wanted or (lossy and found < wanted - slack):
                self._warn(found, "BPFP")
        return done

    def _warn(self, found: float, unit: str) -> None:
        self.warnings.append(f"{self.target.value:g} {unit} cannot be met closely; the file has {found:.4g} {unit}")


def _decibels(distortion: Distortion) -> float:
    """The SNR of a tensor over what is no outlier."""
    return math.inf if distortion.snr_db is None else distortion.snr_db


def _with_steps(plans: Sequence[TensorPlan], factor: float) -> list[TensorPlan]:
    """Plans whose steps of the transform codec are so many times as large."""
    return [plan.with_step(factor) if plan.terms.quantizer is not None else plan for plan in plans]
