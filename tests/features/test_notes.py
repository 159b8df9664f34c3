"""Text, numbers, booleans and None beside tensors, and live objects of other libraries."""

from __future__ import annotations

import collections
import dataclasses
import enum
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import caufc
from caufc.errors import InputError, TensorError
from caufc.features import to_source

from .common import assert_same, needs_torch, torch, write

TOKENS = np.random.default_rng(3).standard_normal((12, 8)).astype("f4")


def through(features: Any, **options: Any) -> Any:
    return caufc.decode(caufc.encode(features, **options))


class Level(enum.IntEnum):
    HIGH = 3


def test_all_kinds_come_back() -> None:
    notes = {
        "text": "P0001 é 漢字 \0",
        "int": -(1 << 63),
        "large": (1 << 64) - 1,
        "float": 0.1,
        "nan": float("nan"),
        "inf": -math.inf,
        "true": True,
        "none": None,
        "bytes": b"\xff\x00",
        "bytearray": bytearray(b"\x00a"),
        "list": [1, "a", None, [2.5]],
        "tuple": (1, (True, "b")),
        "dict": {"a": 1, 7: {"b": []}},
        "empty": {},
        "enum": Level.HIGH,
        "ordered": collections.OrderedDict(a=1),
        "counts": collections.defaultdict(int, a=2),
    }
    found = through({"x": TOKENS, **notes}, layout="n c", lossless=True)
    assert list(found) == ["x", *notes]
    assert math.isnan(found.pop("nan"))
    del found["x"], notes["nan"]
    assert found == notes
    assert [type(value) for value in found.values()][:4] == [str, int, int, float]
    assert (type(found["bytes"]), type(found["bytearray"])) == (bytes, bytes)
    assert (type(found["true"]), type(found["enum"]), type(found["ordered"])) == (bool, int, dict)


@pytest.mark.parametrize("chunk", [None, 5])
def test_notes_of_a_batch(chunk: int | None) -> None:
    """A list of as many notes as samples is one per sample; all others belong to the batch."""
    features = {
        "x": TOKENS,
        "ids": [f"p{i}" for i in range(12)],
        "mixed": [None if i % 3 else i for i in range(12)],
        "classes": ["a", "b"],
        "pair": tuple(range(12)),
        "model": "esm2",
    }
    data = caufc.encode(features, chunk=chunk, lossless=True)
    assert_notes(caufc.decode(data), features)
    with caufc.open(data) as reader:
        assert reader.info.content == "batch"
        found = reader[7]
        assert (found["ids"], found["mixed"], found["model"]) == ("p7", None, "esm2")
        assert (found["classes"], found["pair"]) == (["a", "b"], tuple(range(12)))
        assert reader.info.notes == {"classes": ["a", "b"], "pair": tuple(range(12)), "model": "esm2"}


@pytest.mark.parametrize("keyed", [False, True])
def test_notes_that_differ_between_samples(keyed: bool) -> None:
    samples: list[Any] = [
        {"h": TOKENS[: 4 + i], "label": i % 2 or None, "text": "é" * i, "score": i / 3, "same": "s", "tags": ["a"] * i}
        for i in range(6)
    ]
    features: Any = {f"k{i}": sample for i, sample in enumerate(samples)} if keyed else samples
    data = caufc.encode(features, chunk=4, lossless=True, keyed=keyed or None)
    found = caufc.decode(data)
    assert list(found) == list(features) if keyed else len(found) == 6
    for one, other in zip(found.values() if keyed else found, samples, strict=True):
        assert_notes(one, other)
    assert caufc.inspect(data).notes == {"same": "s"}
    assert [tensor["dtype"] for tensor in caufc.inspect(data).tensors] == ["fp32", "note", "note", "note", "note"]


def test_long_text_beside_one_sample_is_coded() -> None:
    text = "a rather long prompt " * 4000
    data = caufc.encode({"x": TOKENS, "prompt": text}, layout="n c")
    assert len(data) < 3000
    assert caufc.decode(data)["prompt"] == text
    data = caufc.encode({"x": TOKENS, "prompt": text})
    assert (len(data) < 3000, caufc.decode(data)["prompt"] == text) == (True, True)


def test_what_no_format_but_pt_holds(tmp_path: Path) -> None:
    for features in ({"x": TOKENS, "label": "a"}, {"x": TOKENS, "ids": ["a"] * 12}):
        for suffix in (".safetensors", ".npy"):
            with pytest.raises(InputError, match=r"'(label|ids)'.*cannot hold text, numbers.*write (\.npz or )?\.pt"):
                write(features, tmp_path / f"x{suffix}", suffix)


@pytest.mark.parametrize(
    ("features", "words"),
    [("feats.pt", "is a str, not a tensor"), (["a.npy", "b.npy"], "list without a tensor"), ({"a": 1}, "without"),
     (None, "NoneType"), (3.5, "float"), ([{"a": 1}, {"a": 2}], "without a tensor")],
)  # fmt: skip
def test_notes_alone_are_no_features(features: Any, words: str) -> None:
    with pytest.raises(TensorError, match=words):
        to_source(features)


def test_too_much_text() -> None:
    with pytest.raises(InputError, match="4,194,304"):
        caufc.encode({"x": TOKENS, "a": "b" * (1 << 22)})
    with pytest.raises(InputError, match="4,194,304"):
        caufc.encode({"x": TOKENS, **{str(i): "b" * (1 << 20) for i in range(5)}})


def test_scalars_of_numpy_are_arrays_without_axes() -> None:
    found = through({"x": TOKENS, "s": np.float32(2.7182817), "n": np.int64(3), "b": np.bool_(True)}, quality="low")
    assert_same({k: found[k] for k in "snb"},
                {"s": np.array(2.7182817, "f4"), "n": np.array(3), "b": np.array(True)})  # fmt: skip


@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", "i8", "?"])
@pytest.mark.parametrize("quality", ["low", "medium"])
def test_tensors_without_axes_lose_nothing(dtype: str, quality: str) -> None:
    values = [np.array(1.2345678 * i, dtype) for i in range(1, 9)]
    for features in (values[3], values, {"x": TOKENS, "s": values[3]}, [{"x": TOKENS, "s": v} for v in values]):
        found = through(features, quality=quality)
        for one, other in zip(flat(found), flat(features), strict=True):
            assert_same(one, other)


def flat(features: Any) -> list[Any]:
    if isinstance(features, dict):
        return [value for name, value in features.items() if name != "x"]
    return [leaf for child in features for leaf in flat(child)] if isinstance(features, list) else [features]


@needs_torch
@pytest.mark.parametrize("name", [name for name in dir(torch) if name.startswith("float8")] if torch else [])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"snr": 20}, {"max_error": 0.1}, {"bpfp": 2}])
def test_fp8_loses_nothing(name: str, options: dict[str, Any]) -> None:
    """Every bit pattern, NaN and infinities among them."""
    every = torch.arange(256, dtype=torch.uint8).reshape(16, 16).view(getattr(torch, name))
    for features in (every, {"x": every, "one": every[1, 2]}, [every[:3], every[:5]]):
        assert_same(through(features, **options), features)


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclasses.dataclass
class Record:
    x: Any
    label: str
    inner: Any = None


def test_named_tuples_and_dataclasses() -> None:
    found = through({"r": Record(TOKENS, "é", Pair(1, [TOKENS[:2], None]))}, lossless=True)
    assert_notes(found, {"r": {"x": TOKENS, "label": "é", "inner": (1, [TOKENS[:2], None])}})
    found = through([Record(TOKENS[: i + 1], str(i)) for i in range(3)], lossless=True)
    assert_notes(found, [{"x": TOKENS[: i + 1], "label": str(i), "inner": None} for i in range(3)])


@dataclasses.dataclass
class Described:
    x: Any
    dtype: str = "f4"
    shape: tuple[int, ...] = (12, 8)


def test_a_dataclass_may_say_what_it_holds() -> None:
    found = through({"r": Described(TOKENS)}, lossless=True)
    assert_notes(found, {"r": {"x": TOKENS, "dtype": "f4", "shape": (12, 8)}})


class Layer:
    def __init__(self, keys: Any, values: Any) -> None:
        self.keys, self.values = keys, values


class Cache:
    def __init__(self, *layers: Layer) -> None:
        self.layers = list(layers)


class OldCache:
    def __init__(self, keys: list[Any], values: list[Any]) -> None:
        self.key_cache, self.value_cache, self._seen_tokens = keys, values, 40


def test_caches_of_keys_and_values() -> None:
    keys = TOKENS.reshape(1, 2, 6, 8)
    wanted = {"key_cache": [keys, -keys], "value_cache": [2 * keys, 3 * keys]}
    for cache in (Cache(Layer(keys, 2 * keys), Layer(-keys, 3 * keys)), OldCache([keys, -keys], [2 * keys, 3 * keys])):
        assert_same(through(cache, lossless=True), wanted)
        assert_same(through({"cache": cache}, lossless=True), {"cache": wanted})


def test_caches_that_hold_more() -> None:
    keys = TOKENS.reshape(1, 2, 6, 8)
    quantised, indexed, plain = Layer(keys[..., :0], keys), Layer(keys, -keys), Layer(keys, keys)
    vars(quantised).update(_quantized_keys=(keys, keys[0]), length=np.array(6))
    vars(indexed).update(states={0: keys[:, 0]}, started={0: True})
    vars(plain).update(length=np.array(6))
    assert_same(through(Cache(plain), lossless=True), {"key_cache": [keys], "value_cache": [keys]})
    wanted = [
        {"keys": keys[..., :0], "values": keys, "_quantized_keys": (keys, keys[0]), "length": np.array(6)},
        {"keys": keys, "values": -keys, "states": {0: keys[:, 0]}},
        {"keys": keys, "values": keys, "length": np.array(6)},
    ]
    assert_same(through(Cache(quantised, indexed, plain), lossless=True), {"layers": wanted})
    old = OldCache([keys], [keys])
    vars(old).update(_quantized=[keys])
    assert_same(through(old, lossless=True), {"key_cache": [keys], "value_cache": [keys], "_quantized": [keys]})


def test_live_objects_of_transformers() -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_outputs import BaseModelOutput

    x = torch.from_numpy(TOKENS).reshape(1, 12, 8)
    cache = transformers.DynamicCache()
    cache.update(x.reshape(1, 2, 6, 8), -x.reshape(1, 2, 6, 8), 0)
    found = through(cache, lossless=True)
    assert_same(found, {"key_cache": [x.reshape(1, 2, 6, 8)], "value_cache": [-x.reshape(1, 2, 6, 8)]})
    output = BaseModelOutput(last_hidden_state=x, hidden_states=(x, 2 * x))
    assert_same(through(output, lossless=True), {"last_hidden_state": x, "hidden_states": (x, 2 * x)})
    batch = transformers.BatchFeature({"pixel_values": x, "label": "cat"})
    assert through(batch, lossless=True)["label"] == "cat"


def assert_notes(found: Any, wanted: Any) -> None:
    """As :func:`assert_same`, with notes."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for name in wanted:
            assert_notes(found[name], wanted[name])
    elif isinstance(wanted, list | tuple):
        assert (type(found), len(found)) == (type(wanted) if type(wanted) is list else tuple, len(wanted))
        for one, other in zip(found, wanted, strict=True):
            assert_notes(one, other)
    elif isinstance(wanted, np.ndarray):
        assert_same(found, wanted)
    else:
        assert (type(found), found) == (type(wanted), wanted)
