"""What encoder and decoder agree on for each tensor: header, profile and sections resolved (spec, sections 3 and 5)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bitstream import MAX_TEXT, AlignmentRecord, Header, RecordBranch, Section, Shape, TensorRecord, leaves
from ..codec import (
    ANALYSIS,
    ANALYSIS_SCALES,
    BAND_LEVELS,
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    CHANNEL_LEVELS,
    CONTEXT_MAP,
    TABLES,
)
from ..codec.hyperprior import WEIGHTS_ELEMENTS
from ..errors import InputError, LayoutError, MalformedError, UnsupportedError
from ..types import ALIGNMENT_KINDS, ALIGNMENT_SCOPES, DTYPES, FLOATS, Branch, Framework, Layout, Structure, Tree
from .source import tensor_names

__all__ = [
    "CODEC_NAMES",
    "DTYPE_CODES",
    "FRAMEWORKS",
    "HYPERPRIOR",
    "LOSSLESS",
    "MAX_CHANNELS",
    "OFFSETS",
    "SCALES",
    "TRANSFORM",
    "TensorSetup",
    "record_of",
    "record_tree",
    "resolve",
    "section_of",
]

DTYPE_CODES = tuple(DTYPES)
"""dtype codes 0 to 12, in the order of :data:`caufc.types.DTYPES`."""

FRAMEWORKS: tuple[Framework, ...] = ("numpy", "torch")
BRANCHES = ("dict", "list", "tuple")
LOSSLESS, TRANSFORM, HYPERPRIOR = 0, 1, 2
"""Codec IDs."""

CODEC_NAMES = ("lossless", "transform", "hyperprior")

MAX_CHANNELS = 1 << 24
"""Most channels that codecs with loss take [CAUF-0066]."""

OFFSETS, SCALES = 1, 2
"""Section types: offset codes and scale codes of every channel (i2, ``[C]``)."""

LAYOUT_GRAMMAR = re.compile(r"{term}( {term})*".format(term=r"([a-z]|\(([1-9]\d* \+ )?[a-z]( [a-z])*\))"))
"""How a file spells layouts [CAUF-0064]; people may space them as they like."""

SECTION_ELEMENTS: Mapping[int, str] = {
    OFFSETS: "<i2",
    SCALES: "<i2",
    CHANNEL_LEVELS: "i1",
    TABLES: "u1",
    CONTEXT_MAP: "u1",
    BAND_LEVELS: "i1",
    BAND_STEPS: "i1",
    BASIS: "i1",
    BASIS_SCALES: "<i2",
    ANALYSIS: "<i2",
    ANALYSIS_SCALES: "<i2",
    **WEIGHTS_ELEMENTS,
}
"""Section type -> element type; see the registry."""


@dataclass(frozen=True)
class TensorSetup:
    """All that is needed to code one tensor's chunks.

    Args:
        name: dotted path, for messages.
        dtype: a name of :data:`caufc.types.DTYPES`.
        framework: where arrays go back to.
        template: sizes of a sample's axes, None where they vary.
        layout: meaning of the axes; None for what is coded without loss.
        codec: codec ID.
        alignment: value alignment; None for identity.
        parameters: the codec's scalars.
        arrays: section type -> integers.
        tap: where the features come from.
    """

    name: str
    dtype: str
    framework: Framework
    template: Shape
    codec: int
    layout: Layout | None = None
    alignment: AlignmentRecord | None = None
    parameters: tuple[int | float, ...] = ()
    arrays: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    tap: str | None = None

    def layout_text(self, structure: Structure) -> str | None:
        """The layout as people write it: with a sample axis where there is one."""
        if self.layout is None:
            return None
        return (self.layout.of_batch() if structure.kind == "batch" else self.layout).expression

    @property
    def alignment_text(self) -> str:
        """Value alignment as ``kind/scope``."""
        record = self.alignment
        if record is None:
            return "none"
        return f"{ALIGNMENT_KINDS[record.kind]}/{ALIGNMENT_SCOPES[record.scope]}"

    @property
    def item_size(self) -> int:
        """Bytes of a stored value."""
        return DTYPES[self.dtype].itemsize

    def size(self, shape: Sequence[int]) -> int:
        """Values of a sample."""
        return math.prod(shape)


def record_of(setup: TensorSetup) -> TensorRecord:
    """The header's record of a setup."""
    return TensorRecord(
        dtype=DTYPE_CODES.index(setup.dtype),
        framework=FRAMEWORKS.index(setup.framework),
        shape=setup.template,
        layout=None if setup.layout is None else setup.layout.expression,
        tap=setup.tap,
        codec=setup.codec,
        alignment=setup.alignment,
        parameters=setup.parameters or None,
    )


def section_of(number: int, kind: int, array: NDArray[Any]) -> Section:
    """A section of a tensor's integers."""
    element = SECTION_ELEMENTS[kind]
    return Section(kind, number, element, array.astype(element).tobytes())


def resolve(
    header: Header,
    sections: Sequence[Section],
    base: tuple[Header, Sequence[Section]] | None,
    weights: Sequence[Section] = (),
) -> tuple[Structure, tuple[TensorSetup, ...], str | None]:
    """Join header and sections with those of the profile that the header names.

    Args:
        header: of the file.
        sections: of the file; they take the place of the profile's.
        base: header and sections of the profile, if the file needs one.
        weights: sections of the weights, if the file names some.

    Returns:
        the structure, one setup a tensor, and the architecture ID.

    Raises:
        MalformedError: if fields are missing or contradict each other.
        UnsupportedError: for registry numbers that this version does not know.
    """
    profile = base[0] if base else Header("profile", tensors=())
    records = header.tensors if header.tensors is not None else profile.tensors or ()
    defaults = profile.tensors or ()
    if header.profile is not None and header.tensors is not None and len(records) != len(defaults):
        raise MalformedError(f"{len(records)} tensors, the profile has {len(defaults)}", requirement=162)
    records = tuple(_joined(r, d) for r, d in zip(records, defaults, strict=True)) if defaults else records
    record_tree = header.tree if header.tree is not None else profile.tree if profile.tree is not None else 0
    tree = _tree(record_tree)
    names = tensor_names(tree)
    if list(leaves(record_tree)) != list(range(len(records))):
        raise MalformedError(f"{len(records)} tensors, the structure has {len(names)}", requirement=52)
    given = weights if any(record.codec == HYPERPRIOR for record in records) else ()
    arrays = _arrays([*given, *(base[1] if base else ()), *sections], len(records))
    shared = {kind: array for kind, array in arrays.get(0, {}).items() if kind in WEIGHTS_ELEMENTS}
    for number, record in enumerate(records):
        if record.codec == HYPERPRIOR:
            arrays[number] = {**arrays.get(number, {}), **shared}
    setups = tuple(
        _setup(name, record, arrays.get(i, {})) for i, (name, record) in enumerate(zip(names, records, strict=True))
    )
    for setup in setups:
        if header.content == "batch" and None in setup.template:
            raise MalformedError("shapes vary within a batch", requirement=67, tensor=setup.name)
    kind: Any = "single" if header.content == "profile" else header.content
    return Structure(kind, tree), setups, header.arch if header.arch is not None else profile.arch


def _joined(record: TensorRecord, default: TensorRecord) -> TensorRecord:
    missing = {f.name: getattr(default, f.name) for f in fields(record) if getattr(record, f.name) is None}
    return replace(record, **missing)


def _tree(record: int | RecordBranch) -> Tree:
    if isinstance(record, int):
        return record
    kind: Any = BRANCHES[record.kind]
    names = record.names if record.kind == 0 else tuple(range(len(record.children)))
    return Branch(kind, names, tuple(_tree(child) for child in record.children))


def record_tree(tree: Tree) -> int | RecordBranch:
    """A structure's tree as the header holds it.

    Raises:
        InputError: for a name that is too long for a header.
    """
    if isinstance(tree, int):
        return tree
    names = tree.names if tree.kind == "dict" else ()
    for name in names:
        if isinstance(name, str) and len(name) > MAX_TEXT:
            raise InputError(f"a name of {len(name):,} characters, at most {MAX_TEXT:,} are kept", tensor=name[:40])
    return RecordBranch(BRANCHES.index(tree.kind), names, tuple(record_tree(child) for child in tree.children))


def _arrays(sections: Sequence[Section], tensors: int) -> dict[int, dict[int, NDArray[Any]]]:
    """Sections as integer arrays by tensor and type; later ones take the place of earlier ones.

    One without elements counts as absent: so a file leaves out what its profile has [CAUF-0095].
    """
    arrays: dict[int, dict[int, NDArray[Any]]] = {}
    for section in sections:
        if section.type not in SECTION_ELEMENTS:
            raise UnsupportedError(f"section type {section.type} is unknown", remedy="upgrade caufc")
        if section.tensor >= tensors or section.element != SECTION_ELEMENTS[section.type]:
            raise MalformedError(
                f"section of type {section.type} for tensor {section.tensor}, elements {section.element}",
                requirement=94,
            )
        arrays.setdefault(section.tensor, {})[section.type] = np.frombuffer(section.data, section.element)
    return {
        tensor: {kind: array for kind, array in by_kind.items() if array.size} for tensor, by_kind in arrays.items()
    }


def _setup(name: str, record: TensorRecord, arrays: Mapping[int, NDArray[Any]]) -> TensorSetup:
    if record.dtype is None or record.framework is None or record.shape is None or record.codec is None:
        raise MalformedError("a tensor without dtype, framework, shape and codec", requirement=61).locate(tensor=name)
    if record.dtype >= len(DTYPE_CODES):
        raise UnsupportedError(f"dtype code {record.dtype} is unknown", remedy="upgrade caufc", tensor=name)
    if record.codec >= len(CODEC_NAMES):
        raise UnsupportedError(f"codec {record.codec} is unknown", remedy="upgrade caufc", tensor=name)
    alignment = record.alignment
    if alignment and (alignment.kind >= len(ALIGNMENT_KINDS) or alignment.scope >= len(ALIGNMENT_SCOPES)):
        raise UnsupportedError(
            f"alignment {alignment.kind}, scope {alignment.scope} is unknown", remedy="upgrade caufc", tensor=name
        )
    dtype = DTYPE_CODES[record.dtype]
    layout = _layout(record, name)
    if record.codec != LOSSLESS and (dtype not in FLOATS or layout is None):
        codec = CODEC_NAMES[record.codec]
        raise MalformedError(f"the {codec} codec needs floats and a layout", requirement=200, tensor=name)
    return TensorSetup(
        name,
        dtype,
        FRAMEWORKS[record.framework],
        record.shape,
        record.codec,
        layout,
        record.alignment,
        record.parameters or (),
        arrays,
        record.tap,
    )


def _layout(record: TensorRecord, name: str) -> Layout | None:
    if record.layout is None:
        return None
    try:
        layout = Layout(record.layout)
    except LayoutError as err:
        raise MalformedError(str(err), requirement=64, tensor=name) from err
    if not LAYOUT_GRAMMAR.fullmatch(record.layout):
        raise MalformedError(f"layout '{record.layout}'", requirement=64, tensor=name)
    if layout.batched or len(layout.terms) != len(record.shape or ()):
        raise MalformedError(f"layout '{layout}' for {len(record.shape or ())} axes", requirement=65, tensor=name)
    return layout
