"""Rate control of the learned codec: the rates that its model has, of which the nearest is found."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import OptionError
from .file_writer import FilePass, Sink
from .options import Target
from .plan import TensorPlan
from .rate_control import RateControl, lossless_plans
from .spool import Tried, least
from .tensor_draft import HyperpriorDraft, TensorDraft

__all__ = ["ModelRateControl"]


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

    def run(self, drafts: Sequence[TensorDraft], sink: Sink) -> FilePass:
        done = self._run(drafts, sink)
        if not done.lossy and any(isinstance(draft, HyperpriorDraft) for draft in drafts):
            why = "takes more" if self.target.kind == "quality" else "does not take less within this rate"
            self.warnings.append(
                f"the file is without loss, not of the hyperprior codec, which {why}: use --codec transform, "
                f"or a lower {'quality' if self.target.kind == 'quality' else 'rate'}"
            )
        return done

    def _run(self, drafts: Sequence[TensorDraft], sink: Sink) -> FilePass:
        if self.target.kind == "quality":
            rate = int(self.target.value * (self.rates - 1) / 100)
            found = self._smaller(self._try(self._plans(drafts, rate), rate), drafts)
            return self._bounded(found, drafts).into(sink)
        if not any(isinstance(draft, HyperpriorDraft) for draft in drafts):
            return self._judged(self.writer.write(self._plans(drafts, 0), 0, sink))
        low, high = -1, self.rates
        whole = self._without_loss(drafts)
        if whole is not None and self._fits(whole.done):
            return self._judged(whole.into(sink))
        best: Tried | None = None
        while True:
            middle = (low + high) // 2
            last = self._try(self._plans(drafts, middle), middle)
            if self._fits(last.done):
                low, best = middle, last
            else:
                high = middle
                best = last if best is None or not self._fits(best.done) else best
            if high - low <= 1:
                smaller = self._smaller(best, drafts) if whole is None else least(whole, best)
                return self._judged(self._bounded(smaller, drafts).into(sink))

    def _without_loss(self, drafts: Sequence[TensorDraft]) -> Tried | None:
        """The file without loss, if the rate may allow that; None for one that is to hold weights."""
        lossless = lossless_plans(drafts)
        wanted = self.target.value * self.numel / 8
        if self.options.carried_weights is not None or not lossless or not self._is_near_lossless(wanted, lossless):
            return None
        return self._try(lossless, 0.0)

    def _smaller(self, tried: Tried, drafts: Sequence[TensorDraft]) -> Tried:
        """A pass, or the one without loss if that is smaller; a file that is to hold weights stays."""
        return tried if self.options.carried_weights is not None else super()._smaller(tried, drafts)

    def _fits(self, done: FilePass) -> bool:
        return 8 * done.bytes_out <= self.target.value * self.numel

    def _judged(self, done: FilePass) -> FilePass:
        if not self._fits(done):
            got = 8 * done.bytes_out / max(1, self.numel)
            self.warnings.append(f"{self.target.value:g} BPFP cannot be met; the lowest rate has {got:.4g} BPFP")
        return done

    def _plans(self, drafts: Sequence[TensorDraft], rate: int) -> list[TensorPlan]:
        return [draft.plan(rate, self.target) for draft in drafts]
