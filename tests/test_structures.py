"""What goes in comes out: structure, names, shapes, dtypes, frameworks, order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from features.common import NUMPY_DTYPES, TORCH_DTYPES, assert_same, needs_torch, torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import item_size, of_bits, ragged, trees

import caufc
from caufc.errors import LayoutError


def assert_alike(found: Any, wanted: Any) -> None:
    """The same but for the values of floats."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for name in wanted:
            assert_alike(found[name], wanted[name])
    elif isinstance(wanted, list | tuple):
        assert type(found) is type(wanted) and len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_alike(one, other)
    else:
        assert type(found) is type(wanted)
        assert (found.dtype, tuple(found.shape)) == (wanted.dtype, tuple(wanted.shape))


@settings(deadline=None, max_examples=75)
@given(trees, st.integers(1, 4), st.sampled_from([None, True, False]))
def test_lossless_keeps_every_bit(features: Any, chunk: int, index: bool | None) -> None:
    """NaN payloads, infinities and signed zeros too."""
    assert_same(caufc.decode(caufc.encode(features, lossless=True, chunk=chunk, index=index)), features)


@settings(deadline=None, max_examples=50)
@given(trees, st.integers(1, 3))
def test_any_structure_of_samples(sample: Any, count: int) -> None:
    features = [sample] * count
    assert_same(caufc.decode(caufc.encode(features, lossless=True, chunk=2)), features)


@settings(deadline=None, max_examples=50)
@given(trees, st.sampled_from([{}, {"quality": 5}, {"snr": 30}, {"bpfp": 3}, {"max_error": 0.1}]))
def test_any_bits_encode_with_loss(features: Any, control: dict[str, Any]) -> None:
    """All bits that a float can have: what the codec cannot take, it keeps."""
    try:
        data = caufc.encode(features, nonfinite="keep", **control)
    except LayoutError as err:
        assert "name the axis that varies" in str(err), "samples of a list may differ in tokens alone"
        assume(False)
    assert_alike(caufc.decode(data), features)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("control", [{}, {"quality": 60}, {"snr": 30}, {"bpfp": 3}, {"max_error": 0.1}])
def test_values_of_every_size_encode_with_loss(control: dict[str, Any]) -> None:
    """From denormal numbers of float64 to near its largest, in one tensor."""
    for seed in range(20):
        draw = np.random.default_rng(seed)
        shape = tuple(draw.integers(1, 6, draw.integers(1, 5)))
        features = draw.choice([-1, 0, 1], shape) * 10 ** draw.uniform(-322, 300, shape)
        assert_alike(caufc.decode(caufc.encode([features], **control)), [features])


@settings(deadline=None, max_examples=50)
@given(ragged(), st.integers(1, 4), st.sampled_from([{}, {"max_error": 0.05}, {"snr": 30}]))
def test_ragged_samples(samples: Any, chunk: int, control: dict[str, Any]) -> None:
    assert_alike(caufc.decode(caufc.encode(samples, chunk=chunk, **control)), samples)


@pytest.mark.parametrize("dtype", [*NUMPY_DTYPES, *TORCH_DTYPES], ids=str)
def test_every_dtype(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    tensor = of_bits(rng.bytes(60 * item_size(dtype)), (3, 4, 5), dtype)
    assert_same(caufc.decode(caufc.encode(tensor, lossless=True)), tensor)
    if "float" not in str(tensor.dtype):
        assert_same(caufc.decode(caufc.encode({"a": tensor}, quality=0)), {"a": tensor})


@pytest.mark.parametrize("shape", [(), (1,), (7,), (0,), (0, 3), (3, 0), (2, 0, 4), (1, 1), (1, 1, 1, 1), (2,) * 8])
@pytest.mark.parametrize("control", [{}, {"lossless": True}, {"max_error": 1e-3}, {"snr": 20}, {"bpfp": 1}])
def test_odd_shapes(shape: tuple[int, ...], control: dict[str, Any]) -> None:
    array = np.asarray(np.random.default_rng(0).standard_normal(shape), "f4")
    decoded = caufc.decode(caufc.encode(array, **control))
    assert_alike(decoded, array)
    if "max_error" in control:
        assert np.abs(decoded - array).max(initial=0) <= 1e-3


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -3e38, 1e-45])
def test_constant_tensors(value: float) -> None:
    array = np.full((50, 20), value, "f4")
    data = caufc.encode(array)
    np.testing.assert_allclose(caufc.decode(data), array, rtol=1e-6)
    assert len(data) < 160


def test_a_batch_in_a_dict_keeps_its_sample_axis() -> None:
    features = {"map": np.ones((4, 3, 2, 2), "f4"), "label": np.arange(4), "mask": np.array([True, False, True, True])}
    info = caufc.inspect(caufc.encode(features))
    assert (info.content, info.samples) == ("batch", 4)
    assert [tensor["shape"] for tensor in info.tensors] == [[3, 2, 2], [], []]
    assert_alike(caufc.decode(caufc.encode(features)), features)


def test_names_that_join_to_the_same_path() -> None:
    features = {"a": {"b": np.ones((3, 2))}, "a.b": np.zeros((3, 2)), 1: np.ones((3, 1)), "1": np.zeros((3, 1))}
    assert_same(caufc.decode(caufc.encode(features, lossless=True)), features)


def test_names_of_numpy() -> None:
    found = caufc.decode(caufc.encode({np.int64(7): np.ones((3, 2)), np.str_("a"): np.ones((3, 1))}))
    assert [(type(name), name) for name in found] == [(int, 7), (str, "a")]


def test_arrays_of_other_memory_orders(efficientnet: Any) -> None:
    base = np.asarray(efficientnet)[0]
    for array in (base[::2, ::-1], base.T, np.asfortranarray(base), base.astype(">f4"), base[:, :, 3]):
        decoded = caufc.decode(caufc.encode(array, max_error=1e-3))
        assert decoded.dtype == np.dtype("f4")
        assert np.abs(decoded - array).max() <= 1e-3


@needs_torch
def test_torch_in_torch_out_in_one_dict() -> None:
    features = {"t": torch.ones(3, 4, dtype=torch.bfloat16), "n": np.ones((3, 4), "f2")}
    decoded = caufc.decode(caufc.encode(features))
    assert decoded["t"].dtype == torch.bfloat16
    assert decoded["n"].dtype == np.float16


def test_what_comes_out_can_be_written_to() -> None:
    decoded = caufc.decode(caufc.encode([np.ones((3, 2), "f4"), np.ones((1, 2), "f4")]))
    decoded[0] += 1
    assert decoded[1][0, 0] == pytest.approx(1, abs=0.5)
