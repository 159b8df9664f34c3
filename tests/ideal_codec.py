"""A codec that keeps every contract because it does not code: each value loses the same share of itself."""

from __future__ import annotations

import hashlib
import math
from types import SimpleNamespace
from typing import Any

import numpy as np

import caufc
from tools.attack.contract_figures import snr_db
from tools.attack.contract_outcome import Subject
from tools.attack.contract_tensors import as_floats, bits_of, is_float, leaves_of, raw_bytes

CONTROLS = ("quality", "snr", "bpfp", "max_error", "lossless")
NAMED = {"low": 25.0, "medium": 50.0, "high": 75.0}
MOST_DB = {"float16": 25.0, "bfloat16": 15.0, "float32": 100.0, "float64": 200.0}
"""Levels up to which a dtype's own rounding changes nothing; above, values stay as they are."""

SMALLEST = {"float16": 0.01, "bfloat16": 1e-33, "float32": 1e-33, "float64": 1e-290}
"""Of a tensor with smaller values, whose rounding would be seen, nothing is lost."""

HEADER = 64
MARGIN = 0.2


class Ideal(Subject):
    """Keeps every contract: what is decoded is remembered, a file is as long as it should be."""

    def __init__(self) -> None:
        self.files: dict[bytes, Any] = {}

    def encode(self, features: Any, **options: Any) -> tuple[bytes, Any]:
        self.check(features, options)
        level = self.level(options, features)
        restored = self.restored(features, level)
        length = self.length(features, level, options)
        tag = hashlib.sha256(repr(sorted(options.items(), key=str)).encode())
        for _, leaf in leaves_of(features):
            tag.update(bits_of(leaf).tobytes())
        data = tag.digest() + bytes(length - 32)
        self.files[data] = restored
        return data, self.report(features, restored, length, options)

    def decode(self, data: bytes) -> Any:
        return self.files[data]

    def check(self, features: Any, options: dict[str, Any]) -> None:
        """Refuse what cannot be encoded."""
        given = {name: options[name] for name in CONTROLS if name in options}
        refused = (
            len(given) > 1
            or given.get("bpfp") == 0
            or given.get("max_error", 0) < 0
            or not (isinstance(quality := given.get("quality", 50.0), float) or quality in NAMED)
            or (isinstance(quality, float) and quality > 100)
        )
        if refused:
            raise caufc.OptionError("no such control")
        for _, leaf in leaves_of(features):
            if str(leaf.dtype) in ("object", "complex64"):
                raise caufc.TensorError("no such dtype")
            if is_float(leaf) and options.get("nonfinite") != "keep" and not np.isfinite(as_floats(leaf)).all():
                raise caufc.NonFiniteError("not finite")

    def level(self, options: dict[str, Any], features: Any) -> float:
        """dB that every value keeps."""
        if options.get("lossless") or "max_error" in options:
            return math.inf
        if "bpfp" in options:
            fits = options["bpfp"] * self.numel(features) / 8 >= self.lossless_length(features)
            return math.inf if fits else 6.0 * options["bpfp"]
        if "snr" in options:
            return max(0.0, float(str(options["snr"]).partition("/")[0]) + MARGIN)
        quality: Any = options.get("quality", 50.0)
        return 25.0 + 0.5 * (float(NAMED.get(quality, quality)) - 50.0)

    def numel(self, features: Any) -> int:
        return sum(bits_of(leaf).size for _, leaf in leaves_of(features))

    def lossless_length(self, features: Any) -> int:
        return HEADER + raw_bytes(features)

    def length(self, features: Any, level: float, options: dict[str, Any]) -> int:
        """Bytes of a file."""
        bits = 8 * options["bpfp"] / 8 if "bpfp" in options else level / 6 + 1
        wanted = bits * self.numel(features) / 8
        return int(min(self.lossless_length(features), max(HEADER, wanted)))

    def restored(self, features: Any, level: float) -> Any:
        """Features that have lost something."""
        if isinstance(features, dict):
            return {name: self.restored(child, level) for name, child in features.items()}
        if isinstance(features, list | tuple):
            return type(features)(self.restored(child, level) for child in features)
        return self.lossy(features, level) if hasattr(features, "dtype") and is_float(features) else features

    def lossy(self, leaf: Any, level: float) -> Any:
        """A tensor that has lost something."""
        dtype = str(leaf.dtype).removeprefix("torch.")
        values = as_floats(leaf)
        finite = np.isfinite(values)
        smallest = np.abs(values[finite & (values != 0)]).min(initial=math.inf)
        if level > MOST_DB[dtype] or smallest < SMALLEST[dtype]:
            return leaf
        return self.changed(leaf, values * (1 - 10 ** (-level / 20)))

    def changed(self, leaf: Any, values: Any) -> Any:
        """A tensor with other values where they are finite."""
        finite = np.isfinite(as_floats(leaf))
        if isinstance(leaf, np.ndarray):
            found = leaf.copy()
            found[finite] = values[finite].astype(leaf.dtype)
            return found
        import torch

        found = leaf.clone()
        found[torch.from_numpy(np.asarray(finite))] = torch.from_numpy(np.asarray(values[finite])).to(leaf.dtype)
        return found

    def report(self, features: Any, restored: Any, length: int, options: dict[str, Any]) -> Any:
        """A true report."""
        sides = [
            np.concatenate(
                [np.zeros(0), *(as_floats(leaf).reshape(-1) for _, leaf in leaves_of(side) if is_float(leaf))]
            )
            for side in (features, restored)
        ]
        finite = np.isfinite(sides[0])
        error = sides[1][finite] - sides[0][finite]
        wanted = options.get("bpfp", math.inf) * self.numel(features) / 8
        return SimpleNamespace(
            bytes_out=length,
            numel=self.numel(features),
            samples=1,
            chunks=1,
            passes=1,
            snr_db=snr_db(sides[0][finite], error),
            max_abs_error=float(np.abs(error).max(initial=0)),
            tensors=(),
            warnings=("over the rate",) if length > wanted + 64 else (),
        )
