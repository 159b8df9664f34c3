"""How far a network's scores move when features are coded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caufc import default_manager
from caufc.fit.network_tail import NetworkTail
from tools.measure.tap_features import TAPS

if TYPE_CHECKING:
    import torch

__all__ = ["Scores"]


class Scores:
    """Of a tap's features.

    Args:
        data: folder that docs/evaluate.md describes.
        tap: a name of ``tools.measure.tap_features``.
        features: unquantised samples.
    """

    def __init__(self, data: Path, tap: str, features: Any) -> None:
        point = TAPS[tap]
        runtime = default_manager().task_runtime(point.task, data)
        self._tail = NetworkTail(lambda values: runtime.resume(values, point.place), "logits")
        self._before = self._log_odds(features)

    def _log_odds(self, features: Any) -> torch.Tensor:
        import torch

        scores = self._tail.run([np.asarray(sample) for sample in features])
        return torch.from_numpy(np.stack(scores)).double().log_softmax(1)

    def changes(self, features: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Of every sample: Kullback-Leibler divergence in nats ``[B]``, and whether the first class stands ``[B]``."""
        after = self._log_odds(features)
        divergences = (self._before.exp() * (self._before - after)).sum(1)
        return divergences.numpy(), (after.argmax(1) == self._before.argmax(1)).numpy()

    def divergences(self, features: Any) -> NDArray[np.float64]:
        """Kullback-Leibler divergence of every sample's scores, in nats ``[B]``."""
        return self.changes(features)[0]
