"""What the tests of feature files share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from caufc.encoder.source import Source
from caufc.features import (
    from_arrays,
    open_writer,
    read,
    to_source,
)

TORCH_DTYPES = (
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float64,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint8,
    torch.bool,
)
NUMPY_DTYPES = ("f4", "f2", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")


def bits(tensor: Any) -> bytes:
    """The bytes of a tensor, so that NaNs compare."""
    if isinstance(tensor, torch.Tensor):
        return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
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
        assert isinstance(found, torch.Tensor) == isinstance(wanted, torch.Tensor)
        assert found.dtype == wanted.dtype
        assert tuple(found.shape) == tuple(wanted.shape)
        assert bits(found) == bits(wanted)


def arrays_of(source: Source) -> list[Any]:
    """All values, as a decoder hands them to ``from_arrays``."""
    if source.structure.kind in ("batch", "single"):
        return [tensor.leaves[0].read() for tensor in source.tensors]
    return [tensor.block(0, source.samples) for tensor in source.tensors]


def rebuild(source: Source) -> Any:
    """The object that a source was made of."""
    frameworks = [tensor.framework for tensor in source.tensors]
    dtypes = [tensor.dtype for tensor in source.tensors]
    return from_arrays(source.structure, source.samples, frameworks, dtypes, arrays_of(source))


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
