from __future__ import annotations

import numpy as np
import pytest

import caufc
from caufc.codec.lossless.grid import Lattice
from caufc.codec.transform.grids import Geometry
from caufc.coders.lossless import lattice_of, lattice_of_tokens
from caufc.layouts import Layout


@pytest.mark.parametrize(
    ("layout", "shapes", "lattice"),
    [
        ("c h w", [(3, 4, 5)] * 2, Lattice(4, 5, 1)),
        ("h w c", [(4, 5, 3)], Lattice(4, 5, 3)),
        ("(1 + h w) c", [(17, 3)], Lattice(1, 17, 3)),
        ("g t d", [(2, 9, 3)], Lattice(1, 9, 3)),
        ("c t h w", [(2, 9, 4, 5)], Lattice(4, 5, 1)),
        ("n c", [(4, 3), (6, 3)], Lattice(1, 10, 3)),
        ("n c", [(4, 3), (6, 2)], Lattice(1, 24, 1)),
        ("c h w", [(2, 3, 3), (2, 4, 4)], Lattice(1, 50, 1)),
        ("c", [(4,)], Lattice()),
        ("n c", [(0, 3)], Lattice()),
        ("n c", [], Lattice()),
        (None, [(4, 3)], Lattice()),
    ],
)
def test_lattices(layout: str | None, shapes: list[tuple[int, ...]], lattice: Lattice) -> None:
    assert lattice_of(None if layout is None else Layout(layout), shapes) == lattice


@pytest.mark.parametrize(
    ("geometry", "lattice"),
    [
        (Geometry(((4, 5),) * 2, 0), Lattice(4, 5, 3)),
        (Geometry(((2, 4, 5),), 0), Lattice(4, 5, 3)),
        (Geometry(((9,),) * 2, 0), Lattice(1, 9, 3)),
        (Geometry(((4, 4),) * 2, 1), Lattice(1, 17, 3)),
        (Geometry(((4,), (6,)), 0), Lattice(1, 10, 3)),
        (Geometry(((),) * 2, 0), Lattice(1, 1, 3)),
        (Geometry((), 0), Lattice()),
    ],
)
def test_lattices_of_tokens(geometry: Geometry, lattice: Lattice) -> None:
    assert lattice_of_tokens(geometry, 3) == lattice


@pytest.mark.parametrize("layout", ["b c h w", "b h w c", "b c d h", "b (1 + n) c d"])
def test_any_layout_comes_back(layout: str) -> None:
    values = np.random.default_rng(0).standard_normal((3, 5, 8, 7)).astype("f4")
    found = caufc.decode(caufc.encode(values, layout=layout, lossless=True))
    assert found.tobytes() == values.tobytes()
