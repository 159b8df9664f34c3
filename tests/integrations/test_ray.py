"""Ray Data on a real local cluster: files as rows, rows as files, and workers and drivers that are killed meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc

from .drivers import Driver
from .neighbours import decibels, neighbour

ray = neighbour("ray")
neighbour("ray.data")

from ray.data.block import BlockAccessor  # noqa: E402

from caufc.integrations.ray import CaufDatasink, CaufDatasource, cluster, read_cauf  # noqa: E402
from caufc.integrations.ray import datasource as reading  # noqa: E402

Floats = NDArray[np.float32]
COUNT, CHUNK = 120, 5
STORE = 100 << 20


@pytest.fixture(scope="module")
def running() -> Iterator[None]:
    """A cluster of two processors on this machine."""
    with cluster(num_cpus=2, object_store_memory=STORE):
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbered samples ``[4, 3]`` with keys, in 24 chunks."""
    path = tmp_path_factory.mktemp("ray") / "a.cauf"
    caufc.save(path, numbered(), keyed=True, lossless=True, chunk=CHUNK, meta={"who": "a"})
    return path


def numbered() -> dict[str, Floats]:
    return {f"k{number:03}": np.full((4, 3), number, np.float32) for number in range(COUNT)}


def written(folder: Path) -> dict[str, Floats]:
    """All samples of a folder's files; a key that stands in two of them is an error."""
    with caufc.open(folder) as reader:
        keys = [str(key) for key in reader.keys()]  # noqa: SIM118
        assert len(set(keys)) == len(keys)
        return dict(zip(keys, reader, strict=True))


def check_numbered(found: dict[str, Floats]) -> None:
    """That every sample is there once, with its values."""
    wanted = numbered()
    assert sorted(found) == sorted(wanted)
    for key, values in wanted.items():
        np.testing.assert_array_equal(found[key], values)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nowhere.invalid:6379", "127.0.0.1:99999"])
def test_a_cluster_that_is_not_there_is_told(address: str) -> None:
    """Before this process is connected to any."""
    with pytest.raises(caufc.StorageError, match=r"^\S+:\d+: nobody answers there"), cluster(address):
        pass


@pytest.mark.usefixtures("running")
def test_samples_are_rows(file: Path) -> None:
    dataset = ray.data.read_datasource(CaufDatasource(file, include_paths=True, meta=["who", "when"]))
    assert dataset.columns() == ["key", "path", "number", "who", "when", "features"]
    assert dataset.schema().types[-1].shape == (4, 3)
    rows = dataset.take_all()
    check_numbered({row["key"]: row["features"] for row in rows})
    assert {(row["path"], row["who"], row["when"]) for row in rows} == {(str(file), "a", None)}
    assert all(row["key"] == f"k{row['number']:03}" for row in rows)


@pytest.mark.usefixtures("running")
def test_batches_are_arrays(file: Path) -> None:
    """What a training loop sees, and a map of Ray's own."""
    doubled = read_cauf(file, parallelism=3).map_batches(lambda batch: {**batch, "features": 2 * batch["features"]})
    batches = list(doubled.iter_batches(batch_size=50))
    assert [batch["features"].shape for batch in batches] == [(50, 4, 3), (50, 4, 3), (20, 4, 3)]
    assert sum(batch["features"].sum() for batch in batches) == 2 * 12 * sum(range(COUNT))


def test_one_file_is_read_by_many_tasks_in_ranges_of_chunks(file: Path) -> None:
    tasks = CaufDatasource(file).get_read_tasks(7)
    tables = [list(task()) for task in tasks]
    counts = [sum(table.num_rows for table in several) for several in tables]
    assert len(tasks) == 7 and counts == [task.metadata.num_rows for task in tasks]
    assert sum(counts) == COUNT and {count % CHUNK for count in counts} == {0} and max(counts) <= 4 * CHUNK
    assert [key for several in tables for table in several for key in table["key"].to_pylist()] == list(numbered())
    assert len(CaufDatasource(file).get_read_tasks(1000)) == COUNT // CHUNK
    assert CaufDatasource(file).estimate_inmemory_data_size() == COUNT * 12 * 4


def test_a_task_decodes_its_own_chunks_alone(file: Path, tmp_path: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / "damaged.cauf").write_bytes(data)
    good = 0
    for task in CaufDatasource(tmp_path / "damaged.cauf").get_read_tasks(24):
        try:
            good += sum(table.num_rows for table in task())
        except caufc.FormatError:
            continue
    assert good == COUNT - CHUNK


def test_of_many_files_only_the_first_is_opened_beforehand(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_OPENED", 4)
    for number in range(5):
        caufc.save(tmp_path / f"{number}.cauf", [np.full(2, 10 * number + i) for i in range(number + 1)])
    (tmp_path / "4.cauf").write_bytes(b"no file of ours")
    source = CaufDatasource(tmp_path / "*.cauf", include_paths=True)
    tasks = source.get_read_tasks(3)
    assert [len(task.metadata.input_files) for task in tasks] == [2, 1, 2]
    assert tasks[0].metadata.num_rows is None
    assert [table["number"].to_pylist() for table in tasks[0]()] == [[0], [0, 1]]
    with pytest.raises(caufc.FormatError, match=r"4\.cauf"):
        list(tasks[2]())
    with pytest.raises(caufc.FormatError, match=r"4\.cauf"):
        CaufDatasource([tmp_path / "4.cauf", file])


@pytest.mark.usefixtures("running")
def test_structures_and_ragged_samples_are_columns(tmp_path: Path) -> None:
    samples = [
        {"states": np.full((n + 1, 2), n, np.float32), "at": [np.ones(3, bool)], "label": n, "text": f"t{n}"}
        for n in range(9)
    ]
    caufc.save(tmp_path / "a.cauf", samples, lossless=True, chunk=4)
    for dataset in (read_cauf(tmp_path), again(read_cauf(tmp_path), tmp_path / "out")):
        assert dataset.columns() == ["states", "at.0", "label", "text"]
        rows = sorted(dataset.take_all(), key=lambda row: row["label"])
        for row, sample in zip(rows, samples, strict=True):
            np.testing.assert_array_equal(row["states"], sample["states"])
            assert (row["label"], row["text"], row["at.0"].dtype) == (sample["label"], sample["text"], bool)
    assert read_cauf(tmp_path, only=["states"]).columns() == ["states"]


def again(dataset: Any, folder: Path) -> Any:
    """A dataset that was written and read."""
    dataset.write_datasink(CaufDatasink(folder, lossless=True))
    return read_cauf(folder)


def test_floats_that_arrow_lacks_come_as_float32(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.arange(8, dtype=ml_dtypes.bfloat16).reshape(2, 4)
    caufc.save(tmp_path / "a.cauf", [*values], lossless=True)
    (table,) = CaufDatasource(tmp_path).get_read_tasks(1)[0]()
    np.testing.assert_array_equal(BlockAccessor.for_block(table).to_numpy("features"), values.astype(np.float32))


@pytest.mark.usefixtures("running")
def test_damage_is_told_where_rows_are_used(file: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.cauf").write_bytes(file.read_bytes())
    dataset = read_cauf(tmp_path / "cut.cauf")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / "cut.cauf").write_bytes(data)
    with pytest.raises(caufc.FormatError, match=r"cut\.cauf: "):
        dataset.materialize()


def test_what_cannot_be_read_is_told(file: Path, tmp_path: Path) -> None:
    with pytest.raises(caufc.OptionError, match="device="):
        CaufDatasource(file, device="cuda")
    with pytest.raises(caufc.OptionError, match="a bytes cannot be opened by workers"):
        CaufDatasource([file.read_bytes()])
    with pytest.raises(caufc.StorageError, match=r"nothing\*"):
        CaufDatasource(tmp_path / "nothing*")
    with pytest.raises(caufc.OptionError, match="no tensor 'x'"):
        CaufDatasource(file, only=["x"])
    caufc.save(tmp_path / "a.cauf", {"a": {"key": np.ones(3)}}, keyed=True)
    with pytest.raises(caufc.InputError, match="'key': has the name of another column"):
        list(CaufDatasource(tmp_path / "a.cauf").get_read_tasks(1)[0]())


@pytest.mark.usefixtures("running")
def test_a_block_becomes_a_file(vectors: Floats, tmp_path: Path) -> None:
    rows = [{"id": f"v{number}", "features": vector} for number, vector in enumerate(vectors[:90])]
    dataset = ray.data.from_items(rows, override_num_blocks=3)
    dataset.write_datasink(CaufDatasink(tmp_path / "out", key="id", snr=30, meta={"who": "b"}))
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".cauf"] * 3
    found = written(tmp_path / "out")
    assert sorted(found) == sorted(row["id"] for row in rows)
    assert 29.9 < decibels(vectors[:90], [found[f"v{number}"] for number in range(90)]) < 33
    info = caufc.inspect(next((tmp_path / "out").iterdir()))
    assert info.metadata["who"] == "b" and info.control == "SNR 30 dB"
    dataset.write_datasink(CaufDatasink(tmp_path / "one", key="id", min_rows_per_file=90))
    assert len(list((tmp_path / "one").iterdir())) == 1


@pytest.mark.usefixtures("running")
def test_a_profile_goes_to_the_workers(vectors: Floats, coder: caufc.Coder, tmp_path: Path) -> None:
    (tmp_path / "a.caufp").write_bytes(coder.profile)
    sink = CaufDatasink(tmp_path / "out", key=None, profile=str(tmp_path / "a.caufp"), embed_profile=False)
    (tmp_path / "a.caufp").unlink()
    ray.data.from_items([{"features": vector} for vector in vectors[:20]]).write_datasink(sink)
    with pytest.raises(caufc.MissingProfileError):
        read_cauf(tmp_path / "out").take_all()
    rows = read_cauf(tmp_path / "out", profile=coder.profile).take_all()
    assert decibels(vectors[:20], [row["features"] for row in rows]) > 20


@pytest.mark.usefixtures("running")
def test_what_cannot_be_written_is_told_and_leaves_no_file(tmp_path: Path) -> None:
    def write(columns: dict[str, Sequence[Any]], **options: Any) -> None:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        ray.data.from_items(rows, override_num_blocks=1).write_datasink(CaufDatasink(tmp_path / "out", **options))

    ones = [np.ones(3, np.float32)] * 2
    with pytest.raises(caufc.NonFiniteError):
        write({"features": [row * np.nan for row in ones]})
    with pytest.raises(caufc.InputError, match="1 rows have the key of another"):
        write({"key": ["a", "a"], "features": ones})
    with pytest.raises(caufc.InputError, match="no column is of tensors: text"):
        write({"text": ["a", "b"]})
    with pytest.raises(caufc.InputError, match="no column 'id'"):
        write({"features": ones}, key="id")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(caufc.OptionError, match="to 100"):
        CaufDatasink(tmp_path, quality=101)
    with pytest.raises(caufc.OptionError, match="key="):
        CaufDatasink(tmp_path, keyed=True)


@pytest.mark.usefixtures("running")
def test_a_worker_that_is_killed_loses_and_repeats_nothing(file: Path, tmp_path: Path) -> None:
    """It is killed when a file is half written."""

    class Killed(CaufDatasink):
        def write_block(self, block: Any, block_index: int, ctx: Any) -> None:
            assert not [path for path in Path(self.path).glob("*.cauf") if path.read_bytes()[:4] == b"half"]
            super().write_block(block, block_index, ctx)

        def write_block_to_file(self, block: Any, target: Any) -> None:
            if "k042" in block.to_arrow()["key"].to_pylist() and not Path(self.path, "../killed").exists():
                Path(self.path, "../killed").touch()
                target.write(b"half a file")
                target.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            super().write_block_to_file(block, target)

    read_cauf(file, parallelism=8).write_datasink(Killed(tmp_path / "out", lossless=True))
    assert (tmp_path / "killed").exists()
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".cauf"}
    check_numbered(written(tmp_path / "out"))


CHECKPOINTED = """
import sys, time
import ray
from ray.data.checkpoint import CheckpointConfig
from caufc.integrations.ray import CaufDatasink, cluster, read_cauf

def slowly(batch):
    time.sleep(0.3)
    return batch

with cluster(num_cpus=2, object_store_memory=100 << 20):
    ray.data.DataContext.get_current().checkpoint_config = CheckpointConfig(
        "key", f"file://{sys.argv[2]}/checkpoint", delete_checkpoint_on_success=False
    )
    read_cauf(sys.argv[1], parallelism=12).map_batches(slowly).write_datasink(
        CaufDatasink(f"{sys.argv[2]}/out", lossless=True)
    )
"""


def test_a_driver_that_is_killed_goes_on_with_checkpoints_of_ray(file: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    first = Driver(CHECKPOINTED, str(file), str(tmp_path), folder=tmp_path)
    first.until(lambda: len(list((tmp_path / "out").glob("*.cauf"))) >= 3)
    first.kill()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.cauf")}
    assert 3 <= len(before) < 12
    (tmp_path / "checkpoint").joinpath("torn_000000.pending.parquet").write_bytes(b"")
    (tmp_path / "out" / "torn_000000.cauf").write_bytes(b"written, but not committed")
    assert Driver(CHECKPOINTED, str(file), str(tmp_path), folder=tmp_path).ends_well()
    check_numbered(written(tmp_path / "out"))
    kept = [path for path, at in before.items() if path.exists() and path.stat().st_mtime_ns == at]
    assert len(kept) >= len(before) - 2  # what was written and not committed is made again
