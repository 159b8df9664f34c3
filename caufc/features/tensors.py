"""One tensor: from what people hold to a :class:`~caufc.types.Leaf`, and from decoded arrays back to it."""

from __future__ import annotations

import functools
import importlib
import sys
import warnings
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ..errors import LimitError, TensorError, UnsupportedError
from ..limits import DEFAULT_LIMITS, Limits
from ..packages import MissingPackageWarning, is_installed, needing
from ..types import DTYPES, FOREIGN, NOTE, AnyArray, Framework, Leaf
from .leaf import ArrayLeaf
from .refusal import refusal

__all__ = ["as_leaf", "as_object", "at_hand", "dtype_name", "tensor_bits", "torch_name"]

_NUMPY_NAMES = {(form.kind, form.itemsize): name for name, form in DTYPES.items() if name not in {*FOREIGN, NOTE}}
_NATIVE = {name: form.newbyteorder("=") for name, form in DTYPES.items()}
_FOREIGN_NAMES = {theirs: name for name, theirs in FOREIGN.items()}
_TORCH_NAMES = {
    "torch.float32": "fp32",
    "torch.float16": "fp16",
    "torch.float64": "fp64",
} | {f"torch.{name}": name for name in DTYPES if "int" in name or name == "bool"}
_TORCH_NAMES |= {f"torch.{theirs}": name for theirs, name in _FOREIGN_NAMES.items()}
_NUMPY_CURES = {
    "O": "keep the inner arrays in a list: array.tolist()",
    "c": "store its real and imaginary parts",
    "U": "keep texts as a list: array.tolist()",
    "S": "keep texts as a list: array.tolist()",
    "M": "convert it with .astype('int64')",
    "m": "convert it with .astype('int64')",
    "f": "convert it with .astype('float64')",
}


def dtype_name(dtype: np.dtype[Any], *, tensor: str | None = None, file: str | None = None) -> str:
    """The name in :data:`caufc.types.DTYPES` of a numpy dtype of either byte order, those of ``ml_dtypes`` included.

    Raises:
        TensorError: for dtypes that caufc does not code.
    """
    name = _known_name(dtype)
    if name is None:
        what = "object" if dtype.kind == "O" else str(dtype)
        cure = _NUMPY_CURES.get(dtype.kind) or _cure_of_void(dtype)
        raise TensorError(f"has dtype {what}, which caufc does not code", tensor=tensor, file=file, remedy=cure)
    return name


@functools.lru_cache
def _known_name(dtype: np.dtype[Any]) -> str | None:
    """None for dtypes that caufc does not code."""
    if dtype.name in _FOREIGN_NAMES:
        return _FOREIGN_NAMES[dtype.name]
    return None if dtype.subdtype is not None else _NUMPY_NAMES.get((dtype.kind, dtype.itemsize))


def _cure_of_void(dtype: np.dtype[Any]) -> str:
    """What to do about a dtype of fields, of ``ml_dtypes``, or of bytes, as which files of numpy keep the latter."""
    if dtype.names is not None:
        return "store each field as an array of its own"
    if dtype.kind != "V" or dtype.subdtype is not None:
        return "convert it to a float or an integer dtype"
    if not dtype.name.startswith("void"):
        return f"convert it with .astype('{'int8' if 'int' in dtype.name else 'float32'}')"
    if dtype.itemsize not in (1, 2, 4, 8):
        return f"save array.view('uint8').reshape(*array.shape, {dtype.itemsize})"
    return f"numpy keeps no such floats in files: save array.view('uint{8 * dtype.itemsize}'), float32 or .safetensors"


def as_leaf(tensor: object, name: str, limits: Limits = DEFAULT_LIMITS) -> Leaf:
    """A numpy array, torch tensor or :class:`~caufc.types.Leaf` as a leaf; values in CPU memory are not copied.

    Args:
        tensor: the object; a numpy scalar is an array without axes.
        name: its dotted name, for errors.
        limits: the most dimensions.

    Raises:
        TensorError: if it is none of these, or of a kind that caufc does not code.
        LimitError: if it has too many dimensions.
    """
    # An object can be a torch tensor only if someone has imported torch already.
    torch = sys.modules.get("torch")
    leaf: Leaf
    if isinstance(tensor, np.ndarray | np.generic):
        leaf = _from_numpy(np.asarray(tensor) if isinstance(tensor, np.generic) else tensor, name)
    elif torch is not None and isinstance(tensor, torch.Tensor):
        leaf = _from_torch(tensor, torch, name)
    elif _is_leaf(tensor):
        leaf = cast(Leaf, tensor)
    else:
        raise refusal(tensor, name)
    try:
        limits.check("dimensions", len(leaf.shape))
    except LimitError as err:
        raise err.locate(tensor=name) from None
    return leaf


def _is_leaf(tensor: object) -> bool:
    return (
        callable(getattr(tensor, "read", None))
        and callable(getattr(tensor, "rows", None))
        and isinstance(getattr(tensor, "shape", None), tuple)
        and getattr(tensor, "dtype", None) in DTYPES
        and getattr(tensor, "framework", None) in ("numpy", "torch")
    )


def _from_numpy(array: AnyArray, name: str) -> ArrayLeaf:
    if isinstance(array, np.ma.MaskedArray):
        raise TensorError("is a masked array", tensor=name, remedy="fill it with .filled(...), and store .mask as well")
    dtype = dtype_name(array.dtype, tensor=name)
    plain = np.asarray(array)
    return ArrayLeaf(plain.view(DTYPES[dtype]) if dtype in FOREIGN else plain, dtype, "numpy")


def _from_torch(tensor: Any, torch: Any, name: str) -> ArrayLeaf:
    if tensor.is_nested:
        raise TensorError("is a nested tensor", tensor=name, remedy="store .unbind(), a list of tensors")
    if tensor.is_quantized:
        raise TensorError("is a quantised tensor", tensor=name, remedy="store .dequantize() or .int_repr()")
    if tensor.is_meta:
        raise TensorError("is on the meta device: it has no values", tensor=name, remedy="run the model on a device")
    if tensor.layout != torch.strided:
        raise TensorError(f"is sparse ({tensor.layout})", tensor=name, remedy="store .to_dense()")
    if tensor.is_complex():
        raise TensorError(f"is complex ({tensor.dtype})", tensor=name, remedy="store torch.view_as_real(...)")
    dtype = torch_name(tensor.dtype)
    if dtype is None:
        cure = "convert it with .to(torch.bfloat16)" if tensor.is_floating_point() else "convert it with .to(...)"
        cure = "store .view(torch.uint8)" if "float4" in str(tensor.dtype) else cure
        raise TensorError(f"has dtype {tensor.dtype}, which caufc does not code", tensor=name, remedy=cure)
    try:
        plain = tensor.detach().resolve_neg().cpu()
        array = tensor_bits(plain, dtype, torch)
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as err:
        kind = type(tensor).__name__
        raise TensorError(f"its values cannot be read ({kind})", tensor=name, remedy="store a plain tensor") from err
    if not isinstance(array, np.ndarray):
        raise TensorError(f"is a {type(tensor).__name__}", tensor=name, remedy="store a plain tensor")
    return ArrayLeaf(array, dtype, "torch")


def torch_name(dtype: Any) -> str | None:
    """The name in :data:`caufc.types.DTYPES` of a torch dtype; None for those that caufc does not code."""
    return _TORCH_NAMES.get(str(dtype))


def tensor_bits(plain: Any, dtype: str, torch: Any) -> Any:
    """The memory of a tensor as an array in the numpy form of its dtype."""
    if dtype not in FOREIGN:
        return plain.numpy()
    form = DTYPES[dtype]
    if not plain.numel():  # whose strides view(dtype) may refuse
        return np.empty(tuple(plain.shape), form)
    return plain.view(torch.int16 if form.itemsize == 2 else torch.uint8).numpy().view(form)


def as_object(array: AnyArray, dtype: str, framework: Framework) -> Any:
    """The tensor that a decoded array stands for: the inverse of reading an :func:`as_leaf`.

    The result can be written to, and keeps no larger buffer alive than its own.

    Args:
        array: values in the numpy form of ``dtype``.
        dtype: a name of :data:`caufc.types.DTYPES`.
        framework: ``numpy`` or ``torch``. What numpy has no dtype for is an array of ``ml_dtypes`` where that package
            is installed, else a torch tensor, else an array of its bits.

    Raises:
        UnsupportedError: if the installed torch lacks the dtype.
        MissingPackageError: for ``torch`` where it is not installed.
    """
    form, base, flags = _NATIVE[dtype], array.base, array.flags
    owned = array
    if isinstance(base, np.ndarray) and base.nbytes > array.nbytes:
        owned = np.array(array, form, order="C")
    elif array.dtype != form or not (flags.c_contiguous and flags.writeable):
        owned = np.require(array, form, ["C", "W"])
    if framework == "numpy":
        if dtype not in FOREIGN:
            return owned
        if is_installed("ml_dtypes"):
            theirs = getattr(importlib.import_module("ml_dtypes"), FOREIGN[dtype], None)
            return owned if theirs is None else owned.view(theirs)
        if not is_installed("torch"):
            return owned
    with needing("torch", "a torch tensor"):
        import torch

    form_there = getattr(torch, FOREIGN[dtype], None) if dtype in FOREIGN else None
    if dtype in FOREIGN and form_there is None:
        raise UnsupportedError(f"this torch has no {dtype}", remedy="upgrade torch")
    try:
        tensor = torch.from_numpy(owned.view(np.int16) if owned.itemsize == 2 and form_there else owned)
    except TypeError as err:
        raise UnsupportedError(f"this torch has no {dtype}", remedy="upgrade torch, or decode to .npz") from err
    if not owned.size:  # whose strides from_numpy makes 0, and view(dtype) then refuses
        tensor = torch.empty(owned.shape, dtype=tensor.dtype)
    return tensor if form_there is None else tensor.view(form_there)


def at_hand(frameworks: Sequence[Framework], dtypes: Sequence[str]) -> Sequence[Framework]:
    """The frameworks that tensors can come back in here; says where they are not their own."""
    missing: list[str] = []
    if "torch" in frameworks:
        missing.append("torch tensors come back as numpy arrays")
    for dtype in sorted(FOREIGN.keys() & set(dtypes)):
        if "torch" in frameworks or not is_installed("ml_dtypes"):
            bits = f"its bits, {DTYPES[dtype].name}"
            missing.append(f"{dtype} as {f'ml_dtypes.{FOREIGN[dtype]}' if is_installed('ml_dtypes') else bits}")
    if not missing or is_installed("torch"):
        return frameworks
    warnings.warn(f"torch is not installed: {', '.join(missing)}", MissingPackageWarning, stacklevel=3)
    return ["numpy"] * len(frameworks)
