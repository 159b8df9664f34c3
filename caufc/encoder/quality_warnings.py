"""Warnings of reports: tensors of which so little is kept that they are of no use to a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..coders.registry import codec_named
from .options import EncodeOptions, Target

if TYPE_CHECKING:
    from .report import TensorReport

__all__ = ["quality_warnings"]

LEAST = 10.0
"""dB that must be kept; fewer are a warning."""

MEDIUM = 50.0
CLEAR = 20.0
"""An SNR in dB of a whole from which on tokens can be expected to have 10."""

NAMED = 2
"""Warnings name so many tensors, the worst; the others are counted."""


def quality_warnings(tensors: Sequence[TensorReport], options: EncodeOptions) -> list[str]:
    """A sentence per tensor under 10 dB, as a whole or in more than 1 % of its tokens, the worst first.

    A low quality, a rate and an error bound are what was asked for, whatever they keep; but a learned codec has to
    keep a tensor as a whole at any rate. Tensors of which only a part will be read are left out.

    Args:
        tensors: of the report.
        options: what was asked for.
    """
    least = {tensor.name: _least_db(tensor, options) for tensor in tensors}
    poor = sorted((tensor for tensor in tensors if least[tensor.name] < LEAST), key=lambda poor: least[poor.name])
    said = [_sentence(tensor) for tensor in poor[:NAMED]]
    if len(poor) > NAMED:
        more = len(poor) - NAMED
        said.append(f"{more:,} more {'tensor keeps' if more == 1 else 'tensors keep'} less than {LEAST:g} dB")
    return said


def _least_db(tensor: TensorReport, options: EncodeOptions) -> float:
    """The lowest figure of a tensor that has to be 10 dB; infinite if none has to."""
    own, figures = options.of(tensor.name), list[float | None]()
    if (own.reads or own.tap_reads) == "tokens":
        if _asks_for_some(options.target):
            figures = [tensor.snr_db, tensor.token_snr_db]
        elif _learned(tensor):
            figures = [tensor.snr_db]
    return min((figure for figure in figures if figure is not None), default=math.inf)


def _asks_for_some(target: Target) -> bool:
    return (target.kind == "quality" and target.value >= MEDIUM) or (target.kind == "snr" and target.value >= CLEAR)


def _learned(tensor: TensorReport) -> bool:
    codec = codec_named(tensor.codec)
    return codec is not None and codec.weighted


def _sentence(tensor: TensorReport) -> str:
    name = f"tensor '{tensor.name}' " if tensor.name else ""
    kept = f"keeps an SNR of {_shown(tensor.snr_db)}, 99 % of its tokens {_shown(tensor.token_snr_db)}"
    return f"{name}{kept}: under {LEAST:g} dB features are of little use; {_remedy(tensor)}"


def _shown(figure: float | None) -> str:
    return "infinity" if figure is None else f"{figure:.1f} dB"


def _remedy(tensor: TensorReport) -> str:
    if _learned(tensor):
        return "its weights know no such features, or the rate is too low: use --codec transform or a higher rate"
    return "use a higher --quality, or --snr"
