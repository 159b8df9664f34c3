"""A tensor as a page shows it: what was read of it, its components, its original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .comparison import Comparison
from .components import Components
from .excerpt import Excerpt
from .features import Features
from .markup import shortened
from .sample_choice import SampleChoice

__all__ = ["TensorView"]


@dataclass(frozen=True)
class TensorView:
    """One tensor.

    Args:
        facts: what the file says of it, as :class:`caufc.Info` has them.
        excerpt: what was read.
        features: its samples as tokens x channels.
        comparison: with its original; None where that is not given.
        choice: which samples these are.
        keys: of keyed samples; None for others.
    """

    facts: Mapping[str, Any]
    excerpt: Excerpt
    features: Features
    comparison: Comparison | None
    choice: SampleChoice
    keys: Sequence[str | int] | None = None

    @property
    def name(self) -> str:
        """Of the tensor; a lone one has none."""
        return shortened(self.facts["name"]) or "tensor"

    @property
    def drawn(self) -> list[tuple[int, str]]:
        """Place among the looked-at samples, and name, of those that are drawn."""
        place = {number: at for at, number in enumerate(self.choice.numbers)}
        return [(place[number], self._named(number)) for number in self.choice.drawn]

    def _named(self, number: int) -> str:
        return f"sample {number}" if self.keys is None else f"sample '{shortened(str(self.keys[number]))}'"

    @property
    def shown(self) -> Features:
        """What colours and scales are made from: the original where it is given."""
        return self.features if self.comparison is None else self.comparison.original

    @cached_property
    def components(self) -> Components:
        """The components that are colours."""
        return Components.fit(self.shown.matrix, self.shown.outlying_tokens)
