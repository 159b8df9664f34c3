"""Tar shards of webdataset: tensors in, the profile with them, out again in any order, process and pipeline."""

from __future__ import annotations

import pickle
import tarfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc

from .neighbours import decibels, neighbour, python

wds = neighbour("webdataset")

from webdataset.autodecode import DecodingError  # noqa: E402

from caufc.integrations.webdataset import CaufDecoder, CaufEncoder, CaufHandler, CaufShardWriter  # noqa: E402

Floats = NDArray[np.float32]
COUNT = 25


def dataset(folder: Path, **options: Any) -> Any:
    """The samples of all shards of a folder."""
    return wds.WebDataset(sorted(map(str, folder.glob("*.tar"))), shardshuffle=False, **options)


@pytest.fixture(scope="module")
def shards(vectors: Floats, coder: caufc.Coder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of vectors and their numbers."""
    folder = tmp_path_factory.mktemp("shards")
    with CaufShardWriter(f"{folder}/a-%02d.tar", coder, maxcount=10, verbose=0) as sink:
        for number, vector in enumerate(vectors[:COUNT]):
            sink.write({"__key__": f"{number:04d}", "cauf": vector, "cls": number})
    return folder


def test_shards_hold_messages_and_the_profile(shards: Path, vectors: Floats, coder: caufc.Coder) -> None:
    assert len(list(shards.glob("*.tar"))) == 3
    for path in shards.glob("*.tar"):
        with tarfile.open(path) as shard:
            first = shard.getmembers()[0]
            content = shard.extractfile(first)
            assert first.name == "__caufc__/0.caufp" and content is not None and content.read() == coder.profile
    samples = list(dataset(shards))
    assert all({*sample} == {"__key__", "__url__", "__local_path__", "cauf", "cls"} for sample in samples)
    assert [sample["cauf"] for sample in samples] == [coder.encode(vector) for vector in vectors[:COUNT]]


def test_shards_are_all_that_their_reader_needs(shards: Path, vectors: Floats, tmp_path: Path) -> None:
    """In a process that has never seen the coder."""
    code = (
        "import sys, numpy as np, webdataset as wds; from caufc.integrations.webdataset import CaufDecoder;"
        f"urls = {sorted(map(str, shards.glob('*.tar')))!r};"
        "found = wds.WebDataset(urls, shardshuffle=False).shuffle(100).map(CaufDecoder());"
        "rows = {sample['cls']: sample['cauf'] for sample in found}; np.save('a.npy', [rows[i] for i in range(25)])"
    )
    python(code, tmp_path)
    assert decibels(vectors[:COUNT], np.load(tmp_path / "a.npy")) > 20


def test_a_handler_takes_its_place_among_others(shards: Path, vectors: Floats, coder: caufc.Coder) -> None:
    found = list(dataset(shards).decode(CaufHandler(coder)).to_tuple("cauf", "cls"))
    assert [number for _, number in found] == list(range(COUNT))
    np.testing.assert_array_equal(found[7][0], coder.decode(coder.encode(vectors[7])))
    with pytest.raises(DecodingError) as caught:
        list(dataset(shards).decode(CaufHandler()))
    assert isinstance(caught.value.__cause__, caufc.MissingProfileError)


def test_decoders_and_handlers_can_be_pickled(shards: Path, coder: caufc.Coder) -> None:
    sample = next(iter(dataset(shards)))
    used = CaufDecoder()
    wanted = used(sample)["cauf"]
    for decoder in (CaufDecoder(), used, wds.autodecode.Decoder([CaufHandler(coder)])):
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(decoder))(sample)["cauf"], wanted)
    for encoder in (CaufEncoder(coder), CaufEncoder({"cauf": coder}), CaufEncoder(quality=50)):
        given = {"__key__": "a", "cauf": np.ones(384, np.float32), "cls": 3}
        assert pickle.loads(pickle.dumps(encoder))(given) == encoder(given)


def test_handlers_of_other_fields_are_webdatasets_and_the_users(coder: caufc.Coder) -> None:
    found = CaufEncoder(coder, {"size": lambda size: bytes(size)})({"__key__": "a", "size": 3, "json": [1]})
    assert found == {"__key__": "a", "size": bytes(3), "json": b"[1]"}
    with pytest.raises(ValueError, match="no handler found for other"):
        CaufEncoder()({"__key__": "a", "other": 3})


@pytest.mark.skipif(find_spec("torch") is None, reason="is about torch")
def test_workers_of_a_loader_decode(shards: Path) -> None:
    found = dataset(shards).map(CaufDecoder()).to_tuple("cls", "cauf").batched(5)
    loader = wds.WebLoader(found, batch_size=None, num_workers=2)
    batches = list(loader)
    assert sorted(int(number) for numbers, _ in batches for number in numbers) == list(range(COUNT))
    assert {tuple(rows.shape) for _, rows in batches} == {(5, 384)}


def test_fields_may_have_coders_of_their_own(
    vectors: Floats, minilm: Sequence[Floats], coder: caufc.Coder, texts: caufc.Coder, tmp_path: Path
) -> None:
    with CaufShardWriter(f"{tmp_path}/a-%d.tar", {"one.cauf": coder, "all.cauf": texts}, verbose=0) as sink:
        for number, text in enumerate(minilm):
            sink.write({"__key__": str(number), "one.cauf": vectors[number], "all.cauf": text, "x.cauf": np.arange(3)})
    found = list(dataset(tmp_path).map(CaufDecoder()))
    for number, sample in enumerate(found):
        np.testing.assert_array_equal(sample["one.cauf"], coder.decode(coder.encode(vectors[number])))
        np.testing.assert_array_equal(sample["all.cauf"], texts.decode(texts.encode(minilm[number])))
        assert sample["x.cauf"].tolist() == [0, 1, 2]


def test_samples_may_be_files_by_themselves(minilm: Sequence[Floats], tmp_path: Path) -> None:
    with wds.ShardWriter(f"{tmp_path}/a-%d.tar", encoder=CaufEncoder(snr=30, layout="n c"), verbose=0) as sink:
        for number, text in enumerate(minilm[:4]):
            sink.write({"__key__": str(number), "states.cauf": text, "json": {"n": number}, "txt": "a"})
    for found in (dataset(tmp_path).map(CaufDecoder()), dataset(tmp_path).decode(CaufHandler())):
        for number, sample in enumerate(found):
            assert sample["json"] == {"n": number} and sample["txt"] == "a"
            assert decibels(minilm[number], sample["states.cauf"]) > 29.9


def test_only_and_partial_are_webdatasets(shards: Path) -> None:
    sample = next(iter(dataset(shards)))
    assert isinstance(CaufDecoder(only="cls")(sample)["cauf"], bytes)
    decoded = CaufDecoder(only="cauf")(sample)
    assert decoded["cauf"].shape == (384,) and decoded["cls"] == b"0"
    assert CaufDecoder(partial=True)(decoded)["cls"] == 0


def test_what_cannot_be_is_told(vectors: Floats, coder: caufc.Coder, tmp_path: Path) -> None:
    with CaufShardWriter(f"{tmp_path}/a-%d.tar", coder, verbose=0) as sink:
        with pytest.raises(caufc.InputError, match=r"^0007\.x\.cauf: has shape \[383\]"):
            sink.write({"__key__": "0007", "x.cauf": vectors[0, :383]})
        with pytest.raises(caufc.NonFiniteError, match=r"^0008\.cauf: "):
            sink.write({"__key__": "0008", "cauf": vectors[0] * np.nan})
    with pytest.raises(caufc.OptionError, match="quality beside a coder"):
        CaufEncoder(coder, quality=50)
    with pytest.raises(caufc.OptionError, match="to 100"):
        CaufEncoder(quality=101)
    with pytest.raises(caufc.OptionError, match="encoder is a CaufEncoder"):
        CaufShardWriter(f"{tmp_path}/b-%d.tar", coder, encoder=CaufEncoder())


def test_damage_and_missing_profiles_are_told(vectors: Floats, coder: caufc.Coder, tmp_path: Path) -> None:
    message = coder.encode(vectors[0])
    with CaufShardWriter(f"{tmp_path}/cut-%d.tar", coder, verbose=0) as sink:
        sink.write({"__key__": "0001", "cauf": message[:-1]})
    with wds.ShardWriter(f"{tmp_path}/lone-%d.tar", verbose=0) as sink:
        sink.write({"__key__": "0001", "cauf": message})
    for name, kind in (("cut", caufc.DamagedError), ("lone", caufc.MissingProfileError)):
        with pytest.raises(DecodingError) as caught:
            list(wds.WebDataset(f"{tmp_path}/{name}-0.tar", shardshuffle=False).map(CaufDecoder()))
        assert (caught.value.key, caught.value.k) == ("0001", "cauf")
        assert isinstance(caught.value.__cause__, kind) and f"{name}-0.tar: 0001.cauf: " in str(caught.value.__cause__)
    with pytest.raises(caufc.MissingProfileError, match=r"CaufHandler\(profile\)"):
        CaufDecoder()._decoded(message, None)
