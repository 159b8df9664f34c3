"""Torch tensors in plain pickles: every storage lies there as a file of ``torch.save`` from before torch 1.6."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from caufc.errors import CaufError, ForeignFormatError, TensorError
from caufc.features import read
from caufc.features.pickle_machine import PickleMachine

from .common import assert_same, load

torch = pytest.importorskip("torch")

PROTOCOLS = (2, 3, 4, 5)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.filterwarnings("ignore", "error:The given buffer is not writable")
def test_torch_tensors(tmp_path: Path, protocol: int) -> None:
    base = torch.arange(60.0).reshape(6, 10)
    features: dict[str, Any] = {
        "x": base,
        "views": [base[1:3], base[:, 2:4], base.t()],
        "half": base.to(torch.bfloat16),
        "eight": base.to(torch.float8_e4m3fn),
        "mask": base > 7,
        "scalar": torch.tensor(2.5),
        "none": torch.empty(0, 3),
    }
    stored = {**features, "weight": torch.nn.Parameter(base), "label": "a"}
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(stored, protocol))
    found = load(tmp_path / "x.pkl")
    assert found.pop("label") == "a"
    assert_same(found, {**features, "weight": base})


def named(data: bytes, *, times: int = 1) -> bytes:
    """A pickle of the storage that bytes hold, named so many times."""
    call = b"ctorch.storage\n_load_from_bytes\nB" + len(data).to_bytes(4, "little") + data + b"q\x00\x85R"
    again = b"ctorch.storage\n_load_from_bytes\nh\x00\x85R"
    return b"\x80\x02](" + call + again * (times - 1) + b"e."


def storage(count: int) -> bytes:
    stream = io.BytesIO()
    torch.save(torch.UntypedStorage(count), stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (named(b"\x80\x02N."), "a storage that is none"),
        (named(b"junk"), "the pickle ends"),
        (named(b"\x80\x02cos\nsystem\n."), "never runs: os.system"),
        (named(named(b"\x80\x02N.")), "never runs: torch.storage._load_from_bytes"),
        (b"\x80\x02ctorch.storage\n_load_from_bytes\nK\x01\x85R.", "what is no bytes"),
        (named(storage(8)[:-3]), "a storage of another size"),
        (named(storage(8)), "is a storage, not a tensor"),
    ],
)
def test_hostile_storages(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "x.pkl").write_bytes(data)
    with pytest.raises(CaufError, match=words):
        read(tmp_path / "x.pkl")


def test_archives_have_none(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("x/data.pkl", named(storage(8)))
    with pytest.raises(ForeignFormatError, match=r"never runs: torch\.storage\._load_from_bytes"):
        read(tmp_path / "x.pt")


def test_storages_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[object] = []
    load_of = PickleMachine.load

    def counted(machine: PickleMachine) -> object:
        loads.append(machine)
        return load_of(machine)

    monkeypatch.setattr(PickleMachine, "load", counted)
    (tmp_path / "x.pkl").write_bytes(named(storage(8), times=1000))
    with pytest.raises(TensorError, match="is a storage"):
        read(tmp_path / "x.pkl")
    assert len(loads) < 10
