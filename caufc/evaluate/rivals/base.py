"""The interface of rivals: one way to turn the arrays of a tensor into bytes and back, and a family of such ways."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...coders.dtypes import cast_floats, to_floats, working_dtype
from ...types import AnyArray
from ..sweep import Setting, Sweep

__all__ = ["ZSTD_LEVEL", "FloatRival", "Floats", "Rival", "RivalFamily", "RivalInputs", "TensorSpec"]

Floats = NDArray[np.float32]

ZSTD_LEVEL = 19
"""The level of zstd behind rivals: the highest of its ordinary ones, so that none is weaker than it could be."""


@dataclass(frozen=True)
class TensorSpec:
    """The form of a tensor, which both sides of a rival know: it costs the rival no bytes.

    Args:
        dtype: a name of :data:`caufc.types.DTYPES`.
        shapes: shapes of the tensor's arrays: one batch, or one per sample.
        channels: the arrays' channel axes; None for a tensor that is kept as it is, under zstd.
    """

    dtype: str
    shapes: Sequence[tuple[int, ...]]
    channels: tuple[int, ...] | None

    @property
    def tokens(self) -> tuple[int, ...]:
        """The axes that are not channels."""
        return tuple(axis for axis in range(len(self.shapes[0])) if axis not in (self.channels or ()))

    @property
    def scales_shape(self) -> tuple[int, ...]:
        """Shape of one number per channel that broadcasts over the arrays."""
        return tuple(1 if axis in self.tokens else size for axis, size in enumerate(self.shapes[0]))

    @property
    def width(self) -> int:
        """Number of channels."""
        return math.prod(self.scales_shape)

    @property
    def joined_shape(self) -> tuple[int, ...]:
        """Shape of all arrays as one: along their first axis, else as tokens x channels."""
        if 0 not in (self.channels or ()) and len({shape[1:] for shape in self.shapes}) == 1:
            return (sum(shape[0] for shape in self.shapes), *self.shapes[0][1:])
        return (sum(map(math.prod, self.shapes)) // max(self.width, 1), self.width)

    def split(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """The arrays that a flat array of all values holds."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), self.shapes, strict=True)]

    def matrix(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The arrays as one matrix of tokens x channels ``[N, C]``."""
        axes = (*self.tokens, *(self.channels or ()))
        rows = [array.transpose(axes).reshape(-1, self.width) for array in arrays]
        return np.ascontiguousarray(rows[0] if len(rows) == 1 else np.concatenate(rows))

    def arrays(self, matrix: NDArray[Any]) -> list[NDArray[Any]]:
        """The inverse of :meth:`matrix`."""
        axes = (*self.tokens, *(self.channels or ()))
        back = np.argsort(axes)
        ends = np.cumsum([math.prod(shape) // self.width for shape in self.shapes])
        parts = zip(np.split(matrix, ends[:-1]), self.shapes, strict=True)
        return [part.reshape([shape[axis] for axis in axes]).transpose(back) for part, shape in parts]

    def joined(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The arrays as one array of :attr:`joined_shape`."""
        shape = self.joined_shape
        if len(shape) == 2 and len(self.shapes[0]) != 2:
            return self.matrix(arrays)
        return np.ascontiguousarray(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))

    def apart(self, joined: NDArray[Any]) -> list[NDArray[Any]]:
        """The inverse of :meth:`joined`."""
        if joined.ndim == 2 and len(self.shapes[0]) != 2:
            return self.arrays(joined)
        ends = np.cumsum([shape[0] for shape in self.shapes])
        return np.split(joined, ends[:-1])


class Rival(ABC):
    """One way to store the arrays of a tensor, at one setting; they come and go in the numpy form of their dtype."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """The short name, as in ``int4``."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The full name, as tables show it."""

    @property
    @abstractmethod
    def options(self) -> Mapping[str, Any]:
        """The options that make it different from others of its family."""

    def refusal(self, arrays: Sequence[AnyArray], spec: TensorSpec) -> str | None:
        """Why it cannot store a tensor of floats, as in ``holds NaN or Inf``; None if it can."""
        finite = all(bool(np.isfinite(to_floats(array, spec.dtype)).all()) for array in arrays)
        return None if finite else "holds NaN or Inf"

    @abstractmethod
    def encode(self, arrays: Sequence[AnyArray], spec: TensorSpec) -> bytes:
        """The bytes of a tensor."""

    @abstractmethod
    def decode(self, data: bytes, spec: TensorSpec, form: np.dtype[Any]) -> list[AnyArray]:
        """The inverse of :meth:`encode`; ``form`` is how numpy holds the dtype."""


class FloatRival(Rival):
    """A rival that stores tensors of floats only, which it takes and gives as fp32."""

    def encode(self, arrays: Sequence[AnyArray], spec: TensorSpec) -> bytes:
        return self._encode([to_floats(array, spec.dtype).astype(np.float32, copy=False) for array in arrays], spec)

    def decode(self, data: bytes, spec: TensorSpec, form: np.dtype[Any]) -> list[AnyArray]:  # noqa: ARG002
        working = working_dtype(spec.dtype)
        return [cast_floats(array.astype(working, copy=False), spec.dtype) for array in self._decode(data, spec)]

    @abstractmethod
    def _encode(self, arrays: Sequence[Floats], spec: TensorSpec) -> bytes: ...

    @abstractmethod
    def _decode(self, data: bytes, spec: TensorSpec) -> Sequence[Floats]: ...


@dataclass(frozen=True)
class RivalInputs:
    """The inputs that a rival may need beside its setting.

    Args:
        calibration: gives tokens ``[N, C]`` of the fit half, for rivals that are fitted on them; None where there is
            no such half.
        zstd_level: for rivals that have zstd behind.
    """

    calibration: Callable[[], Floats] | None = None
    zstd_level: int = ZSTD_LEVEL

    def calibration_tokens(self) -> Floats:
        """Tokens ``[N, C]`` of the fit half.

        Raises:
            ValueError: if there is none.
        """
        if self.calibration is None:
            raise ValueError("a calibrated rival needs the features of a fit half")
        return self.calibration()


@dataclass(frozen=True)
class RivalFamily:
    """A rival over its settings: what the registry holds, and what an evaluation draws a curve of.

    Args:
        key: its name on the command line of ``caufc evaluate``, and in files.
        name: the full name, as tables show it.
        sweep: the option that is swept, and its values.
        make: setting and inputs -> variants of the rival, of which the smallest result counts.
        named: rivals of one setting that ``caufc bench`` offers, by their names there.
        module: what ``make`` needs to import; None if nothing that caufc does not need itself.
        package: the package that brings the module, as pip knows it.
        calibrated: whether it is fitted on the fit half, as profiles are.
        cost: seconds per MB, a rough figure set by hand: progress tells with it how much is left.
    """

    key: str
    name: str
    sweep: Sweep
    make: Callable[[Setting, RivalInputs], Sequence[Rival]]
    named: Mapping[str, Setting] = field(default_factory=dict)
    module: str | None = None
    package: str | None = None
    calibrated: bool = False
    cost: float = 0.2

    def missing(self) -> str | None:
        """The reason why it cannot run; None if it can."""
        if self.module is None or find_spec(self.module) is not None:
            return None
        return f"{self.package} is not installed; pip install 'caufc[evaluate]'"
