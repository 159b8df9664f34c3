"""What pickles of torch and numpy may hold: storages, tensors, arrays, and the names that make them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..types import AnyArray
from .pickle_machine import Made, Maker, Name, PickleError

__all__ = [
    "STORAGES",
    "PickledArray",
    "PickledDtype",
    "PickledStorage",
    "PickledTensor",
    "Refused",
    "makers_of",
    "storage_of",
]

STORAGES: Mapping[str, str | None] = {
    "UntypedStorage": None,
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QUInt8Storage": "quint8",
    "QInt8Storage": "qint8",
    "QInt32Storage": "qint32",
}
"""Storage class of torch -> the dtype of its values; None for bytes."""

MOST_AXES = 64
"""As many as torch and numpy have."""

_DTYPES = (
    *["float16", "float32", "float64", "bfloat16", "complex32", "complex64", "complex128", "bool"],
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"],
)
_NUMPY_CODE = re.compile(r"[<>|=]?(?:[?bhilqBHILQefdgFDG]|[biufcSUV][0-9]{1,9}|[Mm]8?)")


@dataclass(frozen=True)
class PickledStorage:
    """A storage by its key.

    Args:
        key: in the file.
        dtype: of its values, a name of torch; None for bytes.
        numel: how many.
    """

    key: str
    dtype: str | None
    numel: int


@dataclass(frozen=True)
class PickledTensor:
    """A tensor as a pickle tells it, in values of its dtype.

    Args:
        storage: where its values are.
        dtype: a name of torch.
        offset: of the first value.
        size, stride: by axis.
        negative: whether values are stored with the other sign.
    """

    storage: PickledStorage
    dtype: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    negative: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """As tensors call their sizes."""
        return self.size


@dataclass(frozen=True)
class Refused:
    """What can be read, but is no tensor that caufc codes: why, and what to do about it."""

    what: str
    cure: str


class PickledDtype(Made):
    """A numpy dtype; its byte order comes with the state."""

    def __init__(self, code: object) -> None:
        if code == "O" or code == "O8":
            self.form = np.dtype("O")
        elif isinstance(code, str) and _NUMPY_CODE.fullmatch(code):
            self.form = np.dtype(code)
        else:
            raise PickleError("a numpy dtype of a kind that is not read")

    def build(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise PickleError("a malformed numpy dtype")
        self.form = self.form.newbyteorder(state[1])


class PickledArray(Made):
    """A numpy array; its values come with the state."""

    def __init__(self, array: AnyArray | None = None) -> None:
        self.array = array

    def key(self) -> object:
        """The integer or text of a numpy scalar; of all others the dtype, which is none."""
        scalar = self.array is not None and not self.array.shape and self.array.dtype.kind in "iuU"
        return self.array.item() if self.array is not None and scalar else self

    def build(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise PickleError("a malformed numpy array")
        _, shape, dtype, fortran, data = state
        self.array = _array(data, dtype, shape, "F" if fortran else "C")


def _array(data: object, dtype: object, shape: object, order: object) -> AnyArray:
    """An array over the bytes of a pickle."""
    if not isinstance(dtype, PickledDtype):
        raise PickleError("a numpy array without a dtype")
    form = dtype.form
    sizes = _sizes((shape,) if isinstance(shape, int) else shape)
    if form.hasobject:
        return _objects(data, sizes)
    if not isinstance(data, bytes) or order not in ("C", "F"):
        raise PickleError("a malformed numpy array")
    if math.prod(sizes) * form.itemsize != len(data) or len(sizes) > MOST_AXES:
        raise PickleError("a numpy array of another size than its bytes")
    array: AnyArray = np.frombuffer(data, form) if data else np.empty(0, form)
    return array.reshape(sizes, order="F" if order == "F" else "C")


def _objects(data: object, sizes: tuple[int, ...]) -> AnyArray:
    """An array of Python objects: of text, which is kept, or of nothing, which ``as_leaf`` refuses by name."""
    array: AnyArray = np.empty((0,), object)
    if isinstance(data, list) and len(data) == math.prod(sizes) and all(isinstance(item, str) for item in data):
        array = np.array(data, object).reshape(sizes)
    return array


def _sizes(sizes: object) -> tuple[int, ...]:
    if not isinstance(sizes, tuple) or any(type(size) is not int or not 0 <= size < 1 << 48 for size in sizes):
        raise PickleError("a malformed shape")
    return sizes


def storage_of(identity: object) -> PickledStorage:
    """The storage of a persistent ID.

    Raises:
        PickleError: if it is malformed.
    """
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise PickleError("a persistent ID that is no storage")
    kind, key, _, numel = identity[1:5]
    if not isinstance(kind, Name) or kind.name not in STORAGES or not isinstance(key, str):
        raise PickleError("a storage of a kind that is not read")
    if type(numel) is not int or not 0 <= numel < 1 << 48 or (len(identity) == 6 and identity[5] is not None):
        raise PickleError("a malformed storage")
    return PickledStorage(key, STORAGES[kind.name], numel)


def _tensor(storage: object, offset: object, size: object, stride: object, *rest: object) -> object:
    """``_rebuild_tensor`` and ``_rebuild_tensor_v2``: what follows is whether it has a gradient, hooks, metadata."""
    return _rebuilt(storage, None, offset, size, stride, rest[2] if len(rest) > 2 else None)


def _typed_tensor(
    storage: object, offset: object, size: object, stride: object, _grad: object, _hooks: object, dtype: object,
    metadata: object = None,
) -> object:  # fmt: skip
    """``_rebuild_tensor_v3``: a storage of bytes, and a dtype."""
    if not isinstance(dtype, Name) or dtype.module != "torch":
        raise PickleError("a tensor without a dtype")
    return _rebuilt(storage, dtype.name, offset, size, stride, metadata)


def _rebuilt(
    storage: object, dtype: str | None, offset: object, size: object, stride: object, metadata: object
) -> PickledTensor:
    if not isinstance(storage, PickledStorage) or type(offset) is not int or not 0 <= offset < 1 << 48:
        raise PickleError("a malformed tensor")
    dtype = dtype or storage.dtype
    if dtype is None:
        raise PickleError("a malformed tensor")
    sizes, strides = _sizes(size), _sizes(stride)
    most = math.prod(max(1, length) for length in sizes)
    if len(sizes) != len(strides) or len(sizes) > MOST_AXES or most >= 1 << 58:
        raise PickleError("a malformed tensor")
    negative = isinstance(metadata, dict) and metadata.get("neg") is True
    return PickledTensor(storage, dtype, offset, sizes, strides, negative)


def _parameter(tensor: object, *_: object) -> object:
    return tensor


def _empty_dict(*pairs: object) -> dict[Any, Any]:
    """An ``OrderedDict`` or a ``defaultdict``, whose items come behind it."""
    if any(not isinstance(pair, Name) for pair in pairs):
        raise PickleError("a dict with items of its own")
    return {}


def _size(sizes: object = ()) -> object:
    return _sizes(sizes)


def _builtin(*names: str) -> list[tuple[str, str]]:
    return [(module, name) for module in ("builtins", "__builtin__") for name in names]


def _bytes(data: object = b"") -> object:
    """Bytes as old protocols spell them: those of another one, or none."""
    if not isinstance(data, bytes):
        raise PickleError("bytes of what are none")
    return data


def _scalar(dtype: object, data: object) -> object:
    return PickledArray(_array(data, dtype, (), "C"))


def _from_buffer(data: object, dtype: object, shape: object, order: object, *_: object) -> object:
    return PickledArray(_array(data, dtype, shape, order))


def _refusing(what: str, cure: str) -> Maker:
    return lambda *_: Refused(what, cure)


def _layout(name: object) -> object:
    if not isinstance(name, str):
        raise PickleError("a malformed layout")
    return Name("torch", name)


class _Encoder:
    """``_codecs.encode``: how protocol 2 spells bytes; no more come out than the pickle has."""

    def __init__(self, budget: int) -> None:
        self.left = budget

    def __call__(self, text: object, encoding: object) -> object:
        if not isinstance(text, str) or encoding != "latin1":
            raise PickleError("text in an encoding that is not read")
        self.left -= len(text)
        if self.left < 0:
            raise PickleError("bytes that are named too often")
        return text.encode("latin1")


def _of_type(makers: Mapping[tuple[str, str], Maker | None]) -> Maker:
    """``_rebuild_from_type_v2``: a tensor with attributes, which are left out, or of a subclass."""

    def make(maker: object, kind: object, arguments: object, _state: object = None) -> object:
        known = makers.get((maker.module, maker.name)) if isinstance(maker, Name) else None
        if known is None or not isinstance(kind, Name) or not isinstance(arguments, tuple):
            raise PickleError("a malformed tensor")
        return known(*arguments)

    return make


def makers_of(budget: int) -> Mapping[tuple[str, str], Maker | None]:
    """What a pickle may name, and what is made of it.

    Args:
        budget: bytes that may come of texts: those of the pickle.
    """
    tensors: dict[tuple[str, str], Maker | None] = {
        ("torch._utils", "_rebuild_tensor"): _tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_tensor_v3"): _typed_tensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
        ("torch._utils", "_rebuild_sparse_tensor"): _refusing("is sparse", "store .to_dense()"),
        ("torch._utils", "_rebuild_qtensor"): _refusing("is a quantised tensor", "store .dequantize() or .int_repr()"),
        ("torch._utils", "_rebuild_nested_tensor"): _refusing(
            "is a nested tensor", "store .unbind(), a list of tensors"
        ),
        ("torch._utils", "_rebuild_meta_tensor_no_storage"): _refusing(
            "is on the meta device: it has no values", "run the model on a device"
        ),
    }
    arrays = {
        ("_codecs", "encode"): _Encoder(budget),
        **{
            (f"numpy.{core}.{module}", name): maker
            for core in ("core", "_core")
            for module, name, maker in (
                ("multiarray", "_reconstruct", lambda *_: PickledArray()),
                ("multiarray", "scalar", _scalar),
                ("numeric", "_frombuffer", _from_buffer),
            )
        },
        ("numpy", "dtype"): lambda code, *_: PickledDtype(code),
    }
    containers: dict[tuple[str, str], Maker | None] = {
        ("collections", "OrderedDict"): _empty_dict,
        ("collections", "defaultdict"): _empty_dict,
        ("torch", "Size"): _size,
        **dict.fromkeys(_builtin("bytes", "bytearray"), _bytes),
        **dict.fromkeys(_builtin("complex"), _refusing("is a complex number", "keep its real and imaginary parts")),
        ("torch", "device"): _refusing("is a torch.device", "keep it as text: str(...)"),
        ("torch.serialization", "_get_layout"): _layout,
    }
    modules = ("torch", "torch.cuda", "torch.storage")
    return {
        **tensors,
        **arrays,
        **containers,
        ("torch._tensor", "_rebuild_from_type_v2"): _of_type(tensors),
        **dict.fromkeys(_inert(modules)),
    }


def _inert(modules: Sequence[str]) -> list[tuple[str, str]]:
    """Names of which nothing is made."""
    names = [("torch", name) for name in (*_DTYPES, "Tensor", "per_tensor_affine", "per_channel_affine")]
    names += [(module, name) for module in modules for name in STORAGES]
    return [
        *names,
        *_builtin("list", "dict", "int", "float"),
        ("numpy", "ndarray"),
        ("torch.nn.parameter", "Parameter"),
    ]
