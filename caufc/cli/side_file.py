"""Profiles and weights as ``caufc info`` and ``caufc verify`` show them: files of the format that hold no samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..coders.resolve import resolve
from ..coders.side_files import content_id, read_profile, read_weights
from ..errors import MalformedError, StorageError
from ..limits import Limits
from ..text import SHOWN_TENSORS, count, shown, size, table

__all__ = ["SideFile", "or_side_file"]

NOT_DECODED = 164
"""The requirement that profiles and weights are not decoded on their own."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class SideFile:
    """What a profile or weights say of themselves.

    Args:
        kind: ``profile`` or ``weights``.
        id: content hash, by which files name it, in hex.
        bytes: of the file.
        arch: architecture ID.
        tensors: name, layout, tap, codec and alignment of each; none of weights.
    """

    kind: str
    id: str
    bytes: int
    arch: str | None = None
    tensors: tuple[dict[str, str | None], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    def info_text(self, name: str) -> str:
        """What it says of itself, a few lines."""
        option = "--profile" if self.kind == "profile" else "--codec hyperprior --weights"
        lines = [
            f"{shown(name)}: {self._noun}, {size(self.bytes)}",
            f"  id       {self.id}",
            f"  arch     {shown(self.arch or '-')}",
            f"  use      caufc encode FEATS {option} {'FILE' if name == '-' else shown(name)}",
        ]
        keys = ("name", "layout", "tap", "codec", "alignment")
        rows: list[tuple[str, ...]] = [("TENSOR", "LAYOUT", "TAP", "CODEC", "ALIGNMENT")]
        rows += [tuple(shown(own[key] or "-") for key in keys) for own in self.tensors[:SHOWN_TENSORS]]
        lines += [f"  {line}" for line in table(rows).splitlines()] if self.tensors else []
        if len(self.tensors) > SHOWN_TENSORS:
            lines.append(f"  ... and {count(len(self.tensors) - SHOWN_TENSORS, 'more tensor')}")
        return "\n".join(lines)

    def verify_line(self, name: str) -> str:
        """That it is whole."""
        tensors = f", {count(len(self.tensors), 'tensor')}" if self.tensors else ""
        return f"OK {shown(name)}: {self._noun}{tensors}, {size(self.bytes)}, id {self.id}"

    @property
    def _noun(self) -> str:
        return "a profile" if self.kind == "profile" else "weights"


def or_side_file(look: Callable[[str | bytes], Found], source: str | bytes, limits: Limits) -> Found | SideFile:
    """What ``look`` finds in a file; of profiles and weights, which it refuses, what these say of themselves.

    Raises:
        CaufError: as ``look`` does, and for damaged profiles and weights.
    """
    try:
        return look(source)
    except MalformedError as err:
        if err.requirement != NOT_DECODED:
            raise
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as err:
        raise StorageError(err.strerror or str(err), file=str(source)) from err
    try:
        profile = read_profile(data, limits)
    except MalformedError as err:
        if err.requirement != 160:
            raise
        return SideFile("weights", read_weights(data, limits).id.hex(), len(data))
    structure, configs, arch = resolve(profile.header, profile.sections, None)
    tensors = tuple(
        {
            "name": config.name,
            "layout": config.layout_text(structure),
            "tap": config.tap,
            "codec": config.codec.name,
            "alignment": config.alignment_text,
        }
        for config in configs
    )
    return SideFile("profile", content_id(data).hex(), len(data), arch, tensors)
