"""Features of a network that no plugin knows: any tensor.

A tap says what the axes are, by its name; without one, the layout is chosen, or given as an option.
"""

from __future__ import annotations

from collections.abc import Iterable

from caufc import Backbone, Tap, hookimpl

LAYOUTS = ("b c h w", "b h w c", "b c", "b n c", "b c t", "b g t d")


@hookimpl
def caufc_backbones() -> Iterable[Backbone]:
    return [Backbone("generic", [Tap(layout.replace(" ", ""), layout) for layout in LAYOUTS])]
