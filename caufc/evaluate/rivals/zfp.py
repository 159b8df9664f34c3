"""zfp, a transform coder of floating-point arrays (Lindstrom 2014)."""

from __future__ import annotations

from dataclasses import dataclass

from ..sweep import Sweep
from .base import Floats, RivalFamily
from .error_bounded import ErrorBoundedRival

__all__ = ["ZFP", "Zfp"]


@dataclass(frozen=True)
class Zfp(ErrorBoundedRival):
    """zfp in its fixed-accuracy mode."""

    @property
    def kind(self) -> str:
        return "zfp"

    def _compress(self, values: Floats, bound: float) -> bytes:
        import zfpy

        packed: bytes = zfpy.compress_numpy(values, tolerance=bound)
        return packed

    def _decompress(self, data: bytes, shape: tuple[int, ...]) -> Floats:
        import zfpy

        values: Floats = zfpy.decompress_numpy(data).reshape(shape)
        return values


ZFP = RivalFamily(
    "zfp",
    "zfp",
    Sweep("octaves", (-7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0), divisible=True, low=-14, high=8, grain=1),
    lambda setting, _: [Zfp(setting["octaves"]), Zfp(setting["octaves"], matrix=True)],
    module="zfpy",
    package="zfpy",
    cost=0.03,
)
