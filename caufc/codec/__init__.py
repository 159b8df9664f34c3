"""The shared codec. Nothing in here knows an architecture."""

from .base import Arrays, Codec, Symbols
from .bucket import BUCKETS
from .clustering import trivial_map
from .geometry import Geometry
from .lattice import Lattice
from .lossless import decode_lossless, encode_lossless
from .plan import TransformPlan, bounded_values, estimate, plan, quantization_error, sample_bits
from .transform_codec import CLASSES, CONTEXT_MAP, TABLES, TransformCodec

__all__ = [
    "BUCKETS",
    "CLASSES",
    "CONTEXT_MAP",
    "TABLES",
    "Arrays",
    "Codec",
    "Geometry",
    "Lattice",
    "Symbols",
    "TransformCodec",
    "TransformPlan",
    "bounded_values",
    "decode_lossless",
    "encode_lossless",
    "estimate",
    "plan",
    "quantization_error",
    "sample_bits",
    "trivial_map",
]
