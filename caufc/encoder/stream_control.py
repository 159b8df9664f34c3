"""Rate control of a stream: an SNR or a rate that holds for each chunk, by scales of its tokens.

The steps of a file are those of its header. A chunk that would miss its target is coded with scales that all its
tokens have in common [CAUF-0560], which are finer or coarser steps for this chunk; two neighbouring codes, an eighth of
an octave apart, share its tokens, so that any gain between them can be had.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import TokenScales
from ..coders.base import Apart, EncodedPayload, Separator, Terms
from ..coders.stack import Stack
from ..octaves import OCTAVE_PARTS
from .goal import OCTAVE_DB
from .options import Target
from .rate_range import RateRange

__all__ = ["ChunkTrial", "StreamControl", "at_codes"]

SPARE, EXCESS = 0.1, 0.6
"""dB above a wanted SNR that steps aim at, and that are too many."""

MOST_TRIES = 10
FARTHEST = 160.0
"""Codes are at most so far from 0: 20 octaves."""

FIRST_SLOPE, FLATTEST = -0.08, -0.01
"""By how much the logarithm of a chunk's bytes changes with a code, where nothing is known, and at least; chosen by
hand."""


@dataclass(frozen=True)
class _Scaled:
    """A separator whose tokens have scales besides.

    Args:
        separator: finds what is coded apart; None for nothing.
        code: of the scales, between two of which tokens are shared out.
    """

    separator: Separator | None
    code: float

    def __call__(self, matrix: NDArray[Any], lost: NDArray[np.bool_] | None = None) -> Apart:
        apart = Apart() if self.separator is None else self.separator(matrix, lost)
        lower = math.floor(self.code)
        codes = np.full(len(matrix), lower, np.int16)
        codes[: round((self.code - lower) * len(matrix))] += 1
        return replace(apart, scales=TokenScales(codes).times(apart.scales))


def at_codes(terms: Terms, code: float) -> Terms:
    """The terms with scales of all tokens; 0 leaves them as they are."""
    return replace(terms, separator=_Scaled(terms.separator, code)) if code else terms


@dataclass(frozen=True)
class ChunkTrial:
    """What came of a chunk.

    Args:
        body: of its block.
        bytes: of its block.
        payloads: by stack.
        lossy: which stacks are coded with loss.
        numel: values, notes not counted.
    """

    body: bytes
    bytes: int
    payloads: Sequence[tuple[Stack, EncodedPayload]]
    lossy: Sequence[bool]
    numel: int

    @property
    def snrs(self) -> list[float]:
        """The lowest SNR of every stack's tensors in dB, over what is no outlier; infinite where nothing was lost."""
        return [
            min((distortion.promised_db for distortion in encoded.distortions), default=math.inf) if lossy else math.inf
            for (_, encoded), lossy in zip(self.payloads, self.lossy, strict=True)
        ]


CodeChunk = Callable[[Sequence[float]], ChunkTrial]
"""Codes a chunk with a code of scales per stack."""


class StreamControl:
    """Codes chunks until each meets the target; what one has found, the next begins with.

    Args:
        target: the rate control.
        stacks: how many.

    Attributes:
        least, most: of all chunks' figures: the lowest SNR of a tensor in dB, or bits per feature point.
        missed: how many chunks missed the target.
    """

    def __init__(self, target: Target, stacks: int) -> None:
        self.target = target
        self.codes = [0.0] * stacks
        self.least, self.most = math.inf, -math.inf
        self.missed = 0

    def run(self, code_chunk: CodeChunk) -> ChunkTrial:
        """The chunk that meets the target, or comes nearest to it."""
        if self.target.by_tensor:
            found = self._meet_snr(code_chunk)
            self._count(min(found.snrs, default=math.inf), missed=self._missing(found) > 0)
        elif self.target.kind == "bpfp":
            found = self._meet_rate(code_chunk)
            missed = not self._range_of(found).holds(found.bytes)
            self._count(8 * found.bytes / max(1, found.numel), missed=missed)
        else:
            found = code_chunk(self.codes)
        return found

    def _count(self, figure: float, *, missed: bool) -> None:
        self.least, self.most = min(self.least, figure), max(self.most, figure)
        self.missed += missed

    @property
    def warnings(self) -> list[str]:
        """What the user should know, a sentence each."""
        if not self.missed:
            return []
        unit = "dB" if self.target.kind == "snr" else "BPFP"
        chunks = "1 chunk" if self.missed == 1 else f"{self.missed:,} chunks"
        return [
            f"{chunks} could not meet {self.target.value:g} {unit}: chunks have {self.least:.4g} to {self.most:.4g}"
        ]

    def _missing(self, found: ChunkTrial) -> float:
        """By how many dB SNRs fall short, all together."""
        return sum(max(0.0, self.target.value - snr) for snr in found.snrs)

    def _meet_snr(self, code_chunk: CodeChunk) -> ChunkTrial:
        codes, best = list(self.codes), code_chunk(self.codes)
        found = best
        for _ in range(MOST_TRIES):
            if (self._missing(found), found.bytes) < (self._missing(best), best.bytes):
                best, self.codes = found, list(codes)
            spare = [snr - self.target.value for snr in found.snrs]
            wrong = [not 0 <= dB <= EXCESS and math.isfinite(dB) for dB in spare]
            if not any(wrong):
                break
            codes = [
                _bounded(code + OCTAVE_PARTS * (dB - SPARE) / OCTAVE_DB) if off else code
                for code, dB, off in zip(codes, spare, wrong, strict=True)
            ]
            found = code_chunk(codes)
        return best

    def _range_of(self, found: ChunkTrial) -> RateRange:
        return RateRange(self.target.value * found.numel / 8)

    def _meet_rate(self, code_chunk: CodeChunk) -> ChunkTrial:
        code = self.codes[0] if self.codes else 0.0
        best = found = code_chunk(self.codes)
        wanted = self._range_of(found)
        known: list[tuple[float, float]] = []
        for _ in range(MOST_TRIES):
            if wanted.nearer(found.bytes, best.bytes):
                best, self.codes = found, [code] * len(self.codes)
            if wanted.holds(found.bytes) or wanted.aim <= 0 or not any(found.lossy):
                break
            known.append((code, math.log(found.bytes / wanted.aim)))
            following = _bounded(_next(known))
            if any(abs(following - other) < 1e-3 for other, _ in known):
                break
            code = following
            found = code_chunk([code] * len(self.codes))
        return best


def _bounded(code: float) -> float:
    return min(FARTHEST, max(-FARTHEST, code))


def _next(known: Sequence[tuple[float, float]]) -> float:
    """The code at which logarithms of bytes, which fall with codes, would be 0."""
    above = max((one for one in known if one[1] > 0), default=None)
    below = min((one for one in known if one[1] <= 0), default=None)
    if above is None or below is None:
        code, logarithm = known[-1]
        slope = FIRST_SLOPE
        if len(known) > 1:
            before, other = known[-2]
            slope = min(FLATTEST, (logarithm - other) / (code - before))
        return code - logarithm / slope
    (first, high), (second, low) = above, below
    share = min(0.9, max(0.1, high / (high - low)))
    return first + share * (second - first)
