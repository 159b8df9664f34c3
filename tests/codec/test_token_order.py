"""Orders of tokens: passes, blocks, bands, ranks, heads."""

from __future__ import annotations

import itertools
import math
import time
import tracemalloc

import numpy as np
import pytest

from caufc.codec.transform import token_order
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.token_order import BANDS, LARGEST_BLOCK, block_sizes, order_of

GEOMETRIES = [
    Geometry(((7, 7),) * 3, 0),
    Geometry(((14, 14),) * 2, 1),
    Geometry(((5,), (1,), (23,), (0,)), 2),
    Geometry(((1,), (9, 9), (17, 1)), 0),
    Geometry(((3, 5, 4), (2, 2, 9)), 0),
    Geometry(((70, 3), (2, 66, 5), (150,)), 3),
    Geometry(((), ()), 5),
    Geometry(((0, 4), (4, 0)), 1),
    Geometry((), 0),
]
BOTH = [Geometry(g.grids, g.special, spectral) for g, spectral in itertools.product(GEOMETRIES, (False, True))]


def name(geometry: Geometry) -> str:
    return f"{geometry.grids}+{geometry.special}{'f' if geometry.spectral else ''}"


@pytest.mark.parametrize("geometry", BOTH, ids=name)
def test_passes_reach_every_token_once_from_known_neighbours(geometry: Geometry) -> None:
    known: set[int] = set()
    for part in geometry.passes:
        here: set[int] = set()
        for column, token in enumerate(part.tokens.tolist()):
            around = [n for n in part.neighbours[:, column].tolist() if n < geometry.tokens]
            assert set(around) <= known
            assert len(set(around)) == len(around) == part.counts[column]
            assert token not in known
            here.add(token)
        assert len(here) == len(part.tokens)
        known |= here
    assert known == set(range(geometry.tokens))


@pytest.mark.parametrize("geometry", BOTH, ids=name)
def test_the_first_pass_is_ascending_and_later_ones_go_block_by_block(geometry: Geometry) -> None:
    for number, part in enumerate(geometry.passes):
        keys = list(zip(part.blocks.tolist() if number else itertools.repeat(0), part.tokens.tolist(), strict=False))
        assert keys == sorted(keys)
        if number:
            assert part.rank > 0
            assert (part.counts > 0).all()
            assert (part.blocks < len(geometry.heads)).all()
            assert part.blocks[part.starts].tolist() == sorted(set(part.blocks.tolist()))


@pytest.mark.parametrize("geometry", BOTH, ids=name)
def test_heads_stand_in_the_first_pass_in_order(geometry: Geometry) -> None:
    heads = geometry.heads.tolist()
    assert heads == sorted(heads)
    first = geometry.passes[0].tokens.tolist() if geometry.passes else []
    assert set(heads) <= set(first)
    blocks = np.concatenate([np.empty(0, int), *(part.blocks for part in geometry.passes[1:])])
    assert sorted(set(blocks.tolist())) == list(range(len(heads)))


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 128, 129, 191, 1000])
def test_blocks_are_few_and_of_equal_size(length: int) -> None:
    sizes = block_sizes(length)
    assert sum(sizes) == length
    assert len(sizes) == max(1, math.ceil(length / LARGEST_BLOCK))
    assert max(sizes) - min(sizes) <= 1


def test_bands() -> None:
    order = order_of((64, 64), 3, True)
    assert order.bands[:3].tolist() == [14, 15, 15]
    grid = order.bands[3:].reshape(64, 64)
    assert grid[0, :13].tolist() == [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7]
    assert grid[63, 63] == 13
    assert (grid == grid.T).all()
    assert order_of((9, 9), 2, False).bands.tolist() == [14, 15] + [0] * 81
    assert int(order.bands.max()) < BANDS


@pytest.mark.parametrize("spectral", [False, True])
def test_equal_samples_and_ragged_ones_have_one_order(spectral: bool) -> None:
    """How samples are gathered by grid must not show."""
    one = Geometry(((9, 9), (9, 9)), 1, spectral)
    mixed = Geometry(((9, 9), (9, 9), (1, 1)), 1, spectral)
    for whole, part in zip(mixed.passes, one.passes, strict=True):
        kept = whole.tokens < one.tokens
        assert whole.tokens[kept].tolist() == part.tokens.tolist()
        assert whole.rank == part.rank


def test_orders_are_kept_within_bytes() -> None:
    """Lists of many lengths leave no more behind than a few of one length."""
    token_order._KEPT.clear()
    tracemalloc.start()
    for tokens in range(3000, 3400):
        order = order_of((tokens,), 1, False)
        assert order.placed.shape == (9, tokens + 1)
        assert order.near
    del order
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.7 * held < token_order._KEPT.bytes <= token_order.KEPT_BYTES
    assert order_of((3399,), 1, False) is order_of((3399,), 1, False)
    assert order_of((3399,), 1, False) is not order_of((3000,), 1, False)


def test_orders_take_linear_time() -> None:
    """No diagonal looks at all tokens."""
    started = time.perf_counter()
    order_of((1 << 19,), 0, True)
    assert time.perf_counter() - started < 5
