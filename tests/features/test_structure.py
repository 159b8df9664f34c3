from __future__ import annotations

import collections
import datetime
import enum
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caufc.errors import InputError, LayoutError, LimitError, TensorError
from caufc.features import ArrayLeaf, from_arrays, to_source
from caufc.features.outputs import is_one_output
from caufc.types import DTYPES, Branch, Structure

from .common import NUMPY_DTYPES, TORCH_DTYPES, assert_same, needs_torch, rebuild, torch


@st.composite
def tensors(draw: st.DrawFn) -> Any:
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=4)))
    numel = int(np.prod(shape))
    if torch is not None and draw(st.booleans()):
        dtype = draw(st.sampled_from(TORCH_DTYPES))
        size = torch.empty(0, dtype=dtype).element_size()
        raw = draw(st.binary(min_size=numel * size, max_size=numel * size))
        flat = torch.tensor(list(raw), dtype=torch.uint8)
        tensor = (flat % 2).to(torch.bool) if dtype == torch.bool else flat.view(dtype) if numel else flat.to(dtype)
        return tensor.reshape(shape)
    form = np.dtype(draw(st.sampled_from(NUMPY_DTYPES)))
    raw = draw(st.binary(min_size=numel * form.itemsize, max_size=numel * form.itemsize))
    array = np.frombuffer(raw, "u1") % 2 == 1 if form.kind == "b" else np.frombuffer(raw, form)
    return array.reshape(shape)


trees = st.recursive(
    tensors(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=4) | st.integers(-(1 << 63), (1 << 63) - 1), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(trees)
def test_any_structure_comes_back(features: Any) -> None:
    assert_same(rebuild(to_source(features)), features)


@settings(deadline=None)
@given(trees, st.integers(1, 4), st.booleans())
def test_samples_come_back(sample: Any, count: int, as_tuple: bool) -> None:
    features = tuple([sample] * count) if as_tuple else [sample] * count
    source = to_source(features)
    if not is_one_output(features):
        assert source.structure.kind == ("tuple" if as_tuple else "list")
        assert source.samples == count
    assert_same(rebuild(source), features)


def test_ragged_samples_are_a_list() -> None:
    source = to_source([np.zeros((3, 4)), np.zeros((5, 4))])
    assert source.structure == Structure("list", 0)
    assert [source.tensors[0].shape(i) for i in range(2)] == [(3, 4), (5, 4)]


@pytest.mark.parametrize(
    "features",
    [
        [],
        (),
        [np.zeros(3), np.zeros((3, 3))],
        [np.zeros(3), np.zeros(3, np.float32)],
        *([] if torch is None else [[np.zeros(3), torch.zeros(3, dtype=torch.float64)]]),
        [{"a": np.zeros(3)}, {"b": np.zeros(3)}],
    ],
)
def test_samples_that_differ_are_one_sample(features: Any) -> None:
    source = to_source(features)
    assert source.structure.kind == "single"
    assert isinstance(source.structure.tree, Branch)
    assert source.samples == 1
    assert_same(rebuild(source), features)


@pytest.mark.parametrize(
    ("shape", "layouts", "kind", "samples"),
    [
        ((), {}, "single", 1),
        ((7,), {}, "single", 1),
        ((7, 2), {}, "batch", 7),
        ((0, 5), {}, "batch", 0),
        ((7, 2), {"": "n c"}, "single", 1),
        ((7, 2), {"*": "n c"}, "single", 1),
        ((7, 2), {"*": "b c"}, "batch", 7),
    ],
)
def test_lone_tensor(shape: tuple[int, ...], layouts: dict[str, str], kind: str, samples: int) -> None:
    source = to_source(np.zeros(shape, np.float32), layouts)
    assert (source.structure, source.samples) == (Structure(kind, 0), samples)  # type: ignore[arg-type]
    assert source.tensors[0].shape(0) == (shape[1:] if kind == "batch" else shape)


def test_star_is_for_floats() -> None:
    assert to_source(np.zeros((7, 2), np.int32), {"*": "n c"}).structure.kind == "batch"


@pytest.mark.parametrize(
    ("features", "layouts", "kind"),
    [
        ({"a": np.zeros((4, 2)), "b": np.zeros(4)}, {}, "batch"),
        ({"a": np.zeros((4, 2)), "b": np.zeros(5)}, {}, "single"),
        ({"a": np.zeros((4, 2)), "b": np.zeros(())}, {}, "single"),
        ({}, {}, "single"),
        ({"x": {}}, {}, "single"),
        ({"a": np.zeros((4, 2)), "b": np.zeros((4, 2))}, {"a": "n c"}, "single"),
        ({"a": {"b": np.zeros((0, 2))}, "c": [np.zeros((0, 3))]}, {}, "batch"),
    ],
)
def test_dict(features: Any, layouts: dict[str, str], kind: str) -> None:
    source = to_source(features, layouts)
    assert source.structure.kind == kind
    assert_same(rebuild(source), features)


def test_names_are_dotted_paths() -> None:
    source = to_source({"a": {"b": np.zeros(3)}, 7: [np.zeros(3), np.zeros(3)]})
    assert [tensor.name for tensor in source.tensors] == ["a.b", "7.0", "7.1"]


def test_layouts_that_do_not_fit() -> None:
    with pytest.raises(LayoutError, match=r"tensor 'b': has shape \[5\]"):
        to_source({"a": np.zeros((4, 2)), "b": np.zeros(5)}, {"a": "b c"})
    with pytest.raises(LayoutError, match="that of 'b' has"):
        to_source({"a": np.zeros((4, 2)), "b": np.zeros((4, 2))}, {"a": "n c", "b": "b c"})
    with pytest.raises(LayoutError, match="tensor 'a': layout 'q'"):
        to_source({"a": np.zeros((4, 2))}, {"a": "q"})
    with pytest.raises(LayoutError):
        to_source(np.zeros(()), {"*": "b c"})


@pytest.mark.parametrize("key", [1.5, None, True, (1,), 1 << 63, "\ud800"])
def test_bad_keys(key: Any) -> None:
    with pytest.raises(InputError, match=r"'a'.*dict key"):
        to_source({"a": {key: np.zeros(3)}})


class Kind(enum.Enum):
    """An enumeration."""

    ONE = 1


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    REFUSED = [
        (3j, "complex"),
        (1 << 64, "64 bits"),
        ("\ud800", "Unicode"),
        ({1, 2}, "is a set"),
        (object(), "is a object"),
        (collections.deque([1]), r"is a deque.*give list\("),
        (range(3), r"is a range.*give list\("),
        ({}.keys(), r"is a dict_keys.*give list\("),
        (types.SimpleNamespace(a=1), r"is a SimpleNamespace.*vars\("),
        (Path("a"), r"is a PosixPath.*as text: str\("),
        (datetime.date(2024, 1, 1), r"is a date.*as text: str\("),
        (Kind.ONE, r"is a Kind.*as text: str\("),
        (Kind, r"is a Enum\w+.*give numpy arrays"),
        (memoryview(b"a"), "is a memoryview"),
        (np.array([[1], None], object), "object"),
        (np.empty((0, 3), "U1"), "empty arrays of text"),
        (np.array([1 << 30], "u4").view("U1"), "Unicode"),
        (np.zeros(2, "f4,i4"), "field"),
        (np.array(["2020-01-01"], "M8[D]"), "int64"),
        (np.zeros(2, np.complex64), "imaginary"),
        (np.zeros(2, np.longdouble), "float64"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "masked"),
    ]

if torch is not None:
    four = getattr(torch, "float4_e2m1fn_x2", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        REFUSED += [
            (torch.float16, r"is a dtype.*as text: str\("),
            (torch.nn.Linear(2, 2), r"is a Linear.*state_dict"),
            (torch.zeros(2, dtype=torch.complex64), "view_as_real"),
            (torch.eye(2).to_sparse(), "to_dense"),
            *([(torch.zeros(2, dtype=torch.uint8).view(four), r"\.view\(torch\.uint8\)")] if four else []),
            (torch.eye(2).to_sparse_csr(), "to_dense"),
            (torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8), "dequantize"),
            (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "unbind"),
            (torch.zeros(2, device="meta"), "meta"),
            (torch.masked.masked_tensor(torch.ones(2), torch.tensor([True, False])), "plain tensor"),
        ]


@pytest.mark.filterwarnings("ignore:.*MaskedTensors")
@pytest.mark.parametrize(("leaf", "words"), REFUSED)
def test_leaves_that_are_refused(leaf: Any, words: str) -> None:
    for features in ({"x": {"y": leaf}}, [{"x": {"y": leaf}}]):
        with pytest.raises(TensorError, match=words) as caught:
            to_source(features)
        assert caught.value.tensor in ("x.y", "0.x.y")
        assert caught.value.remedy


def test_limits() -> None:
    deep: Any = np.zeros(1)
    for _ in range(16):
        deep = [deep]
    to_source(deep)
    with pytest.raises(LimitError, match="nesting"):
        to_source([deep])
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(LimitError, match="nesting"):
        to_source(loop)
    with pytest.raises(LimitError, match="tensors"):
        to_source({index: np.zeros(1) for index in range(65_537)}, keyed=False)
    with pytest.raises(LimitError, match="tensors"):
        to_source({"x": [{} for _ in range(65_537)]})
    with pytest.raises(LimitError, match="dimensions"):
        to_source({"x": np.zeros((1,) * 9)})


@needs_torch
def test_tensors_are_taken_as_they_are() -> None:
    parameter = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    negative = torch.tensor([1 + 2j, 3 - 1j]).conj().imag
    assert negative.is_neg()
    features: dict[str, Any] = {
        "grad": parameter,
        "negative": negative,
        "strided": torch.arange(12.0).reshape(3, 4).t()[:2],
        "expanded": torch.ones(1).expand(2, 5),
        "big": np.arange(2, dtype=">f8"),
        "reverse": np.arange(2)[::-1],
    }
    found = rebuild(to_source(features))
    assert type(found["grad"]) is torch.Tensor
    assert not found["grad"].requires_grad
    assert torch.equal(found["negative"], torch.tensor([-2.0, 1.0]))
    assert torch.equal(found["strided"], features["strided"])
    assert torch.equal(found["expanded"], torch.ones(2, 5))
    assert found["big"].dtype == np.dtype("<f8")
    assert found["reverse"].tolist() == [1, 0]


def test_own_leaves() -> None:
    class Rows:
        shape, dtype, framework = (3, 2), "bf16", "torch"

        def read(self) -> Any:
            return np.zeros((3, 2), "<u2")

        def rows(self, start: int, stop: int) -> Any:
            return self.read()[start:stop]

    source = to_source(Rows())
    assert source.tensors[0].block(1, 3).shape == (2, 2)  # type: ignore[union-attr]
    if torch is not None:
        assert_same(rebuild(source), torch.zeros(3, 2, dtype=torch.bfloat16))


def test_numpy_bf16() -> None:
    array = np.array([1, 0x3F80], DTYPES["bf16"])
    found = from_arrays(Structure("single", 0), 1, ["numpy"], ["bf16"], [array])
    try:
        import ml_dtypes
    except ImportError:
        assert found.dtype == (np.uint16 if torch is None else torch.bfloat16)
    else:
        assert found.dtype == ml_dtypes.bfloat16
        assert to_source(found).tensors[0].dtype == "bf16"


def test_results_can_be_written_to_and_own_their_memory() -> None:
    frozen = np.frombuffer(bytes(16), "<f4")
    chunk = np.zeros((100, 4), "<f4")
    for array in (frozen, chunk[3]):
        found = from_arrays(Structure("single", 0), 1, ["numpy"], ["fp32"], [array])
        found[0] = 5
        assert found.base is None or found.base.nbytes == found.nbytes
        if torch is None:
            continue
        tensor = from_arrays(Structure("single", 0), 1, ["torch"], ["fp32"], [array])
        tensor[0] = 5
        assert tensor.untyped_storage().nbytes() == 16
    assert not chunk.any()


def test_array_leaf_reads_in_parts() -> None:
    leaf = ArrayLeaf(np.arange(6, dtype=">i4").reshape(3, 2), "int32")
    assert leaf.rows(1, 3).tolist() == [[2, 3], [4, 5]]
    assert leaf.rows(1, 3).dtype == leaf.read().dtype == DTYPES["int32"]
