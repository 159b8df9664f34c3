"""The learned codec: a scale hyperprior over the plane of aligned tokens. Importing it loads neither torch nor more."""

from .codec import HyperpriorCodec, Latents
from .scales import LARGEST_SCALE, MIDDLE, SCALES, SMALLEST_SCALE, SPREAD, STRIDE
from .weights import DECODER_SECTIONS, WEIGHTS_ELEMENTS, Weights

__all__ = [
    "DECODER_SECTIONS",
    "LARGEST_SCALE",
    "MIDDLE",
    "SCALES",
    "SMALLEST_SCALE",
    "SPREAD",
    "STRIDE",
    "WEIGHTS_ELEMENTS",
    "HyperpriorCodec",
    "Latents",
    "Weights",
]
