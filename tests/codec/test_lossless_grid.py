from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from caufc.codec.lossless.grid import Lattice

SIDES = st.integers(1, 20)


@given(SIDES, SIDES, st.integers(1, 3), st.integers(1, 4))
def test_spread_and_gather(rows: int, columns: int, inner: int, samples: int) -> None:
    lattice = Lattice(rows, columns, inner)
    values = np.arange(samples * rows * columns * inner)
    table = lattice.spread(values)
    assert table.shape == (rows, columns, samples * inner)
    np.testing.assert_array_equal(table[rows - 1, 0, :inner], (rows - 1) * columns * inner + np.arange(inner))
    np.testing.assert_array_equal(lattice.gather(table), values)


@given(SIDES, SIDES)
def test_every_token_is_in_one_pass_behind_its_neighbours(rows: int, columns: int) -> None:
    known = np.zeros((rows, columns, 1), np.uint8)
    for step in Lattice(rows, columns, 1).passes():
        assert step.of(known).size and not step.of(known).any()
        if step.axis is not None:
            for found in step.neighbours(known):
                assert found.shape == step.of(known).shape
                assert found.all()
        step.of(known)[...] = 1
    assert known.all()


def test_neighbours_by_hand() -> None:
    """[CAUF-0318]: in a row of six, the last pass has columns 1, 3 and 5; nothing lies behind 5."""
    row = np.arange(6, dtype=np.uint8).reshape(1, 6, 1)
    *_, last = Lattice(1, 6, 1).passes()
    before, behind = last.neighbours(row)
    assert last.of(row).ravel().tolist() == [1, 3, 5]
    assert before.ravel().tolist() == [0, 2, 4]
    assert behind.ravel().tolist() == [2, 4, 4]


@given(SIDES, SIDES, st.integers(1, 9))
def test_bytes(rows: int, columns: int, inner: int) -> None:
    lattice = Lattice(rows, columns, inner)
    found, rest = Lattice.parse(memoryview(lattice.to_bytes() + b"x"), 2 * rows * columns * inner)
    assert bytes(rest) == b"x"
    assert found == lattice or (found.flat and lattice.flat)
