"""A file as one HTML page: nothing in it asks for anything beside it, and no script runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

from ..reader import Info
from ..text import SHOWN_TENSORS, count, shape_text, short_size, size
from .byte_shares import ByteShare
from .byte_table import byte_table
from .markup import NOTHING, Markup, joined, shortened, table, tag
from .sample_choice import SampleChoice

__all__ = ["MOST_PAGE", "page"]

MOST_PAGE = 2_800_000
"""Bytes of a page, from which on tensors are left out."""

MOST_TEXTS = 32
"""Texts of a file that are shown."""

ALONE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may load: nothing that is not on the page."""


def page(
    name: str,
    info: Info,
    shares: Sequence[ByteShare],
    choice: SampleChoice,
    sections: Sequence[tuple[str, Markup]],
    *,
    tensors: int,
    original: str | None = None,
) -> str:
    """The page, as HTML.

    Args:
        name: of the file.
        info: what it says of itself.
        shares: of its bytes.
        choice: which samples are looked at.
        sections: of tensors, with their names.
        tensors: how many could be drawn.
        original: the file that it is compared with.
    """
    kept, left = _within(sections)
    body = joined(
        tag("h1", name),
        tag("p", _summary(info), class_="summary"),
        tag("h2", "What is in it"),
        _tensors(info, shares),
        *_texts(info),
        tag("h2", "Where its bytes go"),
        byte_table(shares, [shortened(tensor["name"]) for tensor in info.tensors]),
        tag("h2", "Features"),
        tag("p", _looked_at(choice, info.chunks, len(sections), tensors, original), class_="note"),
        *kept,
        tag("p", f"No room on this page for {', '.join(left)}: choose with --only or --sample.") if left else NOTHING,
    )
    head = joined(
        tag("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{ALONE}">'),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("title", f"{name} - caufc"),
        Markup(f"<style>{_css()}</style>"),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{tag("main", body)}\n</body></html>\n'


def _css() -> str:
    return (resources.files("caufc") / "data" / "show" / "page.css").read_text("utf-8")


def _within(sections: Sequence[tuple[str, Markup]]) -> tuple[list[Markup], list[str]]:
    """The sections that a page has room for, and the names of the others."""
    kept: list[Markup] = []
    left: list[str] = []
    total = 0
    for name, section in sections:
        total += len(section)
        if total > MOST_PAGE:
            left.append(name)
        else:
            kept.append(section)
    return kept, left


def _summary(info: Info) -> str:
    parts = [
        f"{count(info.samples, 'sample')} of {count(len(info.tensors), 'tensor')} in {count(info.chunks, 'chunk')}",
        f"{size(info.bytes)}, {info.bpfp:.4g} BPFP, 1 : {info.ratio:.3g} of {short_size(info.raw_bytes)}",
        ", ".join(dict.fromkeys(part for part in (info.codec, info.control) if part)),
        *(shortened(part) for part in (info.arch, info.software) if part),
    ]
    if info.profile:
        parts.append(f"needs profile {info.profile[:16]}")
    if info.weights:
        parts.append(f"needs weights {info.weights[:16]}")
    return "; ".join(parts)


def _tensors(info: Info, shares: Sequence[ByteShare]) -> Markup:
    own = [sum(share.bytes for share in shares if share.tensor == number) for number in range(len(info.tensors))]
    most = max(own, default=0) or 1
    tensors = zip(info.tensors[:SHOWN_TENSORS], own, strict=False)
    rows = [_tensor(tensor, size, size / most) for tensor, size in tensors]
    head = ("tensor", "a sample", "dtype", "layout", "tap", "codec", "", "values", "payload", "tables, bases", "BPFP")
    more = len(info.tensors) - SHOWN_TENSORS
    told = tag("p", f"and {count(more, 'more tensor')}", class_="note") if more > 0 else NOTHING
    return joined(table(head, rows, caption="Tensors of every sample", numbers=4), told)


def _tensor(tensor: Mapping[str, Any], own: int, share: float) -> tuple[str, ...]:
    bar = tag("span", "", class_="length", style=f"width:{max(1, round(100 * share))}px")
    return (
        shortened(tensor["name"]) or "-",
        shape_text(tensor["shape"]),
        tensor["dtype"],
        tensor["layout"] or "-",
        shortened(tensor["tap"] or "-"),
        tensor["codec"],
        bar,
        f"{tensor['numel']:,}",
        f"{tensor['payload_bytes']:,} B",
        f"{own - tensor['payload_bytes']:,} B",
        f"{tensor['bpfp']:.4g}",
    )


def _texts(info: Info) -> Iterator[Markup]:
    """Metadata and notes, as text."""
    found = [("meta", name, text) for name, text in info.metadata.items()]
    found += [("note", name, text if isinstance(text, str) else repr(text)) for name, text in info.notes.items()]
    if not found:
        return
    rows = [(shortened(name) or "-", kind, shortened(text)) for kind, name, text in found[:MOST_TEXTS]]
    yield table(("name", "kind", "text"), rows, caption="What else it holds", numbers=0)
    if len(found) > MOST_TEXTS:
        yield tag("p", f"and {count(len(found) - MOST_TEXTS, 'more text')}", class_="note")


def _looked_at(choice: SampleChoice, chunks: int, drawn: int, tensors: int, original: str | None) -> str:
    text = f"Looked at: all {count(choice.available, 'sample')}"
    if len(choice.numbers) < choice.available:
        text = f"Looked at: {len(choice.numbers):,} of {count(choice.available, 'sample')}, evenly spread, in "
        text += f"{choice.chunks:,} of {count(chunks, 'chunk')}; figures and charts are of these"
    if drawn < tensors:
        text += f"; {drawn} of {tensors:,} tensors are drawn, evenly spread: choose with --only"
    against = "" if original is None else f" The original is {original}: error is decoded minus original."
    return f"{text}.{against}"
