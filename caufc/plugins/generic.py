"""Features of a network that no plugin knows: any tensor, its axes named by one of the taps, or guessed without one."""

from __future__ import annotations

from collections.abc import Iterable

from caufc import Backbone, Tap, hookimpl

TAPS = (
    Tap("map", "b c h w"),
    Tap("map-last", "b h w c"),
    Tap("tokens", "b n c"),
    Tap("cls-tokens", "b (1 + h w) c"),
    Tap("kv", "b g t d"),
    Tap("vector", "b c"),
)


@hookimpl
def caufc_backbones() -> Iterable[Backbone]:
    return [Backbone("generic", TAPS)]
