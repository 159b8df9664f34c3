from __future__ import annotations

import io
import os
import pickle
import warnings
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caufc.errors import CaufError, ForeignFormatError, LimitError, StorageError, TensorError
from caufc.features import read, to_source, waste
from caufc.features.pt import read as read_pt
from caufc.limits import Limits

from .common import TORCH_DTYPES, assert_same, load

torch = pytest.importorskip("torch")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield tmp_path / "x.pt"


def with_pickle(path: Path, data: bytes) -> None:
    """Put another pickle into a file of ``torch.save``."""
    buffer = io.BytesIO()
    torch.save(torch.zeros(4), buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, data if info.filename.endswith("data.pkl") else old.read(info))


@pytest.mark.parametrize("zipped", [True, False])
def test_round_trip(path: Path, zipped: bool) -> None:
    features: dict[Any, Any] = {
        "list": [torch.arange(6).reshape(3, 2).to(dtype) for dtype in TORCH_DTYPES],
        "nested": OrderedDict(a=(torch.ones(3, 1), torch.zeros(3)), b={}),
        7: torch.nn.Parameter(torch.ones(3, 2)),
    }
    torch.save(features, path, _use_new_zipfile_serialization=zipped)
    found = load(path)
    assert_same(found, {**features, "nested": dict(features["nested"]), 7: torch.ones(3, 2)})


def test_lone_tensor_and_samples(path: Path) -> None:
    for features in (torch.ones(3, 2), [torch.ones(3), torch.ones(4)], (torch.ones(1),)):
        torch.save(features, path)
        assert_same(load(path), features)


class Trap:
    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_not_run(path: Path, tmp_path: Path, zipped: bool) -> None:
    for features in ({"x": Trap(tmp_path / "ran")}, torch.nn.Linear(2, 2)):
        torch.save(features, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ForeignFormatError, match="needs code to be read, which caufc never runs") as caught:
            read(path)
        assert caught.value.remedy and caught.value.remedy.startswith("save tensors")
        assert caught.value.exit_code == 3
    assert not (tmp_path / "ran").exists()


def test_the_code_that_is_needed_is_named(path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(ForeignFormatError, match=r"never runs: torch\.nn\.modules\.linear\.Linear; save tensors"):
        read(path)


PROTOCOLS = (2, 3, 4, 5)


class Plain:
    """A class that a pickle names."""


def beside_tensors() -> dict[Any, Any]:
    """What dumps hold beside tensors."""
    return {
        "x": torch.arange(6.0).reshape(2, 3),
        "t": torch.arange(6.0).reshape(2, 3).t(),
        "array": np.arange(6, dtype="f4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype="f8").reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
        "none": np.zeros((0, 3), "f2"),
        "scalar": np.float32(2.5),
        "meta": {"epoch": 3, "loss": 0.5, "done": True, "label": "P1 é", "nothing": None, "large": 1 << 60},
        "size": torch.Size([2, 3]),
        "default": defaultdict(list, a=[torch.ones(1)]),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("zipped", [True, False])
def test_protocols_numpy_arrays_and_notes(path: Path, protocol: int, zipped: bool) -> None:
    wanted = beside_tensors()
    torch.save(wanted, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    found = load(path)
    assert list(found) == list(wanted)
    assert_same({key: found[key] for key in ("x", "array", "fortran", "none")},
                {key: wanted[key] for key in ("x", "array", "fortran", "none")})  # fmt: skip
    assert torch.equal(found["t"], wanted["t"])
    assert found["big"].tolist() == [0, 1, 2]
    assert (found["scalar"].dtype, found["scalar"].shape, found["scalar"][()]) == (np.float32, (), 2.5)
    assert found["meta"] == wanted["meta"]
    assert [type(value) for value in found["meta"].values()] == [type(value) for value in wanted["meta"].values()]
    assert found["size"] == (2, 3)
    assert torch.equal(found["default"]["a"][0], torch.ones(1))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["x.bin", "x.ckpt", "x.pth", "x", "x.pkl"])
def test_files_are_known_by_their_content(tmp_path: Path, protocol: int, name: str) -> None:
    torch.save({"x": torch.ones(3, 2)}, tmp_path / name, pickle_protocol=protocol)
    assert_same(load(tmp_path / name), {"x": torch.ones(3, 2)})
    (tmp_path / name).write_bytes(pickle.dumps({"x": np.ones((3, 2), "f4"), "label": "a"}, protocol))
    assert_same(load(tmp_path / name)["x"], np.ones((3, 2), "f4"))
    np.savez(tmp_path / "y.npz", x=np.ones(3))
    (tmp_path / "y.npz").rename(tmp_path / name)
    assert_same(load(tmp_path / name), {"x": np.ones(3)})
    (tmp_path / name).write_bytes(b"neither of them")
    with pytest.raises(ForeignFormatError, match="no feature file"):
        read(tmp_path / name)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_classes_are_named_with_what_to_do(path: Path, protocol: int) -> None:
    torch.save({"x": Plain()}, path, pickle_protocol=protocol)
    with pytest.raises(ForeignFormatError, match=r"never runs: .*test_pt\.Plain; save tensors.*vars\(x\)"):
        read(path)
    path.write_bytes(pickle.dumps({"x": Path("a")}, protocol))
    with pytest.raises(ForeignFormatError, match=r"Path; save"):
        read(path)


@pytest.mark.parametrize("dtype", [name for name in dir(torch) if name.startswith("float8")] if torch else [])
@pytest.mark.parametrize("zipped", [True, False])
def test_fp8(path: Path, dtype: str, zipped: bool) -> None:
    wanted = torch.arange(254, dtype=torch.uint8).reshape(2, 127).view(getattr(torch, dtype))
    torch.save({"x": wanted, "one": wanted[0, 0]}, path, _use_new_zipfile_serialization=zipped)
    assert_same(load(path), {"x": wanted, "one": wanted[0, 0]})


def test_a_dtype_among_tensors_is_named(path: Path) -> None:
    torch.save({"x": torch.ones(3), "kind": torch.float16}, path)
    with pytest.raises(TensorError, match=r"'kind': is torch\.float16.*keep it as text"):
        read(path)


def test_torchscript_is_refused(path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(ForeignFormatError, match="needs code"):
        read(path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_pickles_run_nothing(path: Path, tmp_path: Path, protocol: int) -> None:
    path.write_bytes(pickle.dumps(Trap(tmp_path / "ran"), protocol))
    with pytest.raises(ForeignFormatError, match=r"never runs: posix\.mkdir"):
        read(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_stride_zero_bomb(path: Path, zipped: bool) -> None:
    torch.save({"x": torch.zeros(1).expand(1 << 20, 1 << 20)}, path, _use_new_zipfile_serialization=zipped)
    assert path.stat().st_size < 2000
    with pytest.raises(ForeignFormatError, match="tensor 'x': declares 4,398,046,511,104 bytes"):
        read(path)


def test_aliases_are_charged_each(path: Path) -> None:
    tensor = torch.zeros(1000)
    torch.save({f"x{i}": tensor for i in range(100)}, path)
    assert len(read(path)) == 100
    with pytest.raises(LimitError, match="output bytes"):
        read_pt(path, Limits(output_bytes=399_999))


def test_many_names_of_one_list(path: Path) -> None:
    features: Any = [torch.zeros(1)]
    for _ in range(14):
        features = [features] * 10
    torch.save(features, path)
    with pytest.raises(LimitError):
        read_pt(path, Limits(tensors=100))


def test_lists_in_themselves(path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    torch.save(loop, path)
    with pytest.raises(LimitError, match="nesting"):
        read(path)


def test_deep_pickles(path: Path) -> None:
    for inner in (b"]" * 100_000 + b"a" * 99_999, b")" + b"\x85" * 100_000):
        with_pickle(path, b"\x80\x02" + inner + b".")
        with pytest.raises(CaufError):
            read(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"\x80\x02",
        b"\x80\x02N",
        b"\x80\x02(.",
        b"\x80\x02a.",
        b"\x80\x02h\x05.",
        b"\x80\x02}K\x01s.",
        b"\x80\x02cos\nsystem\n.",
        b"\x80\x02(Vls\nios\nsystem\n.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02cbuiltins\nbytearray\nN\x85R.",
        b"\xff\xff",
        pickle.dumps({"a": 1}, 4),
    ],
)
def test_malformed_pickles(path: Path, data: bytes) -> None:
    with_pickle(path, data)
    with pytest.raises(CaufError):
        to_source(read(path))


def test_storage_that_is_larger_than_its_record(path: Path) -> None:
    torch.save(torch.zeros(200, dtype=torch.uint8), path)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        data = archive.read(name)
    with_pickle(path, data)  # 200 bytes declared, 16 stored
    with pytest.raises(ForeignFormatError):
        read(path)


def test_archives_that_are_refused(path: Path) -> None:
    torch.save(torch.zeros(1000), path)
    with zipfile.ZipFile(path) as archive:
        found = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in found:
            archive.writestr(name, data)
    with pytest.raises(ForeignFormatError, match="is compressed"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in [*found, found[0]]:
            archive.writestr(name, data)
    with pytest.raises(ForeignFormatError, match="two members"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "text")
    with pytest.raises(ForeignFormatError, match=r"not of torch\.save"):
        read(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.zeros(2, device="meta"),
        lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8),
    ],
)
def test_tensors_without_plain_values(path: Path, make: Callable[[], Any]) -> None:
    torch.save({"x": make()}, path)
    with pytest.raises(TensorError, match="tensor 'x'"):
        read(path)


def test_other_leaves_are_named(path: Path) -> None:
    torch.save({"epoch": 3j, "x": torch.zeros(2)}, path)
    with pytest.raises(CaufError, match="complex"):
        to_source(read(path))


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_tensor_is_named(path: Path) -> None:
    for found, words in ((np.dtype("f4"), "is the dtype float32.*as text"), (torch.FloatStorage([1]), "a storage")):
        torch.save({"x": torch.zeros(2), "y": found}, path)
        with pytest.raises(TensorError, match=f"tensor 'y': is .*{words.removeprefix('is ')}"):
            read(path)


def test_waste(path: Path) -> None:
    base = torch.zeros(100, 10)
    assert waste({"x": base}) == 0
    assert waste([base[:10], base[10:20]]) == 4000 - 800
    assert waste([base, base]) == 0
    assert waste({"x": np.zeros(3), "y": torch.eye(2).to_sparse()}) == 0
    torch.save({"x": base[:1]}, path)
    assert waste(read(path)) == 4000 - 40


def test_missing(path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        read(path)
