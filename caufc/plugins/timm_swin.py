"""timm's Swin transformers. Taps are maps with the channels last, ``[B, H, W, C]``; those of ``swinv2_cr`` first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from caufc import Alignment, Backbone, Runtime, Tap, hookimpl

ALIGNMENT = Alignment("mean-deviation", "channel", strength=0.5)

WIDTHS = {"tiny": 96, "small": 96, "base": 128, "large": 192, "huge": 352, "giant": 512}


def taps(arch: str) -> Sequence[Tap]:
    """The four stages, and ``norm`` where the network ends in one."""
    name = arch.partition("/")[2].partition(".")[0]
    first = "swinv2_cr" in name
    layout = "b c h w" if first else "b h w c"
    sizes = ["tiny"] if name.startswith("swin_s3") else [word for word in name.split("_") if word in WIDTHS]
    width = WIDTHS[sizes[0]] if sizes else None
    stage = "stages" if first else "layers"
    named = [(f"{stage}.{number}", 2**number) for number in range(4)] + ([] if first else [("norm", 8)])
    return [Tap(tap, layout, None if width is None else width * times, ALIGNMENT) for tap, times in named]


def load(arch: str) -> Runtime:
    """Load a Swin transformer."""
    from .timm_runtime import TapPlace, TimmRuntime

    places = [TapPlace(tap.name, tap.name) for tap in taps(arch.partition("?")[0])]
    return TimmRuntime.load(arch, places, "timm-swin")


@hookimpl
def caufc_backbones() -> Iterable[Backbone]:
    return [Backbone("timm/swin*", taps, load, requires=("timm", "torchvision", "pillow"))]
