"""The rivals of an evaluation as descriptors: name, packages, settings, and how to make one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from ...errors import (
    OptionError,
    UnknownNameError,
)
from ..sweep import (
    Axis,
    Setting,
)
from .base import (
    Floats,
    Rival,
)
from .blosc import Blosc
from .error_bounded import (
    SZ3,
    Zfp,
)
from .faiss_codes import (
    RotatedCodes,
    ScalarCodes,
)
from .kvtc import (
    Kvtc,
    principal_components,
)
from .nnc import NNCodec
from .zstd_codes import (
    BITS,
    HalfFloats,
    find_rivals,
)

__all__ = ["FAMILIES", "Family", "find_families"]

LEVEL = 19
"""Of zstd."""

Calibration = Callable[[], Floats]
"""Tokens ``[N, C]`` of the fit half."""


@dataclass(frozen=True)
class Family:
    """A rival over its settings.

    Args:
        key: its name on the command line.
        name: as tables show it.
        axis: what is turned.
        make: setting and calibration -> variants of the rival, of which the smallest file counts.
        module: what ``make`` needs to import; None if nothing that caufc does not need itself.
        package: that brings the module, as pip knows it.
        calibrated: whether it is fitted on the fit half, as profiles are.
        cost: seconds a MB, about; tells progress how much is left.
    """

    key: str
    name: str
    axis: Axis
    make: Callable[[Setting, Calibration], Sequence[Rival]]
    module: str | None = None
    package: str | None = None
    calibrated: bool = False
    cost: float = 0.2

    def missing(self) -> str | None:
        """What keeps it from running; None if nothing does."""
        if self.module is None or find_spec(self.module) is not None:
            return None
        return f"{self.package} is not installed; pip install 'caufc[evaluate]'"


def _int_codes(setting: Setting) -> Sequence[Rival]:
    (variants,) = find_rivals([f"int{round(setting['bits'])}"], LEVEL)
    return variants


OCTAVES = Axis("octaves", (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), divisible=True, low=-10, high=10)

FAMILIES = (
    Family("fp16", "fp16 + zstd", Axis("bits", (16.0,)), lambda s, _: [HalfFloats(LEVEL)], cost=0.2),
    Family("int", "int-k + zstd", Axis("bits", tuple(map(float, BITS))), lambda s, _: _int_codes(s), cost=0.3),
    Family(
        "blosc2",
        "blosc2",
        Axis("mantissa", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)),
        lambda s, _: [Blosc(round(s["mantissa"]))],
        module="blosc2",
        package="blosc2",
        cost=0.1,
    ),
    Family(
        "sz3",
        "SZ3",
        OCTAVES,
        lambda s, _: [SZ3(s["octaves"]), SZ3(s["octaves"], matrix=True)],
        module="pysz",
        package="pysz",
        cost=0.03,
    ),
    Family(
        "zfp",
        "zfp",
        Axis("octaves", (-7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0), divisible=True, low=-14, high=8, grain=1),
        lambda s, _: [Zfp(s["octaves"]), Zfp(s["octaves"], matrix=True)],
        module="zfpy",
        package="zfpy",
        cost=0.03,
    ),
    Family(
        "faiss-sq",
        "faiss scalar + zstd",
        Axis("bits", (4.0, 6.0, 8.0, 16.0)),
        lambda s, _: [ScalarCodes(round(s["bits"]))],
        module="faiss",
        package="faiss-cpu",
        cost=0.3,
    ),
    Family(
        "faiss-rotation",
        "faiss rotation + zstd",
        Axis("bits", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)),
        lambda s, _: [RotatedCodes(round(s["bits"]))],
        module="faiss",
        package="faiss-cpu",
        cost=0.3,
    ),
    Family(
        "kvtc",
        "PCA + DEFLATE (KVTC)",
        Axis("octaves", (-6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0), divisible=True, low=-10, high=3),
        lambda s, _: [Kvtc(s["octaves"])],
        cost=0.2,
    ),
    Family(
        "kvtc-calibrated",
        "PCA + DEFLATE (KVTC), calibrated",
        Axis("octaves", (-6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0), divisible=True, low=-10, high=3),
        lambda s, calibration: [Kvtc(s["octaves"], principal_components(calibration()))],
        calibrated=True,
        cost=0.2,
    ),
    Family(
        "nncodec",
        "NNCodec",
        OCTAVES,
        lambda s, _: [NNCodec(s["octaves"])],
        module="nncodec",
        package="nncodec",
        cost=0.4,
    ),
)


def find_families(keys: Sequence[str]) -> list[Family]:
    """Families by name.

    Raises:
        UnknownNameError: for an unknown name.
        OptionError: for a name that stands twice.
    """
    known = {family.key: family for family in FAMILIES}
    for key in keys:
        if key not in known:
            raise UnknownNameError("rival", key, known)
        if keys.count(key) > 1:
            raise OptionError(f"rival '{key}' is named twice", remedy="name it once")
    return [known[key] for key in keys]
