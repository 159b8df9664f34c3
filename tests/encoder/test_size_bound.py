"""No file is larger than ``size_bound`` says, whatever is asked for."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from features.common import needs_torch, torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import floats, ragged, trees

import caufc
from caufc.encoder.file_writer import FileWriter
from caufc.errors import InputError, OptionError
from caufc.fit.profile import fit_profile
from encoder.test_stacks import caches

CONTROLS: list[dict[str, Any]] = [
    {},
    {"quality": 0},
    {"quality": 100},
    {"snr": 300},
    {"snr": "140/token"},
    {"bpfp": 64},
    {"bpfp": 1e-6},
    {"max_error": 1e-30},
    {"max_error": 1e30},
    {"lossless": True},
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"chunk": 1},
    {"chunk": 2, "index": False},
    {"index": True},
    {"meta": {"a": "b" * 99}},
]

controls, options = st.sampled_from(CONTROLS), st.sampled_from(OPTIONS)
HALVES = np.random.default_rng(0).standard_normal((300, 64)).astype("f2")


def check(features: Any, **given: Any) -> int:
    """The bound, which holds."""
    bound = caufc.size_bound(features, **given)
    assert len(caufc.encode(features, **given)) <= bound
    return bound


@settings(max_examples=30, deadline=None)
@given(trees, controls, options)
def test_any_features(features: Any, control: dict[str, Any], more: dict[str, Any]) -> None:
    try:
        check(features, nonfinite="keep", **control, **more)
    except InputError:
        with pytest.raises(InputError):
            caufc.encode(features, nonfinite="keep", **control, **more)


@settings(max_examples=30, deadline=None)
@given(ragged() | floats().map(lambda drawn: drawn[0]), controls, options, st.booleans())
def test_floats(features: Any, control: dict[str, Any], more: dict[str, Any], clipped: bool) -> None:
    """With a range too, which loss is asked for by: nothing is stored as it is then."""
    bounded = control.keys() & {"max_error", "lossless"}
    check(features, **control, **more, **({"truncate": (-1e30, 1e30)} if clipped and not bounded else {}))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32), controls, st.sampled_from([1, 7, None]))
def test_any_bits(seed: int, control: dict[str, Any], chunk: int | None) -> None:
    values = np.frombuffer(np.random.default_rng(seed).bytes(2 * 64 * 30), "f2").reshape(-1, 64)
    check(values, layout="b c", nonfinite="keep", chunk=chunk, **control)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(max_size=40) | st.integers(-(1 << 63), (1 << 63) - 1), st.integers(1, 5), min_size=32))
def test_keys(lengths: dict[Any, int]) -> None:
    features = {key: np.ones((length, 3), "f4") * length for key, length in lengths.items()}
    check(features, keyed=True, chunk=2)
    check(features, keyed=True, lossless=True)


@pytest.mark.parametrize("control", [{"snr": 300}, {"snr": "120/token"}, {"bpfp": 64}])
def test_a_file_that_would_be_larger_stores_its_values(control: dict[str, Any]) -> None:
    """But for those that the user wants clipped, which may not come back."""
    options: dict[str, Any] = {"layout": "b c", "truncate": (-1, 1), **control}
    with mock.patch.object(FileWriter, "most", 1 << 60):
        before = caufc.encode(HALVES, **options)
    sink = io.BytesIO()
    report = caufc.api.encode_to(sink, HALVES, **options)
    assert len(sink.getvalue()) == report.bytes_out <= caufc.size_bound(HALVES, **options) < len(before)
    assert caufc.inspect(sink.getvalue()).codec == "lossless"
    np.testing.assert_array_equal(caufc.decode(sink.getvalue()), np.clip(HALVES, -1, 1))
    assert report.to_json()["clipped"] == np.count_nonzero(np.abs(HALVES) > 1)


def test_a_pass_that_is_written_straight_is_undone() -> None:
    """Where a sample promises a smaller file than it becomes."""
    sink = io.BytesIO(b"before")
    sink.seek(0, io.SEEK_END)
    with mock.patch.object(FileWriter, "most", 3000):
        report = caufc.api.encode_to(sink, HALVES, quality=60, layout="b c")
        assert caufc.inspect(sink.getvalue()[6:]).codec == "lossless"
    assert sink.getvalue()[:6] == b"before" and report.bytes_out == len(sink.getvalue()) - 6
    np.testing.assert_array_equal(caufc.decode(sink.getvalue()[6:]), HALVES)


@pytest.mark.parametrize("embedded", [True, False])
def test_profiles(embedded: bool, tmp_path: Path) -> None:
    """Stacks dissolve, and a file that relies on a profile for nothing decodes with it."""
    path = tmp_path / "keys.caufp"
    path.write_bytes(fit_profile(caches(40)))
    features = caches(8)
    given: dict[str, Any] = {"profile": path, "embed_profile": embedded, "quality": 100}
    check(features, **given)
    with mock.patch.object(FileWriter, "most", 100):
        data = caufc.encode(features, **given)
    assert len(data) <= caufc.size_bound(features, **given)
    found = caufc.decode(data, profile=path)
    assert all(np.array_equal(found[name], features[name]) for name in features)


@needs_torch
def test_the_learned_codec() -> None:
    for control in ({"quality": 100}, {"bpfp": 64.0}):
        check(HALVES, layout="b c", codec="hyperprior", **control)
        with mock.patch.object(FileWriter, "most", 100):
            data = caufc.encode(HALVES, layout="b c", codec="hyperprior", **control)
        assert len(data) <= caufc.size_bound(HALVES)
        np.testing.assert_array_equal(caufc.decode(data), HALVES)


@pytest.mark.parametrize(
    ("shape", "dtype", "size"), [((1000, 768), "float32", 4), ((50, 3, 8, 8), "bf16", 2), ((70, 3), int, 8)]
)
def test_it_is_near_the_values(shape: Any, dtype: Any, size: int) -> None:
    bound = caufc.size_bound(shape, dtype)
    values = size * int(np.prod(shape))
    assert values < bound < values + 450
    assert bound == caufc.size_bound(np.zeros(shape, {"bf16": "f2"}.get(dtype, dtype)))
    chunks = -(-int(np.atleast_1d(shape)[0]) // 10)
    assert bound < caufc.size_bound(shape, dtype, chunk=10) < values + 450 + 30 * chunks


def test_values_are_not_read() -> None:
    assert caufc.size_bound((1 << 20, 1 << 15), "float32") > 1 << 37
    with pytest.raises(OptionError, match="dtype 'complex64' is none that caufc codes"):
        caufc.size_bound((3, 4), "complex64")
    if torch is not None:
        assert caufc.size_bound((3, 4), torch.bfloat16) == caufc.size_bound((3, 4), "bf16")
