"""Arrays of text beside tensors: lists of text, which ``.npz`` files hold as arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import ForeignFormatError, InputError, LimitError, TensorError
from caufc.features import read
from caufc.features.npz import read as read_npz
from caufc.files import decode_file, encode_file
from caufc.limits import Limits

from .common import needs_torch, torch

VALUES = np.random.default_rng(3).standard_normal((6, 8, 4)).astype("f4")
IDS = [f"größe/{i}.jpg" for i in range(6)]

ARRAYS: dict[str, Any] = {
    "ids": np.array(IDS),
    "raw": np.array([b"a", b"bcd", b""] * 2),
    "pairs": np.array([["a", "漢字"]] * 6),
    "classes": np.array(["cat", "dog"]),
    "fortran": np.asfortranarray([["a", "b", "c"], ["d", "e", "f"]]),
    "big": np.array(["é", "b"]).astype(">U1"),
    "model": np.array("esm2"),
    "none": np.array([], "U1"),
}


def test_texts_are_lists() -> None:
    lists: dict[str, Any] = {"objects": np.array(IDS, object), "text": np.str_("a"), "bytes": np.bytes_(b"b")}
    lists |= ARRAYS | {"wide": np.array(IDS, "U40")}
    found = caufc.decode(caufc.encode({"x": VALUES, **lists}))
    assert {name: found[name] for name in lists} == {name: array.tolist() for name, array in lists.items()}
    with caufc.open(caufc.encode({"x": VALUES, **ARRAYS})) as reader:
        sample = reader[3]
    assert (sample["ids"], sample["pairs"], sample["classes"]) == (IDS[3], ["a", "漢字"], ["cat", "dog"])


@pytest.mark.skipif(not hasattr(np, "dtypes") or not hasattr(np.dtypes, "StringDType"), reason="numpy 1")
def test_texts_of_any_length() -> None:
    found = caufc.decode(caufc.encode({"x": VALUES, "ids": np.array(IDS, np.dtypes.StringDType())}))
    assert found["ids"] == IDS


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_files_give_their_texts_back(tmp_path: Path, save: Any) -> None:
    """Where nobody names the format, too."""
    save(tmp_path / "x.npz", x=VALUES, **ARRAYS)
    encode_file(tmp_path / "x.npz", tmp_path / "y.cauf", lossless=True)
    assert Path(decode_file(tmp_path / "y.cauf").output).name == "y.npz"
    with np.load(tmp_path / "y.npz") as found:
        assert list(found) == ["x", *ARRAYS]
        for name, wanted in ARRAYS.items():
            np.testing.assert_array_equal(found[name], wanted)
            assert (found[name].dtype, found[name].shape) == (wanted.dtype.newbyteorder("="), wanted.shape)
        np.testing.assert_array_equal(found["x"], VALUES)


@pytest.mark.parametrize(
    "notes", [[*IDS[:5], None], list(range(6)), 7, ["a", b"b"], "a\0", [["a"], ["b", "c"]], ("a",)]
)
def test_npz_files_hold_text_alone(tmp_path: Path, notes: Any) -> None:
    features = {"x": VALUES, "y": notes}
    caufc.save(tmp_path / "x.cauf", features)
    with pytest.raises(InputError, match=r"tensor 'y': \.npz cannot hold numbers, .*; write \.pt"):
        decode_file(tmp_path / "x.cauf", tmp_path / "x.npz")
    assert not (tmp_path / "x.npz").exists()


@needs_torch
def test_the_format_is_chosen_by_notes(tmp_path: Path) -> None:
    for name, notes in {"text": IDS, "numbers": list(range(6)), "one": 7}.items():
        caufc.save(tmp_path / f"{name}.cauf", {"x": VALUES, "y": notes})
    suffixes = [decode_file(tmp_path / f"{name}.cauf").format for name in ("text", "numbers", "one")]
    assert suffixes == [".npz", ".pt", ".pt"]


@needs_torch
@pytest.mark.parametrize("protocol", (2, 5))
def test_texts_in_pt_files(tmp_path: Path, protocol: int) -> None:
    texts = {**ARRAYS, "objects": np.array(IDS, object), "scalar": np.str_("a")}
    torch.save({"x": torch.from_numpy(VALUES), **texts}, tmp_path / "x.pt", pickle_protocol=protocol)
    encode_file(tmp_path / "x.pt", tmp_path / "y.cauf")
    found = caufc.load(tmp_path / "y.cauf")
    assert {name: found[name] for name in texts} == {name: array.tolist() for name, array in texts.items()}
    torch.save({"x": torch.ones(2), "o": np.array([[1], None], object)}, tmp_path / "x.pt")
    with pytest.raises(TensorError, match="tensor 'o': has dtype object"):
        read(tmp_path / "x.pt")


def with_header(path: Path, descr: str, shape: str, data: bytes = b"") -> Path:
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data)
    return path


def test_hostile_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    assert read_npz(with_header(path, "<U0", "(3,)"))["a"].shape == (3,)
    with pytest.raises(LimitError, match="tensor 'a': tensors: 1,099,511,627,776"):
        read_npz(with_header(path, "<U0", f"({1 << 40},)"))
    with pytest.raises(LimitError, match="tensor 'a'"):
        read_npz(with_header(path, "|S1", "(129,)", bytes(129)), Limits(tensors=2))
    with pytest.raises(ForeignFormatError, match="declares"):
        read_npz(with_header(path, "<U99999", f"({1 << 20},)"))
    monkeypatch.setattr("caufc.features.texts.TEXT_BYTES", 20)
    with pytest.raises(TensorError, match="tensor 'a': 21 bytes of text, at most 20"):
        read_npz(with_header(path, "|S7", "(3,)", bytes(21)))
    with pytest.raises(TensorError, match="tensor 'a': is text that is not valid Unicode"):
        caufc.encode(read(with_header(path, "<U1", "(1,)", b"\xff" * 4)))
