"""All values of valid vectors whose decoders may differ, with their tolerances: `NAME.npz` beside `NAME.json`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spec.reference import decoder as reference

__all__ = ["LARGEST", "LISTED", "SAMPLED", "all_values", "bounds", "listed", "needed_by"]

LISTED = 48
"""Values in the JSON of a vector that has all of them in an .npz."""

SAMPLED = 1000
"""Values in the JSON of a larger vector."""

LARGEST = 1 << 15
"""Values of a tensor up to which all are kept."""


def bounds(tensor: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All values of a tensor of the reference decoder that is not exact, and what each may be off."""
    stored = np.concatenate([sample.ravel() for sample in tensor.samples])
    sums = np.concatenate([sums.ravel() for sums in tensor.sums])
    return reference.as_floats(tensor.dtype, stored), reference.tolerance(tensor.dtype, stored, sums)


def listed(floats: NDArray[np.float64], allowed: NDArray[np.float64]) -> list[list[float]]:
    """Some values, as (position, value, tolerance)."""
    finite = np.flatnonzero(np.isfinite(floats))
    count = LISTED if len(floats) <= LARGEST else SAMPLED
    positions = finite[np.unique(np.linspace(0, len(finite) - 1, count).round().astype(int))]
    return [[int(p), float(floats[p]), float(allowed[p])] for p in positions]


def needed_by(path: Path) -> dict[bytes, bytes]:
    """Profile and weights of a vector, by content hash."""
    facts = json.loads(path.with_suffix(".json").read_text())
    files = [path.parents[1] / "profiles" / facts[kind] for kind in ("profile", "weights") if kind in facts]
    return {hashlib.sha256(data).digest()[:16]: data for data in (file.read_bytes() for file in files)}


def all_values(path: Path) -> dict[str, Any]:
    """What the .npz of a valid vector holds: NUMBER.values in f64 and NUMBER.allowed in f32 of its tensors."""
    found: dict[str, Any] = {}
    for number, tensor in enumerate(reference.decode(path.read_bytes(), needed_by(path)).tensors):
        if tensor.exact or not 0 < sum(sample.size for sample in tensor.samples) <= LARGEST:
            continue
        values, allowed = bounds(tensor)
        rounded = allowed.astype("f4")
        found[f"{number}.values"] = values
        found[f"{number}.allowed"] = np.where(rounded < allowed, np.nextafter(rounded, np.float32(np.inf)), rounded)
    return found
