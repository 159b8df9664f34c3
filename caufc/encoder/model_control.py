"""Rate control of the learned codec: the rates that its model has, of which the nearest is found."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import OptionError
from .file_writer import FilePass, Sink
from .options import Target
from .rate_control import Nowhere, RateControl, RestartableSink
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
        return self.writer.write([draft.plan(rate, self.target) for draft in drafts], rate, sink)
