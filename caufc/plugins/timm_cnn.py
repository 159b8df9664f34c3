"""timm's convolutional networks: ResNet, ResNeXt, RegNet, EfficientNet, ConvNeXt. Taps are maps ``[B, C, H, W]``.

``head`` is the last of them for those who classify, where they pool by mean: the same map, of which it alone is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from caufc import Alignment, Backbone, Runtime, Tap, hookimpl

PATTERNS = (
    "timm/resnet*",
    "timm/resnext*",
    "timm/wide_resnet*",
    "timm/regnet*",
    "timm/efficientnet*",
    "timm/tf_efficientnet*",
    "timm/convnext*",
    "timm/test_resnet*",
    "timm/test_efficientnet*",
    "timm/test_convnext*",
)

RECTIFIED = Alignment("min-max", "global")
"""Maps behind a ReLU are one-sided and sparse; zero is their minimum, and stays an exact value of all channels."""

DENSE = Alignment("mean-deviation", "channel", strength=0.5)
"""Maps behind a normalisation, a residual sum or a smooth activation."""

BASIC = (64, 128, 256, 512)
BOTTLENECK = (256, 512, 1024, 2048)
EFFICIENTNET_B0 = (16, 24, 40, 80, 112, 192, 320, 1280)
CONVNEXT_WIDTHS = {
    "zepto": 32,
    "atto": 40,
    "femto": 48,
    "pico": 64,
    "nano": 80,
    "tiny": 96,
    "small": 96,
    "base": 128,
    "large": 192,
    "xlarge": 256,
    "huge": 352,
    "xxlarge": 384,
}

STAGES = ("stages.0", "stages.1", "stages.2", "stages.3")
BUILT_OF_STAGES = re.compile(
    r"resnetv2|resnet\d+(ts|q|_mlp|x\d+_clip|_clip)|resnext26ts|regnetz_[b-e]\d|convnext|test_convnext"
)
"""Names whose networks number their stages, as timm's ByobNet, ResNetV2 and ConvNeXt do."""

SHORT_EFFICIENTNETS = re.compile(
    r"(tf_)?efficientnet_(e[slm])|efficientnetv2_(rw_|b\d|s\b)|tf_efficientnetv2_(b\d|s\b)"
)
"""Six stages of blocks instead of seven."""


def taps(arch: str) -> Sequence[Tap]:
    """The taps of a network, read off its name; channels where all networks of such names agree."""
    name = arch.partition("/")[2].partition(".")[0]
    modules = _modules(name)
    channels = _channels(name) or (None,) * len(modules)
    found = [
        Tap(module, "b c h w", count, RECTIFIED if _is_rectified(name, module) else DENSE)
        for module, count in zip(modules, channels[: len(modules)], strict=True)
    ]
    pooled = not name.endswith("_clip")
    return [*found, replace(found[-1], name="head", reads="mean")] if pooled else found


def _modules(name: str) -> tuple[str, ...]:
    if BUILT_OF_STAGES.match(name):
        return STAGES
    if "efficientnet" in name:
        blocks = 5 if name.startswith("test_") else 6 if SHORT_EFFICIENTNETS.match(name) else 7
        return (*(f"blocks.{number}" for number in range(blocks)), "last")
    if name.startswith("regnet"):
        return ("s1", "s2", "s3", "s4")
    return ("layer1", "layer2", "layer3", "layer4")


def _is_rectified(name: str, module: str) -> bool:
    """Whether a tap lies behind a ReLU."""
    return (module.startswith(("layer", "s")) and module not in STAGES) or (module == "last" and "_lite" in name)


def _channels(name: str) -> tuple[int, ...] | None:
    if name.startswith("convnext"):
        width = CONVNEXT_WIDTHS.get(name.split("_")[1] if "_" in name else "")
        return None if width is None else (width, 2 * width, 4 * width, 8 * width)
    if re.match(r"resnet(aa|blur|v2_)?(10|18|34)(t|d)?$", name):
        return BASIC
    if re.match(r"(resnet(aa|blur|rs)?|resnext|wide_resnet|resnetv2_)\d+(?!\d*(ts|q|x))", name):
        return BOTTLENECK
    if re.match(r"(tf_)?efficientnet_(b[01]|lite[01])$", name):
        return EFFICIENTNET_B0
    return None


def load(arch: str) -> Runtime:
    """Load a network; ``last``, the output before pooling, is that of the final activation."""
    from .timm_runtime import TapPlace, TimmRuntime

    names = [tap.name for tap in taps(arch.partition("?")[0]) if tap.name != "head"]
    places = [TapPlace(name, "bn2", skip=("conv_head",)) if name == "last" else TapPlace(name, name) for name in names]
    return TimmRuntime.load(arch, [*places, replace(places[-1], tap="head")], "timm-cnn")


@hookimpl
def caufc_backbones() -> Iterable[Backbone]:
    return [Backbone(pattern, taps, load, requires=("timm", "torchvision", "pillow")) for pattern in PATTERNS]
