"""Valid files by hand that rely on a profile or weights: what is taken from these, and what is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgpack
import numpy as np

from tools.make.file_parts import MAP, TABLE, Parts, chunk, record, section
from tools.make.invalid_side_files import Relying
from tools.make.plain_weights import body, plain_arrays, plain_sections

__all__ = ["relying_files"]

OFFSETS = section(1, np.arange(5, dtype="<i2").tobytes()), section(2, np.arange(5, dtype="<i2").tobytes())
OTHER = section(1, np.arange(10, 15, dtype="<i2").tobytes())


def relying_files() -> Iterator[tuple[str, Relying]]:
    """What it is, and the files; no requirement is violated."""
    metadata = b"\x1a\x00\x03\x00" + msgpack.packb([0, ["of"], ["a profile"]])
    tables = [section(4, TABLE), section(5, MAP)]
    aligned = record(alignment=[2, 1, 0.0, 1.0])
    full = [4, None, 0, 3.0, [0, ["map"], [0]], [aligned], "an architecture"]
    profile = Parts(fields=full, sections=[*tables, *OFFSETS, metadata], chunks=[], end=b"\x00").to_bytes()
    name = hashlib.sha256(profile).digest()[:16]

    def of_profile(
        what: str, vector: str, fields: list[Any], sections: list[bytes], **more: Any
    ) -> tuple[str, Relying]:
        file = Parts(fields=[0, name, *fields], sections=sections, **more)
        return what, Relying(vector, 0, file.to_bytes(), profile=("by-hand.caufp", profile))

    yield of_profile("all from a profile, but its gain and metadata", "profile-all", [0], [])
    yield of_profile("a tree of its own", "profile-own-tree", [0, None, [1, [], [0]]], [])
    yield of_profile("an architecture and a layout of its own", "profile-own-fields", [
        0, None, None, [[None, None, None, "d h w", None, None, None, [0.25, 1, 0, 3]]], "another"], [])  # fmt: skip
    own = [[None, None, None, None, None, None, [1, 0, 0.75, 2.0]]]
    yield of_profile("an alignment of its own", "profile-own-alignment", [0, None, None, own], [])
    yield of_profile("offsets of its own", "profile-own-offsets", [0], [OTHER])
    wide = section(27, np.array([1 << 20, 2, 3, 4, 5], "<i4").tobytes())
    yield of_profile("wide offsets beside the profile's", "profile-wide-offsets", [0], [wide])
    both = Parts(fields=full, sections=[*tables, wide, OFFSETS[1]], chunks=[], end=b"\x00").to_bytes()
    file = Parts(fields=[0, hashlib.sha256(both).digest()[:16], 0], sections=[OTHER]).to_bytes()
    what = "offsets of its own, which the profile's wide ones replace"
    yield what, Relying("profile-narrow-offsets", 0, file, profile=("wide.caufp", both))
    yield from of_weights()


def of_weights() -> Iterator[tuple[str, Relying]]:
    """Sections of a file and of a profile take the place of the weights'."""

    def biased(value: float) -> Any:
        floats = plain_arrays()[21].copy()
        floats[-1] = value
        return floats

    arrays = {**plain_arrays(), 21: biased(0.5)}
    weights = Parts(
        fields=[5, None, 0, None, None, None, "half"], sections=plain_sections(arrays), chunks=[], end=b"\x00"
    )
    data = weights.to_bytes()
    half = ("half.caufw", data)
    fields = [0, None, 0, None, None, [record(codec=2, parameters=[0])], None, hashlib.sha256(data).digest()[:16]]
    right: dict[str, Any] = {"fields": fields, "chunks": [chunk(symbols=bytes(8))]}
    named = Parts(**right, sections=[]).to_bytes()
    yield "weights by name, a constant", Relying("hyperprior-half", 0, named, weights=half)
    own = Parts(**right, sections=[body(21, biased(-2.25))]).to_bytes()
    yield "a section of its own beside the weights'", Relying("hyperprior-own-section", 0, own, weights=half)
    lossy = [0, None, 0, None, None, [record()], None, fields[7]]
    other = Parts(fields=lossy).to_bytes()
    yield "weights that no tensor needs", Relying("weights-of-no-tensor", 0, other, weights=half)
    between = Parts(
        fields=[4, None, 0, None, None, [record(codec=2, parameters=[0])]], sections=[body(21, biased(3.5))], chunks=[],
        end=b"\x00",
    ).to_bytes()  # fmt: skip
    both = [0, hashlib.sha256(between).digest()[:16], 0, None, None, None, None, fields[7]]
    file = Parts(**{**right, "fields": both}, sections=[]).to_bytes()
    what = "a profile's section beside the weights'"
    yield what, Relying("hyperprior-profile", 0, file, profile=("of-weights.caufp", between), weights=half)
