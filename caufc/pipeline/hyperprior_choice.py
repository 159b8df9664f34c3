"""What the learned codec's encoder chooses for a tensor: truncation, then normalisation (CAUFC, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import GlobalAligner, ValueAligner, truncate
from ..bitstream import AlignmentRecord
from ..types import ALIGNMENT_KINDS, Alignment
from .choose import choose_alignment
from .setup import TensorSetup
from .survey import TensorSurvey
from .target import Target

__all__ = ["align", "choose_range", "typical_range"]

OUTSIDE_PERCENT = 0.01
"""Share of values at either end, in percent, that may lie outside of the range."""

WHOLE_RANGE = 4 / 3
"""Where all values lie within a range so much wider, none is outside."""


def typical_range(sample: NDArray[Any]) -> tuple[float, float]:
    """The range of nearly all values of a sample ``[M, C]``, or of all if that is not much wider; never empty."""
    if not sample.size:
        return 0.0, 1.0
    lowest, low, high, highest = np.percentile(sample, [0, OUTSIDE_PERCENT, 100 - OUTSIDE_PERCENT, 100])
    if highest - lowest <= WHOLE_RANGE * (high - low) or high <= low:
        low, high = lowest, highest
    low, high = float(np.float32(low)), float(np.float32(high))
    return (low, high) if high > low else (low, low + max(1.0, abs(low)))


def choose_range(
    base: TensorSetup, survey: TensorSurvey, wanted: Alignment | None
) -> tuple[TensorSetup, ValueAligner, tuple[float, float] | None]:
    """Value alignment as the paper has it: a range, whose values become [0, 1].

    Args:
        base: the setup so far.
        survey: of the tensor.
        wanted: what options say; None chooses a range. Without a kind, its truncation is the range; an alignment
            that is ``none`` altogether leaves values as they are.

    Returns:
        the setup with its alignment, the aligner, and the range to which values are truncated before.
    """
    if wanted is None or (wanted.kind == "none" and wanted.truncate is not None):
        low, high = typical_range(survey.sample) if wanted is None or wanted.truncate is None else wanted.truncate
        aligner = GlobalAligner(low, high - low)
        kind = ALIGNMENT_KINDS.index("min-max")
        record = AlignmentRecord(kind, 0, aligner.offset, aligner.scale, (low, high))
        return replace(base, alignment=record), aligner, (low, high)
    setup, chosen = choose_alignment(base, survey, wanted, Target())
    return setup, chosen, wanted.truncate


def align(aligner: ValueAligner, limits: tuple[float, float] | None) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Both steps as one function of tokens ``[N, C]``."""
    return lambda matrix: aligner.forward(matrix if limits is None else truncate(matrix, *limits)[0])[0]
