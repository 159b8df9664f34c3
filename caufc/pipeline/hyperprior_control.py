"""Rate control of the learned codec: a model has a few rates, and the nearest that is not above is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import OptionError
from .control import Controlled, Draft, RestartableSink, WritePass
from .decide import Decided
from .setup import HYPERPRIOR
from .target import Target

__all__ = ["HyperpriorControl", "check_target"]


def check_target(target: Target) -> None:
    """Refuse what the learned codec cannot promise.

    Raises:
        OptionError: for targets other than a quality or a rate.
    """
    if target.kind not in ("quality", "bpfp"):
        name = "--" + target.kind.replace("_", "-")
        raise OptionError(
            f"the hyperprior codec cannot meet {name}", remedy="use --quality, --bpfp, or --codec transform"
        )


class HyperpriorControl:
    """Finds the rate that meets a target.

    Args:
        target: a quality or a rate in bits per feature point.
        rates: how many the model has.
        numel: number of values in the file.
        write: writes the whole file.
    """

    def __init__(self, target: Target, rates: int, numel: int, write: WritePass) -> None:
        self.target, self.rates, self.numel, self.write = target, rates, numel, write
        self.passes = 0
        self.warnings: list[str] = []

    def run(self, tensors: Sequence[Decided], sink: RestartableSink) -> Controlled:
        """Write passes until the target is met; the sink holds the last one."""
        if self.target.kind == "quality":
            return self._pass(tensors, int(self.target.value * (self.rates - 1) / 100), sink)
        if not any(tensor.setup.codec == HYPERPRIOR for tensor in tensors):
            return self._judged(self._pass(tensors, 0, sink))
        draft = sink if sink.restart() else Draft()
        low, high = -1, self.rates
        fitting: Controlled | None = None
        last: Controlled | None = None
        while high - low > 1:
            middle = (low + high) // 2
            draft.restart()
            last = self._pass(tensors, middle, draft)
            if self._fits(last):
                low, fitting = middle, last
            else:
                high = middle
        if last is not None and draft is sink and (last is fitting or (fitting is None and self.rates == 1)):
            return self._judged(last)
        sink.restart()
        return self._judged(self._pass(tensors, max(low, 0), sink))

    def _fits(self, done: Controlled) -> bool:
        return 8 * done.result.bytes_out <= self.target.value * self.numel

    def _judged(self, done: Controlled) -> Controlled:
        if not self._fits(done):
            got = 8 * done.result.bytes_out / max(1, self.numel)
            self.warnings.append(f"{self.target.value:g} BPFP cannot be met; the lowest rate has {got:.4g} BPFP")
        return done

    def _pass(self, tensors: Sequence[Decided], rate: int, sink: RestartableSink) -> Controlled:
        self.passes += 1
        final = [
            replace(tensor, setup=replace(tensor.setup, parameters=(rate,)))
            if tensor.setup.codec == HYPERPRIOR
            else tensor
            for tensor in tensors
        ]
        return Controlled(final, self.write(final, 1.0, sink), 1.0)
