"""Which transforms a tensor gets: the cheapest in weighted distortion and rate, on a thin sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from ..codec.transform.basis import QuantizedRows
from ..codec.transform.grids import Geometry
from .importance import Importance
from .principals import BASIS_TOKENS, Principal, principal_of, principals_of
from .thinning import halves, thinned_rows
from .transform_judge import Scored, TransformJudge, Transforms, plain_steps, thin_noise

__all__ = ["JointTransforms", "Transforms", "choose_transforms", "expected"]

Values = NDArray[Any]

THIN_VALUES, MOST_THIN = 1 << 16, 4
"""Values of a sample on which transforms are judged, about; so many times more for wide bases that take bytes."""

FEW_VALUES = 512
"""Values below which a comparison says nothing."""

MOST_BITS = 1.6
"""What errors weigh decides only among choices that need at most so many times the fewest bits at one plain error."""

PLAIN_MARGIN = 1.02
"""A transform must save more than this share of cost: samples are small. What transforms buy: *grid transform* and
*basis* in ``tools/results/tools.md`` (``tools/measure/tools.py``)."""

JOINT_MARGIN = 1.03
"""The share of bits that bases across tensors must save, which are then read together."""


def choose_transforms(
    aligned: Values,
    geometry: Geometry,
    step: float,
    total: float,
    importance: Importance,
    *,
    embedded: bool = True,
    matched: bool = True,
    spectral: bool = True,
    groups: Sequence[int] = (1,),
    finest: float = math.inf,
) -> Transforms:
    """Choose transforms for a sample ``[M, C]``.

    Args:
        aligned: sample.
        geometry: of the sample, not spectral.
        step: at the wanted rate.
        total: number of values in the file.
        importance: of errors by band of frequencies and direction.
        spectral: whether grids may be transformed.
        groups: into how many groups channels may be split that each get a basis of its own.
        matched: whether choices are compared at one plain error, and not at one step.
        embedded: whether a basis takes bytes of the file, so that vectors that code little may be coarse.
        finest: a step at which a basis must reach tokens too, if that is finer.
    """
    plain = Transforms(False, None, plain_steps(importance.steps))
    if aligned.size < FEW_VALUES:
        return plain
    known, judged, judged_geometry = aligned, aligned, geometry
    if not embedded and len(groups) > 1:
        (known, _), (judged, judged_geometry) = halves(aligned, geometry)
    rows, thin_geometry = thinned_rows(judged_geometry, aligned.shape[1], THIN_VALUES * (1 if embedded else groups[0]))
    thin = judged[rows]
    principals = dict(principals_of(known, step, importance, groups, embedded=embedded))
    noise = thin_noise(thin, min(step, finest))
    if embedded:
        principals = {count: found.reaching(thin, noise) for count, found in principals.items()}
    bases = {count: found.finest() for count, found in principals.items()}
    judge = TransformJudge(
        thin,
        thin_geometry,
        importance.steps,
        [*bases.values()],
        step,
        total,
        matched=matched,
        embedded=embedded,
        reached=noise,
    )
    scored = list(judge.candidates(None, spectral=spectral))
    allowed = math.inf if judge.starved else MOST_BITS * min(found.bits for found in scored)
    best_plain = min((found for found in scored if found.plain), key=_cost_of)
    best = min((found for found in scored if found.bits <= allowed), key=_handicapped(bases, embedded=embedded))
    chosen = (
        best.choice
        if best.cost * PLAIN_MARGIN < best_plain.cost or not best_plain.bits <= allowed
        else best_plain.choice
    )
    if chosen.basis is None:
        found = _with_coarse_basis(judge, [*principals.values()], scored) if embedded and not judge.starved else None
        return found or chosen
    count = next(count for count, basis in bases.items() if basis is chosen.basis)
    if embedded:
        return judge.coarser(principals[count], chosen)
    return (
        chosen if known is aligned else replace(chosen, basis=principal_of(aligned, step, importance, count).finest())
    )


def _with_coarse_basis(
    judge: TransformJudge, principals: Sequence[Principal], scored: Sequence[Scored]
) -> Transforms | None:
    """A choice with a basis that needs far fewer bits than all without, if its codes are coarse: small files have such.

    None where there is none, as where the finest codes take little beside the values.
    """
    fewest = min(found.bits for found in scored if found.choice.basis is None)
    based = [found for found in scored if found.choice.basis is not None]
    coarse = {id(basis): judge.coarse_bits(own) for basis, own in zip(judge.bases, principals, strict=True)}
    bits = [found.bits - found.held + coarse[id(found.choice.basis)] for found in based]
    best = min(range(len(based)), key=bits.__getitem__, default=None)
    if best is None or not MOST_BITS * bits[best] < fewest:
        return None
    basis = based[best].choice.basis
    principal = next(own for made, own in zip(judge.bases, principals, strict=True) if made is basis)
    found = judge.coarser(principal, based[best].choice)
    return found if MOST_BITS * judge.scored(found).bits < fewest else None


class JointTransforms:
    """Transforms for a sample ``[M, C]`` of tensors behind each other, with a basis across them that the file holds.

    Args:
        aligned: sample.
        geometry: of the sample, not spectral.
        step: at the wanted rate.
        total: number of values in the file.
        importance: of errors by band of frequencies and direction.
        members: how many tensors there are.
    """

    def __init__(
        self, aligned: Values, geometry: Geometry, step: float, total: float, importance: Importance, members: int
    ) -> None:
        self.step, self.tokens = step, total / aligned.shape[1]
        groups = (members, 1)
        found = dict(principals_of(aligned, step, importance, groups, embedded=True, joint_tokens=BASIS_TOKENS))
        self.across = found.get(1) if members in found else None
        if self.across is None:
            return
        rows, thin_geometry = thinned_rows(geometry, aligned.shape[1], THIN_VALUES * min(members, MOST_THIN))
        thin = aligned[rows]
        self.noise = thin_noise(thin, step)
        own = found[members].reaching(thin, self.noise)
        self.judge = TransformJudge(
            thin, thin_geometry, importance.steps, [own.finest()], step, total, matched=True, embedded=True
        )
        self.apart = min(self.judge.candidates([own], spectral=True), key=_cost_of)

    def chosen(self, worth: float | None) -> Transforms | None:
        """Transforms with vectors whose codes are ``worth`` so many bits; with all for None.

        They must take fewer bits than bases of the tensors' own, with steps so fine that neither the plain nor the
        weighted error is larger than with these; else None.
        """
        if self.across is None:
            return None
        across = self.across if worth is None else self.across.paying(self.step, self.tokens, worth)
        across = across.reaching(self.judge.thin, self.noise)
        held = self.judge.coarse_bits(across)
        best = min(self.judge.candidates_of(across.finest(), held, spectral=True), key=_cost_of)
        if self.judge.bits_at(best, self.apart.distortion) * JOINT_MARGIN >= self.apart.bits:
            return None
        return self.judge.coarser(across, best.choice)


def expected(
    aligned: Values,
    geometry: Geometry,
    step: float,
    total: float,
    importance: Importance,
    choice: Transforms,
    *,
    embedded: bool = True,
    matched: bool = True,
) -> tuple[float, float]:
    """Bits that a file takes with some transforms at the error of a step, and the weighted error, about.

    Arguments are those of :func:`choose_transforms`.
    """
    rows, thin_geometry = thinned_rows(geometry, aligned.shape[1], THIN_VALUES)
    bases = [] if choice.basis is None else [choice.basis]
    judge = TransformJudge(
        aligned[rows], thin_geometry, importance.steps, bases, step, total, matched=matched, embedded=embedded
    )
    return judge.rated(choice)


def _cost_of(scored: Scored) -> float:
    return scored.cost


def _handicapped(bases: Mapping[int, QuantizedRows], *, embedded: bool) -> Callable[[Scored], float]:
    """Costs, more of bases across groups where their bytes do not count: what they save must be more than chance."""
    first = next(iter(bases.values()), None)

    def cost(scored: Scored) -> float:
        across = scored.choice.basis is not None and scored.choice.basis is not first
        return scored.cost * (PLAIN_MARGIN if across and not embedded else 1)

    return cost
