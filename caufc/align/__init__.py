"""The two steps of feature alignment (CAUFC, section 3): format, then value."""

from .base import SideArray, Tokens, ValueAligner
from .format import LayoutAligner, varying_channels
from .statistics import ChannelStatistics
from .token_scales import TokenScales
from .turns import Turns, positions_of
from .value import (
    ChannelAligner,
    GlobalAligner,
    TokenAligner,
    align_channels,
    align_globally,
    check_scale_codes,
    truncate,
)

__all__ = [
    "ChannelAligner",
    "ChannelStatistics",
    "GlobalAligner",
    "LayoutAligner",
    "SideArray",
    "TokenAligner",
    "TokenScales",
    "Tokens",
    "Turns",
    "ValueAligner",
    "align_channels",
    "align_globally",
    "check_scale_codes",
    "positions_of",
    "truncate",
    "varying_channels",
]
