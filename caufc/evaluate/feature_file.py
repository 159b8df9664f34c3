"""The feature files of an evaluation: values in one flat array, shapes beside it, ragged samples like all others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner
from ..layouts import Layout
from .rivals.base import TensorSpec

__all__ = ["FeatureFile"]

Samples = Any
"""A batch ``[B, ...]``, or a list of arrays of one sample each."""


@dataclass(frozen=True)
class FeatureFile:
    """Features of one tap in fp32, as a run keeps them in a file.

    Args:
        samples: a batch ``[B, ...]``, or a list of ragged samples.
        layout: of the batch, or of one sample of the list.
    """

    samples: Samples
    layout: str

    @classmethod
    def of(cls, features: Any, layout: str) -> FeatureFile:
        """The features of a batch or a list, numpy or torch; samples of one shape become a batch."""
        known = Layout(layout)
        if not isinstance(features, list):
            return cls(_singles(features), known.of_batch().expression)
        samples = [_singles(sample) for sample in features]
        if len({sample.shape for sample in samples}) == 1:
            return cls(np.stack(samples), known.of_batch().expression)
        return cls(samples, known.unbatched().expression)

    @classmethod
    def load(cls, path: Path) -> FeatureFile:
        """Features that :meth:`save` wrote."""
        facts = json.loads(path.with_suffix(".json").read_text("utf-8"))
        flat, shapes = np.load(path), [tuple(shape) for shape in facts["shapes"]]
        if facts["batch"]:
            return cls(flat.reshape(shapes[0]), facts["layout"])
        return cls(_split(flat, shapes), facts["layout"])

    def save(self, path: Path) -> None:
        """Write ``path`` (``.npy``) and the shapes beside it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = {"batch": self.batch, "layout": self.layout, "shapes": [part.shape for part in self.arrays]}
        np.save(path, np.concatenate([part.reshape(-1) for part in self.arrays]))
        path.with_suffix(".json").write_text(json.dumps(facts) + "\n", "utf-8")

    @property
    def batch(self) -> bool:
        """Whether samples share a shape, and so an array."""
        return not isinstance(self.samples, list)

    @property
    def arrays(self) -> list[NDArray[np.float32]]:
        """The batch as the one array, or every sample."""
        return [self.samples] if self.batch else self.samples

    @property
    def numel(self) -> int:
        """Number of values."""
        return sum(part.size for part in self.arrays)

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return 4 * self.numel

    @property
    def spec(self) -> TensorSpec:
        """The form of the features, as rivals know it."""
        layout = Layout(self.layout)
        shift = 1 if layout.batched else 0
        channels = tuple(axis + shift for axis in LayoutAligner(layout).channel_axes)
        return TensorSpec("fp32", [part.shape for part in self.arrays], channels)

    def tokens(self) -> NDArray[np.float32]:
        """All tokens as rows ``[N, C]``."""
        matrix: NDArray[np.float32] = self.spec.matrix(self.arrays)
        return matrix

    def like(self, samples: Samples) -> FeatureFile:
        """Features of other values in the same form, as a decoder gives them."""
        return FeatureFile(
            [_singles(s) for s in samples] if isinstance(samples, list) else _singles(samples), self.layout
        )

    def digest(self) -> str:
        """A digest of all values and shapes, in hex."""
        sha = hashlib.sha256(repr((self.layout, [part.shape for part in self.arrays])).encode())
        for part in self.arrays:
            sha.update(np.ascontiguousarray(part).data)
        return sha.hexdigest()[:16]


def _singles(values: Any) -> NDArray[np.float32]:
    if hasattr(values, "detach"):
        values = values.detach().float().cpu().numpy()
    return np.ascontiguousarray(values, np.float32)


def _split(flat: NDArray[np.float32], shapes: Sequence[tuple[int, ...]]) -> list[NDArray[np.float32]]:
    ends = np.cumsum([prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]
