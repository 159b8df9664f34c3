"""Turns: rotary positions undone and applied."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.align import Turns, positions_of
from caufc.align.turns import CIRCLE
from caufc.errors import MalformedError


def codes(distance: int, *turns: int) -> np.ndarray:
    return np.array([distance, *turns], np.int32)


def test_a_quarter_of_a_circle() -> None:
    turns = Turns(codes(2, CIRCLE // 4, 0, 0, 0), 4)
    matrix = np.tile(np.array([1.0, 5, 2, 7], np.float32), (4, 1))
    expected = [[1, 5, 2, 7], [-2, 5, 1, 7], [-1, 5, -2, 7], [2, 5, -1, 7]]
    np.testing.assert_allclose(turns.applied(matrix, positions_of([4])), expected, atol=1e-6)


def test_every_sample_starts_anew() -> None:
    assert positions_of([3, 0, 2]).tolist() == [0, 1, 2, 0, 1]
    assert positions_of([]).tolist() == []


@given(
    st.lists(st.integers(-(1 << 31), (1 << 31) - 1).filter(bool), min_size=1, max_size=5),
    st.booleans(),
    st.integers(0, 2),
    st.lists(st.integers(0, 1 << 20), min_size=1, max_size=6),
)
def test_undoing_is_the_inverse(turned: list[int], halves: bool, rest: int, positions: list[int]) -> None:
    pairs = len(turned)
    channels = 2 * pairs + rest
    found = np.zeros(1 + channels, np.int32)
    found[0] = pairs if halves else 1
    found[1 + np.arange(pairs) * (1 if halves else 2)] = turned
    turns = Turns(found, channels)
    matrix = np.random.default_rng(pairs).standard_normal((len(positions), channels))
    places = np.array(positions)
    there = turns.applied(matrix, places)
    np.testing.assert_allclose(turns.undone(there, places), matrix, atol=1e-12)
    np.testing.assert_allclose(np.square(there).sum(1), np.square(matrix).sum(1))
    assert (there[:, channels - rest :] == matrix[:, channels - rest :]).all()


def test_angles_stay_exact_at_far_positions() -> None:
    """A float would have lost the angle of token 2^27 by then."""
    code = 683_565_275
    turns = Turns(codes(1, code, 0), 2)
    far = (1 << 27) + 1
    angle = 2 * np.pi * ((far * code) % CIRCLE) / CIRCLE
    found = turns.applied(np.array([[1.0, 0.0]]), np.array([far]))
    np.testing.assert_allclose(found, [[np.cos(angle), np.sin(angle)]], atol=1e-12)


def test_partners_depend_on_each_other() -> None:
    turns = Turns(codes(2, 5, 0, 0, 0, 0), 5)
    mask = np.array([[True, False, False, False, False], [False, True, True, False, True]])
    assert turns.partners(mask).tolist() == [[True, False, True, False, False], [True, True, True, False, True]]


@pytest.mark.parametrize(
    ("found", "channels"),
    [
        (codes(1, 5, 0, 0), 4),
        (codes(0, 5, 0, 0, 0), 4),
        (codes(-1, 0, 5, 0, 0), 4),
        (codes(1, 0, 0, 0, 0), 4),
        (codes(1, 0, 0, 0, 5), 4),
        (codes(1, 5, 5, 0, 0), 4),
        (codes(2, 5, 0, 5, 0), 4),
        (codes(2_147_483_647, 5, 0, 0, 0), 4),
    ],
)
def test_what_is_no_pair_is_refused(found: np.ndarray, channels: int) -> None:
    with pytest.raises(MalformedError) as caught:
        Turns(found, channels)
    assert caught.value.requirement == 564
