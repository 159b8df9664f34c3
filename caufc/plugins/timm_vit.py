"""timm's vision transformers: ViT, DeiT, DINOv2 and DINOv3, CLIP, SigLIP. Taps are tokens ``[B, S + H W, C]``.

``S`` special tokens (CLS, distillation, registers) stand before the patches; their number is read off the name.
``head`` is the last tap for those who classify, where one CLS token does: the same tokens, of which it alone is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from caufc import Alignment, Backbone, Runtime, Tap, hookimpl

PATTERNS = ("timm/vit_*", "timm/deit*", "timm/test_vit*")

ALIGNMENT = Alignment("mean-deviation", "channel", strength=0.5)
"""A few channels of a transformer run to many times the others."""

SIZES: dict[str, tuple[int, int]] = {
    "xsmall": (10, 256),
    "tiny": (12, 192),
    "small": (12, 384),
    "medium": (12, 512),
    "betwixt": (12, 640),
    "base": (12, 768),
    "wee": (14, 256),
    "dwee": (14, 256),
    "little": (14, 320),
    "dlittle": (14, 320),
    "pwee": (16, 256),
    "dpwee": (16, 256),
    "so150m": (18, 896),
    "mediumd": (20, 512),
    "so150m2": (21, 832),
    "large": (24, 1024),
    "intern300m": (24, 1024),
    "so400m": (27, 1152),
    "huge": (32, 1280),
    "giant": (40, 1536),
    "giantopt": (40, 1536),
    "7b": (40, 4096),
    "gigantic": (48, 1664),
    "5b": (56, 2432),
}
"""Size -> (blocks, channels)."""

UNKNOWN_DEPTH = 64

SPECIAL_TOKENS = ((r"dinov3|lingbot", 5), (r"sapiens2", 9), (r"radio_v3", 8), (r"radio_v4", 10), (r"distilled", 2))
"""Part of a name -> number of special tokens, where no rule of :func:`special_tokens` tells."""


def taps(arch: str) -> Sequence[Tap]:
    """``blocks.0`` to the last block, and ``norm``, the output of the final normalisation; ``head`` is the same."""
    name = arch.partition("/")[2].partition(".")[0]
    depth, channels = dimensions(name)
    special = special_tokens(name)
    layout = f"b ({special} + h w) c" if special else "b (h w) c"
    names = [f"blocks.{number}" for number in range(depth)] + ["norm"]
    found = [Tap(tap, layout, channels, ALIGNMENT) for tap in names]
    known = channels is not None and reads_cls(name)
    return [*found, replace(found[-1], name="head", reads="first")] if known else found


def dimensions(name: str) -> tuple[int, int | None]:
    """(blocks, channels) of a model's name; (64, None) where the name does not tell."""
    words = name.split("_")
    if words[0] == "test":
        return {"vit": (6, 64), "vit2": (8, 64)}.get("_".join(words[1:]), (9, 96))
    size = next((SIZES[word] for word in words if word in SIZES), None)
    if size is None:
        return UNKNOWN_DEPTH, None
    depth, channels = size
    if "pe" in words:
        depth = {("lang", 24): 23, ("lang", 48): 47}.get((words[2], depth), 50 if depth == 48 else depth)
        return depth, 1536 if depth in (47, 50) else channels
    if "giant" in words and re.search(r"patch14(_clip)?_224|gap", name):
        channels = 1408
    if "base" in words and "plus" in words:
        channels = 896
    if re.match(r"vit_small_resnet", name):
        return 8, 768
    shape = re.search(r"_(\d+)x(\d)_", name)
    return (int(shape[1]) if shape else depth), channels


def special_tokens(name: str) -> int:
    """How many tokens stand before the patches."""
    words = name.split("_")
    for pattern, count in SPECIAL_TOKENS:
        if re.search(pattern, name):
            return count
    registers = next((int(word[3:]) for word in words if re.fullmatch(r"reg\d+", word)), 0)
    pooled = bool({"gap", "map", "siglip", "rpn"} & set(words)) or ("relpos" in name and "cls" not in name)
    if "pe" in words and "gigantic" in words:
        return 0
    return registers + (0 if pooled else 1)


def reads_cls(name: str) -> bool:
    """Whether the classifier reads the CLS token and nothing else."""
    pooled = {"gap", "clsgap", "pe", "vit2", "vit3", "vit4"} & set(name.split("_"))
    return special_tokens(name) == 1 and not pooled


def load(arch: str) -> Runtime:
    """Load a transformer."""
    from .timm_runtime import TapPlace, TimmRuntime

    names = [tap.name for tap in taps(arch.partition("?")[0])]
    places = [TapPlace(name, "norm" if name == "head" else name) for name in names]
    return TimmRuntime.load(arch, places, "timm-vit")


@hookimpl
def caufc_backbones() -> Iterable[Backbone]:
    return [Backbone(pattern, taps, load, requires=("timm", "torchvision", "pillow")) for pattern in PATTERNS]
