from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from caufc.align import LayoutAligner
from caufc.errors import LayoutError
from caufc.layouts import CHANNEL_LETTERS, GRID_LETTERS, Layout

LAYOUTS = [
    "b c h w",
    "b h w c",
    "b (1 + h w) c",
    "b (5 + h w) c",
    "b c (2 + n)",
    "b n c",
    "b g t d",
    "b c",
    "c",
    "n c",
    "b t h w c",
    "h w g d",
    "b g n d",
    "b t c h w",
    "g h c w d",
    "b n",
    "(h w) c",
    "t",
]

Array = NDArray[np.int64]


def matrix_of(layout: Layout, sample: Array) -> Array:
    """[CAUF-0170], read slowly: one sample to ``[N, C]``."""
    terms = layout.sample_terms
    token_axes = [axis for axis, term in enumerate(terms) if any(letter in GRID_LETTERS for letter in term)]
    channel_axes = [axis for axis, term in enumerate(terms) if term[0] in CHANNEL_LETTERS]
    assert sorted(token_axes + channel_axes) == list(range(len(terms)))
    rows = []
    for token in itertools.product(*(range(sample.shape[axis]) for axis in token_axes)):
        row = []
        for channel in itertools.product(*(range(sample.shape[axis]) for axis in channel_axes)):
            place = dict(zip(token_axes, token, strict=True)) | dict(zip(channel_axes, channel, strict=True))
            row.append(sample[tuple(place[axis] for axis in range(sample.ndim))])
        rows.append(row)
    channels = math.prod(sample.shape[axis] for axis in channel_axes)
    return np.array(rows, sample.dtype).reshape(len(rows), channels)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Layout, list[tuple[int, ...]]]:
    """A layout, and shapes of samples that agree in their channels."""
    layout = Layout(draw(st.sampled_from(LAYOUTS)))
    channels = {term: draw(st.integers(0, 4)) for term in layout.sample_terms if term[0] in CHANNEL_LETTERS}
    shapes = [
        tuple(
            channels[term] if term in channels else draw(st.integers(layout.special, layout.special + 4))
            for term in layout.sample_terms
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    return layout, shapes


def numbered(shapes: list[tuple[int, ...]]) -> list[Array]:
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [
        np.arange(end - math.prod(shape), end).reshape(shape) for end, shape in zip(ends.tolist(), shapes, strict=True)
    ]


@given(cases())
def test_ragged_samples(case: tuple[Layout, list[tuple[int, ...]]]) -> None:
    layout, shapes = case
    samples = numbered(shapes)
    aligner = LayoutAligner(layout)
    tokens = aligner.to_tokens(samples)
    wanted = np.concatenate([matrix_of(layout, sample) for sample in samples])
    np.testing.assert_array_equal(tokens.matrix, wanted)
    assert tokens.shapes == tuple(shapes)
    assert (tokens.special, tokens.stacked) == (layout.special, False)
    back = aligner.from_tokens(tokens)
    assert len(back) == len(samples)
    for one, other in zip(back, samples, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@given(cases(), st.integers(0, 3))
def test_stacked_samples(case: tuple[Layout, list[tuple[int, ...]]], count: int) -> None:
    layout, shapes = case
    batch = np.arange(count * math.prod(shapes[0])).reshape(count, *shapes[0])
    aligner = LayoutAligner(layout)
    tokens = aligner.to_tokens(batch)
    sizes = aligner.size(shapes[0])
    wanted = [matrix_of(layout, sample) for sample in batch]
    np.testing.assert_array_equal(tokens.matrix, np.concatenate([np.empty((0, sizes[1]), np.int64), *wanted]))
    assert tokens.matrix.shape == (count * sizes[0], sizes[1])
    assert tokens.stacked
    back = aligner.from_tokens(tokens)
    if count:
        np.testing.assert_array_equal(np.asarray(back), batch, strict=True)
    else:
        assert len(back) == 0


@pytest.mark.parametrize(
    ("expression", "shape", "sizes", "grid"),
    [
        ("b c h w", (8, 3, 5), (15, 8), (3, 5)),
        ("b (1 + h w) c", (197, 768), (197, 768), (14, 14)),
        ("b (5 + h w) c", (15, 4), (15, 4), (10,)),
        ("b (2 + n) c", (9, 4), (9, 4), (7,)),
        ("b g t d", (12, 7, 64), (7, 768), (7,)),
        ("b c", (10,), (1, 10), ()),
        ("n", (10,), (10, 1), (10,)),
        ("h w c", (0, 3, 2), (0, 2), (0, 3)),
    ],
)
def test_sizes_and_grids(
    expression: str, shape: tuple[int, ...], sizes: tuple[int, int], grid: tuple[int, ...]
) -> None:
    aligner = LayoutAligner(Layout(expression))
    assert aligner.size(shape) == sizes
    assert aligner.grid(shape) == grid


@pytest.mark.parametrize(
    ("expression", "order"),
    [("b c h w", (0, 2, 3, 1)), ("b h c w", (0, 1, 3, 2)), ("b w h c", (0, 1, 2, 3)), ("c h w", (1, 2, 0))],
)
def test_tokens_lie_in_one_piece(efficientnet: NDArray[np.float32], expression: str, order: tuple[int, ...]) -> None:
    aligner = LayoutAligner(Layout(expression))
    samples = np.concatenate([efficientnet, 2 * efficientnet]) if len(order) == 4 else list(efficientnet)
    tokens = aligner.to_tokens(samples)
    assert tokens.matrix.flags.c_contiguous
    whole = samples if isinstance(samples, np.ndarray) else samples[0]
    assert np.array_equal(tokens.matrix, whole.transpose(order).reshape(tokens.matrix.shape))
    assert np.array_equal(aligner.from_tokens(tokens), samples)


def test_tokens_that_lie_so_are_not_copied(efficientnet: NDArray[np.float32]) -> None:
    tokens = LayoutAligner(Layout("b h w c")).to_tokens(efficientnet)
    assert np.shares_memory(tokens.matrix, efficientnet)


def test_layouts_that_do_not_fit() -> None:
    with pytest.raises(LayoutError, match=r"layout 'c h w' has 3 axes a sample, \(2, 3\) has 2"):
        LayoutAligner(Layout("b c h w")).size((2, 3))
    with pytest.raises(LayoutError, match="needs 5 special tokens, there are 4"):
        LayoutAligner(Layout("b (5 + h w) c")).size((4, 2))
    with pytest.raises(LayoutError, match="samples have 2 to 3 channels"):
        LayoutAligner(Layout("n c")).to_tokens([np.zeros((4, 2)), np.zeros((4, 3))])


def test_equality() -> None:
    made: list[Any] = [LayoutAligner(Layout(text)) for text in ("b c h w", "c h w", "h w c")]
    assert made[0] == made[1] != made[2]
    assert len(set(made)) == 2
    assert repr(made[0]) == "LayoutAligner('c h w')"
