"""Thin samples: whole samples, or runs of whole blocks of frequencies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.token_order import block_sizes
from caufc.encoder.thinning import rows_beside, thinned_rows


@pytest.mark.parametrize(("length", "tokens"), [(100, 40), (192, 64), (192, 73), (256, 100), (1000, 40), (1000, 130)])
def test_a_cut_sample_keeps_whole_blocks(length: int, tokens: int) -> None:
    """Frequencies of shorter blocks would tell wrong what those of the file take."""
    rows, thin = thinned_rows(Geometry(((length,),), 1), 384, tokens * 384)
    ((kept,),) = thin.grids
    sizes = block_sizes(length)
    starts = {0, *itertools.accumulate(sizes)}
    assert kept < length
    assert set(block_sizes(kept)) == {min(sizes)}
    assert set(rows[1 :: min(sizes)] - 1) <= starts
    assert len(rows) == kept + 1


def test_blocks_are_spread_over_a_sample() -> None:
    rows, thin = thinned_rows(Geometry(((3000,),), 0), 80, 1 << 16)
    assert thin.grids == ((12 * 63,),)
    assert rows[0] < 200 and rows[-1] > 2800
    beside = rows_beside(Geometry(((3000,),), 0), 80, 1 << 16)
    assert beside is not None and not np.intersect1d(rows, beside[0]).size
    assert beside[1].grids == thin.grids


def test_large_samples_are_all_looked_at() -> None:
    rows, thin = thinned_rows(Geometry(((3000,),) * 4, 0), 80, 1 << 16)
    assert set(rows // 3000) == {0, 1, 2, 3}
    assert thin.grids == ((3 * 63,),) * 4


def test_blocks_far_too_large_are_cut() -> None:
    _, thin = thinned_rows(Geometry(((192,),), 0), 1 << 14, 1 << 16)
    assert thin.grids == ((4,),)


def test_of_several_samples_another_one_is_beside() -> None:
    geometry = Geometry(((192,), (192,), (192,)), 1)
    rows, _ = thinned_rows(geometry, 3800, 1 << 18)
    beside = rows_beside(geometry, 3800, 1 << 18)
    assert beside is not None
    assert beside[1].grids == ((64,),)
    assert not np.intersect1d(rows, beside[0]).size
    assert rows_beside(geometry, 64, 1 << 18) is None
