"""Training that is stopped and goes on: StatefulDataLoader of torchdata over samples in a chunk-wise random order."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import caufc

pytest.importorskip("torch")
pytest.importorskip("torchdata.stateful_dataloader")

from torchdata.stateful_dataloader import StatefulDataLoader

from caufc.integrations.torch import CaufDataset

DATA = caufc.encode(np.arange(100, dtype="i4").reshape(100, 1), lossless=True, chunk=5)


def loader(workers: int, epoch: int = 0, seed: int = 7) -> Any:
    dataset = CaufDataset(DATA)
    sampler = dataset.sampler(8, workers=workers, window=3, seed=seed)
    sampler.set_epoch(epoch)
    return StatefulDataLoader(dataset, batch_size=8, sampler=sampler, num_workers=workers)


def numbers(batches: Any) -> list[list[int]]:
    return [batch[:, 0].tolist() for batch in batches]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("done", [1, 6])
def test_a_loader_goes_on_where_it_was_stopped(workers: int, done: int) -> None:
    whole = numbers(loader(workers, epoch=2))
    assert sorted(number for batch in whole for number in batch) == list(range(100))
    stopped = loader(workers, epoch=2)
    batches = iter(stopped)
    first = numbers(next(batches) for _ in range(done))
    state = copy.deepcopy(stopped.state_dict())
    resumed = loader(workers)
    resumed.load_state_dict(state)
    assert first + numbers(resumed) == whole
    resumed.sampler.set_epoch(3)
    assert numbers(resumed) == numbers(loader(workers, epoch=3))


def test_the_state_of_another_order_is_refused() -> None:
    sampler = caufc.ChunkSampler(caufc.open(DATA), window=3)
    other = iter(caufc.ChunkSampler(caufc.open(DATA), window=4))
    with pytest.raises(caufc.OptionError, match="the state is of window=3, not 4"):
        other.load_state_dict(iter(sampler).state_dict())
