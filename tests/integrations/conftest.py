"""Fixtures of the tests of integrations: vectors of a network, a coder of such, and neighbours that may be missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc

Floats = NDArray[np.float32]


@pytest.fixture(scope="session")
def vectors(minilm: Sequence[Floats]) -> Floats:
    """Vectors of a network ``[B, 384]``."""
    found: Floats = np.concatenate(minilm)
    return found


@pytest.fixture(scope="session")
def coder(vectors: Floats) -> caufc.Coder:
    """Of such vectors."""
    return caufc.Coder.fit(vectors[::2], layout="b c")


@pytest.fixture(scope="session")
def texts(minilm: Sequence[Floats]) -> caufc.Coder:
    """Of such vectors in texts of any length."""
    return caufc.Coder.fit(minilm, layout="n c")
