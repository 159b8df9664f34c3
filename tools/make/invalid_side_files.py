"""Profiles and weights that are none, and the files that name them: a pair for each clause of sections 5 and 14.5."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.make.file_parts import MAP, TABLE, Parts, chunk, record, section
from tools.make.invalid_chunks import indexed
from tools.make.plain_weights import plain_arrays, plain_sections

__all__ = ["Relying", "relying_clauses"]


@dataclass(frozen=True)
class Relying:
    """A file that relies on others.

    Args:
        name: of the vector.
        requirement: that is violated; 0 for none.
        data: the file's bytes.
        profile: name and bytes of its profile.
        weights: name and bytes of its weights.
    """

    name: str
    requirement: int
    data: bytes
    profile: tuple[str, bytes] | None = None
    weights: tuple[str, bytes] | None = None

    @property
    def others(self) -> dict[str, tuple[str, bytes]]:
        """What it relies on, by kind."""
        return {kind: found for kind in ("profile", "weights") if (found := getattr(self, kind)) is not None}

    def write_others(self, folder: Path) -> dict[str, str]:
        """Write what it relies on; names of files by kind."""
        for name, data in self.others.values():
            (folder / name).write_bytes(data)
        return {kind: name for kind, (name, _) in self.others.items()}


def relying_clauses() -> Iterator[Relying]:
    """All of them."""
    yield from profiles()
    yield from weights()


def profiles() -> Iterator[Relying]:
    """0160 to 0162, 0094."""
    fields: list[Any] = [4, *Parts().fields[1:]]
    bare = Parts(fields=fields, chunks=[], end=b"\x00")

    def relying(name: str, requirement: int, profile: Parts, **own: Any) -> Relying:
        other = profile.to_bytes()
        first = [0, hashlib.sha256(other).digest()[:16], 0, None, None, own.pop("records", None)]
        while first[-1] is None:
            first.pop()
        data = Parts(fields=first, sections=[], **own).to_bytes()
        return Relying(name, requirement, data, profile=(f"{name}.caufp", other))

    yield relying("profile-of-batch", 160, Parts(chunks=[], end=b"\x00"))
    own = [4, b"0123456789abcdef", *fields[2:]]
    yield relying("profile-of-profile", 160, Parts(fields=own, chunks=[], end=b"\x00"))
    yield relying("profile-with-chunk", 160, Parts(fields=fields, end=b"\x00"))
    yield relying("profile-with-end", 160, Parts(fields=fields, chunks=[], end=b"\x02"))
    yield relying("profile-with-index", 160, indexed(bare))
    unended = indexed(bare)
    unended.end = b"\x00"
    yield relying("profile-with-index-alone", 160, unended)
    two = [[0, 0, [5, 2, 2], "c h w", None, 1, None, [0.5, 0, 0, 20]], [0]]
    yield relying("profile-of-one-of-two", 162, bare, records=two)
    yield relying("profile-of-one-of-none", 162, bare, records=[], chunks=[], end=b"\x00")
    half = Parts(fields=fields, sections=[section(4, TABLE)], chunks=[], end=b"\x00")
    yield relying("profile-with-half-of-tables", 216, half)
    wrong = Parts(fields=fields, sections=[b"\x03\x07\x00\x00" + bytes(5)], chunks=[], end=b"\x00")
    yield relying("profile-with-section-of-none", 94, wrong)
    emptied = Parts(fields=fields, sections=[section(4, TABLE), section(5, MAP)], chunks=[], end=b"\x00")
    other = emptied.to_bytes()
    file = Parts(fields=[0, hashlib.sha256(other).digest()[:16], 0], sections=[section(5, b"")])
    yield Relying("profile-half-emptied", 216, file.to_bytes(), profile=("profile-half-emptied.caufp", other))


def weights() -> Iterator[Relying]:
    """0165 to 0167."""
    arrays = plain_arrays()
    sections = plain_sections(arrays)
    right: dict[str, Any] = {
        "fields": [5, None, 0, None, None, None, "plain"],
        "sections": sections,
        "chunks": [],
        "end": b"\x00",
    }

    def relying(name: str, requirement: int, **other: Any) -> Relying:
        data = Parts(**{**right, **other}).to_bytes()
        named = [0, None, 0, None, None, [record(codec=2, parameters=[0])], None, hashlib.sha256(data).digest()[:16]]
        file = Parts(fields=named, sections=[], chunks=[chunk(symbols=bytes(8))])
        return Relying(name, requirement, file.to_bytes(), weights=(f"{name}.caufw", data))

    profile = [4, None, 0, None, None, [record(codec=2, parameters=[0])]]
    yield relying("weights-of-profile", 165, fields=profile)
    yield relying("weights-with-chunk", 165, chunks=[chunk(symbols=bytes(8))])
    yield relying("weights-with-end", 165, end=b"\x02")
    yield relying("weights-with-tables", 166, sections=[*sections, section(4, TABLE)])
    yield relying("weights-of-tensor-1", 166, sections=[*sections[:-1], sections[-1][:1] + b"\x01" + sections[-1][2:]])
    yield relying("weights-of-a-part", 403, sections=sections[:-1])
    data = Parts(**right).to_bytes()
    named = Parts(fields=[*profile, None, hashlib.sha256(data).digest()[:16]], sections=[], chunks=[], end=b"\x00")
    other = named.to_bytes()
    file = Parts(fields=[0, hashlib.sha256(other).digest()[:16], 0], sections=[], chunks=[chunk(symbols=bytes(8))])
    yield Relying(
        "hyperprior-weights-of-profile", 401, file.to_bytes(), ("names-weights.caufp", other), ("named.caufw", data)
    )
