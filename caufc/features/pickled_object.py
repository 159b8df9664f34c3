"""The object in a file of ``torch.save``: tensors over its mapped storages, and arrays, where its pickle names them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CaufError, ForeignFormatError, LimitError, TensorError
from ..limits import Limits
from .needs_code import needs_code
from .pickle_machine import Name, NeedsCodeError
from .pickled import PickledArray, PickledDtype, PickledStorage, PickledTensor, Refused
from .pickled_classes import PickledInstance
from .tensors import as_leaf
from .texts import holds_text

__all__ = ["NODES_PER_TENSOR", "PickledObject", "Stored", "itemsize"]

NODES_PER_TENSOR = 64
"""The most nodes and samples of a file, as a multiple of the limit on tensors; shared branches count each time."""

ALIGNED = 8
"""Storages that lie at a multiple of so many bytes are mapped as they are."""


@dataclass(frozen=True)
class Stored:
    """A file whose pickle was read.

    Args:
        value: the object, with tensors as the pickle tells them.
        places: storage key -> offset and length in bytes in the file.
        buffers: storage key -> bytes, for those that the pickle itself holds.
    """

    value: object
    places: Mapping[str, tuple[int, int]]
    buffers: Mapping[str, memoryview] = field(default_factory=dict)


class PickledObject:
    """The object of a file: tensors and arrays of what its pickle tells, each made once, and every name charged.

    Args:
        path: the file.
        size: of the file, in bytes.
        stored: what its pickle tells.
        limits: the most levels, nodes and bytes.
    """

    def __init__(self, path: Path, size: int, stored: Stored, limits: Limits) -> None:
        self.path, self.size, self.stored, self.limits = path, size, stored, limits
        self.made: dict[int, Any] = {}
        self.parts: dict[str, Any] = {}
        self.mapped: Any = None
        self.nodes = self.total = 0

    def settled(self) -> Any:
        """The object, with tensors and arrays at its leaves."""
        try:
            return self._node(self.stored.value, ())
        except CaufError as err:
            raise err.locate(file=str(self.path)) from err.__cause__

    def _node(self, node: object, path: tuple[str, ...]) -> Any:
        self.nodes += 1
        if self.nodes > NODES_PER_TENSOR * self.limits.tensors:
            raise LimitError("tensors", self.nodes, self.limits.tensors)
        if isinstance(node, PickledInstance):
            node = self._held(node, ".".join(path))
        if isinstance(node, dict | list | tuple):
            self.limits.check("nesting", len(path) + 1)
        if isinstance(node, dict):
            return {key: self._node(child, (*path, str(key))) for key, child in node.items()}
        if isinstance(node, list | tuple):
            children = [self._node(child, (*path, str(index))) for index, child in enumerate(node)]
            return tuple(children) if isinstance(node, tuple) else children
        return self._leaf(node, ".".join(path))

    def _held(self, node: PickledInstance, name: str) -> Mapping[Any, object]:
        try:
            return node.held()
        except NeedsCodeError as err:
            raise needs_code(str(err)).locate(tensor=name) from err

    def _leaf(self, node: object, name: str) -> Any:
        if node is None or isinstance(node, bool | int | float | str | bytes):
            return node
        if isinstance(node, Refused):
            raise TensorError(node.what, tensor=name, remedy=node.cure)
        if isinstance(node, Name):
            raise TensorError(f"is {node}, not a tensor", tensor=name, remedy="keep it as text: str(...)")
        if isinstance(node, PickledDtype):
            raise TensorError(
                f"is the dtype {node.form}, not a tensor", tensor=name, remedy="keep it as text: str(...)"
            )
        if isinstance(node, PickledStorage):
            cure = "save torch.tensor(storage.tolist())"
            raise TensorError("is a storage, not a tensor", tensor=name, remedy=cure)
        if isinstance(node, PickledArray) and node.array is not None:
            if not holds_text(node.array):
                as_leaf(node.array, name, self.limits)  # which refuses dtypes that are not coded
            self._charge(node.array.nbytes, name)
            return node.array
        if not isinstance(node, PickledTensor):
            raise TensorError("is neither tensor, array, text nor number", tensor=name, remedy="save a tensor")
        if id(node) not in self.made:
            self.made[id(node)] = self._tensor(node, name)
        self._charge(self.made[id(node)].numel() * self.made[id(node)].element_size(), name)
        return self.made[id(node)]

    def _charge(self, size: int, name: str) -> None:
        self.total += size
        if self.total > self.limits.output_bytes:
            raise LimitError("output_bytes", self.total, self.limits.output_bytes).locate(tensor=name)

    def _tensor(self, told: PickledTensor, name: str) -> Any:
        """The tensor, once it lies within its storage: a stride of 0 makes 4 TiB of a few bytes."""
        import torch

        dtype = getattr(torch, told.dtype, None)
        if dtype is None:
            raise TensorError(f"has dtype {told.dtype}, which this torch does not have", tensor=name)
        part = self._part(told.storage, name)
        wanted, there = math.prod(told.size) * dtype.itemsize, part.nbytes()
        last = told.offset + sum((n - 1) * step for n, step in zip(told.size, told.stride, strict=True))
        if wanted and (wanted > there or (last + 1) * dtype.itemsize > there):
            raise ForeignFormatError(
                f"declares {wanted:,} bytes of values, but stores {there:,}",
                tensor=name,
                remedy="save an expanded tensor as .clone()",
            )
        if not wanted:
            return torch.empty(told.size, dtype=dtype)
        try:
            tensor = torch.empty(0, dtype=dtype).set_(part, told.offset, told.size, told.stride)
            return tensor.neg() if told.negative else tensor
        except (RuntimeError, TypeError) as err:
            raise TensorError("has no plain values", tensor=name, remedy="store a plain tensor") from err

    def _part(self, storage: PickledStorage, name: str) -> Any:
        """The bytes of a storage, mapped; copied where they do not lie as their dtype wants."""
        import torch

        held = self.stored.buffers.get(storage.key)
        if held is None and storage.key not in self.stored.places:
            raise ForeignFormatError("has no storage in the file", tensor=name)
        offset, length = self.stored.places[storage.key] if held is None else (0, len(held))
        wanted = storage.numel * itemsize(storage.dtype)
        if wanted > length:
            raise ForeignFormatError(f"declares {wanted:,} bytes of values, but stores {length:,}", tensor=name)
        if storage.key not in self.parts and held is not None:
            self.parts[storage.key] = _copied(held)
        elif storage.key not in self.parts:
            if self.mapped is None:
                self.mapped = torch.UntypedStorage.from_file(str(self.path), False, self.size)
            part = self.mapped[offset : offset + length]
            self.parts[storage.key] = part.clone() if offset % ALIGNED else part
        return self.parts[storage.key]


def _copied(held: memoryview) -> Any:
    """A storage of bytes that torch may write to."""
    import torch

    values = torch.frombuffer(bytearray(held), dtype=torch.uint8) if held else torch.empty(0, dtype=torch.uint8)
    return values.untyped_storage()


def itemsize(dtype: str | None) -> int:
    """Bytes of a value of a torch dtype; 1 for none."""
    import torch

    return 1 if dtype is None else int(getattr(torch, dtype).itemsize)
