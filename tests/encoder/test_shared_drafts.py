"""Tensors of a file that are drafted in threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import caufc
from caufc.encoder import file_drafting


@pytest.fixture
def drafted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Numbers of the tensors that threads have drafted."""
    numbers: list[int] = []
    draft = file_drafting._FileDrafting._shared_draft

    def noted(self: file_drafting._FileDrafting, number: int) -> object:
        numbers.append(number)
        return draft(self, number)

    monkeypatch.setattr(file_drafting._FileDrafting, "_shared_draft", noted)
    yield numbers


def test_any_number_of_threads_drafts_the_same(drafted: list[int]) -> None:
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((64, 64)).astype(np.float32)
    states = {f"keys.{n}": (rng.standard_normal((40, 48, 64)) ** (n + 1) @ mix).astype(np.float32) for n in range(3)}
    files = [caufc.encode(states, layout="b t d", threads=threads) for threads in (1, 3)]
    assert sorted(drafted) == [0, 0, 1, 1, 2, 2]
    assert files[0] == files[1]


def test_small_tensors_are_not_worth_threads(drafted: list[int]) -> None:
    caufc.encode({name: np.ones((40, 8, 64), np.float32) for name in "abc"}, layout="b t d")
    assert not drafted
