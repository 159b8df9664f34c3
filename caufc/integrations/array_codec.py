"""Chunks of arrays, as stores of such code them: options that are data, arrays to ``.cauf`` bytes and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc

from .profile_text import profile_bytes, profile_text, shortened

__all__ = ["ArrayCodec"]


@dataclass(frozen=True, repr=False)
class ArrayCodec:
    """How chunks of an array are coded, each a file by itself. Floats get the control, integers are kept exactly.

    NaN and Inf are kept: stores have them for what is missing.

    Args:
        quality, snr, bpfp, max_error, lossless, layout, effort: as for :func:`caufc.encode`, for every chunk; medium
            quality when no control is given. A layout is that of a chunk, ``b c``.
        profile: that chunks rely on: a :class:`caufc.Coder`, or name, ``.caufp`` file or bytes; kept as text.

    Raises:
        CaufError: for options or a profile that cannot be.
    """

    quality: float | str | None = None
    snr: float | str | None = None
    bpfp: float | None = None
    max_error: float | None = None
    lossless: bool = False
    layout: str | None = None
    effort: str = "default"
    profile: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "profile", profile_text(self.profile))
        object.__setattr__(self, "_profile", profile_bytes(self.profile))
        if self.layout is not None:
            caufc.Layout(self.layout)
        caufc.size_bound((2, 2), "float32", **{**self._options, "layout": None, "profile": None})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(shortened(*item) for item in self.config.items())})"

    @property
    def config(self) -> dict[str, Any]:
        """The options that are not the default, as JSON has them."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name)) != item.default}

    @property
    def _options(self) -> dict[str, Any]:
        known: bytes | None = self.__dict__["_profile"]
        return {**self.config, "profile": known, "embed_profile": False, "nonfinite": "keep", "threads": 1}

    def check(self, shape: Sequence[int], dtype: Any) -> None:
        """Find out whether chunks of a shape and dtype can be coded.

        Raises:
            InputError: if not.
        """
        caufc.size_bound(tuple(shape), np.dtype(dtype), **self._options)
        if self.layout is not None and len(caufc.Layout(self.layout).terms) != len(shape):
            raise caufc.LayoutError(f"layout '{self.layout}' has other axes than chunks of shape {list(shape)}")

    def pack(self, array: NDArray[Any]) -> bytes:
        """The bytes of a chunk.

        Raises:
            InputError: for what cannot be coded as asked.
        """
        return caufc.encode(array, **self._options)

    def unpack(self, data: bytes) -> NDArray[Any]:
        """The chunk of some bytes.

        Raises:
            FormatError: for damaged or malformed bytes, and files of anything but an array.
            UnsupportedError: for newer versions, missing profiles, and over limits.
        """
        return _array(caufc.decode(data, profile=self.__dict__["_profile"], threads=1))

    def unpack_rows(self, data: bytes, numbers: Sequence[int], count: int) -> NDArray[Any]:
        """Some rows of a chunk ``[count, ...]``, along its first axis: only the pieces that they are in are decoded.

        Raises:
            ForeignFormatError: if the chunk has another number of rows.
            CaufError: as for :meth:`unpack`.
        """
        with caufc.open(data, profile=self.__dict__["_profile"]) as reader:
            if len(reader.chunk_sizes) > 1 and reader.info.content == "batch":
                _check_rows(len(reader), count)
                return _array(np.stack(reader.__getitems__(numbers)))
        whole = self.unpack(data)
        _check_rows(len(whole), count)
        return whole[list(numbers)]


def _check_rows(found: int, count: int) -> None:
    if found != count:
        raise caufc.ForeignFormatError(f"a chunk has {found} rows, where the array has {count}")


def _array(found: Any) -> NDArray[Any]:
    if not isinstance(found, np.ndarray):
        raise caufc.ForeignFormatError(f"a chunk that holds a {type(found).__name__}, not an array")
    return found
