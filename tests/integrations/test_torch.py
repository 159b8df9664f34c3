"""Datasets of torch: samples, keys, transforms, ragged batches, workers, and what resumes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader  # noqa: E402

from caufc.integrations.torch import CaufDataset, Collate, Padded  # noqa: E402

SAMPLES = 60
LENGTHS = np.random.default_rng(0).integers(1, 9, SAMPLES)


@pytest.fixture(scope="module")
def ragged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keyed samples of several lengths, in two files."""
    folder = tmp_path_factory.mktemp("ragged")
    for part in (0, 1):
        keyed = {f"doc-{n}": sample(n) for n in range(30 * part, 30 * part + 30)}
        caufc.save(folder / f"{part}.cauf", keyed, keyed=True, lossless=True, chunk=4)
    return folder


def sample(number: int) -> dict[str, Any]:
    x = np.full((LENGTHS[number], 3), number, "f4")
    return {"x": x, "mean": x.mean(0), "label": np.int64(number), "text": f"text {number}"}


def double(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "x": 2 * one["x"]}


def test_samples_are_torch_tensors(ragged: Path) -> None:
    for source in (ragged, caufc.open(ragged)):
        dataset = CaufDataset(source)
        assert len(dataset) == SAMPLES
        one = dataset["doc-17"]
        assert torch.equal(one["x"], torch.full((int(LENGTHS[17]), 3), 17.0))
        assert isinstance(one["label"], torch.Tensor)
        assert one["text"] == "text 17"
        assert [int(found["label"]) for found in dataset.__getitems__([3, 45, -1])] == [3, 45, 59]
    assert dataset.keys()[40] == "doc-40"


def test_transforms_and_keys(ragged: Path) -> None:
    dataset = CaufDataset(ragged, transform=double, with_keys=True, only=["x", "label"])
    key, one = dataset[-1]
    assert key == "doc-59"
    assert sorted(one) == ["label", "x"]
    assert one["x"][0, 0] == 118
    assert dataset["doc-3"][0] == "doc-3"
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy[5][0] == "doc-5"
    plain = CaufDataset(caufc.encode(np.arange(6.0).reshape(3, 2), lossless=True), with_keys=True)
    assert plain[-1][0] == 2


def test_what_is_refused(ragged: Path) -> None:
    with pytest.raises(caufc.OptionError, match="a reader has options of its own"):
        CaufDataset(caufc.open(ragged), only="x")
    with pytest.raises(caufc.UnknownNameError, match="unknown way with ragged samples 'pat'; did you mean 'pad'"):
        CaufDataset(ragged).collate("pat")
    samples = [{"x": torch.zeros(n, 3)} for n in (2, 3)]
    with pytest.raises(caufc.InputError, match=r"tensor 'x': its samples differ in shape; name it in Collate\(names\)"):
        Collate()(samples)


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("workers", [0, 2])
def test_padded_batches_from_workers(ragged: Path, method: str, workers: int) -> None:
    dataset = CaufDataset(ragged, with_keys=True)
    sampler: Any = dataset.sampler(8, workers=workers, seed=3)
    context = method if workers else None
    loader = DataLoader(
        dataset,
        8,
        sampler=sampler,
        num_workers=workers,
        collate_fn=dataset.collate(value=-1.0),
        multiprocessing_context=context,
    )
    seen: list[str] = []
    for keys, batch in loader:
        seen += keys
        assert isinstance(batch["x"], Padded)
        numbers = batch["label"].tolist()
        assert batch["x"].lengths.tolist() == [LENGTHS[number] for number in numbers]
        assert batch["mean"].shape == (len(keys), 3)
        assert batch["text"] == [f"text {number}" for number in numbers]
        for row, mask, number in zip(batch["x"].values, batch["x"].mask, numbers, strict=True):
            assert (row[mask] == number).all()
            assert (row[~mask] == -1).all()
    assert sorted(seen) == sorted(f"doc-{number}" for number in range(SAMPLES))
    if not workers:
        assert [int(key.removeprefix("doc-")) for key in seen] == list(sampler)


def test_nested_and_listed_batches(ragged: Path) -> None:
    dataset = CaufDataset(ragged)
    samples = dataset.__getitems__([0, 1, 2])
    nested = dataset.collate("nested")(samples)["x"]
    assert nested.is_nested
    assert [len(part) for part in nested.unbind()] == LENGTHS[:3].tolist()
    listed = dataset.collate("list")(samples)["x"]
    assert [len(part) for part in listed] == LENGTHS[:3].tolist()


def test_a_batch_has_one_form_whatever_is_in_it(ragged: Path) -> None:
    """Also where samples happen to be equally long."""
    dataset = CaufDataset(ragged)
    assert isinstance(dataset.collate()([dataset[4]])["x"], Padded)


def test_lone_tensors_of_several_axes() -> None:
    maps = [np.full((2, h, w), h, "f4") for h, w in ((3, 4), (5, 1))]
    dataset = CaufDataset(caufc.encode(maps, lossless=True))
    batch = dataset.collate()([dataset[0], dataset[1]])
    assert batch.values.shape == (2, 2, 5, 4)
    assert batch.sizes.tolist() == [[2, 3, 4], [2, 5, 1]]


def test_a_stream_of_a_running_model(tmp_path: Path) -> None:
    model = torch.nn.Linear(6, 4)
    inputs = [torch.randn(length, 6) for length in (3, 5, 2)]
    with torch.no_grad(), caufc.writer(tmp_path / "x.cauf", max_error=1e-3, layout="n c") as w:
        for number, one in enumerate(inputs):
            w.add(model(one), key=f"doc-{number}")
    dataset = CaufDataset(tmp_path / "x.cauf")
    with torch.no_grad():
        assert (dataset["doc-1"] - model(inputs[1])).abs().max() <= 1e-3


def test_devices(ragged: Path) -> None:
    dataset = CaufDataset(ragged)
    dataset.device = torch.device("cuda")  # whether or not there is one
    loader = DataLoader(dataset, 4, num_workers=1, collate_fn=dataset.collate())
    with pytest.raises(caufc.CaufError, match="a worker cannot make tensors on cuda"):
        list(loader)


def test_ranks_share_the_samples(ragged: Path) -> None:
    dataset = CaufDataset(ragged)
    seen = [number for rank in range(3) for number in dataset.sampler(rank=rank, world=3, seed=1)]
    assert sorted(seen) == list(range(SAMPLES))
    torch.distributed.init_process_group("gloo", init_method="tcp://127.0.0.1:0", rank=0, world_size=1)
    try:
        assert dataset.sampler().world == 1
    finally:
        torch.distributed.destroy_process_group()


def test_slices_and_lists_of_a_dataset() -> None:
    samples = {f"k{n}": np.full((2, 3), n, "f4") for n in range(6)}
    data = caufc.encode(samples, keyed=True, lossless=True)
    dataset = CaufDataset(data, with_keys=True)
    cases: list[tuple[Any, list[int]]] = [
        (slice(2, 5), [2, 3, 4]),
        ([5, "k1"], [5, 1]),
        (range(2), [0, 1]),
        (np.array([3]), [3]),
        (torch.tensor([4, 0]), [4, 0]),
    ]
    for asked, numbers in cases:
        found = dataset[asked]
        assert [int(sample[0, 0]) for _, sample in found] == numbers
        assert [dataset[n][0] for n in numbers] == [f"k{n}" for n in numbers]
    with pytest.raises(TypeError, match="neither a number nor a slice"):
        dataset[1, 2]
