"""Numbers, names and tables as people read them, in reports of the library and of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = [
    "FAST",
    "SHOWN_TENSORS",
    "count",
    "duration",
    "layout_text",
    "shape_text",
    "short_size",
    "shown",
    "size",
    "speed",
    "table",
]

SHOWN_TENSORS = 32
"""Reports list no more tensors than this."""

FAST = 1_000_000
"""Bytes of values from which on a speed means something."""


def short_size(number: int) -> str:
    """Bytes in the unit that suits them: ``12.8 MB``."""
    if number < 1000:
        return f"{number} B"
    scaled, unit = number / 1e3, "kB"
    for larger in ("MB", "GB", "TB"):
        if scaled < 999.95:
            break
        scaled, unit = scaled / 1e3, larger
    return f"{scaled:.1f} {unit}"


def size(number: int) -> str:
    """Bytes, exact and in a unit: ``12,845,056 B (12.8 MB)``."""
    return f"{number:,} B" if number < 1000 else f"{number:,} B ({short_size(number)})"


def speed(number: int, seconds: float) -> str:
    """``1.50 s, 20.0 MB/s``; less than 1 MB tells no speed: ``0.02 s``."""
    rate = f", {number / max(seconds, 1e-9) / 1e6:.1f} MB/s" if number >= FAST else ""
    return f"{seconds:.2f} s{rate}"


def duration(seconds: float) -> str:
    """Time in the unit that suits it: ``8 s``, ``2 min``, ``1.5 h``."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def count(number: int, noun: str) -> str:
    """``1 sample``, ``8 samples``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shown(text: str) -> str:
    """A name from outside, without what a terminal would take for a command."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def shape_text(shape: Sequence[int | None]) -> str:
    """``[16, 5, 5]``, with ``?`` where sizes vary."""
    return f"[{', '.join('?' if length is None else str(length) for length in shape)}]"


def layout_text(layout: str | None, reason: str) -> str:
    """What a line says of a tensor's layout and why it was chosen, after a comma; empty for what has none."""
    if layout is None:
        return ""
    return f", layout '{layout}' ({reason}; --layout sets it)" if reason else f", layout '{layout}'"


def table(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Rows in columns, the first row being the head; ``right`` columns are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ends = set(right)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number in ends else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
