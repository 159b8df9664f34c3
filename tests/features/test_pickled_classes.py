"""Objects of transformers and named tuples in files of ``torch.save``, read without their classes."""

from __future__ import annotations

import collections
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import caufc
from caufc.errors import ForeignFormatError
from caufc.features import read

from .common import assert_same, load

torch = pytest.importorskip("torch")

PROTOCOLS = (2, 3, 4, 5)


class Pair(NamedTuple):
    """A class that a pickle names, and that is not known."""

    first: Any
    second: Any


def saved(value: object, path: Path, protocol: int = 2) -> Path:
    torch.save(value, path / "x.pt", pickle_protocol=protocol)
    return path / "x.pt"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_of_transformers(tmp_path: Path, protocol: int) -> None:
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_outputs import BaseModelOutput

    x = torch.arange(96.0).reshape(1, 2, 6, 8)
    cache = transformers.DynamicCache()
    cache.update(x, -x, 0)
    cache.update(2 * x, 3 * x, 1)
    features = {
        "cache": cache,
        "both": transformers.EncoderDecoderCache(cache, transformers.DynamicCache()),
        "output": BaseModelOutput(last_hidden_state=x, hidden_states=(x, 2 * x)),
        "batch": transformers.BatchEncoding({"input_ids": x}),
        "maps": transformers.BatchFeature({"pixel_values": x}),
    }
    found = load(saved(features, tmp_path, protocol))
    wanted = {"key_cache": [x, 2 * x], "value_cache": [-x, 3 * x]}
    assert_same(found["cache"], wanted)
    assert_same(found["both"]["self_attention_cache"], wanted)
    assert found["both"]["cross_attention_cache"] == {"key_cache": [], "value_cache": []}
    assert_same(found["output"], {"last_hidden_state": x, "hidden_states": (x, 2 * x)})
    assert_same(found["batch"], {"input_ids": x})
    assert_same(found["maps"], {"pixel_values": x})


def test_caches_that_hold_more_than_keys_and_values(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    caches = pytest.importorskip("transformers.cache_utils")
    if not hasattr(caches, "LinearAttentionAndFullAttentionLayer"):
        pytest.skip("these transformers have no caches of hybrid models")
    x = torch.arange(96.0).reshape(1, 2, 6, 8)
    layer = caches.LinearAttentionAndFullAttentionLayer()
    layer.keys, layer.values, layer.conv_states = x, -x, {0: x[0]}
    cache = caches.Cache(layers=[layer, caches.LinearAttentionLayer()])
    wanted = {"layers": [{"keys": x, "values": -x, "conv_states": {0: x[0]}}, {}]}
    found = load(saved(cache, tmp_path))
    kept = [{name: part for name, part in one.items() if name in wanted["layers"][0]} for one in found["layers"]]
    assert_same({"layers": kept}, wanted)
    assert_same(caufc.decode(caufc.encode(cache, lossless=True))["layers"][0]["conv_states"], {0: x[0]})


def test_classes_are_not_imported(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from transformers.modeling_outputs import BaseModelOutput

    path = saved(BaseModelOutput(last_hidden_state=torch.ones(1, 3, 4)), tmp_path)
    code = f"import sys; from caufc.features import read; read({str(path)!r}); print('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_named_tuples_of_torch(tmp_path: Path, protocol: int) -> None:
    x = torch.arange(6.0).reshape(3, 2)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x[None], [3], batch_first=True)
    found = load(saved({"top": x.topk(1), "packed": packed}, tmp_path, protocol))
    assert_same(found["top"], tuple(x.topk(1)))
    assert_same(found["packed"][0], packed.data)


def instance(module: str, name: str, state: bytes) -> bytes:
    """A pickle of an instance with a state, without arguments."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b")\x81" + state + b"b."


CACHE = "transformers.cache_utils"
LONG_LOOP = b"}q\x00X\x04\x00\x00\x00dataq\x01h\x00s"  # a dict in itself


@pytest.mark.parametrize(
    ("pickle", "words"),
    [
        (instance(CACHE, "DynamicCache", b"}"), "never runs: transformers.cache_utils.DynamicCache; save"),
        (instance(CACHE, "DynamicCache", b"N"), "without attributes"),
        (instance(CACHE, "DynamicCache", b"}K\x01K\x02s"), "without attributes"),
        (instance(CACHE, "os.system", b"}"), "never runs: transformers.cache_utils.os.system"),
        (instance("transformers.tokenization_utils_base", "BatchEncoding", b"}"), "never runs: transformers.tok"),
        (instance("transformers.tokenization_utils_base", "BatchEncoding", LONG_LOOP), "nesting"),
        (instance("collections", "OrderedDict", b"}"), "never runs: collections.OrderedDict"),
        (b"\x80\x02ctransformers.cache_utils\nDynamicCache\n)R.", "never runs: transformers.cache_utils.DynamicCache"),
        (b"\x80\x02ctransformers.modeling_outputs\nX.Output\n)R.", "never runs: transformers.modeling_outputs.X.Out"),
        (b"\x80\x02ctorch.return_types\ntopk\nK\x01\x85R.", "without values"),
    ],
)
def test_hostile_instances(tmp_path: Path, pickle: bytes, words: str) -> None:
    (tmp_path / "x.pt").write_bytes(pickle)
    with pytest.raises(Exception, match=words):
        read(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        ({"a": torch.ones(2), "b": [1, {"c": Pair(1, 2)}]}, "b.1.c", "Pair; save tensors"),
        ([{}, Pair(1, 2)], "1", "Pair; save tensors"),
        ({"x": np.ma.masked_array([1.0])}, "x", "_mareconstruct; save array.filled"),
        ({"callbacks": {}, "n": collections.Counter("ab")}, "n", "Counter; save dict"),
        ({"s": {1, 2}}, "s", "set; save sorted"),
        ({"path": Path("a")}, "path", "PosixPath; save str"),
        (Pair(torch.ones(2), 1), None, "Pair; save tensors"),
    ],
)
@pytest.mark.parametrize("protocol", (2, 3))
def test_what_needs_code_is_named_with_its_place(
    tmp_path: Path, value: Any, place: str | None, words: str, protocol: int
) -> None:
    with pytest.raises(ForeignFormatError, match=words) as caught:
        read(saved(value, tmp_path, protocol))
    assert (caught.value.tensor, caught.value.file) == (place, str(tmp_path / "x.pt"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_keys_of_numpy(tmp_path: Path, protocol: int) -> None:
    features = {np.int64(7): torch.ones(2, 3), np.str_("a"): torch.zeros(2, 3)}
    assert_same(load(saved(features, tmp_path, protocol)), {7: torch.ones(2, 3), "a": torch.zeros(2, 3)})
    with pytest.raises(ForeignFormatError, match="a dict key is a tuple; use strings or integers"):
        read(saved({("a", 1): torch.ones(2)}, tmp_path, protocol))
