"""Measured points, kept in the work folder: a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .methods import setting_text
from .sweep import Setting

__all__ = ["Point", "PointStore"]


@dataclass(frozen=True)
class Point:
    """A measured point: one tap, coded by one method at one setting. Its fields are the keys of stored JSON.

    Args:
        setting: the method's.
        bytes: all that decoding needs.
        bpfp: bits per feature point, 8 bytes / values.
        snr_db: 10 log10 of energy over squared error; None if nothing was lost.
        encode_mb_s, decode_mb_s: 10^6 bytes of fp32 values per second of CPU time, one thread.
        encode_mib, decode_mib: peak memory above what stood before.
        variant: the full name of the variant that made it.
        top1: the top-1 class of every sample, or of each of its T predictions.
    """

    setting: Setting
    bytes: int
    bpfp: float
    snr_db: float | None
    encode_mb_s: float
    decode_mb_s: float
    encode_mib: float
    decode_mib: float
    variant: str
    top1: Sequence[int] | Sequence[Sequence[int]]

    def agrees(self, reference: NDArray[np.int64]) -> NDArray[np.float64]:
        """The share of each sample's predictions that are those of ``reference``: 0 or 1 where there is one.

        Args:
            reference: the classes from unquantised features ``[B]``, or ``[B, T]``.
        """
        same = np.asarray(self.top1, np.int64) == reference
        shares: NDArray[np.float64] = same.reshape(len(same), -1).mean(axis=1)
        return shares


class PointStore:
    """The points of one method on one tap, in a file.

    Args:
        path: of the file.
        fingerprint: what tells features, options and versions apart; points of another one do not count.
    """

    def __init__(self, path: Path, fingerprint: Mapping[str, Any]) -> None:
        self.path, self.fingerprint = path, dict(fingerprint)
        self._found: dict[str, Point] = {}
        self._failed: dict[str, str] = {}
        if path.exists():
            kept = json.loads(path.read_text("utf-8"))
            if kept["fingerprint"] == self.fingerprint:
                self._found = {name: Point(**point) for name, point in kept["points"].items()}
                self._failed = kept["failed"]

    def get(self, setting: Setting) -> Point | None:
        """The point of a setting, if it was measured."""
        return self._found.get(setting_text(setting))

    def failure(self, setting: Setting) -> str | None:
        """Why the setting cannot be coded, if it was tried in vain."""
        return self._failed.get(setting_text(setting))

    def add(self, point: Point) -> None:
        """Keep a point, in the file too."""
        self._found[setting_text(point.setting)] = point
        self._write()

    def fail(self, setting: Setting, reason: str) -> None:
        """Keep the reason why a setting has no point."""
        self._failed[setting_text(setting)] = reason
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        points = {name: asdict(point) for name, point in self._found.items()}
        kept = {"fingerprint": self.fingerprint, "points": points, "failed": self._failed}
        partial = self.path.with_suffix(".part")
        partial.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
        partial.replace(self.path)
