"""The registry of rivals: every family, for ``caufc evaluate``, and those that ``caufc bench`` offers by name.

A new rival is a file beside this one, with its :class:`~caufc.evaluate.rivals.base.RivalFamily`, and a line here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from ...errors import OptionError, UnknownNameError
from ..sweep import Setting
from .base import ZSTD_LEVEL, Rival, RivalFamily, RivalInputs
from .blosc2 import BLOSC2
from .faiss_rotation import FAISS_ROTATION
from .faiss_scalar import FAISS_SCALAR
from .fp16 import FP16
from .int_codes import INT
from .kvtc import KVTC, KVTC_CALIBRATED
from .nncodec import NNCODEC
from .sz3 import SZ3_FAMILY
from .zfp import ZFP

__all__ = ["FAMILIES", "RIVAL_NAMES", "find_families", "find_rivals"]

FAMILIES = (FP16, INT, BLOSC2, SZ3_FAMILY, ZFP, FAISS_SCALAR, FAISS_ROTATION, KVTC, KVTC_CALIBRATED, NNCODEC)
"""All rivals, in the order in which tables and figures show them."""

_NAMED: dict[str, tuple[RivalFamily, Setting]] = {
    name: (family, setting)
    for _, name, family, setting in sorted(
        (setting.get("bits", math.inf), name, family, setting)
        for family in FAMILIES
        for name, setting in family.named.items()
    )
}

RIVAL_NAMES = tuple(_NAMED)
"""Names of rivals at one setting, as ``caufc bench`` knows them, from few bits to many."""


def find_families(keys: Sequence[str]) -> list[RivalFamily]:
    """Families by their keys.

    Raises:
        UnknownNameError: for an unknown key.
        OptionError: for a key that stands twice.
    """
    known = {family.key: family for family in FAMILIES}
    _check_names(keys, known)
    return [known[key] for key in keys]


def find_rivals(names: Sequence[str], zstd_level: int = ZSTD_LEVEL) -> list[Sequence[Rival]]:
    """Rivals at one setting by their names in :data:`RIVAL_NAMES`; of the variants of one, the smallest counts.

    Raises:
        UnknownNameError: for an unknown name.
        OptionError: for a name that stands twice.
    """
    _check_names(names, _NAMED)
    inputs = RivalInputs(zstd_level=zstd_level)
    return [family.make(setting, inputs) for family, setting in (_NAMED[name] for name in names)]


def _check_names(names: Sequence[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError("rival", name, known)
        if names.count(name) > 1:
            raise OptionError(f"rival '{name}' is named twice", remedy="name it once")
