"""The library's verbs, as users call them."""

from __future__ import annotations

import io
import json
import mmap
import os
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from features.common import assert_same, needs_torch, torch

import caufc
from caufc.errors import (
    DamagedError,
    InputError,
    LayoutError,
    OptionError,
    OutputExistsError,
    StorageError,
    TensorError,
    UnknownNameError,
)


def test_save_and_load(minilm: Any, tmp_path: Path) -> None:
    path = tmp_path / "texts.cauf"
    report = caufc.save(path, minilm, snr=20)
    assert report.bytes_out == path.stat().st_size
    assert report.numel == sum(part.size for part in minilm)
    assert report.bytes_in == 4 * report.numel
    assert (report.samples, report.codec, report.arch) == (14, "transform", None)
    assert_same(caufc.load(path), caufc.decode(path.read_bytes()))
    assert_same(caufc.load(str(path)), caufc.load(path))


def test_report(efficientnet: Any, tmp_path: Path) -> None:
    report = caufc.save(tmp_path / "a.cauf", {"last": efficientnet, "label": np.array([130])})
    data = json.loads(json.dumps(report.to_json()))
    named = {"bytes_in", "bytes_out", "numel", "samples", "bpfp", "snr_db", "nmse", "max_abs_error", "seconds", "arch"}
    assert named | {"codec", "chunks", "passes", "warnings", "clipped", "exact"} <= set(data)
    assert data["bpfp"] == 8 * data["bytes_out"] / data["numel"]
    last, label = data["tensors"]
    assert (last["name"], last["layout"], last["codec"]) == ("last", "b c h w", "transform")
    assert (label["name"], label["layout"], label["layout_reason"], label["codec"]) == ("label", None, "", "lossless")
    assert last["layout_reason"]
    exact = caufc.save(tmp_path / "b.cauf", efficientnet, lossless=True).to_json()
    assert (exact["snr_db"], exact["nmse"], exact["max_abs_error"], exact["codec"]) == (None, 0, 0, "lossless")


def test_an_output_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.cauf"
    path.write_bytes(b"before")
    with pytest.raises(OutputExistsError):
        caufc.save(path, np.ones((3, 4)))
    with pytest.raises(caufc.NonFiniteError):
        caufc.save(path, np.full((300, 4), np.nan), force=True)
    assert path.read_bytes() == b"before"
    caufc.save(path, np.ones((3, 4)), force=True)
    assert caufc.load(path).shape == (3, 4)
    assert list(tmp_path.iterdir()) == [path]


@needs_torch
def test_a_sparse_tensor() -> None:
    with pytest.raises(TensorError):
        caufc.encode(torch.ones(3, 3).to_sparse())


@needs_torch
def test_frameworks_come_back() -> None:
    for kind in (torch.float32, torch.bfloat16, torch.float16):
        found = caufc.decode(caufc.encode(torch.ones(20, 4, dtype=kind)))
        assert isinstance(found, torch.Tensor) and found.dtype == kind
    assert isinstance(caufc.decode(caufc.encode(np.ones((20, 4), "f2"))), np.ndarray)
    with caufc.open(caufc.encode([torch.ones(3, 4)])) as reader:
        assert isinstance(reader[0], torch.Tensor)


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_any_bytes(make: Any) -> None:
    array = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(caufc.decode(make(caufc.encode(array, lossless=True))), array)


def test_the_same_input_gives_the_same_bytes(minilm: Any, efficientnet: Any) -> None:
    for features in (minilm[:6], {"x": efficientnet[:, :320]}):
        for options in ({}, {"snr": 30}, {"bpfp": 1}, {"max_error": 0.01}, {"lossless": True}):
            assert caufc.encode(features, **options) == caufc.encode(features, **options)


def test_options_by_tensor_name(minilm: Any) -> None:
    tokens = np.stack([part[:7] for part in minilm])
    features = {"a": tokens, "b": {"c": tokens}}
    data = caufc.encode(
        features,
        layout={"b.c": "b t c"},
        align={"a": "min-max:-1,2", "b.c": "robust/token", "*": "none"},
        truncate={"a": (-0.5, 0.5)},
    )
    one, other = caufc.inspect(data).tensors
    assert (one["name"], one["layout"], one["alignment"]) == ("a", "b n c", "min-max/global")
    assert (other["name"], other["layout"], other["alignment"]) == ("b.c", "b t c", "robust/token")
    found = caufc.decode(data)
    assert np.abs(found["a"]).max() < 1 < 2 < np.abs(found["b"]["c"]).max()
    for option in ({"layout": {"x": "b n c"}}, {"align": {"x": "none"}}, {"truncate": {"x": (0, 1)}}):
        with pytest.raises(UnknownNameError, match="unknown tensor 'x'"):
            caufc.encode(features, **option)


def test_layouts(efficientnet: Any) -> None:
    info = caufc.inspect(caufc.encode(efficientnet[0], layout="c h w"))
    assert (info.content, info.samples, info.tensors[0]["layout"]) == ("single", 1, "c h w")
    nhwc = np.ascontiguousarray(efficientnet.transpose(0, 2, 3, 1))
    same = caufc.encode(nhwc, layout="b h w c", max_error=0.01)
    assert abs(len(same) - len(caufc.encode(efficientnet, max_error=0.01))) < 8
    with pytest.raises(LayoutError, match=r"layout 'b n c' does not fit samples of shape \(1280, 7, 7\)"):
        caufc.encode(efficientnet, layout="b n c")
    with pytest.raises(LayoutError, match="samples have 4 to 6 channels"):
        caufc.encode([np.ones((9, 4), "f4"), np.ones((9, 6), "f4")], layout="n c", chunk=1)


def test_arch_and_tap() -> None:
    features = {"layer4": np.ones((2, 512, 7, 7), "f4")}
    data = caufc.encode(features, arch="timm/resnet18")
    info = caufc.inspect(data)
    assert info.arch == "timm/resnet18"
    assert info.tensors[0]["tap"] == "layer4"
    with pytest.raises(UnknownNameError, match="unknown tap 'layer9'"):
        caufc.encode(features, arch="timm/resnet18", tap="layer9")
    with pytest.raises(OptionError, match="without an architecture"):
        caufc.encode(features, tap="layer4")


@pytest.mark.parametrize(
    ("features", "error"),
    [
        (np.array(["a"]), TensorError),
        (np.array([1j]), TensorError),
        (np.array([{}], object), TensorError),
        (None, TensorError),
        ("text", TensorError),
        (3.5, TensorError),
    ],
)
def test_what_is_no_feature(features: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        caufc.encode(features)


@pytest.mark.parametrize(("option", "value"), [("codec", "zip"), ("nonfinite", "drop")])
def test_unknown_names(option: str, value: str) -> None:
    options: dict[str, Any] = {option: value}
    with pytest.raises(UnknownNameError, match=f"'{value}'"):
        caufc.encode(np.ones((3, 4)), **options)


def test_samples_by_slice_and_what_is_no_number() -> None:
    with caufc.open(caufc.encode(np.arange(12.0).reshape(6, 2), lossless=True)) as reader:
        found = reader[1:3]
        assert isinstance(found, list)
        np.testing.assert_array_equal(found, [[2, 3], [4, 5]])
        np.testing.assert_array_equal(reader[np.int64(-1)], [10, 11])
        assert reader[9:] == []
        for key in ("a", 1.0):
            with pytest.raises(TypeError, match="neither a number nor a slice"):
                reader[key]  # type: ignore[index]
    for place in (0, slice(2)):
        with pytest.raises(InputError, match="the reader is closed; open the file again"):
            reader[place]


def test_decode_is_not_load(tmp_path: Path) -> None:
    for path in ("x.cauf", tmp_path / "x.cauf"):
        with pytest.raises(OptionError, match=r"decode takes the bytes of a file; caufc\.load\(path\)"):
            caufc.decode(path)  # type: ignore[arg-type]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for call in (caufc.load, caufc.open, caufc.inspect, caufc.verify):
        with pytest.raises(StorageError, match="no such file") as caught:
            call(tmp_path / "none.cauf")
        assert caught.value.file == str(tmp_path / "none.cauf")
        with pytest.raises(StorageError):
            call(tmp_path)


def test_inspect(minilm: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.cauf"
    caufc.save(path, minilm, chunk=5)
    info = caufc.inspect(path)
    size, numel = path.stat().st_size, sum(text.size for text in minilm)
    assert json.loads(json.dumps(info.to_json())) == {
        "version": "1.0",
        "arch": None,
        "codec": "transform",
        "samples": 14,
        "tensors": [
            {
                "name": "",
                "dtype": "fp32",
                "shape": [None, 384],
                "layout": "n c",
                "tap": None,
                "codec": "transform",
                "alignment": info.tensors[0]["alignment"],
                "stack": None,
                "numel": numel,
                "payload_bytes": info.tensors[0]["payload_bytes"],
                "bpfp": 8 * info.tensors[0]["payload_bytes"] / numel,
            }
        ],
        "bytes": size,
        "chunks": 3,
        "content": "list",
        "profile": None,
        "indexed": True,
        "weights": None,
        "metadata": {},
        "notes": {},
        "control": "quality 50",
        "software": None,
        "numel": numel,
        "raw_bytes": 4 * numel,
        "section_bytes": info.section_bytes,
        "bpfp": 8 * size / numel,
        "bytes_per_sample": size / 14,
        "ratio": 4 * numel / size,
    }
    assert caufc.inspect(path.read_bytes()) == info


def test_readers_close(tmp_path: Path) -> None:
    path = tmp_path / "a.cauf"
    caufc.save(path, np.arange(12.0).reshape(6, 2), lossless=True, chunk=1)
    with caufc.open(path) as reader:
        np.testing.assert_array_equal(reader[5], [10, 11])
    with pytest.raises(ValueError, match="closed"):
        reader[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedError):
        caufc.open(path)


def test_empty_features() -> None:
    empty: tuple[Any, ...] = ([], (), {}, {"a": {}}, np.zeros((0, 4), "f4"), [np.zeros((0, 4), "f4")])
    for features in empty:
        data = caufc.encode(features)
        assert_same(caufc.decode(data), features)
        with caufc.open(data) as reader:
            assert len(list(reader)) == len(reader)
        assert caufc.verify(data, deep=True).samples == len(reader)


def test_the_number_of_threads_does_not_change_the_bytes() -> None:
    """Dense tokens of high quality: a basis from eigenvectors, whose sums threads would take in another order."""
    code = (
        "import caufc, hashlib; from importlib import resources; from caufc.features import read;"
        "tokens = read(str(resources.files('caufc') / 'data' / 'demo' / 'minilm_hidden3.safetensors'));"
        "tokens = [leaf.read() for leaf in tokens.values()];"
        "print(hashlib.sha256(caufc.encode(tokens, quality='high')).hexdigest())"
    )
    found = set()
    for threads in ("1", "2", "4"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        found.add(done.stdout)
    assert len(found) == 1


def test_bytes_come_in_any_buffer() -> None:
    values = np.arange(60, dtype="i4").reshape(20, 3)
    data = caufc.encode(values)
    scattered: Any = np.repeat(np.frombuffer(data, np.uint8), 2)[::2]
    mapped = mmap.mmap(-1, len(data))
    mapped.write(data)
    profile = caufc.Coder.fit([values.astype("f4")] * 4, layout="n c").profile
    coder = caufc.Coder(bytearray(profile))  # type: ignore[arg-type]
    buffers: list[Any] = [bytearray(data), memoryview(data), memoryview(scattered), scattered, mapped, array("B", data)]
    for buffer in buffers:
        assert np.array_equal(caufc.decode(buffer), values)
        assert np.array_equal(coder.decode(buffer), values)
        assert np.array_equal(caufc.open(buffer)[:], values)
        assert np.array_equal(caufc.decode(buffer, out=np.empty_like(values)), values)
        assert caufc.inspect(buffer).samples == caufc.verify(buffer, deep=True).samples == 20


def test_what_holds_no_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.cauf"
    caufc.save(path, np.zeros((2, 3)))
    closed = mmap.mmap(-1, 8)
    closed.close()
    coder = caufc.Coder(caufc.Coder.fit([np.ones((4, 3), "f4")] * 4, layout="n c").profile)
    with path.open("rb") as file:
        cases: list[tuple[Any, Any, str]] = [
            (
                caufc.decode,
                None,
                "decode takes the bytes of a file, not a NoneType; give bytes, or a path",
            ),
            (caufc.decode, 3, "decode takes the bytes of a file, not a int"),
            (caufc.decode, file, r"decode takes the bytes of a file, not a BufferedReader; give file\.read\(\)"),
            (caufc.decode, path, r"x\.cauf: decode takes the bytes of a file; caufc\.load\(path\)"),
            (caufc.decode, closed, "no bytes in a mmap: mmap closed or invalid; give one that is open"),
            (coder.decode, None, "decode takes the bytes of a file, not a NoneType"),
            (coder.decode, file, r"give file\.read\(\)"),
            (caufc.load, None, "load takes the path or URL of a file, not a NoneType"),
            (caufc.load, b"CAUF", r"not a bytes; caufc\.decode\(data\) for bytes"),
            (caufc.load, file, r"caufc\.decode\(file\.read\(\)\)"),
            (caufc.verify, None, "cannot read a NoneType; give a path, a URL or bytes"),
            (caufc.verify, file, r"cannot read a BufferedReader; give its path or file\.read\(\)"),
            (caufc.open, None, "cannot open a NoneType"),
            (caufc.open, closed, "no bytes in a mmap"),
            (caufc.inspect, 3, "cannot open a int"),
        ]
        for function, source, message in cases:
            with pytest.raises(OptionError, match=message):
                function(source)
    for function in (caufc.load, caufc.verify, caufc.open):
        with pytest.raises(caufc.StorageError, match="null"):
            function("a\0b.cauf")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((-1, 3), "shape=-1 is too small"),
        ("ab", "shape='ab' is no whole number"),
        ((1.5,), "shape=1.5 is no whole number"),
        ((None, 3), "shape=None is no whole number"),
        ((1 << 40, 1 << 40), "give one that an array can have"),
        ((1,) * 70, "give one that an array can have"),
    ],
)
def test_shapes_that_no_tensor_has(shape: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        caufc.size_bound(shape, "f4")


@pytest.mark.parametrize("option", ["layout", "align", "reads", "truncate"])
def test_options_by_the_numbers_of_a_dict(option: str) -> None:
    features = {
        number: np.random.default_rng(number).standard_normal((6, 5, 8)).astype(np.float32) for number in (1, 2)
    }
    value: Any = {"layout": "b c n", "align": "min-max", "reads": "mean", "truncate": (-1, 1)}[option]
    by_number: dict[str, Any] = {option: {1: value}}
    by_text: dict[str, Any] = {option: {"1": value}}
    assert caufc.encode(features, **by_number) == caufc.encode(features, **by_text)


@pytest.mark.parametrize(
    "options",
    [
        {"nonfinite": None},
        {"nonfinite": True},
        {"codec": 3},
        {"align": 3},
        {"align": []},
        {"arch": 3},
        {"effort": None},
        {"meta": 3},
        {"meta": [("run", "7")]},
        {"quality": [50]},
        {"bpfp": "much"},
        {"max_error": []},
        {"snr": []},
        {"layout": {(1, 2): "b n c"}},
    ],
    ids=str,
)
def test_options_of_other_kinds_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        caufc.encode(np.zeros((4, 5, 6), np.float32), **options)


def test_limits_are_those_of_what_is_encoded_too() -> None:
    deep: Any = np.zeros(3, np.float32)
    for _ in range(20):
        deep = [deep]
    many_axes = np.zeros((1,) * 9, np.float32)
    for features, limits in (
        (deep, caufc.Limits(nesting=64)),
        (many_axes, caufc.Limits(dimensions=64)),
    ):
        with pytest.raises(caufc.LimitError):
            caufc.encode(features)
        data = caufc.encode(features, lossless=True, limits=limits)
        assert np.shape(caufc.decode(data, limits=limits)) == np.shape(features)


def test_files_are_written_by_their_paths() -> None:
    writers: list[Any] = [lambda file: caufc.save(file, np.zeros(3)), caufc.writer]
    for write in writers:
        with pytest.raises(OptionError, match=r"takes the path of a file, not a BytesIO; file\.write"):
            write(io.BytesIO())
    file = io.BytesIO(caufc.encode(np.zeros(3, np.float32)))
    file.close()
    with pytest.raises(OptionError, match="closed"):
        caufc.open(file)
