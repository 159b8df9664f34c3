"""Lossless planes by the compiled kernel: the bytes and values of numpy and constriction, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_paths import both
from numpy.typing import NDArray

from caufc.codec import kernels
from caufc.codec.lossless.codec import decode_lossless, encode_lossless
from caufc.codec.lossless.grid import Lattice
from caufc.errors import MalformedError, UnsupportedError

pytestmark = pytest.mark.skipif(kernels.planes is None, reason="the kernel is not built, or switched off")

U1 = np.uint8


@st.composite
def floats(draw: st.DrawFn) -> tuple[NDArray[Any], Lattice]:
    """Floats of every width on a lattice or none: smooth, sparse, saturated, noise, all alike."""
    rows, columns, inner = (draw(st.integers(1, 9)) for _ in range(3))
    lattice = Lattice(rows, columns, inner) if rows * columns > 1 and draw(st.booleans()) else Lattice()
    size = rows * columns * inner * draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    values = rng.normal(size=size).cumsum() if draw(st.booleans()) else rng.laplace(size=size)
    kind = draw(st.sampled_from(["as it is", "sparse", "rounded", "saturated"]))
    if kind == "sparse":
        values = np.maximum(values - 1, 0)
    elif kind == "rounded":
        values = np.rint(values)
    elif kind == "saturated":
        values = np.clip(values, -0.5, 0.5)
    return values.astype(draw(st.sampled_from(["<f2", "<f4", "<f8"]))), lattice


@settings(deadline=None, max_examples=125)
@given(floats())
def test_the_same_bytes_and_values(drawn: tuple[NDArray[Any], Lattice]) -> None:
    values, lattice = drawn
    compiled, plain = both(lambda: encode_lossless(values, rotate=True, lattice=lattice))
    assert compiled == plain
    for found in both(lambda: decode_lossless(plain, len(values), values.dtype, rotate=True)):
        assert found.tobytes() == values.tobytes()


@settings(deadline=None, max_examples=125)
@given(floats(), st.randoms(use_true_random=False))
def test_damage_gives_the_same_values_or_error(drawn: tuple[NDArray[Any], Lattice], random: Any) -> None:
    values, lattice = drawn
    payload = bytearray(encode_lossless(values, rotate=True, lattice=lattice))
    for _ in range(random.randrange(1, 4)):
        payload[random.randrange(1, len(payload))] = random.randrange(256)
    payload = payload[: random.choice([len(payload), random.randrange(1, len(payload) + 1)])]

    def found() -> Any:
        try:
            return decode_lossless(bytes(payload), len(values), values.dtype, rotate=True).tobytes()
        except MalformedError as err:
            return err.requirement
        except UnsupportedError as err:
            return str(err)

    compiled, plain = both(found)
    assert compiled == plain


def test_real_features(efficientnet: NDArray[np.float32], minilm: list[NDArray[np.float32]]) -> None:
    for features, lattice in ((efficientnet, Lattice(7, 7, 1)), (np.concatenate(minilm), Lattice())):
        for dtype in ("<f4", "<f2"):
            values = features.astype(dtype).ravel()
            compiled, plain = both(lambda: encode_lossless(values, rotate=True, lattice=lattice))  # noqa: B023
            assert compiled == plain
            assert decode_lossless(plain, len(values), values.dtype, rotate=True).tobytes() == values.tobytes()


@pytest.mark.parametrize(("kind", "tables"), [(0, 0), (1, 0), (2, 256)])
def test_all_contexts_of_one_kind(kind: int, tables: int) -> None:
    """As many groups as there can be."""
    context, kinds = np.arange(256, dtype=U1)[::-1].copy(), np.full(256, kind, U1)
    out, stops = np.empty(256, U1), np.empty(257, np.int64)
    kernels.planes.group(context, context, kinds, out, stops)
    assert out.tolist() == (list(range(255, -1, -1)) if kind == 0 else list(range(256)))
    given = kernels.rans.tables_of(np.full((256, 256), 1 << 16, np.int64), 256, 256) if tables else None
    words = np.random.default_rng(0).integers(1, 1 << 32, 300, dtype=np.uint32)
    left, _, taken = kernels.planes.read(words, 300, 1 << 40, given, context, kinds, context, context, out)
    assert (left < 300, taken) == (tables > 0, 256 if kind == 0 else 0)
    if not tables:
        assert out.tolist() == (context if kind == 0 else context[context]).tolist()


def test_what_does_not_fit_is_refused() -> None:
    kernel = kernels.planes
    table, part, words = np.zeros(256, U1), np.zeros(12, U1), np.ones(2, np.uint32)
    tables = kernels.rans.tables_of(np.full((1, 256), 1 << 16, np.int64), 1, 256)
    few = kernels.rans.tables_of(np.full((1, 4), 1 << 22, np.int64), 1, 4)
    shape, lines = (2, 3, 2), (0, 1, 2)
    constant = np.ones(256, U1)
    one = np.array([2] + [1] * 255, U1)
    kernel.contexts(part, part, table, np.empty(4, U1), shape, (1, 1, 1), (0, 2, 2), 0, 1, 1)
    kernel.read(words, 2, 0, tables, part, one, table, part, np.empty(12, U1))
    refused: list[Callable[[], object]] = [
        lambda: kernel.split(np.zeros(3, np.uint32), part, 3, True),
        lambda: kernel.split(np.zeros(4, np.uint32), part, 4, True),
        lambda: kernel.join(part, np.zeros(4, np.uint32), 4, True),
        lambda: kernel.look_up(table[:255], part, part.copy()),
        lambda: kernel.look_up(table, part, np.empty(11, U1)),
        lambda: kernel.hits(part, part[:3], np.zeros(256, np.int16), part.copy()),
        lambda: kernel.count(part + U1(2), None, 1, part, np.zeros((2, 256), np.int64)),
        lambda: kernel.count(part, part + U1(3), 3, part, np.zeros((3, 256), np.int64)),
        lambda: kernel.count(part, None, 0, part, np.zeros((2, 256), np.int64)),
        lambda: kernel.count(part, None, 1, part, np.zeros(300, np.int64)),
        lambda: kernel.group(part, part[:3], table, part.copy(), np.empty(257, np.int64)),
        lambda: kernel.group(part, part, table, part[:3].copy(), np.empty(257, np.int64)),
        lambda: kernel.group(part, part, table, part.copy(), np.empty(256, np.int64)),
        lambda: kernel.read(words, 3, 0, tables, part, one, table, part, np.empty(12, U1)),
        lambda: kernel.read(words, 2, 0, None, part, one, table, part, np.empty(12, U1)),
        lambda: kernel.read(words, 2, 0, tables, part, constant, table, part, np.empty(12, U1)),
        lambda: kernel.read(words, 2, 0, few, part, one, table, part, np.empty(12, U1)),
        lambda: kernel.read(words, 2, 0, tables, part, one, table, part, np.empty(11, U1)),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), (2, 3, 3), (1, 1, 1), (0, 2, 2), 0, 1, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), (-2, -3, 2), (1, 1, 1), (0, 2, 2), 0, 1, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), shape, (2, 1, 1), (0, 2, 2), 0, 1, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), shape, (1, 1, 1), (0, 3, 2), 0, 1, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), shape, (1, 0, 1), (0, 2, 2), 0, 1, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), shape, (0, 1, 1), (0, 2, 2), 0, 1, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), shape, (1, 1, 1), (0, 2, 2), 1, 1, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), shape, (1, 1, 1), (0, 2, 2), 2, 1, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), shape, (1, 1, 1), (0, 2, 2), 0, 0, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), shape, (1, 1, 1), (0, 2, 2), 0, 1, 3),
        lambda: kernel.contexts(part, part, table, np.empty(3, U1), shape, (1, 1, 1), (0, 2, 2), 0, 1, 1),
        lambda: kernel.contexts(part, part, table, np.empty(4, U1), shape, lines, lines, 0, 1, 1),
    ]
    for call in refused:
        with pytest.raises(ValueError):
            call()
    raw = kernel.read(words, 2, 0, None, part, table, table, part[:11], np.empty(12, U1))
    assert raw == (2, 0, -1)
