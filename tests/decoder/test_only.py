"""Some tensors of a file: they are what comes back, and all that is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from encoder.test_stacks import caches, leaders
from features.common import assert_same, torch

import caufc
from caufc.cli.main import caufc as group
from caufc.coders.lossless import LosslessCoder
from caufc.coders.lossy import LossyCoder
from caufc.errors import DamagedError, InputError, OptionError, UnknownNameError
from caufc.files import decode_file
from caufc.fit.profile import fit_profile

RNG = np.random.default_rng(0)


def batch() -> dict[str, Any]:
    return {
        "hidden": tuple(RNG.standard_normal((24, 7, 16)).astype("f4") for _ in range(3)),
        "head": {"logits": RNG.standard_normal((24, 90)).astype("f2"), "labels": np.arange(24)},
        "name": "a run",
        "texts": [f"text {number}" for number in range(24)],
    }


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of tensors whose payloads are decoded, once a chunk."""
    names: list[str] = []
    for kind in (LossyCoder, LosslessCoder):
        original: Any = kind.decode_symbols_of

        def decode(self: Any, chunks: Any, original: Any = original) -> Any:
            names.extend([self.config.name] * len(chunks))
            return original(self, chunks)

        monkeypatch.setattr(kind, "decode_symbols_of", decode)
    yield names


CASES: list[tuple[list[str], Any]] = [
    (["head.logits"], lambda whole: {"head": {"logits": whole["head"]["logits"]}}),
    (["head"], lambda whole: {"head": whole["head"]}),
    (["hidden.1"], lambda whole: {"hidden": (whole["hidden"][1],)}),
    (["hidden.[12]", "name"], lambda whole: {"hidden": whole["hidden"][1:], "name": "a run"}),
    (["texts", "head.lab*"], lambda whole: {"head": {"labels": whole["head"]["labels"]}, "texts": whole["texts"]}),
    (["name"], lambda whole: {"name": "a run"}),
    (["*"], lambda whole: whole),
]


@pytest.mark.parametrize(("only", "part"), CASES, ids=[" ".join(only) for only, _ in CASES])
def test_what_comes_back(only: list[str], part: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.cauf"
    caufc.save(path, batch(), chunk=5)
    whole = caufc.load(path)
    wanted = part(whole)
    found = caufc.load(path, only=only)
    assert_same(_without_texts(found), _without_texts(wanted))
    assert found.get("texts") == wanted.get("texts") and found.get("name") == wanted.get("name")
    assert_same(_without_texts(caufc.decode(path.read_bytes(), only=only, threads=1)), _without_texts(wanted))
    with caufc.open(path, only=only) as reader:
        assert list(reader[17]) == list(wanted)


def _without_texts(features: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in features.items() if name not in ("texts", "name")}


def test_nothing_else_is_decoded(decoded: list[str]) -> None:
    data = caufc.encode(batch(), chunk=5)
    caufc.decode(data, only=["head.logits", "hidden.2"], threads=2)
    assert sorted(decoded) == ["head.logits"] * 5 + ["hidden.2"] * 5
    decoded.clear()
    with caufc.open(data, only="hidden.0") as reader:
        reader[23], reader[20], reader[3]
    assert decoded == ["hidden.0"] * 2


def test_one_name_may_stand_alone() -> None:
    data = caufc.encode(batch(), chunk=5)
    assert list(caufc.decode(data, only="head.labels")) == ["head"]


@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_of_samples(kind: Any) -> None:
    samples = kind({"x": RNG.standard_normal((n, 6)).astype("f4"), "n": np.array(n)} for n in range(1, 9))
    data = caufc.encode(samples, lossless=True, chunk=3)
    found = caufc.decode(data, only=["x"])
    assert_same(found, kind({"x": sample["x"]} for sample in samples))
    with caufc.open(data, only=["n"]) as reader:
        assert_same(reader[4], {"n": np.array(5)})


def test_keyed_samples() -> None:
    samples = {f"t{n}": {"x": RNG.standard_normal((n, 6)).astype("f4"), "n": np.array([n])} for n in range(1, 40)}
    data = caufc.encode(samples, lossless=True, chunk=3)
    assert_same(caufc.decode(data, only=["n"]), {key: {"n": sample["n"]} for key, sample in samples.items()})
    with caufc.open(data, only=["x"]) as reader:
        assert_same(reader["t7"], {"x": samples["t7"]["x"]})


def test_names_that_are_not_there() -> None:
    data = caufc.encode(batch(), chunk=5)
    with pytest.raises(UnknownNameError, match=r"unknown tensor 'head.logit'.*did you mean 'head.logits'.*hidden.0"):
        caufc.decode(data, only=["hidden", "head.logit"])
    with pytest.raises(OptionError, match="no tensor is asked for"):
        caufc.decode(data, only=[])
    lone = caufc.encode(np.ones((3, 4)), lossless=True)
    with pytest.raises(OptionError, match="no tensor 'x': there is one, without a name"):
        caufc.decode(lone, only=["x"])
    keyed = caufc.encode({f"t{n}": np.ones((n, 6)) for n in range(1, 40)}, lossless=True)
    with pytest.raises(InputError, match=r"read samples by their keys"):
        caufc.decode(keyed, only=["t3"])


def test_stacks(tmp_path: Path, decoded: list[str]) -> None:
    """The payload of a stack is its leader's: all of it is decoded for one member, and that alone comes back."""
    profile = tmp_path / "keys.caufp"
    profile.write_bytes(fit_profile(caches(40)))
    data = caufc.encode(caches(8), chunk=3, profile=profile, embed_profile=False)
    assert leaders(data, profile) == [None, 0, 0, 0]
    whole = caufc.decode(data, profile=profile)
    names = list(whole)
    decoded.clear()
    found = caufc.decode(data, profile=profile, only=[names[2]])
    assert_same(found, {names[2]: whole[names[2]]})
    assert decoded == [names[0]] * 3
    with caufc.Reader(data, profile=profile, only=[names[2]]) as reader:
        reader[0]
        (kept,) = reader._reader.cache._chunks.values()
    assert all(samples.base is None for samples in kept.tensors if isinstance(samples, np.ndarray))


def test_damage_to_what_is_decoded_is_told() -> None:
    data = bytearray(caufc.encode(batch(), chunk=5))
    data[len(data) // 2] ^= 4
    with pytest.raises(DamagedError):
        caufc.decode(bytes(data), only=["head.labels"])


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.cauf"
    caufc.save(path, batch(), chunk=5)
    if torch:
        done = decode_file(path, tmp_path / "a.pt", only=["head"])
        assert done.tensors == 2 and done.bytes_out == 24 * (90 * 2 + 8) and done.numel == 24 * 91
    decode_file(path, tmp_path / "a.npy", only=["hidden.2"])
    assert_same(np.load(tmp_path / "a.npy"), caufc.load(path)["hidden"][2])
    with pytest.raises(InputError, match="cannot hold a dict"):
        decode_file(path, tmp_path / "b.npy", only=["head"])
    data = bytearray(path.read_bytes())
    with caufc.Reader(bytes(data)) as reader:
        data[reader._reader.index.offsets[2] + 40] ^= 1
    path.write_bytes(data)
    done = decode_file(path, tmp_path / "c.npy", only=["hidden.2"], recover=True)
    assert (done.samples, done.lost) == (19, ((10, 15),))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    caufc.save("a.cauf", {"x": np.ones((9, 4), "f4"), "y.a": np.zeros((9, 3)), "y.b": np.zeros((9, 2))}, lossless=True)
    run = CliRunner()
    assert run.invoke(group, ["decode", "a.cauf", "--only", "x", "--only", "y.b", "-o", "a.npz"]).exit_code == 0
    with np.load("a.npz") as found:
        assert sorted(found) == ["x", "y.b"]
    failed = run.invoke(group, ["decode", "a.cauf", "--only", "z", "-o", "b.npz"])
    assert failed.exit_code == 2 and "unknown tensor 'z'; known: x, y.a, y.b" in failed.stderr
    assert not Path("b.npz").exists()
