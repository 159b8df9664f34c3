"""Where the bytes of a file go, as a bar and a table that adds up to the file."""

from __future__ import annotations

from collections.abc import Sequence

from ..text import count
from .byte_shares import GROUPS, ByteShare
from .markup import Markup, joined, table, tag

__all__ = ["byte_table"]

WIDTH, HEIGHT = 1000, 46
LETTER = 8.5
"""Pixels of a letter, at most: a part of the bar has its name in it where there is room."""

THINNEST = 0.5
"""Pixels of the thinnest part that is drawn."""


def byte_table(shares: Sequence[ByteShare], names: Sequence[str]) -> Markup:
    """A bar of all shares, and a table of what they are, the largest first in each group.

    Args:
        shares: all of the file's.
        names: of its tensors, by number.
    """
    total = sum(share.bytes for share in shares)
    kinds: dict[tuple[int, str], list[ByteShare]] = {}
    for share in shares:
        kinds.setdefault((GROUPS.index(share.group), share.what), []).append(share)
    sizes = {kind: sum(share.bytes for share in held) for kind, held in kinds.items()}
    order = sorted(kinds, key=lambda kind: (kind[0], -sizes[kind]))
    rows: list[tuple[str, ...]] = [_row(kinds[kind], names, sizes[kind], total) for kind in order]
    rows.append(("all of the file", "", "", f"{total:,}", "100 %"))
    caption = "Bytes of the file, with the frames of their blocks"
    head = ("part", "what", "of", "bytes", "share")
    return joined(_bar(shares, names, total), table(head, rows, caption=caption, numbers=2))


def _row(held: Sequence[ByteShare], names: Sequence[str], size: int, total: int) -> tuple[str, ...]:
    first = held[0]
    swatch = tag("span", "", class_=f"swatch g{GROUPS.index(first.group)}")
    whose = _owner(first, names) if len(held) == 1 else count(len(held), "tensor")
    return (joined(swatch, first.group), first.what, whose or "-", f"{size:,}", _percent(size, total))


def _owner(share: ByteShare, names: Sequence[str]) -> str:
    """The name of the tensor that a share belongs to; empty where there is none."""
    return "" if share.tensor is None or share.tensor >= len(names) else names[share.tensor]


def _percent(size: int, total: int) -> str:
    return f"{100 * size / max(1, total):.2f} %"


def _bar(shares: Sequence[ByteShare], names: Sequence[str], total: int) -> Markup:
    """All shares beside each other in the colours of their groups, named where there is room."""
    by_group = {group: sum(share.bytes for share in shares if share.group == group) for group in GROUPS}
    told = ", ".join(f"{group} {_percent(size, total)}" for group, size in by_group.items() if size)
    parts = [tag("title", f"Where the bytes go: {told}")]
    left = 0.0
    for share in sorted(shares, key=lambda share: (GROUPS.index(share.group), -share.bytes)):
        width = WIDTH * share.bytes / max(1, total)
        if width >= THINNEST:
            parts += _segment(share, names, left, width, _percent(share.bytes, total))
        left += width
    return tag("svg", *parts, class_="bar", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=told)


def _segment(share: ByteShare, names: Sequence[str], left: float, width: float, told: str) -> list[Markup]:
    name = " ".join(filter(None, (share.what if share.group == GROUPS[1] else share.group, _owner(share, names))))
    said = tag("title", f"{name}: {share.bytes:,} bytes, {told}")
    place = {"x": round(left, 2), "width": round(width, 2)}
    number = GROUPS.index(share.group)
    parts = [tag("rect", said, y=0, height=HEIGHT, class_=f"g{number}", **place)]
    if width >= LETTER * max(len(name), len(told)):
        middle = round(left + width / 2, 1)
        parts.append(tag("text", name, x=middle, y=20, class_="inside"))
        parts.append(tag("text", told, x=middle, y=37, class_="inside"))
    return parts
