"""Plans: a tensor as it is coded in one pass, with tables, at a gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..coders.base import Terms
from ..coders.config import TensorConfig

if TYPE_CHECKING:
    from .tensor_draft import TensorDraft

__all__ = ["TensorPlan"]


@dataclass(frozen=True)
class TensorPlan:
    """How a tensor is coded in one pass.

    Args:
        draft: of the tensor.
        config: for coder and decoder, whole.
        terms: for the coder, with its quantiser.
    """

    draft: TensorDraft
    config: TensorConfig
    terms: Terms
