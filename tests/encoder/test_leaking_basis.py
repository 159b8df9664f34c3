"""What coarse codes of a basis do, told without their inverse, against what they do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from caufc.codec.transform.basis import ChannelTransform
from caufc.encoder.importance import flat_importance
from caufc.encoder.leaking_basis import LeakingBasis
from caufc.encoder.principals import Principal, principal_of, reaches

CHANNELS, TOKENS, STEP = 128, 2000, 0.5


def tokens(fall: float) -> NDArray[np.float32]:
    """Of variances that fall by some octaves along the directions of a basis."""
    rng = np.random.default_rng(3)
    directions = np.linalg.qr(rng.standard_normal((CHANNELS, CHANNELS)))[0]
    deviations = 8 * np.exp2(-fall * np.arange(CHANNELS) / CHANNELS)
    found: NDArray[np.float32] = ((rng.standard_normal((TOKENS, CHANNELS)) * deviations) @ directions).astype(
        np.float32
    )
    return found


def leaking(values: NDArray[Any], principal: Principal) -> LeakingBasis:
    finest = principal.finest()
    return LeakingBasis(principal, finest, values, ChannelTransform(finest).forward(values), STEP**2 / 12)


@pytest.mark.parametrize("margin", [0, 1, 2, 4])
@pytest.mark.parametrize("fall", [4.0, 7.0])
def test_coefficients_are_as_large_as_those_that_the_inverse_finds(fall: float, margin: int) -> None:
    values = tokens(fall)
    principal = principal_of(values, STEP, flat_importance(), 1)
    basis = principal.quantized(margin)
    told, found = leaking(values, principal).leaking(basis).values, ChannelTransform(basis).forward(values)
    bits = [0.5 * np.log2(1 + np.square(each / STEP).mean(axis=0)).sum() for each in (told, found)]
    exact = 0.5 * np.log2(1 + np.square(ChannelTransform(principal.finest()).forward(values) / STEP).mean(axis=0)).sum()
    assert bits[1] > exact or margin == 4
    assert abs(bits[0] - bits[1]) < 0.02 * bits[1]


def test_coarser_codes_leak_more_and_reach_less() -> None:
    """Of a basis without its last vectors; the finest miss what all others have, and no more."""
    values = tokens(7.0)
    principal = principal_of(values, STEP, flat_importance(), 1)
    assert principal.kept[0] < CHANNELS
    told = leaking(values, principal)
    leaks = [told.leaking(principal.quantized(margin)) for margin in (-2, 0, 2, 4)]
    missed = [each.missed for each in leaks]
    assert missed == sorted(missed, reverse=True) and missed[0] > 10 * missed[-1] > 0
    noise = STEP**2 / 12
    for margin, each in zip((-2, 0, 2, 4), leaks, strict=True):
        transform = ChannelTransform(principal.quantized(margin))
        assert each.reaches == reaches(transform, values, noise), margin
    assert {each.reaches for each in leaks} == {True, False}


def test_the_finest_codes_are_what_they_are() -> None:
    values = tokens(4.0)
    principal = principal_of(values, STEP, flat_importance(), 1)
    finest = principal.finest()
    coefficients = ChannelTransform(finest).forward(values)
    leaks = LeakingBasis(principal, finest, values, coefficients, 0.02).leaking(finest)
    assert leaks.values is coefficients
    assert leaks.missed == 0 and leaks.reaches
    np.testing.assert_array_equal(leaks.squares, 1)


def test_groups_leak_into_themselves_alone() -> None:
    """Each has the energy that the inverse finds, though one is far larger than the other."""
    rng = np.random.default_rng(5)
    half = CHANNELS // 2
    values = np.hstack([rng.standard_normal((TOKENS, half)) * 8, tokens(4.0)[:, :half]]).astype(np.float32)
    principal = principal_of(values, STEP, flat_importance(), 2)
    basis = principal.quantized(0)
    told, found = leaking(values, principal).leaking(basis), ChannelTransform(basis).forward(values)
    for group in (slice(0, half), slice(half, None)):
        energies = [float(np.square(each[:, group]).mean()) for each in (told.values, found)]
        assert energies[0] == pytest.approx(energies[1], rel=0.05)
