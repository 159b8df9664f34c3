"""Stacks: tensors that a profile codes as one, because they have much in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.encoder.encoder import Encoder
from caufc.encoder.options import EncodeOptions
from caufc.errors import InputError
from caufc.features import to_source
from caufc.fit.profile import fit_profile

LAYERS = 4


def caches(samples: int, tokens: int = 60, *, common: bool = True) -> dict[str, Any]:
    """Keys of layers ``[B, 2, T, 8]``, which see the same few directions of a stream, or each its own."""
    streams = np.random.default_rng(samples).standard_normal((1 if common else LAYERS, samples, tokens, 6))
    found = {}
    for layer in range(LAYERS):
        keys = streams[layer % len(streams)] @ np.random.default_rng(layer).standard_normal((6, 16))
        keys += 0.05 * np.random.default_rng(layer).standard_normal(keys.shape)
        keys = keys.reshape(samples, tokens, 2, 8).transpose(0, 2, 1, 3) * (1 + layer)
        found[f"keys.{layer}"] = np.ascontiguousarray(keys, np.float32)
    return found


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profiles") / "keys.caufp"
    path.write_bytes(fit_profile(caches(40)))
    return path


def snr(before: Any, after: Any) -> float:
    return float(10 * np.log10(np.square(before).sum() / np.square(after - before).sum()))


def leaders(data: bytes, profile: Path) -> list[int | None]:
    decoder = caufc.Reader(data, profile=profile)
    with decoder:
        return [config.leader for config in decoder._reader.chunks.configs]


def test_a_profile_finds_what_layers_have_in_common(profile: Path) -> None:
    features = caches(8)
    stacked = caufc.encode(features, profile=profile, embed_profile=False)
    assert leaders(stacked, profile) == [None, 0, 0, 0]
    back = caufc.decode(stacked, profile=profile)
    alone = caufc.encode(features, effort="fast")
    blind = caufc.decode(alone)
    assert list(back) == list(features)
    assert 2 * len(stacked) < len(alone)
    for name, values in features.items():
        assert back[name].shape == values.shape
        assert snr(values, back[name]) > snr(values, blind[name]) - 4 > 20


def test_tensors_that_have_nothing_in_common_stay_alone(tmp_path: Path) -> None:
    path = tmp_path / "own.caufp"
    path.write_bytes(fit_profile(caches(40, common=False)))
    data = caufc.encode(caches(8, common=False), profile=path, embed_profile=False)
    assert leaders(data, path) == [None] * LAYERS


def test_every_member_has_its_own_figures(profile: Path) -> None:
    features = caches(8)
    report = reported(features, profile)
    back = caufc.decode(caufc.encode(features, profile=profile))
    for told, (name, values) in zip(report.tensors, features.items(), strict=True):
        assert told.name == name
        assert told.snr_db == pytest.approx(snr(values, back[name]), abs=0.01)
        assert told.token_snr_db is not None
    assert sum(told.payload_bytes for told in report.tensors) > 0


@pytest.mark.parametrize("control", [{"snr": 30}, {"max_error": 0.1}, {"lossless": True}, {"snr": "25/token"}])
def test_controls_that_hold_for_each_tensor_dissolve_stacks(profile: Path, control: dict[str, Any]) -> None:
    features = caches(4)
    data = caufc.encode(features, profile=profile, embed_profile=False, **control)
    assert leaders(data, profile) == [number if number else None for number in range(LAYERS)]
    back = caufc.decode(data, profile=profile)
    for name, values in features.items():
        if "snr" in control:
            assert snr(values, back[name]) > 25
        else:
            assert np.abs(back[name] - values).max() <= control.get("max_error", 0.0)


@pytest.mark.parametrize("bpfp", [0.5, 3.0])
def test_a_rate_is_met(profile: Path, bpfp: float) -> None:
    features = caches(16)
    data = caufc.encode(features, profile=profile, embed_profile=False, bpfp=bpfp)
    numel = sum(values.size for values in features.values())
    assert abs(len(data) - bpfp * numel / 8) <= 0.03 * bpfp * numel / 8 + 64


def test_samples_of_a_list_may_differ_in_tokens(tmp_path: Path) -> None:
    path = tmp_path / "list.caufp"
    path.write_bytes(fit_profile([{n: v[0] for n, v in caches(1, t).items()} for t in range(80, 120)]))
    samples = [{n: v[0] for n, v in caches(1, tokens).items()} for tokens in (30, 61, 1)]
    data = caufc.encode(samples, profile=path)
    with caufc.open(data) as reader:
        for number, sample in enumerate(samples):
            back = reader[number]
            assert all(back[name].shape == values.shape for name, values in sample.items())
            assert all(snr(values, back[name]) > 15 for name, values in sample.items())


def test_a_single_value_that_stands_out_is_kept(profile: Path) -> None:
    features = caches(8)
    features["keys.2"][3, 1, 5, 2] = 1e6
    back = caufc.decode(caufc.encode(features, profile=profile))
    assert back["keys.2"][3, 1, 5, 2] == 1e6
    features["keys.2"][3, 1, 5, 2] = back["keys.2"][3, 1, 5, 2] = 0
    assert all(snr(values, back[name]) > 25 for name, values in features.items())


def test_tensors_that_cannot_be_stacked_are_refused(profile: Path) -> None:
    features = caches(4)
    features["keys.1"] = features["keys.1"].astype(np.float16)
    with pytest.raises(InputError, match=r"'keys\.1'.*differs from 'keys\.0' in dtype, shape or layout"):
        caufc.encode(features, profile=profile)


def test_constant_members_of_a_stack(profile: Path) -> None:
    features = {name: np.zeros_like(values) for name, values in caches(4).items()}
    back = caufc.decode(caufc.encode(features, profile=profile))
    assert all((values == 0).all() for values in back.values())


def own_leaders(data: bytes) -> list[int | None]:
    with caufc.Reader(data) as reader:
        return [config.leader for config in reader._reader.chunks.configs]


def test_a_file_finds_what_its_layers_have_in_common() -> None:
    features = caches(80)
    stacked, apart = (caufc.encode(features, effort=effort) for effort in ("default", "fast"))
    assert own_leaders(stacked) == [None, 0, 0, 0] and own_leaders(apart) == [None] * LAYERS
    assert len(stacked) < 0.6 * len(apart)
    back = caufc.decode(stacked)
    assert all(snr(values, back[name]) > 25 for name, values in features.items())


def test_a_file_says_which_layers_are_coded_as_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.cauf"
    report = caufc.save(path, caches(80))
    with caufc.open(path) as reader:
        told = reader.info.tensors
    assert [tensor.stack for tensor in report.tensors] == ["keys.0"] * LAYERS == [tensor["stack"] for tensor in told]
    assert {tensor.alignment for tensor in report.tensors} == {"mean-deviation/channel"}
    sizes = [tensor["payload_bytes"] for tensor in told]
    assert sizes == [tensor.payload_bytes for tensor in report.tensors] and max(sizes) - min(sizes) < LAYERS


def test_a_higher_quality_keeps_no_less_of_any_layer() -> None:
    """Where stacks begin to keep every token, too."""
    features = caches(80)
    features = {name: (values * np.geomspace(0.2, 1, 8)).astype(np.float32) for name, values in features.items()}
    runs = [caufc.decode(caufc.encode(features, quality=quality)) for quality in (30, 49, 50, 60)]
    for name, values in features.items():
        found = [snr(values, back[name]) for back in runs]
        assert (np.array(found) >= np.maximum.accumulate(found) - 0.1).all(), found
        assert found[1] > 24


def test_a_file_of_layers_is_the_same_for_any_number_of_threads() -> None:
    features = {**caches(40), **{f"other{name}": values for name, values in caches(41).items()}}
    data = caufc.encode(features, threads=1)
    assert own_leaders(data)[:4] == [None, 0, 0, 0]
    assert caufc.encode(features, threads=3) == data


def test_one_layer_of_a_file_is_read_alone() -> None:
    features = caches(80)
    data = caufc.encode(features)
    whole = caufc.decode(data)
    part = caufc.decode(data, only=["keys.2"])
    assert list(part) == ["keys.2"] and np.array_equal(part["keys.2"], whole["keys.2"])
    with caufc.open(data) as reader:
        assert np.array_equal(reader[7]["keys.3"], whole["keys.3"][7])


@pytest.mark.parametrize("options", [{"snr": 30}, {"bpfp": 3.0}, {"max_error": 0.1}, {"lossless": True}])
def test_files_of_other_controls_have_no_stacks(options: dict[str, Any]) -> None:
    assert own_leaders(caufc.encode(caches(40), **options)) == [None] * LAYERS


def test_files_of_layers_that_have_nothing_in_common_have_no_stacks() -> None:
    assert own_leaders(caufc.encode(caches(80, common=False))) == [None] * LAYERS


def reported(features: Any, profile: Path) -> Any:
    from caufc.catalog import find_profile

    source = to_source(features)
    return Encoder(source, EncodeOptions(), find_profile(profile)).encode(Sink())


class Sink:
    def write(self, data: bytes) -> None: ...
