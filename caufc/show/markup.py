"""HTML and SVG that is finished, apart from text, which is escaped: names in files are strangers' text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from ..text import shown

__all__ = ["NOTHING", "Markup", "joined", "shortened", "table", "tag"]

VOID: Final = frozenset({"br", "img", "meta"})


MOST_LETTERS = 300


class Markup(str):
    """HTML that is finished. All other text is escaped where it becomes part of it."""

    __slots__ = ()


NOTHING = Markup("")


def joined(*parts: str) -> Markup:
    """Parts one behind the other: text is escaped, and what no page can show is replaced."""
    return Markup("".join(part if isinstance(part, Markup) else escape(shown(part)) for part in parts))


def shortened(text: str) -> str:
    """A text from a file, cut where it is long."""
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}..."


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: text, or finished markup.
        attributes: by name, ``_`` for ``-`` and none at the end (``class_``); those that are None are left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(shown(_text(value)), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(*children)}</{name}>")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str, numbers: int) -> Markup:
    """A table whose last ``numbers`` columns are numbers; the first cell of a row is its head."""
    first_number = len(head) - numbers
    kinds = ["number" if place >= first_number else None for place in range(len(head))]
    titles = [tag("th", text, scope="col", class_=kind) for text, kind in zip(head, kinds, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [tag("td", text, class_=kind) for text, kind in zip(rest, kinds[1:], strict=True)]
        lines.append(tag("tr", tag("th", first, scope="row"), *cells))
    inner = tag("table", tag("caption", caption), tag("thead", tag("tr", *titles)), tag("tbody", *lines))
    return tag("div", inner, class_="scroll")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"
