"""Decoding into the caller's arrays, to another dtype, to a device."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from features.common import assert_same, needs_torch, to_torch, torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import tensors

import caufc
from caufc.errors import FormatError, InputError, OptionError
from caufc.features.forms import Form, cast

RNG = np.random.default_rng(0)
SAMPLES = 23


def batch() -> dict[str, Any]:
    return {
        "map": RNG.standard_normal((SAMPLES, 6, 5, 4)).astype("f4"),
        "half": (RNG.standard_normal((SAMPLES, 8)).astype("f2"), RNG.standard_normal((SAMPLES, 2, 2))),
        "ids": np.arange(SAMPLES * 3).reshape(SAMPLES, 3),
        "mask": RNG.random((SAMPLES, 4)) > 0.5,
        "scalar": RNG.standard_normal(SAMPLES).astype("f4"),
    }


def ragged() -> list[Any]:
    return [{"x": RNG.standard_normal((n, 6)).astype("f4"), "n": np.array(n)} for n in range(1, SAMPLES)]


def keyed() -> dict[str, Any]:
    return {f"t{n}": RNG.standard_normal((n % 7 + 1, 6)).astype("f4") for n in range(40)}


FEATURES: dict[str, tuple[Any, dict[str, Any]]] = {
    "batch": (batch(), {"chunk": 5}),
    "one chunk": (batch(), {}),
    "without an index": (batch(), {"chunk": 5, "index": False}),
    "lone": (RNG.standard_normal((SAMPLES, 64)).astype("f4"), {"chunk": 4, "snr": 30}),
    "single": ({"a": RNG.standard_normal((30, 8)), "b": RNG.standard_normal(7).astype("f2")}, {"lossless": True}),
    "list": (ragged(), {"chunk": 4}),
    "tuple": (tuple(ragged()), {"chunk": 4, "lossless": True}),
    "keyed": (keyed(), {"chunk": 4}),
    "keyed without an index": (keyed(), {"chunk": 4, "index": False}),
    "notes": ({"x": RNG.standard_normal((SAMPLES, 9)), "run": "a", "texts": ["a"] * SAMPLES}, {"chunk": 4}),
    "empty": (np.zeros((0, 4), "f4"), {}),
}


@functools.cache
def encoded(name: str, framework: str) -> bytes:
    """Features of a framework as a file."""
    features, options = FEATURES[name]
    return caufc.encode(to_torch(features) if framework == "torch" and name != "notes" else features, **options)


def arrays_of(features: Any) -> Any:
    """The same structure with arrays of other values, texts as they are."""
    if isinstance(features, dict):
        return {name: arrays_of(value) for name, value in features.items()}
    if isinstance(features, list | tuple):
        return type(features)(map(arrays_of, features))
    if isinstance(features, str):
        return features
    return torch.full_like(features, 1) if torch and isinstance(features, torch.Tensor) else np.ones_like(features)


@pytest.mark.parametrize("framework", ["numpy", pytest.param("torch", marks=needs_torch)])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", FEATURES)
def test_into_the_callers_arrays(name: str, threads: int, framework: str, tmp_path: Path) -> None:
    path = tmp_path / "a.cauf"
    path.write_bytes(encoded(name, framework))
    wanted = caufc.load(path)
    for decode in (caufc.load, lambda path, **given: caufc.decode(path.read_bytes(), **given)):
        out = arrays_of(wanted)
        before = _addresses(out)
        assert decode(path, out=out, threads=threads) is out
        assert _addresses(out) == before
        assert _plain(out) == _plain(wanted)


def _addresses(features: Any) -> list[int]:
    return [
        tensor.__array_interface__["data"][0] if isinstance(tensor, np.ndarray) else tensor.data_ptr()
        for tensor in _tensors(features)
    ]


def _tensors(features: Any) -> list[Any]:
    parts = (
        features.values() if isinstance(features, dict) else features if isinstance(features, list | tuple) else None
    )
    if parts is None:
        return [] if isinstance(features, str) else [features]
    return [tensor for part in parts for tensor in _tensors(part)]


def _plain(features: Any) -> list[tuple[Any, ...]]:
    return [(str(tensor.dtype), tuple(tensor.shape), np.asarray(tensor).tobytes()) for tensor in _tensors(features)]


def test_arrays_of_any_memory(tmp_path: Path) -> None:
    """Views with strides, other byte orders, and memory maps."""
    data = caufc.encode(FEATURES["lone"][0], chunk=4)
    wanted = caufc.decode(data)
    wide = np.zeros((SAMPLES, 2, 64), "f4")
    caufc.decode(data, out=wide[::-1, 1])
    assert (wide[::-1, 1] == wanted).all() and not wide[:, 0].any()
    swapped = np.zeros((SAMPLES, 64), ">f4")
    assert (caufc.decode(data, out=swapped) == wanted).all()
    mapped = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.dtype("f4"), (SAMPLES, 64))
    caufc.decode(data, out=mapped)
    del mapped
    assert (np.load(tmp_path / "a.npy") == wanted).all()


@needs_torch
@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_dtypes_that_numpy_lacks(dtype: str) -> None:
    features = torch.randn(SAMPLES, 12).to(getattr(torch, dtype))
    data = caufc.encode(features, lossless=True, chunk=4)
    out = torch.zeros(SAMPLES, 24, dtype=features.dtype)[:, ::2]
    caufc.decode(data, out=out)
    assert_same(out, features)
    other = np.zeros((SAMPLES, 12), __import__("ml_dtypes").bfloat16 if dtype == "bfloat16" else "f4")
    caufc.decode(data, out=other, dtype="bf16" if dtype == "bfloat16" else "float32")
    assert (torch.from_numpy(other.astype("f4")) == features.float()).all()


def misfit(case: str, out: dict[str, Any]) -> Any:
    """The caller's arrays, of which one does not fit."""
    shared = np.lib.stride_tricks.as_strided(np.zeros(3, int), (SAMPLES, 3), (0, 8))
    other: dict[str, Any] = {
        "shape": {"map": np.zeros((SAMPLES, 6, 5, 5), "f4")},
        "rank": {"map": np.zeros((SAMPLES, 30), "f4")},
        "samples": {"ids": np.zeros((SAMPLES + 1, 3), int)},
        "fewer": {"ids": np.zeros((SAMPLES - 1, 3), int)},
        "dtype": {"map": np.zeros((SAMPLES, 6, 5, 4))},
        "object": {"map": np.zeros((SAMPLES, 6, 5, 4), object)},
        "leaf": {"map": [1.0]},
        "more": {"other": 1},
        "length": {"half": out["half"][:1]},
        "kind": {"half": 1},
        "read-only": {"map": np.broadcast_to(out["map"], out["map"].shape)},
        "shared": {"ids": shared},
    }
    if case == "missing":
        return {name: value for name, value in out.items() if name != "mask"}
    return list(out.values()) if case == "list" else out | other[case]


MISFITS = {
    "shape": r"tensor 'map': has shape \[23, 6, 5, 5\], but shape \[\?, 6, 5, 4\] of float32 is decoded",
    "rank": r"tensor 'map': has shape \[23, 30\]",
    "samples": "tensor 'ids': has 24 samples, the file has 23",
    "fewer": "tensor 'ids': has 22 samples, the file has",
    "dtype": "tensor 'map': has dtype float64, but .* of float32 is decoded .*dtype=",
    "object": "tensor 'map': has dtype object",
    "leaf": "tensor 'map': is a list, neither an array nor a tensor",
    "missing": "lacks 'mask'",
    "more": "has 'other', which the file has not",
    "list": "is a list, not a dict",
    "kind": "tensor 'half': is an int, not a tuple",
    "length": "tensor 'half': has 1 entries, not 2",
    "read-only": "tensor 'map': cannot be written to",
    "shared": "tensor 'ids': has values that share memory",
}


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_is_told(case: str, indexed: bool) -> None:
    data = encoded("batch" if indexed else "without an index", "numpy")
    out = misfit(case, arrays_of(caufc.decode(data)))
    with pytest.raises(InputError, match=MISFITS[case]) as caught:
        caufc.decode(data, out=out, threads=2)
    assert caught.value.remedy
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("caufc")]


def test_samples_that_do_not_fit() -> None:
    samples = ragged()
    data = caufc.encode(samples, lossless=True, chunk=4)
    out = arrays_of(samples)
    out[7]["x"] = np.ones((9, 6), "f4")
    with pytest.raises(InputError, match=r"tensor 'x': sample 7 has shape \[9, 6\], but shape \[8, 6\]"):
        caufc.decode(data, out=out)
    for wrong, message in ((out[:-1], "21 samples, the file has 22"), ({"a": out[0]}, "is a dict, not a list")):
        with pytest.raises(InputError, match=message):
            caufc.decode(data, out=wrong)
    unindexed = caufc.encode(samples, lossless=True, chunk=4, index=False)
    for wrong in (arrays_of(samples)[:-1], [*arrays_of(samples), arrays_of(samples)[0]]):
        with pytest.raises(InputError, match="samples, the file has"):
            caufc.decode(unindexed, out=wrong)
    named = caufc.encode(keyed(), lossless=True, chunk=4)
    swapped = dict(reversed(arrays_of(keyed()).items()))
    with pytest.raises(InputError, match="other keys than the file"):
        caufc.decode(named, out=swapped)


@needs_torch
def test_tensors_that_cannot_be_written_to() -> None:
    data = caufc.encode(np.ones((4, 3), "f4"), lossless=True)
    cases = [
        (torch.ones(4, 3, requires_grad=True), "needs a gradient"),
        (torch.ones(4, 3, device="meta"), "is on meta"),
        (torch.ones(4, 3).to_sparse(), "torch.sparse_coo"),
        (torch.ones(4, 3, dtype=torch.complex64), "has dtype torch.complex64"),
        (torch.ones(1, 3).expand(4, 3), "share memory"),
    ]
    for out, message in cases:
        with pytest.raises(InputError, match=message):
            caufc.decode(data, out=out)


def test_damage_is_told_before_or_behind() -> None:
    data = bytearray(caufc.encode(FEATURES["lone"][0], chunk=4))
    data[-20] ^= 1
    with pytest.raises(FormatError):
        caufc.decode(bytes(data), out=np.zeros((SAMPLES, 64), "f4"))


NAMES = {"fp32": "float32", "fp16": "float16", "fp64": "float64"}


@pytest.mark.parametrize("target", ["fp32", "fp16", "fp64"])
@pytest.mark.parametrize("name", ["batch", "one chunk", "list", "single", "keyed", "notes"])
def test_casts(name: str, target: str) -> None:
    features, options = FEATURES[name]
    data = caufc.encode(features, **options)
    found = _tensors(caufc.decode(data, dtype=NAMES[target]))
    with caufc.open(data, dtype=np.dtype(NAMES[target])) as reader:
        (first, *_) = _tensors(reader[0])
    wanted = _tensors(caufc.decode(data))
    for one, other in zip(found, wanted, strict=True):
        assert_same(one, other.astype(NAMES[target]) if other.dtype.kind == "f" else other)
    assert first.dtype == found[0].dtype
    out = [np.zeros_like(array) for array in found]
    if name == "list":
        pairs = [{"x": x, "n": n} for x, n in zip(out[::2], out[1::2], strict=True)]
        caufc.decode(data, dtype=target, out=pairs)
        assert [array.tobytes() for array in out] == [array.tobytes() for array in found]


@needs_torch
@settings(deadline=None)
@given(tensors(), st.sampled_from(["float32", "float16", "bfloat16", "float64"]))
def test_casts_are_those_of_torch(tensor: Any, target: str) -> None:
    """Of any bits, NaN and infinity too."""
    from caufc.features.leaf import ArrayLeaf
    from caufc.features.tensors import as_leaf

    leaf = as_leaf(tensor if isinstance(tensor, torch.Tensor) else torch.from_numpy(tensor.copy()), "")
    assert isinstance(leaf, ArrayLeaf)
    form = Form.of(getattr(torch, target))
    found = form.tensor(form.cast(leaf.array, leaf.dtype), form.dtype_of(leaf.dtype), "torch")
    plain = form.tensor(leaf.array, leaf.dtype, "torch")
    wanted = plain.to(getattr(torch, target)) if plain.is_floating_point() else plain
    assert found.dtype == wanted.dtype
    if found.is_floating_point():
        assert (torch.isnan(found) == torch.isnan(wanted)).all()
        found, wanted = torch.nan_to_num(found, 7), torch.nan_to_num(wanted, 7)
    assert (found == wanted).all()


@needs_torch
@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"])
def test_floats_of_8_bits_are_cast_too(name: str) -> None:
    patterns = torch.arange(256, dtype=torch.uint8).view(getattr(torch, name))
    found = cast(patterns.view(torch.uint8).numpy(), f"fp8_{name[7:]}", "fp32")
    np.testing.assert_array_equal(found, patterns.float().numpy())


@needs_torch
def test_names_of_dtypes() -> None:
    for dtype in ("bf16", "bfloat16", "torch.bfloat16", torch.bfloat16, __import__("ml_dtypes").bfloat16):
        assert Form.of(dtype).dtype == "bf16"
    for dtype in ("float32", "fp32", "f4", np.float32, np.dtype(">f4"), torch.float, float):
        assert Form.of(dtype).dtype == ("fp64" if dtype is float else "fp32")
    for dtype in ("int8", torch.int32, "float8_e4m3fn", "nothing", object(), np.longdouble):
        with pytest.raises(OptionError, match="is none that floats are cast to"):
            Form.of(dtype)


@needs_torch
@pytest.mark.parametrize("name", [name for name in FEATURES if name != "notes"])
def test_torch_tensors_of_what_came_from_numpy(name: str) -> None:
    features, options = FEATURES[name]
    data = caufc.encode(features, **options)
    found = caufc.decode(data, device="cpu")
    assert_same(found, to_torch(caufc.decode(data)))
    if len(_tensors(features)[0]):
        with caufc.open(data, device=torch.device("cpu"), dtype="bf16") as reader:
            sample = _tensors(reader[0])
        assert all(isinstance(tensor, torch.Tensor) for tensor in sample)
        assert sample[0].dtype == torch.bfloat16


@needs_torch
@pytest.mark.parametrize("name", [name for name in FEATURES if name != "notes"])
def test_a_device_of_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the processor's memory were another device's: chunks go there one by one."""
    monkeypatch.setattr(Form, "elsewhere", property(lambda form: form.device is not None))
    features, options = FEATURES[name]
    data = caufc.encode(features, **options)
    for dtype in (None, "float16"):
        wanted = to_torch(caufc.decode(data, dtype=dtype))
        assert_same(caufc.decode(data, device="cpu", threads=2, dtype=dtype), wanted)


@needs_torch
def test_devices_that_are_not_there() -> None:
    data = caufc.encode(np.ones((4, 3), "f4"), lossless=True)
    for device in ("cuda:77", "nowhere", "meta"):
        with pytest.raises(OptionError, match="device"):
            caufc.decode(data, device=device)
    with pytest.raises(OptionError, match="leave out= or device= out"):
        caufc.decode(data, device="cpu", out=np.zeros((4, 3), "f4"))


def test_arrays_that_share_memory_are_refused() -> None:
    values = np.arange(48, dtype="f4").reshape(6, 8)
    data = caufc.encode(values, lossless=True)
    strided = np.lib.stride_tricks.as_strided
    for strides in ((4, 4), (8, 4), (28, 4), (-8, 4), (0, 4)):
        memory = np.zeros(100, "f4")
        with pytest.raises(InputError, match="has values that share memory"):
            caufc.decode(data, out=strided(memory[40:], (6, 8), strides))
        assert not memory.any()
    square = np.zeros((8, 8, 8), "f4")
    views = (
        np.zeros((8, 6), "f4").T,
        np.zeros((12, 24), "f4")[::-2, ::-3],
        np.zeros((6, 9, 8), "f4")[:, 3],
        np.zeros((6, 8), "f4", order="F"),
        np.einsum("iij->ij", square)[:6],
        strided(np.zeros(60, "f4"), (6, 8), (36, 4)),
    )
    for view in views:
        assert np.array_equal(caufc.decode(data, out=view), values)


def test_arrays_that_share_memory_with_each_other_are_refused() -> None:
    samples = [np.full((3, 4), n, "f4") for n in range(3)]
    listed = caufc.encode(samples, lossless=True)
    one = np.zeros((3, 4), "f4")
    with pytest.raises(InputError, match=r"tensor of sample \d and tensor of sample \d share memory"):
        caufc.decode(listed, out=[one, np.zeros_like(one), one])
    whole = np.zeros((3, 3, 4), "f4")
    caufc.decode(listed, out=[whole[:, n] for n in range(3)])
    assert np.array_equal(whole.transpose(1, 0, 2), samples)
    named = caufc.encode({"a": np.ones((5, 4), "f4"), "b": np.zeros((5, 4), "f4")}, lossless=True)
    memory = np.zeros((6, 4), "f4")
    with pytest.raises(InputError, match=r"'a' and 'b' share memory \(in out=\); give arrays of their own"):
        caufc.decode(named, out={"a": memory[:5], "b": memory[1:]})
    wide = np.zeros((5, 8), "f4")
    caufc.decode(named, out={"a": wide[:, ::2], "b": wide[:, 1::2]})
    assert wide.sum() == 20
