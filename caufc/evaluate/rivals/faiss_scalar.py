"""faiss's scalar quantiser of vectors (github.com/facebookresearch/faiss), with zstd over its codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..sweep import Sweep
from .base import ZSTD_LEVEL, Floats, RivalFamily, TensorSpec
from .faiss_codes import FaissRival

__all__ = ["FAISS_SCALAR", "ScalarCodes"]

QUANTISER_TYPES = {4: "QT_4bit", 6: "QT_6bit", 8: "QT_8bit", 16: "QT_fp16"}
"""Bits per value -> faiss's name."""


@dataclass(frozen=True)
class ScalarCodes(FaissRival):
    """faiss's scalar quantiser, with a range per channel."""

    @property
    def kind(self) -> str:
        return "faiss-sq"

    @property
    def name(self) -> str:
        return f"faiss {self.quantiser_type} + zstd -{ZSTD_LEVEL}"

    @property
    def quantiser_type(self) -> str:
        return QUANTISER_TYPES[self.bits]

    def _encode(self, arrays: Sequence[Floats], spec: TensorSpec) -> bytes:
        return self.encode_tokens(spec.matrix(arrays))

    def _decode(self, data: bytes, spec: TensorSpec) -> Sequence[Floats]:
        return spec.arrays(self.decode_tokens(data, spec.width))


FAISS_SCALAR = RivalFamily(
    "faiss-sq",
    "faiss scalar + zstd",
    Sweep("bits", tuple(map(float, QUANTISER_TYPES))),
    lambda setting, _: [ScalarCodes(round(setting["bits"]))],
    module="faiss",
    package="faiss-cpu",
    cost=0.3,
)
