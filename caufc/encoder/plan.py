"""Plans: a tensor as it is coded in one pass, with tables, at a gain."""

from __future__ import annotations

from dataclasses import dataclass

from ..coders.base import Terms
from ..coders.config import TensorConfig

__all__ = ["TensorPlan"]


@dataclass(frozen=True)
class TensorPlan:
    """How a tensor is coded in one pass.

    Args:
        config: for coder and decoder, whole.
        terms: for the coder, with its quantiser.
        guessed: whether the layout was a guess.
        warning: what the user should know.
    """

    config: TensorConfig
    terms: Terms
    guessed: bool = False
    warning: str = ""
