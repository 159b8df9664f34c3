"""The remainder of a tap's tokens: what is coded of them once outliers are apart, and how that is put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner, Tokens, Turns, positions_of
from ..codec.transform.grids import Geometry
from ..coders.base import Apart, Separator

__all__ = ["Remainder", "RemainderMaker"]

Values = NDArray[Any]


@dataclass(frozen=True)
class Remainder:
    """What is coded of features.

    Args:
        tokens: the remainder, aligned in format.
        features: as they came, turned back ``[N, C]``.
        apart: what is coded apart of them.
        turns: that positions are undone by.
    """

    tokens: Tokens
    features: Values
    apart: Apart
    turns: Turns | None

    @property
    def _positions(self) -> NDArray[np.int64]:
        return positions_of(Geometry(self.tokens.grids, self.tokens.special).sizes)

    def gradients(self, matrix: Values) -> Values:
        """Gradients with respect to the remainder, from those with respect to features ``[N, C]``."""
        turned = matrix if self.turns is None else self.turns.undone(matrix, self._positions)
        scaled = turned if self.apart.scales is None else self.apart.scales.multiply(turned.copy())
        return scaled if self.apart.values is None else np.where(self.apart.values, 0, scaled)

    def restored(self, matrix: Values) -> Values:
        """Features from a remainder that came back ``[N, C]``."""
        scaled = matrix if self.apart.scales is None else self.apart.scales.multiply(matrix)
        whole = scaled if self.apart.values is None else np.where(self.apart.values, self.features, scaled)
        return whole if self.turns is None else self.turns.applied(whole, self._positions)


@dataclass(frozen=True)
class RemainderMaker:
    """Makes remainders of samples of a tap.

    Args:
        form: format alignment.
        separator: finds what is coded apart; None where nothing is.
        turns: that positions are undone by.
        levelled: whether tokens are a language model's.
    """

    form: LayoutAligner
    separator: Separator | None = None
    turns: Turns | None = None
    levelled: bool = False

    def __call__(self, samples: Sequence[Values]) -> Remainder:
        """The remainder of samples, one array each."""
        tokens = self.tokens(samples)
        geometry = Geometry(tokens.grids, tokens.special)
        matrix = np.ascontiguousarray(tokens.matrix)
        if self.turns is not None:
            matrix = self.turns.undone(matrix, positions_of(geometry.sizes))
        apart = Apart() if self.separator is None else self.separator(matrix)
        return Remainder(replace(tokens, matrix=apart.rest(matrix)), matrix, apart, self.turns)

    def tokens(self, samples: Sequence[Values]) -> Tokens:
        """Samples, aligned in format."""
        alike = len({sample.shape for sample in samples}) == 1
        return self.form.to_tokens(np.stack(samples) if alike else list(samples))
