"""Files behind URLs, by fsspec: in few requests, from threads, processes and copies."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
import threading
import uuid
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from range_server import Served, serving

import caufc
from caufc.errors import MissingPackageError, StorageError
from tools.attack.container import assemble, split

fsspec = pytest.importorskip("fsspec")

VALUES = np.random.default_rng(0).integers(0, 1000, (200, 500)).astype("u2")


@pytest.fixture(scope="module")
def data() -> bytes:
    """Two hundred chunks, far more than is read ahead."""
    return caufc.encode(VALUES, lossless=True, chunk=1)


@pytest.fixture
def http(data: bytes) -> Any:
    pytest.importorskip("aiohttp")
    with serving({"x.cauf": data, "small.cauf": caufc.encode(VALUES[:9], lossless=True, chunk=1)}) as served:
        yield served


def test_a_sample_costs_three_requests(http: Served, data: bytes) -> None:
    with caufc.open(f"{http.address}/x.cauf") as reader:
        assert len(reader) == 200
        assert np.array_equal(reader[150], VALUES[150])
    assert [method for method, _, _ in http.asked] == ["GET"] * 3
    assert http.asked[0][2] == "bytes=-16384"
    first, last = http.asked[2][2].removeprefix("bytes=").split("-")
    assert int(last) - int(first) < 1100  # a chunk, and nothing else
    assert len(data) > 130_000


def test_large_sections_cost_no_more_requests() -> None:
    pytest.importorskip("aiohttp")
    rng = np.random.default_rng(0)
    dense = (rng.normal(size=(400, 16, 40)) @ rng.normal(size=(40, 512))).astype("f4")
    profile = caufc.Coder.fit(dense, layout="b n c").profile
    data = caufc.encode(dense, layout="b n c", profile=profile, chunk=16, quality=90)
    with serving({"x.cauf": data}) as served, caufc.open(f"{served.address}/x.cauf") as reader:
        reader[170]
        assert len(served.asked) == 3
        assert int(served.asked[1][2].removeprefix("bytes=0-")) >= reader.info.section_bytes > 1 << 14


def test_a_small_file_is_one_request(http: Served) -> None:
    with caufc.open(f"{http.address}/small.cauf") as reader:
        assert np.array_equal(reader[:], VALUES[:9])
    assert len(http.asked) == 1


def test_servers_without_ranges_send_the_file_once(data: bytes) -> None:
    pytest.importorskip("aiohttp")
    with serving({"x.cauf": data}, ranges=False) as served, caufc.open(f"{served.address}/x.cauf") as reader:
        assert np.array_equal(reader[[150, 3]], VALUES[[150, 3]])
        assert len(served.asked) == 1


@pytest.mark.parametrize("index", [True, False])
def test_files_with_and_without_an_index(index: bool) -> None:
    pytest.importorskip("aiohttp")
    data = caufc.encode(VALUES, lossless=True, chunk=7, index=index)
    with serving({"x.cauf": data}) as served, caufc.open(f"{served.address}/x.cauf") as reader:
        assert np.array_equal(reader[:], VALUES)
        assert np.array_equal(caufc.load(f"{served.address}/x.cauf"), VALUES)
        assert caufc.verify(f"{served.address}/x.cauf").samples == 200
        assert caufc.inspect(f"{served.address}/x.cauf").samples == 200


@pytest.mark.parametrize("width", [500, 12_000])
def test_ancillary_blocks_before_the_index(width: int) -> None:
    """Nothing in the last bytes tells of them; the last chunk is among these bytes, or is not."""
    values = np.random.default_rng(0).integers(0, 1000, (60, width)).astype("u2")
    header, blocks = split(caufc.encode(values, lossless=True, chunk=1, index=True))
    data = assemble(header, [*blocks[:-2], ("x", bytes(3000)), ("y", b""), *blocks[-2:]])
    with fsspec.filesystem("memory").open("/ancillary.cauf", "wb") as file:
        file.write(data)
    with caufc.open("memory://ancillary.cauf") as reader:
        for number in (59, 0, 58):
            assert np.array_equal(reader[number], values[number])
        assert np.array_equal(list(reader), values)
    assert np.array_equal(caufc.load("memory://ancillary.cauf"), values)
    assert caufc.verify("memory://ancillary.cauf").samples == 60


def test_what_is_not_there(http: Served) -> None:
    for call in (caufc.open, caufc.load, caufc.inspect):
        with pytest.raises(StorageError, match=rf"{http.address}/none\.cauf: no such file"):
            call(f"{http.address}/none.cauf")
    with pytest.raises(StorageError, match="nowhere://x: "):
        caufc.open("nowhere://x")
    address, http.files = http.address, {"x.cauf": b""}
    with pytest.raises(caufc.DamagedError):
        caufc.open(f"{address}/x.cauf")


def test_memory_zip_and_patterns(data: bytes, tmp_path: Path) -> None:
    folder = f"memory://{uuid.uuid4().hex}"
    parts = [caufc.encode(VALUES[start : start + 50], lossless=True, chunk=1) for start in (0, 50, 100, 150)]
    for number, part in enumerate(parts):
        with fsspec.open(f"{folder}/{number}.cauf", "wb") as file:
            file.write(part)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("in/x.cauf", data)
    order = np.random.default_rng(0).permutation(200)
    for source in (f"{folder}/*.cauf", f"zip://in/x.cauf::{tmp_path}/x.zip", f"zip://in/*.cauf::{tmp_path}/x.zip"):
        with caufc.open(source, cache_bytes=0) as reader:
            assert np.array_equal(reader[order], VALUES[order]), source
            assert np.array_equal(pickle.loads(pickle.dumps(reader))[order], VALUES[order]), source
    with pytest.raises(StorageError, match=r"none\*\.cauf: no file matches"):
        caufc.open(f"{folder}/none*.cauf")
    with caufc.open(fsspec.open(f"{folder}/2.cauf")) as reader:
        assert np.array_equal(reader[0], VALUES[100])
    with pytest.raises(StorageError):
        caufc.open(f"zip://none.cauf::{tmp_path}/x.zip")


def _report(reader: Any, queue: Any) -> None:
    queue.put(np.array_equal(reader[::-3], VALUES[::-3]))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_and_threads_share_a_reader(http: Served, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue()
    found: list[bool] = []
    with caufc.open(f"{http.address}/x.cauf", cache_bytes=0) as reader:
        reader[100]
        process = context.Process(target=_report, args=(reader, queue))
        process.start()
        threads = [
            threading.Thread(target=lambda: found.append(np.array_equal(reader[:20], VALUES[:20]))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert queue.get(timeout=60)
        process.join()
    assert found == [True] * 3


def test_without_fsspec() -> None:
    code = (
        "import sys; sys.modules['fsspec'] = None; import caufc\n"
        "try: caufc.open('s3://bucket/x.cauf')\n"
        "except caufc.MissingPackageError as err: print(err)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("a URL needs fsspec, which ")


def test_a_file_system_without_its_package() -> None:
    if "s3fs" in sys.modules or _there("s3fs"):
        pytest.skip("s3fs is here")
    with pytest.raises(MissingPackageError, match=r"s3://bucket/x\.cauf needs s3fs, which is not installed"):
        caufc.open("s3://bucket/x.cauf")


def _there(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
