"""The shared codec. Nothing in here knows an architecture."""

from .base import Codec, Symbols
from .lossless import decode_lossless, encode_lossless
from .transform_codec import (
    CLASSES,
    TABLES,
    TransformCodec,
    TransformPlan,
    bounded_values,
    estimate,
    plan,
    quantization_error,
    table_bits,
)

__all__ = [
    "CLASSES",
    "TABLES",
    "Codec",
    "Symbols",
    "TransformCodec",
    "TransformPlan",
    "bounded_values",
    "decode_lossless",
    "encode_lossless",
    "estimate",
    "plan",
    "quantization_error",
    "table_bits",
]
