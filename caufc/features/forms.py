"""In what form decoded tensors come: the dtype of floats, and the device of torch tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..errors import CaufError, OptionError
from ..packages import is_installed, needing
from ..types import DTYPES, FLOATS, FOREIGN, NOTE, AnyArray, Framework
from ..whole_numbers import whole_number
from .leaf import ArrayLeaf
from .tensors import as_object, dtype_name

__all__ = ["AS_STORED", "Form", "blank_tensor", "cast", "known_dtype"]

NARROW = frozenset(FOREIGN) - FLOATS
"""Floats of 8 bits: they are coded without loss, as integers are."""

NAMES = {
    **{name: name for name in FLOATS},
    **{"float": "fp32", "float32": "fp32", "half": "fp16", "float16": "fp16"},
    **{"bfloat16": "bf16", "double": "fp64", "float64": "fp64"},
}
"""What people call floats -> their name in :data:`caufc.types.DTYPES`."""


@dataclass(frozen=True)
class Form:
    """What decoded tensors are cast to, and where they go.

    Args:
        dtype: of floats, a name of :data:`caufc.types.FLOATS`; None for that of each. Integers and booleans stay.
        device: of torch; then all are torch tensors. None leaves each where it came from.
    """

    dtype: str | None = None
    device: Any = None

    @classmethod
    def of(cls, dtype: Any = None, device: Any = None) -> Form:
        """The form that a dtype of numpy or torch, or its name, and a device of torch, or its name, stand for.

        Raises:
            OptionError: for what is no float dtype, and for a device that is not there.
            MissingPackageError: for a device where torch is not installed.
        """
        return cls(None if dtype is None else _float_name(dtype), None if device is None else _device(device))

    def dtype_of(self, dtype: str) -> str:
        """The dtype in which a tensor comes that has this one in the file."""
        return self.dtype if self.dtype is not None and dtype in FLOATS | NARROW else dtype

    def framework_of(self, framework: Framework) -> Framework:
        """The framework of a tensor that came from this one."""
        return framework if self.device is None else "torch"

    def cast(self, array: AnyArray, dtype: str) -> AnyArray:
        """Decoded values of a dtype of the file in the numpy form of :meth:`dtype_of`."""
        return cast(array, dtype, self.dtype_of(dtype))

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Room for values of a dtype: an array in its numpy form, or a tensor on the device."""
        if not self.elsewhere:
            return np.empty(shape, DTYPES[dtype])
        sample = as_object(np.empty(0, DTYPES[dtype]), dtype, "torch")
        return sample.new_empty(shape, device=self.device)

    def put(self, there: Any, array: AnyArray | list[AnyArray], dtype: str) -> None:
        """Write values, in the numpy form of a dtype, into a part of what :meth:`empty` has made."""
        if self.elsewhere:
            there.copy_(as_object(np.asarray(array), dtype, "torch"))
        else:
            there[...] = array

    def tensor(self, array: Any, dtype: str, framework: Framework) -> Any:
        """The tensor that an array in the numpy form of a dtype stands for; what is a tensor already stays."""
        if not isinstance(array, np.ndarray | np.generic):
            return array
        found = as_object(np.asarray(array), dtype, framework)
        return found.to(self.device) if self.device is not None and framework == "torch" else found

    @property
    def elsewhere(self) -> bool:
        """Whether tensors go to another memory than the processor's."""
        return self.device is not None and self.device.type != "cpu"


AS_STORED = Form()
"""As they went in."""


def cast(array: AnyArray, dtype: str, target: str) -> AnyArray:
    """Values of a float dtype as those of another, to nearest even; beyond its range they become infinite.

    Args:
        array: values in the numpy form of ``dtype``.
        dtype: any; only floats may change theirs.
        target: ``dtype``, or a name of :data:`caufc.types.FLOATS`.
    """
    if dtype == target:
        return array
    floats: AnyArray = array
    if dtype == "bf16":
        floats = (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    elif dtype in NARROW:
        floats = _values_of(dtype)[array]
    with np.errstate(over="ignore", invalid="ignore"):
        if target != "bf16":
            return floats.astype(DTYPES[target], copy=False)
        bits = floats.astype(np.float32, copy=False).view(np.uint32)
    tie_to_even = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = (bits + np.uint32(0x7FFF) + tie_to_even) >> np.uint32(16)
    lost = (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
    quiet = (bits >> np.uint32(16)) | np.uint32(0x40)
    return np.where(lost, quiet, rounded).astype(DTYPES["bf16"])


@cache
def _values_of(dtype: str) -> AnyArray:
    """The values of all patterns of 8 bits, as float32 ``[256]``."""
    patterns = np.arange(256, dtype=np.uint8)
    if is_installed("ml_dtypes"):
        import ml_dtypes

        values: AnyArray = patterns.view(getattr(ml_dtypes, FOREIGN[dtype])).astype(np.float32)
        return values
    with needing("torch", f"a cast from {dtype}"):
        import torch
    found: AnyArray = torch.from_numpy(patterns).view(getattr(torch, FOREIGN[dtype])).float().numpy()
    return found


def blank_tensor(shape: int | Sequence[int], dtype: Any) -> ArrayLeaf:
    """A tensor of zeros of any dtype, which takes no memory.

    Raises:
        OptionError: for a dtype that caufc does not code, and a shape that no tensor has.
    """
    name = known_dtype(dtype)
    if name is None:
        raise OptionError(f"dtype '{_shown(dtype)}' is none that caufc codes", remedy="such as float32, bf16 or int64")
    given = shape if isinstance(shape, Sequence) and not isinstance(shape, str | bytes) else (shape,)
    sizes = tuple(whole_number("shape", size) for size in given)
    try:
        return ArrayLeaf(np.broadcast_to(np.zeros((), DTYPES[name]), sizes), name)
    except ValueError as err:
        raise OptionError(f"shape {sizes}: {err}", remedy="give one that an array can have") from err


def known_dtype(dtype: Any) -> str | None:
    """The name in :data:`caufc.types.DTYPES` of a dtype of numpy or torch, or of its name; None if there is none."""
    text = (dtype if isinstance(dtype, str) else str(dtype)).removeprefix("torch.")
    if text in DTYPES and text != NOTE:
        return text
    foreign = {theirs: name for name, theirs in FOREIGN.items()}
    if text in NAMES or text in foreign:
        return NAMES.get(text) or foreign[text]
    try:
        return dtype_name(np.dtype(dtype))
    except (CaufError, TypeError):
        return None


def _float_name(dtype: Any) -> str:
    name = known_dtype(dtype)
    if name not in FLOATS:
        what = f"dtype '{_shown(dtype)}' is none that floats are cast to"
        raise OptionError(what, remedy="float32, float16, bf16 or float64")
    return str(name)


def _shown(dtype: Any) -> str:
    return str(getattr(dtype, "__name__", dtype))


def _device(device: Any) -> Any:
    with needing("torch", "a device"):
        import torch
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, TypeError, ValueError, NotImplementedError) as err:
        said = (str(err).strip().splitlines() or [type(err).__name__])[0]
        raise OptionError(f"device '{device}' cannot be used: {said}", remedy="such as cpu or cuda:0") from err
    if found.type == "meta":
        raise OptionError("the meta device holds no values", remedy="such as cpu or cuda:0")
    return found
