from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from caufc.errors import CaufError, ForeignFormatError, LimitError, TensorError
from caufc.features import FileLeaf, read

from .common import TORCH_DTYPES, assert_same, load, needs_torch, torch


def build(header: Any, values: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values


def entry(start: int, stop: int, shape: list[Any] | None = None, dtype: str = "U8") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [stop - start] if shape is None else shape, "data_offsets": [start, stop]}


@needs_torch
def test_round_trip(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    features = {f"x.{dtype}": torch.arange(6).reshape(3, 2).to(dtype) for dtype in TORCH_DTYPES}
    features |= {"zero": torch.zeros(0, 4), "scalar": torch.tensor(3.0), "../../x": torch.ones(1)}
    save_file(features, tmp_path / "x.safetensors", metadata={"format": "pt"})
    leaves = read(tmp_path / "x.safetensors")
    assert all(isinstance(leaf, FileLeaf) for leaf in leaves.values())
    found = load(tmp_path / "x.safetensors")
    assert_same({name: found[name] for name in features}, features)
    assert leaves["x.torch.bfloat16"].rows(1, 2).shape == (1, 2)


def test_one_tensor_stays_a_dict(tmp_path: Path) -> None:
    save_file({"x": np.ones((2, 2))}, tmp_path / "x.safetensors")
    assert list(read(tmp_path / "x.safetensors")) == ["x"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\2\0\0\0\0\0\0\0", "no .safetensors header"),
        (b"\xff" * 16, "no .safetensors header"),
        (build(b"[]"), "begin"),
        (build(b" {}"), "begin"),
        (build(b"{} x"), "malformed"),
        (build(b'{"a": NaN}'), "NaN"),
        (build(b'{"\xff": 1}'), "malformed"),
        (build(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "malformed"),
        (build(b'{"a": ' + b"9" * 5000 + b"}"), "malformed"),
        (build(b'{"a": %s, "a": %s}' % ((json.dumps(entry(0, 1)).encode(),) * 2), b"x"), "twice"),
        (build({"a": entry(0, 1) | {"more": 1}}, b"x"), "entry"),
        (build({"a": 3}), "entry"),
        (build({"a": entry(0, 1, [True])}, b"x"), "shape"),
        (build({"a": entry(0, 1, [-1])}, b"x"), "shape"),
        (build({"a": entry(0, 1, [1.0])}, b"x"), "shape"),
        (build({"a": entry(0, 1, [2])}, b"x"), "needs 2 bytes"),
        (build({"a": {"dtype": "U8", "shape": [0], "data_offsets": [1, 0]}}), "backwards"),
        (build({"a": {"dtype": "U8", "shape": [0], "data_offsets": [-1, -1]}}), "backwards"),
        (build({"a": {"dtype": "U8", "shape": [0], "data_offsets": [0]}}), "pair"),
        (build({"a": entry(0, 2), "b": entry(1, 3)}, b"xxx"), "overlap"),
        (build({"a": entry(0, 2), "b": entry(0, 2)}, b"xx"), "overlap"),
        (build({"a": entry(0, 1), "b": entry(2, 3)}, b"xxx"), "hole"),
        (build({"a": entry(1, 2)}, b"xx"), "hole"),
        (build({"a": entry(0, 2)}, b"x"), "holds 1"),
        (build({"a": entry(0, 2)}, b"xxx"), "holds 3"),
        (build({"a": entry(0, 1 << 70)}), "over the limit"),
    ],
)
def test_bad_files(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises((ForeignFormatError, LimitError), match=words) as caught:
        read(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("dtype", "remedy"),
    [("F6_E2M3", "convert"), ("C64", "view_as_real"), ("F4", "uint8"), ("nonsense", "convert"), ("I128", "convert")],
)
def test_other_dtypes(tmp_path: Path, dtype: str, remedy: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(build({"a": entry(0, 1, dtype=dtype)}, b"x"))
    with pytest.raises(TensorError, match=dtype) as caught:
        read(path)
    assert caught.value.remedy and remedy in caught.value.remedy


def test_shapes_that_overflow(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for shape in ([1 << 62, 1 << 62, 0], [1] * 9):
        path.write_bytes(build({"a": entry(0, 0, shape)}))
        with pytest.raises(CaufError):
            read(path)
