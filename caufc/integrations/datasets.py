"""A feature type of Hugging Face datasets: a column of tensors, stored as ``.cauf`` bytes.

Importing this module registers ``CaufTensor``, so that datasets, Parquet files and streams that have such columns are
read as tensors. A profile is in the features, which datasets writes once into the schema of every Arrow and Parquet
file: whoever has the file can decode it. A row holds nothing but its message.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar

import datasets
import pyarrow as pa
from datasets.features.features import register_feature
from numpy.typing import NDArray

import caufc

from .arrow_lists import is_nested, tensors_of
from .profile_text import profile_bytes, profile_text, shortened
from .sample_codec import MOST_KEPT, SampleCodec
from .tensor_values import numpy_of

__all__ = ["CaufTensor"]

DTYPES = (
    *("float16", "float32", "float64", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)


@dataclass(repr=False)
class CaufTensor:
    """A column of tensors of numpy or torch, or nested lists, of any shape; numpy arrays come out.

    With a profile a row is a message of a prepared coder, without one a file by itself: larger, slower, and good for
    tensors of all kinds. Rows may have different shapes in either, as far as the profile's layout has them.

    Args:
        dtype: in which tensors are kept and come back, whatever they come in.
        profile: of the rows: a :class:`caufc.Coder`, or name, ``.caufp`` file or bytes; kept as text. :meth:`fit` makes
            one.
        quality, snr, nonfinite: as for :class:`caufc.Coder`, with a profile.
        quality, snr, max_error, lossless, layout, nonfinite: as for :func:`caufc.encode`, without one.
        decode: False gives the bytes of rows instead of their tensors.
        shape: of every row, where all have one: other rows are refused, and readers that ask for it, as they do of an
            Array2D, are told.

    Raises:
        CaufError: for options or a profile that cannot be.
    """

    dtype: str = "float32"
    profile: Any = None
    quality: Any = None
    snr: Any = None
    max_error: float | None = None
    lossless: bool = False
    layout: str | None = None
    nonfinite: str = "error"
    decode: bool = True
    shape: tuple[int, ...] | None = None
    id: str | None = None
    pa_type: ClassVar[Any] = pa.binary()
    _type: str = field(default="CaufTensor", init=False)

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise caufc.UnknownNameError("dtype", str(self.dtype), DTYPES)
        self.profile = profile_text(self.profile)
        self.shape = None if self.shape is None else tuple(self.shape)
        self._codec  # noqa: B018 - options are wrong here, not at the first row

    @classmethod
    def fit(
        cls,
        samples: Any,
        *,
        dtype: str = "float32",
        quality: Any = None,
        snr: Any = None,
        nonfinite: str = "error",
        shape: tuple[int, ...] | None = None,
        **options: Any,
    ) -> CaufTensor:
        """The feature of a profile that is made from samples; see :meth:`caufc.Coder.fit`.

        Args:
            samples: a few hundred, or a few thousand tokens: a batch ``[B, ...]``, or a list of tensors.
            dtype, quality, snr, nonfinite, shape: of the feature.
            options: ``layout``, ``arch``, ``tap``, ``align``, ``truncate`` as for :func:`caufc.encode`.
        """
        many = isinstance(samples, list | tuple)
        given = [_array(sample, dtype) for sample in samples] if many else _array(samples, dtype)
        coder = caufc.Coder.fit(given, quality=quality, snr=snr, nonfinite=nonfinite, **options)
        return cls(dtype, coder, quality=quality, snr=snr, nonfinite=nonfinite, shape=shape)

    def __call__(self) -> Any:
        return self.pa_type

    def __repr__(self) -> str:
        """What is not the default; of a profile its size."""
        given = [(item, getattr(self, item.name)) for item in fields(self) if item.name != "_type"]
        words = [shortened(item.name, value) for item, value in given if value != item.default]
        return f"CaufTensor({', '.join(words)})"

    @property
    def _codec(self) -> SampleCodec:
        """What codes the rows: no part of what is pickled or hashed."""
        named = (self.quality, self.snr, self.max_error, self.lossless, self.layout, self.nonfinite)
        return _codec_of(self.profile, *named)

    def encode_example(self, value: Any) -> bytes | None:
        """The bytes of a tensor; bytes stay as they are.

        Raises:
            InputError: for what is no tensor, or cannot be encoded as asked.
        """
        if value is None or isinstance(value, bytes):
            return value
        array = _array(value, self.dtype)
        if self.shape is not None and array.shape != self.shape:
            raise caufc.InputError(f"a tensor of {array.shape} in a column of {self.shape}", remedy="leave shape= out")
        return self._codec.encode(array)

    def decode_example(self, value: Any, token_per_repo_id: Any = None) -> Any:  # noqa: ARG002
        """The tensor of some bytes, as numpy has it; what is decoded already stays as it is.

        Raises:
            FormatError: for damaged bytes.
            MissingProfileError: for a row that relies on another profile than the feature's.
        """
        if not self.decode:
            raise caufc.InputError("the column has decode=False", remedy="cast it to a CaufTensor with decode=True")
        return self._tensor(value) if isinstance(value, bytes) else value

    def cast_storage(self, storage: Any) -> Any:
        """An Arrow array as the column's storage: ``.cauf`` bytes stay, tensors in nested lists are encoded.

        What ``map`` returns comes as nested lists, and so do columns that are cast to this feature.

        Raises:
            TensorError: for anything else: datasets then keeps the type that ``map`` returned.
            InputError: for a row that cannot be encoded as asked; it names the row.
        """
        kind = storage.type
        if pa.types.is_null(kind):
            return storage.cast(self.pa_type)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            self._check(storage)
            return storage.cast(self.pa_type)
        if not is_nested(kind):
            raise caufc.TensorError(f"a column of {kind} holds no tensors", remedy="give tensors, or nested lists")
        rows = []
        for number, tensor in enumerate(tensors_of(storage)):
            try:
                rows.append(self.encode_example(tensor))
            except caufc.InputError as err:
                raise err.locate(file=f"row {number}") from err.__cause__
        return pa.array(rows, self.pa_type)

    def _check(self, storage: Any) -> None:
        """That bytes are of this feature: the first of them are decoded."""
        first = next((row for row in storage if row.is_valid), None)
        if first is not None:
            self._tensor(first.as_py())

    def _tensor(self, data: bytes) -> NDArray[Any]:
        try:
            return _array(self._codec.decode(data), self.dtype)
        except caufc.MissingProfileError as err:
            err.remedy = "the feature has another profile, or none: decode with the one of the column, then cast"
            raise

    def flatten(self) -> Any:
        """A column of its own, or plain bytes where they are not decoded."""
        return self if self.decode else datasets.Value("binary")


@lru_cache(MOST_KEPT)
def _codec_of(
    profile: str | None, quality: Any, snr: Any, max_error: Any, lossless: bool, layout: Any, nonfinite: str
) -> SampleCodec:
    """What codes the rows of a column, made once in a process; by the profile's text, whose hash Python keeps."""
    named = {"quality": quality, "snr": snr, "max_error": max_error, "layout": layout}
    return SampleCodec(profile_bytes(profile), lossless=lossless, nonfinite=nonfinite, **named)


def _array(value: Any, dtype: str) -> NDArray[Any]:
    """A tensor of numpy, torch or nested lists as an array of a dtype.

    Raises:
        TensorError: for what is no tensor, and floats where integers are wanted.
    """
    try:
        array = numpy_of(value)
        return array.astype(dtype, casting="unsafe" if array.dtype.kind == "V" else "same_kind", copy=False)
    except (TypeError, ValueError) as err:
        raise caufc.TensorError(
            f"a {type(value).__name__} is no tensor of {dtype}", remedy="give a tensor or regular nested lists"
        ) from err


with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # that registering features is experimental
    register_feature(CaufTensor, "CaufTensor")
