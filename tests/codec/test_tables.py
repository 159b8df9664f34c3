from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.codec.tables import MAX_LEVEL, code_lengths, frequencies_of, levels_of
from caufc.errors import MalformedError

OCTAVE = [4096, 4467, 4871, 5312, 5793, 6317, 6889, 7512]


def expand(levels: list[int]) -> list[int]:
    """Section 9.1 in plain integers."""
    weights = [0 if level == 0 else OCTAVE[(level - 1) % 8] << (level - 1) // 8 for level in levels]
    frequencies = [1 + weight * ((1 << 24) - len(levels)) // sum(weights) for weight in weights]
    frequencies[weights.index(max(weights))] += (1 << 24) - sum(frequencies)
    return frequencies


levels_rows = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 4), st.sampled_from([64, 256])),
    elements=st.integers(0, MAX_LEVEL),
    fill=st.sampled_from([0, MAX_LEVEL]) | st.integers(0, MAX_LEVEL),
)


@given(levels_rows)
def test_any_levels(levels: NDArray[np.uint8]) -> None:
    levels[~levels.any(axis=1), 0] = 1
    frequencies = frequencies_of(levels)
    assert frequencies.dtype == np.int64
    assert frequencies.min() >= 1
    assert (frequencies.sum(axis=1) == 1 << 24).all()
    assert frequencies.tolist() == [expand(row) for row in levels.tolist()]


def test_golden() -> None:
    levels = np.zeros((1, 64), np.uint8)
    levels[0, :6] = [190, 180, 180, 1, 193, 150]
    wanted = [5_294_192, 2_225_958, 2_225_958, 1, 6_865_605, 165_444] + [1] * 58
    assert frequencies_of(levels)[0].tolist() == wanted
    assert sum(wanted) == 1 << 24


@pytest.mark.parametrize("level", [1, 193])
def test_one_level(level: int) -> None:
    levels = np.zeros((1, 64), np.uint8)
    levels[0, 5] = level
    assert frequencies_of(levels)[0].tolist() == [1] * 5 + [(1 << 24) - 63] + [1] * 58


@pytest.mark.parametrize("row", [[0] * 64, [194] + [0] * 63, [255] * 64])
def test_malformed(row: list[int]) -> None:
    with pytest.raises(MalformedError) as caught:
        frequencies_of(np.array([[1] * 64, row], np.uint8))
    assert caught.value.requirement == 230


@given(hnp.arrays(np.int64, (3, 64), elements=st.integers(0, 1 << 40)))
def test_levels_are_near_the_shares(counts: NDArray[np.int64]) -> None:
    levels = levels_of(counts)
    assert levels.max() <= MAX_LEVEL
    assert ((levels > 0) == (counts > 0))[counts.any(axis=1)].all()
    lengths = code_lengths(frequencies_of(levels))
    for row, bits in zip(counts, lengths, strict=True):
        if row.any():
            shares = row[row > 0] / row.sum()
            entropy = float(-(shares * np.log2(shares)).sum())
            assert float(bits[row > 0] @ shares) <= entropy * 1.02 + 0.07
        else:
            assert np.ptp(bits) < 1e-3
