"""What the tests of feature files share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caufc.encoder.source import Source
from caufc.features import from_arrays, open_writer, read, to_source

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

__all__ = [
    "NUMPY_DTYPES",
    "TORCH_DTYPES",
    "arrays_of",
    "assert_same",
    "bits",
    "is_torch",
    "load",
    "needs_torch",
    "rebuild",
    "to_torch",
    "torch",
    "write",
]

needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed")
TORCH_NAMES = ("float32", "float16", "bfloat16", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
TORCH_DTYPES: tuple[Any, ...] = tuple(getattr(torch, name) for name in TORCH_NAMES if torch is not None)
NUMPY_DTYPES = ("f4", "f2", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")


def is_torch(tensor: Any) -> bool:
    """Whether it is a torch tensor."""
    return torch is not None and isinstance(tensor, torch.Tensor)


def to_torch(features: Any) -> Any:
    """Nested features with torch tensors in place of their arrays."""
    if isinstance(features, dict):
        return {name: to_torch(value) for name, value in features.items()}
    if isinstance(features, list | tuple):
        return type(features)(map(to_torch, features))
    tensor = torch.tensor(features)
    return tensor if tensor.numel() else torch.empty(features.shape, dtype=tensor.dtype)  # strides are 0 else


def bits(tensor: Any) -> bytes:
    """The bytes of a tensor, so that NaNs compare."""
    if is_torch(tensor):
        tensor = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
    return np.asarray(tensor).tobytes()


def assert_same(found: Any, wanted: Any) -> None:
    """Both objects have the same structure, types, dtypes, shapes and bits."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for name in wanted:
            assert_same(found[name], wanted[name])
    elif isinstance(wanted, list | tuple):
        assert type(found) is type(wanted)
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_same(one, other)
    else:
        assert is_torch(found) == is_torch(wanted)
        assert found.dtype == wanted.dtype
        assert tuple(found.shape) == tuple(wanted.shape)
        assert bits(found) == bits(wanted)


def arrays_of(source: Source) -> list[Any]:
    """All values, as a decoder hands them to ``from_arrays``."""
    if source.structure.kind in ("batch", "single"):
        return [
            tensor.block(0, source.samples) if tensor.dtype == "note" else tensor.leaves[0].read()
            for tensor in source.tensors
        ]
    return [tensor.block(0, source.samples) for tensor in source.tensors]


def rebuild(source: Source) -> Any:
    """The object that a source was made of."""
    frameworks = [tensor.framework for tensor in source.tensors]
    dtypes = [tensor.dtype for tensor in source.tensors]
    return from_arrays(source.structure, source.samples, frameworks, dtypes, arrays_of(source), source.keys or ())


def load(path: Path) -> Any:
    """The features of a file, all values read."""
    return rebuild(to_source(read(path)))


def write(features: Any, path: Path | None, suffix: str, *, stream: Any = None, step: int = 2, **more: Any) -> None:
    """Write features through a writer, ``step`` samples at a time."""
    source = to_source(features)
    batch = source.structure.kind == "batch"
    shapes = [
        tensor.shape(0) if batch or {tensor.shape(i) for i in range(source.samples)} == {tensor.shape(0)} else None
        for tensor in source.tensors
    ]
    writer = open_writer(
        path,
        stream,
        suffix,
        source.structure,
        [tensor.name for tensor in source.tensors],
        [tensor.dtype for tensor in source.tensors],
        [tensor.framework for tensor in source.tensors],
        shapes,
        source.samples,
        keys=source.keys or (),
        **more,
    )
    try:
        for start in range(0, source.samples, step):
            for number, tensor in enumerate(source.tensors):
                writer.put(number, start, tensor.block(start, min(start + step, source.samples)))
    except BaseException:
        writer.abort()
        raise
    writer.close()
