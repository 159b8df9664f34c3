"""An Arrow extension type of tensors: its storage is ``.cauf`` bytes, one sample a row, and the profile is in the type.

Importing this module registers the type ``caufc.tensor``: columns of it then come out of Arrow IPC and Parquet files as
what they are. Where it is not registered, the same columns are binary, and ``caufc.decode`` reads each value. A profile
is in the type's parameters, once for all rows, so that whoever has the file can decode it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import caufc

from .sample_codec import SampleCodec, profile_of, sample_codec
from .tensor_values import numpy_of

__all__ = ["CaufArray", "CaufScalar", "CaufType"]

NAME = "caufc.tensor"
"""Of the type, in Arrow's registry and in files."""


class CaufType(pa.ExtensionType):
    """Tensors of any shape, one a row, as ``.cauf`` bytes in a ``large_binary`` storage.

    Args:
        profile: that rows rely on: a :class:`caufc.Coder`, or name, ``.caufp`` file or bytes. Without one, rows are
            files by themselves.

    Raises:
        CaufError: if there is no such profile, or it is damaged.
    """

    def __init__(self, profile: Any = None) -> None:
        self.profile = profile_of(profile)
        super().__init__(pa.large_binary(), NAME)

    def __arrow_ext_serialize__(self) -> bytes:
        """The parameters as JSON, which every Arrow implementation may hold: metadata there are UTF-8."""
        text = {} if self.profile is None else {"profile": base64.b64encode(self.profile).decode("ascii")}
        return json.dumps(text).encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> CaufType:
        """The type of some parameters.

        Raises:
            FormatError: for what no version has written.
        """
        try:
            given = json.loads(serialized or b"{}").get("profile")
            profile = None if given is None else base64.b64decode(given, validate=True)
        except (ValueError, AttributeError, TypeError) as err:
            raise caufc.ForeignFormatError(f"the parameters of the Arrow type {NAME} are not caufc's") from err
        return cls(profile)

    def __arrow_ext_class__(self) -> type[CaufArray]:
        return CaufArray

    def __arrow_ext_scalar_class__(self) -> type[CaufScalar]:
        return CaufScalar

    def __reduce__(self) -> tuple[Any, ...]:
        return CaufType, (self.profile,)

    def __eq__(self, other: object) -> bool:
        """Types of different profiles differ, for Arrow too: it joins no rows of both."""
        return isinstance(other, CaufType) and self.profile == other.profile

    def __ne__(self, other: object) -> bool:  # pyarrow has one of its own
        return not self == other

    def __hash__(self) -> int:
        return hash((NAME, self.profile))

    def __repr__(self) -> str:
        return "CaufType()" if self.profile is None else f"CaufType(profile=<{len(self.profile):,} bytes>)"

    @property
    def codec(self) -> SampleCodec:
        """What decodes the rows."""
        return sample_codec(self.profile)


class CaufScalar(pa.ExtensionScalar):
    """One tensor."""

    def as_py(self, **_: Any) -> Any:
        """The tensor: numpy or torch, as it was encoded; None for a null.

        Raises:
            FormatError: for damaged bytes.
            MissingProfileError: if the row relies on another profile than the type's.
        """
        return None if self.value is None else self.type.codec.decode(self.value.as_py())


class CaufArray(pa.ExtensionArray):
    """Tensors, one a row. ``array[3].as_py()`` decodes one, ``to_pylist()`` all, ``storage`` has their bytes."""

    @classmethod
    def of(cls, samples: Iterable[Any], coder: caufc.Coder | None = None, **options: Any) -> CaufArray:
        """The array of some samples.

        Args:
            samples: tensors of numpy or torch, None for nulls.
            coder: whose messages rows are; its profile goes into the type.
            options: of :func:`caufc.encode` without a coder: every row is a file by itself then.

        Raises:
            InputError: for a sample that cannot be encoded as asked; it names the row.
        """
        if coder is not None and options:
            raise caufc.OptionError(f"{', '.join(options)} beside a coder, which has options of its own")
        encode = coder.encode if coder is not None else sample_codec(None, **options).encode
        rows = [_row(encode, number, sample) for number, sample in enumerate(samples)]
        array: CaufArray = pa.ExtensionArray.from_storage(CaufType(coder), pa.array(rows, pa.large_binary()))
        return array

    def to_numpy_ndarray(self) -> NDArray[Any]:
        """All rows as one array ``[N, ...]``.

        Raises:
            InputError: for nulls, and rows of several shapes or dtypes.
        """
        if self.null_count:
            raise caufc.InputError(f"{self.null_count:,} rows are null", remedy="use to_pylist(), or drop_null()")
        rows = [numpy_of(row) for row in self.to_pylist()]
        kinds = sorted({f"{row.dtype}{list(row.shape)}" for row in rows})
        if len(kinds) > 1:
            raise caufc.InputError(f"rows differ: {', '.join(kinds[:3])}", remedy="use to_pylist()")
        return np.stack(rows) if rows else np.empty(0, np.float32)


def _row(encode: Any, number: int, sample: Any) -> bytes | None:
    try:
        return None if sample is None else encode(sample)
    except caufc.InputError as err:
        raise err.locate(file=f"row {number}") from err.__cause__


with suppress(pa.ArrowKeyError):  # it is there when this module is loaded again
    pa.register_extension_type(CaufType())
