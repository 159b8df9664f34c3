"""The shared codec. Nothing in here knows an architecture."""

from .base import Arrays, Codec, Symbols
from .bucket import BUCKETS
from .channel_transform import ChannelTransform, QuantizedRows, principal_basis, quantize_rows
from .geometry import Geometry
from .grid_transform import forward_grid, inverse_grid
from .importance import Importance, blind_importance, flat_importance, flat_steps, read_bands
from .lattice import Lattice
from .lossless import decode_lossless, encode_lossless
from .order import BANDS, FREQUENCY_BANDS
from .plan import (
    DEPENDENT_BITS,
    DEPENDENT_BITS_OF_ERROR,
    GAIN_SHARE,
    TransformPlan,
    bounded_values,
    estimate,
    plan,
    quantization_error,
    sample_bits,
)
from .transform_codec import (
    ANALYSIS,
    ANALYSIS_SCALES,
    BAND_LEVELS,
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    CHANNEL_LEVELS,
    CONTEXT_MAP,
    TABLES,
    Parameters,
    TransformCodec,
)

__all__ = [
    "ANALYSIS",
    "ANALYSIS_SCALES",
    "BANDS",
    "BAND_LEVELS",
    "BAND_STEPS",
    "BASIS",
    "BASIS_SCALES",
    "BUCKETS",
    "CHANNEL_LEVELS",
    "CONTEXT_MAP",
    "DEPENDENT_BITS",
    "DEPENDENT_BITS_OF_ERROR",
    "FREQUENCY_BANDS",
    "GAIN_SHARE",
    "TABLES",
    "Arrays",
    "ChannelTransform",
    "Codec",
    "Geometry",
    "Importance",
    "Lattice",
    "Parameters",
    "QuantizedRows",
    "Symbols",
    "TransformCodec",
    "TransformPlan",
    "blind_importance",
    "bounded_values",
    "decode_lossless",
    "encode_lossless",
    "estimate",
    "flat_importance",
    "flat_steps",
    "forward_grid",
    "inverse_grid",
    "plan",
    "principal_basis",
    "quantization_error",
    "quantize_rows",
    "read_bands",
    "sample_bits",
]
