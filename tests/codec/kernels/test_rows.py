"""Sums over rows by the compiled kernel: numpy's, bit by bit where a file depends on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_paths import both
from numpy.typing import NDArray

from caufc.align import Turns
from caufc.codec import kernels
from caufc.codec.kernels.pieces import transposed
from caufc.coders.row_sums import measured_rows, row_squares, transferred_rows

pytestmark = pytest.mark.skipif(kernels.rows is None, reason="the kernel is not built, or switched off")

FLOATS = st.one_of(
    st.floats(-12, 12, width=32),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0.0, -0.0, 1e-45, 1e-38, 3e38, -3e38]),
)
MATRICES = hnp.arrays(np.float32, st.tuples(st.integers(0, 9), st.integers(0, 40)), elements=FLOATS)
Matrix = NDArray[np.float32]


@settings(deadline=None, max_examples=150)
@given(MATRICES)
def test_the_same_squares(values: Matrix) -> None:
    compiled, plain = both(lambda: row_squares(values))
    assert compiled.tobytes() == plain.tobytes()
    np.testing.assert_allclose(compiled, np.square(values.astype("f8")).sum(axis=1), rtol=1e-12)


@settings(deadline=None, max_examples=150)
@given(MATRICES, st.integers(0, 99))
def test_the_same_rows_beyond_a_range(values: Matrix, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.choice([-np.inf, -3e38, -1.0, 0.0, 1e-45, 2.0, 3e38, np.inf], (2, values.shape[1])), axis=0)
    low, high = ends.astype("f4")
    compiled, plain = both(lambda: measured_rows(values, low, high))
    for one, other in zip(compiled, plain, strict=True):
        assert one.tobytes() == other.tobytes()
    assert (compiled[0] == ((values < low) | (values > high)).any(axis=1)).all()


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (4, 1), (7, 255), (5, 256), (5, 700)])
def test_about_the_same_errors(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    coefficients, points = (rng.standard_normal(shape).astype("f4") for _ in range(2))
    roots, offsets = (rng.uniform(0.1, 3, shape[1]).astype("f4") for _ in range(2))

    def job() -> tuple[Any, Any]:
        return transferred_rows(coefficients, points, roots, offsets)

    for one, other in zip(*both(job), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("dtype", ["f2", "<u2", "f4", "f8", "?"])
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 5), (3, 1, 1), (2, 8, 16), (3, 13, 9), (1, 17, 8), (2, 7, 64)])
def test_the_same_rows_as_columns(shape: tuple[int, ...], dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 99, (shape[0], shape[1], 2 * shape[2])).astype(dtype)[:, :, ::2]
    for found in both(lambda: transposed(values)):
        assert found.flags.c_contiguous and found.dtype == values.dtype
        assert (found == values.transpose(0, 2, 1)).all()


def test_tokens_that_do_not_lie_in_one_piece() -> None:
    values = np.random.default_rng(0).standard_normal((9, 30)).astype("f4")
    assert (row_squares(values[::2, ::3]) == row_squares(values[::2, ::3].copy())).all()


@pytest.mark.parametrize(("distance", "first"), [(4, [0, 1, 2, 3, 9, 10]), (1, [0, 2, 4]), (30, [0]), (2, [28, 29])])
def test_the_same_turns(distance: int, first: list[int]) -> None:
    rng = np.random.default_rng(0)
    codes = np.zeros(33, np.int32)
    codes[0], codes[1 + np.array(first)] = distance, rng.integers(1, 1 << 30, len(first))
    values = rng.standard_normal((50, 32)).astype("f4")
    near, far = rng.integers(0, 9, 50), rng.integers(0, 1 << 40, 50)
    compiled, plain = both(lambda: [Turns(codes, 32).applied(values, where).tobytes() for where in (near, far)])
    assert compiled == plain


@pytest.mark.parametrize(
    "spoilt",
    [
        {"starts": [-1]},
        {"starts": [2]},
        {"lengths": [0]},
        {"lengths": [3]},
        {"starts": [0, 1]},
        {"positions": [5, 0]},
        {"positions": [-1, 0]},
        {"distance": 0},
        {"distance": 1 << 40},
        {"starts": [], "lengths": []},
        {"rows": 3},
        {"cosines": [0.0]},
    ],
)
def test_turns_outside_are_refused(spoilt: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "values": np.zeros((2, 5), "f4"),
        "cosines": np.zeros((5, 2), "f4"),
        "sines": np.zeros((5, 2), "f4"),
        "positions": np.zeros(2, "i8"),
        "starts": np.zeros(1, "i8"),
        "lengths": np.full(1, 2, "i8"),
        "distance": 2,
        "rows": 2,
        "width": 5,
    }
    kernels.rows.turn(**given)
    for name, value in spoilt.items():
        given[name] = np.array(value, given[name].dtype) if isinstance(value, list) else value
    with pytest.raises(ValueError, match=r"."):
        kernels.rows.turn(**given)
