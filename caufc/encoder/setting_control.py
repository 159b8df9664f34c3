"""Rate control of the transform codec: a quality, an SNR per tensor, or the quality that a rate allows."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

from ..coders.distortion import Distortion
from .file_writer import FilePass, Sink
from .goal import MEDIUM_SNR, OCTAVE_DB
from .options import LEAST_RATE, Target
from .plan import TensorPlan
from .rate_control import MOST_PASSES, RateControl, lossless_plans
from .rate_range import RATE_BYTES, RATE_TOLERANCE, RateRange
from .rate_search import RateSearch
from .small_rate import SmallRate, with_steps
from .source import SMALL_VALUES
from .spool import Tried, least
from .tensor_draft import TensorDraft
from .transform_draft import TransformDraft

__all__ = ["SettingControl"]

UNSURE, UNSURE_BY_TOKEN = 1.6, 4.0
"""Files may be so many times larger than expected; more where tokens are coded anew that lack quality."""

SNR_SPARE, SNR_EXCESS = 0.05, 0.3
"""dB above a wanted SNR that a corrected step aims at, and from which on a step is made coarser."""

LAST_SPARE, NEARLY = 0.15, -2.0
"""dB above a wanted SNR that the last correction aims at, and by how many a file may miss it for steps to mend that."""

REPLANNED, STUCK, MORE = 1, 0.2, 1.5
"""Passes that are left when what corrected steps did not give is planned anew, if they gave less than all but a share,
and for how many dB more."""

LEAST_KEPT = 0.2
"""Share of the energy that is kept, as steps are corrected, at least."""

TRIED_VALUES = 1 << 18
"""Values of a file for which a rate that passes do not meet is looked for as that of a small one is."""

OUTLIER_TRIES = 8
"""How often outliers of a small file that lack an SNR are coded anew."""


class SettingControl(RateControl):
    """Finds the qualities, or the steps of each tensor, that meet a target."""

    @staticmethod
    def check(target: Target) -> None:
        """Any target can be promised, or a warning tells how near it came."""

    @property
    def _small(self) -> bool:
        return self.numel <= SMALL_VALUES

    def run(self, drafts: Sequence[TensorDraft], sink: Sink) -> FilePass:
        if not any(isinstance(draft, TransformDraft) for draft in drafts):
            return self._judged(self.writer.write([draft.plan(0.0, self.target) for draft in drafts], 0.0, sink))
        if self.target.kind == "bpfp":
            return self._judged(self._bounded(self._meet_rate(drafts), drafts).into(sink))
        if self.target.by_tensor:
            found = self._meet_snr(drafts)
            found = self._keeping_outliers(found) if self._small else found
            return self._judged(self._bounded(self._smaller(found, drafts), drafts).into(sink))
        return self._judged(self._once(drafts, sink))

    def _once(self, drafts: Sequence[TensorDraft], sink: Sink) -> FilePass:
        """The file at a setting that is known, in one pass unless it may be larger than the one without loss."""
        setting = self.target.value if self.target.kind == "quality" else 0.0
        plans = self._plans(drafts, setting)
        unsure = UNSURE_BY_TOKEN if self.target.by_token else UNSURE
        if not self._plans_near(unsure * self._expected_file(plans), drafts):
            return self._straight(plans, setting, drafts, sink)
        return self._bounded(self._smaller(self._try(plans, setting), drafts), drafts).into(sink)

    def _plans(self, drafts: Sequence[TensorDraft], setting: float) -> list[TensorPlan]:
        return [draft.plan(setting, self.target) for draft in drafts]

    def _meet_rate(self, drafts: Sequence[TensorDraft]) -> Tried:
        """The file at the highest quality whose bytes a rate allows, or the smallest.

        What is chosen for a rate that side information alone exceeds is not always what takes least.
        """
        wanted = self.target.value * self.numel / 8
        found = self._near_rate(drafts, wanted)
        may_try = self.numel <= TRIED_VALUES and self.writer.passes < MOST_PASSES
        if found.done.bytes_out <= wanted or not may_try or self.target.value <= LEAST_RATE:
            return found
        return least(found, self._tried_rate(self.drafted(replace(self.target, value=LEAST_RATE)), wanted))

    def _near_rate(self, drafts: Sequence[TensorDraft], wanted: float) -> Tried:
        """The file at the highest quality of at most so many bytes; the one without loss if it has no more."""
        lossless, small = lossless_plans(drafts), self._small
        near = lossless and (small or self._is_near_lossless(wanted, lossless))
        whole = self._try(lossless, 0.0) if near else None
        if whole is not None:
            if whole.done.bytes_out <= wanted:
                return whole
            drafts = _corrected_drafts(drafts, whole.done.bytes_out / max(1.0, sum(plan.expected for plan in lossless)))
        if small:
            return least(whole, self._tried_rate(drafts, wanted, self._drafts_of_snr()))
        search = RateSearch(wanted, self.numel, lambda setting: self._expected(drafts, setting))
        may_try = self.numel <= TRIED_VALUES  # the last pass is then for what trials find
        best: Tried | None = None
        families: list[list[TensorPlan]] = []
        while True:
            if search.family == len(families):
                families.append(self._plans(drafts, search.setting))
            plans = with_steps(families[search.family], 2.0**search.octave)
            last = self._try(plans, search.setting)
            if best is None or search.range.nearer(last.done.bytes_out, best.done.bytes_out):
                best = last
            over = search.record(last.done.bytes_out)
            compared = whole is None and self._is_near_lossless(best.done.bytes_out, lossless)
            if over or self.writer.passes >= MOST_PASSES - compared - may_try:
                break
        if may_try and not search.range.holds(best.done.bytes_out):
            tried = self._tried_rate(drafts, wanted)
            best = tried if search.range.nearer(tried.done.bytes_out, best.done.bytes_out) else best
        return self._smaller(best, drafts) if whole is None else least(whole, best)

    def _drafts_of_snr(self) -> Sequence[TensorDraft] | None:
        """Drafts whose choices are those for an SNR, unless not all of features is to be read."""
        read = any(options.reads not in (None, "tokens") for options in self.options.tensors.values())
        return None if read else self.drafted(Target("snr", MEDIUM_SNR))

    def _tried_rate(
        self, drafts: Sequence[TensorDraft], wanted: float, others: Sequence[TensorDraft] | None = None
    ) -> Tried:
        """The file of at most so many bytes, by trials in memory and one pass; of other drafts where it keeps more."""
        families = [drafts] if others is None else [drafts, others]
        rates = [
            SmallRate(RateRange(wanted), functools.partial(self._plans, family), self.writer.tried, self._small)
            for family in families
        ]
        found = max((rate.find() for rate in rates), key=rates[0].worth)
        return self._try(found.plans, found.setting)

    def _expected(self, drafts: Sequence[TensorDraft], setting: float) -> float:
        return sum(
            draft.expected_bytes(setting, self.target) if isinstance(draft, TransformDraft) else 0.0 for draft in drafts
        )

    def _meet_snr(self, drafts: Sequence[TensorDraft]) -> Tried:
        """The file in which every tensor has an SNR: steps from samples, corrected by what a pass measures."""
        plans, best, before = self._plans(drafts, 0.0), None, math.inf
        while True:
            tried = self._try(plans, 0.0)
            left, missing = MOST_PASSES - 1 - self.writer.passes, self._missing(tried.done)
            if best is None or missing <= self._missing(best.done):
                best = tried
            elif left and not self._missing(best.done):
                return self._with_steps_between(best, tried)
            stuck, before = missing > STUCK * before, missing
            if left == REPLANNED and missing and stuck:
                corrected = self._planned_for_more(tried.done)
            else:
                corrected = self._corrected(tried.done, drafts, last=left <= 1)
            if not left or corrected == list(plans) or (best is not tried and not self._missing(best.done)):
                return best
            plans = corrected

    def _with_steps_between(self, met: Tried, missed: Tried) -> Tried:
        """Of a file that has the SNR and one with coarser steps that has not, one with steps between, if it has it."""
        pairs = zip(met.done.plans, met.done.distortions, missed.done.plans, missed.done.distortions, strict=True)
        plans = [self._between(*pair) for pair in pairs]
        if plans == list(met.done.plans):
            return met
        tried = self._try(plans, 0.0)
        return met if self._missing(tried.done) else tried

    def _between(self, plan: TensorPlan, met: Distortion, coarser: TensorPlan, missed: Distortion) -> TensorPlan:
        """A tensor's plan with steps that give what is wanted where two plans have more and less."""
        spare, short = (found.promised_db - self.target.value for found in (met, missed))
        if short >= 0:
            return coarser
        lossy = plan.config.codec.lossy and coarser.config.codec.lossy
        if not lossy or not SNR_EXCESS < spare < math.inf or coarser.step <= plan.step:
            return plan
        octaves = math.log2(coarser.step / plan.step)
        return plan.with_step(2.0 ** (octaves * (spare - SNR_SPARE) / (spare - short)))

    def _planned_for_more(self, done: FilePass) -> list[TensorPlan]:
        """Plans for a higher SNR of tensors that corrected steps did not give the wanted one: bases are too coarse."""
        short = [self.target.value - distortion.promised_db for distortion in done.distortions]
        target = replace(self.target, value=self.target.value + MORE + 2 * max(short))
        return [
            draft.plan(0.0, target) if dB > 0 else plan
            for plan, draft, dB in zip(done.plans, self.drafted(target), short, strict=True)
        ]

    def _missing(self, done: FilePass) -> float:
        """By how many dB the tensors' SNRs fall short, all together."""
        return sum(max(0.0, self.target.value - distortion.promised_db) for distortion in done.distortions)

    def _keeping_outliers(self, found: Tried) -> Tried:
        """A small file in which outliers have the SNR too, among themselves: steps for the many may miss it for a few.

        Their scales are made finer first, then all steps of their tensor.
        """
        for number in range(OUTLIER_TRIES):
            lacking = [self.target.value - _decibels_apart(distortion) for distortion in found.done.distortions]
            if max(lacking, default=0.0) <= 0:
                return found
            finer = [2.0 ** ((dB + SNR_SPARE) / OCTAVE_DB) if dB > 0 else 1.0 for dB in lacking]
            of_outliers = 2 * number < OUTLIER_TRIES
            plans = [
                plan.with_outliers(times) if of_outliers else with_steps([plan], 1 / times)[0]
                for plan, times in zip(found.done.plans, finer, strict=True)
            ]
            found = self._try_again(plans, found.done.setting)
        return found

    def _try_again(self, plans: Sequence[TensorPlan], setting: float) -> Tried:
        """A pass over a small file, which counts as none."""
        passes = self.writer.passes
        found = self._try(plans, setting)
        self.writer.passes = passes
        return found

    def _corrected(self, done: FilePass, drafts: Sequence[TensorDraft], *, last: bool) -> list[TensorPlan]:
        """Plans with finer steps for tensors that have less than the wanted SNR, coarser ones for those with more."""
        return [
            self._corrected_plan(plan, distortion.promised_db - self.target.value, draft, last=last)
            for plan, distortion, draft in zip(done.plans, done.distortions, drafts, strict=True)
        ]

    def _corrected_plan(self, plan: TensorPlan, spare: float, draft: TensorDraft, *, last: bool) -> TensorPlan:
        if not plan.config.codec.lossy or not isinstance(draft, TransformDraft) or 0 <= spare <= SNR_EXCESS:
            return plan
        if spare > 0 and draft.tried_whole:
            return plan
        if last:
            if spare >= 0:
                return plan
            finer = plan.with_step(2.0 ** (2 * (spare - LAST_SPARE) / self._octave_db))
            return finer if spare > NEARLY else draft.lossless() or finer
        if not math.isfinite(spare):
            return plan
        return plan.with_step(2.0 ** ((spare - SNR_SPARE) / self._octave_db))

    @property
    def _octave_db(self) -> float:
        """dB that steps of half the size gain: less at low SNRs, where they reach what zeros stood for."""
        kept = 1 - 10 ** (-self.target.value / 10)
        return OCTAVE_DB * max(LEAST_KEPT, kept)

    def _judged(self, done: FilePass) -> FilePass:
        """A pass, with a warning if it is not what was asked for."""
        if self.target.by_tensor:
            found = min((one.promised_db for one in done.distortions), default=math.inf)
            if found < self.target.value:
                self._warn(found, "dB")
        if self.target.kind == "bpfp":
            found = 8 * done.bytes_out / max(1, self.numel)
            wanted = self.target.value
            slack = max(RATE_TOLERANCE * wanted, 8 * RATE_BYTES / max(1, self.numel))
            if found > wanted or (done.lossy and found < wanted - slack):
                self._warn(found, "BPFP")
        return done

    def _warn(self, found: float, unit: str) -> None:
        self.warnings.append(f"{self.target.value:g} {unit} cannot be met closely; the file has {found:.4g} {unit}")


def _corrected_drafts(drafts: Sequence[TensorDraft], underrated: float) -> list[TensorDraft]:
    """Drafts that know what a pass has shown of the file without loss."""
    return [
        replace(draft, underrated=max(1.0, underrated)) if isinstance(draft, TransformDraft) else draft
        for draft in drafts
    ]


def _decibels_apart(distortion: Distortion) -> float:
    """The SNR of a tensor's outliers among themselves."""
    return math.inf if distortion.snr_apart_db is None else distortion.snr_apart_db
