"""Features of any shape and dtype for hypothesis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from features.common import NUMPY_DTYPES, TORCH_DTYPES, is_torch, torch
from hypothesis import strategies as st

BF16 = TORCH_DTYPES[2:3]
"""bfloat16, where torch is installed."""

Shape = tuple[int, ...]

shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)


def of_bits(raw: bytes, shape: Shape, dtype: Any) -> Any:
    """An array or tensor with these bits, NaNs and all."""
    if dtype in TORCH_DTYPES:
        flat = torch.tensor(list(raw), dtype=torch.uint8)
        tensor = (flat % 2).to(torch.bool) if dtype == torch.bool else flat.view(dtype) if raw else flat.to(dtype)
        return tensor.reshape(shape)
    form = np.dtype(dtype)
    array = np.frombuffer(raw, "u1") % 2 == 1 if form.kind == "b" else np.frombuffer(raw, form)
    return array.reshape(shape)


def item_size(dtype: Any) -> int:
    return torch.empty(0, dtype=dtype).element_size() if dtype in TORCH_DTYPES else np.dtype(dtype).itemsize


@st.composite
def tensors(draw: st.DrawFn) -> Any:
    """Any bits in any dtype of numpy or torch."""
    dtype, shape = draw(st.sampled_from([*NUMPY_DTYPES, *TORCH_DTYPES])), draw(shapes)
    size = math.prod(shape) * item_size(dtype)
    return of_bits(draw(st.binary(min_size=size, max_size=size)), shape, dtype)


names = st.text(max_size=4) | st.integers(-(1 << 63), (1 << 63) - 1)

trees = st.recursive(
    tensors(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(names, inner, max_size=3)
    ),
    max_leaves=5,
)
"""Tensors in dicts, lists and tuples."""


@st.composite
def ragged(draw: st.DrawFn) -> Any:
    """A list or tuple of samples that agree in their channels."""
    channels, dtype = draw(st.integers(1, 4)), draw(st.sampled_from(["f4", "f2", "f8", *BF16]))
    samples = []
    for tokens in draw(st.lists(st.integers(0, 5), min_size=1, max_size=6)):
        values = draw(st.lists(st.integers(-9, 9), min_size=tokens * channels, max_size=tokens * channels))
        floats = np.array(values, "f4").reshape(tokens, channels) / 4
        samples.append(torch.tensor(floats).to(dtype) if dtype in TORCH_DTYPES else floats.astype(dtype))
    return draw(st.sampled_from([list, tuple]))(samples)


@st.composite
def floats(draw: st.DrawFn) -> tuple[Any, float]:
    """Finite floats of any float dtype, and the scale of their values."""
    dtype = draw(st.sampled_from(["f4", "f2", "f8", *BF16]))
    scale = 10.0 ** draw(st.integers(-6, 4))
    shape = draw(st.sampled_from([(6, 5), (3, 4, 6), (2, 5, 3, 4), (1, 40), (30, 1)]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    kind = draw(st.sampled_from(["normal", "sparse", "ties", "heavy", "constant"]))
    values = rng.standard_normal(shape)
    if kind == "sparse":
        values = np.maximum(values - 0.5, 0)
    elif kind == "ties":
        values = np.rint(values * 3)
    elif kind == "heavy":
        values = rng.standard_cauchy(shape)
    elif kind == "constant":
        values = np.full(shape, 1 / 3)
    scaled = np.clip(values * scale, -60_000, 60_000)
    return (torch.tensor(scaled).to(dtype) if dtype in TORCH_DTYPES else scaled.astype(dtype)), scale


def as_float64(tensor: Any) -> Any:
    return tensor.double().numpy() if is_torch(tensor) else tensor.astype("f8")
