from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import DamagedError, InputError, OptionError
from caufc.features import to_source
from caufc.files import decode_file
from caufc.fit.profile import fit_profile

from .common import assert_same, load, rebuild, write


def alike(count: int, *shape: int, name: str = "p{}", ragged: bool = False) -> dict[Any, Any]:
    rng = np.random.default_rng(7)
    sizes = [(shape[0] + i % 3 if ragged else shape[0], *shape[1:]) for i in range(count)]
    return {name.format(i): rng.standard_normal(size).astype("f4") for i, size in enumerate(sizes)}


@pytest.mark.parametrize(
    ("features", "kind"),
    [
        (alike(60, 20, 32), "keyed"),
        (alike(32, 20, 8), "keyed"),
        (alike(31, 20, 8), "batch"),
        (alike(31, 20, 8, ragged=True), "single"),
        (alike(40, 20, 8, ragged=True), "keyed"),
        (alike(40, 8), "keyed"),
        (alike(40, 8, ragged=True), "keyed"),
        (alike(40, 20, 8, name="{}"), "batch"),
        (alike(40, 20, 8, name="{}", ragged=True), "keyed"),
        (alike(40, 8, name="{}"), "keyed"),
        (alike(40, 20, 8, name="layer.{}"), "batch"),
        (alike(40, 20, 8, name="model/{}/out"), "batch"),
        (alike(40, 20, 8, name="keys.{}") | alike(40, 20, 8, name="values.{}"), "batch"),
        (alike(40, 20, 8, name="keys.{}") | alike(39, 20, 8, name="values.{}"), "keyed"),
        (alike(40, 20, 8, name="layer_{}"), "keyed"),
        (alike(40, 20, 8, name="img/{:05}"), "keyed"),
        (dict(enumerate(alike(40, 20, 8).values())), "batch"),
        ({name: {"h": x, "label": 3, "tags": ["a"]} for name, x in alike(40, 20, 8).items()}, "keyed"),
        ({**alike(40, 20, 8), "odd": np.zeros((20, 8))}, "batch"),
        ({**alike(40, 20, 8, ragged=True), "odd": np.zeros((20, 8))}, "single"),
        ({name: f"text {name}" if i else x for i, (name, x) in enumerate(alike(40, 20, 8).items())}, "batch"),
        ({f"w{i}": np.zeros((i + 2, i + 3), "f4") for i in range(40)}, "single"),
    ],
)
def test_which_dicts_are_keyed(features: dict[Any, Any], kind: str) -> None:
    source = to_source(features)
    assert source.structure.kind == kind
    found = rebuild(source)
    assert [*found] == [*features]
    assert_same({k: v for k, v in found.items() if isinstance(v, np.ndarray)},
                {k: v for k, v in features.items() if isinstance(v, np.ndarray)})  # fmt: skip


def test_layouts_and_keyed_overrule() -> None:
    features = alike(40, 20, 8)
    assert to_source(features, {"*": "n c"}).structure.kind == "keyed"
    assert to_source(features, {"*": "b n c"} | {}).structure.kind == "batch"
    assert to_source(features, {"p3": "n c"}).structure.kind == "single"
    assert to_source(features, keyed=False).structure.kind == "batch"
    assert to_source(alike(3, 20, 8), keyed=True).structure.kind == "keyed"
    assert to_source(alike(40, 20, 8, name="{}"), keyed=True).structure.kind == "keyed"
    with pytest.raises(InputError, match="tensor 'b': differs from the first"):
        to_source({"a": np.zeros((2, 3)), "b": np.zeros(3)}, keyed=True)
    with pytest.raises(OptionError, match="a list has no keys"):
        to_source([np.zeros(3)], keyed=True)
    with pytest.raises(InputError, match="dict key is a float"):
        to_source({1.5: np.zeros((2, 3)), 2.5: np.zeros((2, 3))}, keyed=True)


@pytest.mark.parametrize("chunk", [None, 7])
def test_a_file_is_read_by_key(chunk: int | None) -> None:
    features = alike(60, 20, 32, ragged=True)
    data = caufc.encode(features, lossless=True, chunk=chunk)
    assert_same(caufc.decode(data), features)
    with caufc.open(data) as reader:
        assert reader.keys() == list(features)
        assert_same(reader["p17"], features["p17"])
        assert_same(reader[17], features["p17"])
        assert reader.find("p59") == 59
        assert (reader.info.content, len(reader)) == ("keyed", 60)
        assert [tensor["name"] for tensor in reader.info.tensors] == [""]
        with pytest.raises(KeyError, match="p60"):
            reader["p60"]
    with caufc.open(caufc.encode([*features.values()])) as reader, pytest.raises(InputError, match="have no keys"):
        reader.keys()


def test_integers_and_text_are_keys() -> None:
    features = {-1: np.ones(3, "f4"), "-1": np.zeros(3, "f4"), 1 << 40: np.ones(3, "f4"), "": np.ones(3, "f4")}
    data = caufc.encode(features, keyed=True, lossless=True)
    assert_same(caufc.decode(data), features)
    with caufc.open(data) as reader:
        assert_same(reader[reader.find(1 << 40)], np.ones(3, "f4"))


def test_keyed_samples_cost_what_a_list_costs() -> None:
    features = alike(2000, 384, name="protein-{:06}")
    listed = caufc.encode([*features.values()])
    assert len(caufc.encode(features)) < 1.03 * len(listed)


def test_formats_with_names_hold_keyed_tensors(tmp_path: Path) -> None:
    features = alike(40, 20, 8, ragged=True)
    for suffix in (".npz", ".safetensors"):
        write(features, tmp_path / f"x{suffix}", suffix)
        found = load(tmp_path / f"x{suffix}")
        assert list(found) == list(features)
        assert all(np.array_equal(np.asarray(found[key]), features[key]) for key in features)
    with pytest.raises(InputError, match=r"cannot hold samples by key; write \.npz"):
        write(features, tmp_path / "x.npy", ".npy")
    nested = {key: {"h": value} for key, value in features.items()}
    with pytest.raises(InputError, match=r"samples of several tensors by key"):
        write(nested, tmp_path / "y.npz", ".npz")


def test_a_profile_of_samples_serves_keyed_ones(tmp_path: Path) -> None:
    features = alike(60, 20, 32)
    for number, fitted in enumerate((features, [*features.values()])):
        path = tmp_path / f"{number}.caufp"
        path.write_bytes(fit_profile(fitted))
        data = caufc.encode(features, profile=path, embed_profile=False)
        assert list(caufc.decode(data, profile=path)) == list(features)
        assert caufc.inspect(data, profile=path).profile is not None


def test_damaged_keyed_files_are_recovered(tmp_path: Path) -> None:
    features = alike(60, 20, 32)
    data = bytearray(caufc.encode(features, chunk=10, lossless=True))
    data[len(data) // 2] ^= 1
    (tmp_path / "x.cauf").write_bytes(data)
    with pytest.raises(DamagedError):
        caufc.load(tmp_path / "x.cauf")
    done = decode_file(tmp_path / "x.cauf", tmp_path / "x.npz", recover=True)
    with np.load(tmp_path / "x.npz") as found:
        (lost,) = done.lost
        kept = [key for number, key in enumerate(features) if not lost[0] <= number < (lost[1] or 0)]
        assert list(found) == kept
        assert all(np.array_equal(found[key], features[key]) for key in kept)
