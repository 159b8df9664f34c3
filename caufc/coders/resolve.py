"""Header, sections, profile and weights joined into one configuration per tensor (spec, sections 3 to 5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from ..bitstream import MAX_TEXT, Header, RecordBranch, RecordTree, Section, TensorRecord, leaves
from ..codec.hyperprior.weights import WEIGHTS_SECTIONS
from ..descriptors import ALIGNMENT_KINDS, ALIGNMENT_SCOPES
from ..errors import InputError, LayoutError, MalformedError, UnsupportedError
from ..layouts import Layout
from ..types import FLOATS, NOTE, Arrays, Branch, Structure, Tree, tensor_names
from .config import DTYPE_CODES, FRAMEWORKS, TensorConfig
from .registry import codec_of
from .sections import arrays_of

__all__ = ["record_tree", "resolve", "tree_of"]

BRANCHES = ("dict", "list", "tuple")

LAYOUT_GRAMMAR = re.compile(r"{term}( {term})*".format(term=r"([a-z]|\(([1-9]\d* \+ )?[a-z]( [a-z])*\))"))
"""How a file spells layouts [CAUF-0064]; people may space them as they like."""


def resolve(
    header: Header,
    sections: Sequence[Section],
    base: tuple[Header, Sequence[Section]] | None,
    weights: Sequence[Section] = (),
) -> tuple[Structure, tuple[TensorConfig, ...], str | None]:
    """Join header and sections with those of the profile that the header names.

    Args:
        header: of the file.
        sections: of the file; they take the place of the profile's.
        base: header and sections of the profile, if the file needs one.
        weights: sections of the weights, if the file names some.

    Returns:
        the structure, the configuration of each tensor, and the architecture ID.

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
    branch = header.tree if header.tree is not None else profile.tree if profile.tree is not None else 0
    tree = tree_of(branch)
    names = tensor_names(tree)
    if list(leaves(branch)) != list(range(len(records))):
        raise MalformedError(f"{len(records)} tensors, the structure has {len(names)}", requirement=52)
    configs = _configs(names, records, [*(base[1] if base else ()), *sections], weights)
    for config in configs:
        if header.content == "batch" and None in config.template and not config.noted:
            raise MalformedError("shapes vary within a batch", requirement=67, tensor=config.name)
    kind: Any = "single" if header.content == "profile" else header.content
    return Structure(kind, tree), configs, header.arch if header.arch is not None else profile.arch


def _configs(
    names: Sequence[str], records: Sequence[TensorRecord], sections: Sequence[Section], weights: Sequence[Section]
) -> tuple[TensorConfig, ...]:
    configs = [_config(name, record) for name, record in zip(names, records, strict=True)]
    weighted = any(config.codec.weighted for config in configs)
    by_tensor = arrays_of([*(weights if weighted else ()), *sections], len(configs))
    shared = {name: array for name, array in by_tensor.get(0, {}).items() if name in WEIGHTS_SECTIONS}
    arrays: list[Arrays] = [by_tensor.get(number, {}) for number in range(len(configs))]
    return tuple(
        replace(config, arrays={**own, **shared} if config.codec.weighted else own)
        for config, own in zip(configs, arrays, strict=True)
    )


def _joined(record: TensorRecord, default: TensorRecord) -> TensorRecord:
    missing = {f.name: getattr(default, f.name) for f in fields(record) if getattr(record, f.name) is None}
    return replace(record, **missing)


def tree_of(record: RecordTree) -> Tree:
    """The structure that a header holds."""
    if not isinstance(record, RecordBranch):
        return record
    kind: Any = BRANCHES[record.kind]
    names = record.names if record.kind == 0 else tuple(range(len(record.children)))
    return Branch(kind, names, tuple(tree_of(child) for child in record.children))


def record_tree(tree: Tree) -> RecordTree:
    """A structure's tree as the header holds it.

    Raises:
        InputError: for a name that is too long for a header.
    """
    if not isinstance(tree, Branch):
        return tree
    names = tree.names if tree.kind == "dict" else ()
    for name in names:
        if isinstance(name, str) and len(name) > MAX_TEXT:
            raise InputError(f"a name of {len(name):,} characters, at most {MAX_TEXT:,} are kept", tensor=name[:40])
    return RecordBranch(BRANCHES.index(tree.kind), names, tuple(record_tree(child) for child in tree.children))


def _config(name: str, record: TensorRecord) -> TensorConfig:
    """A tensor's configuration, without its arrays."""
    if record.dtype is None or record.framework is None or record.shape is None or record.codec is None:
        raise MalformedError("a tensor without dtype, framework, shape and codec", requirement=61).locate(tensor=name)
    if record.dtype >= len(DTYPE_CODES):
        raise UnsupportedError.unknown(f"dtype code {record.dtype}", tensor=name)
    codec = codec_of(record.codec, name)
    alignment = record.alignment
    if alignment and (alignment.kind >= len(ALIGNMENT_KINDS) or alignment.scope >= len(ALIGNMENT_SCOPES)):
        raise UnsupportedError(
            f"alignment {alignment.kind}, scope {alignment.scope} is unknown", remedy="upgrade caufc", tensor=name
        )
    dtype = DTYPE_CODES[record.dtype]
    if dtype == NOTE and len(record.shape) != 1:
        raise MalformedError(f"notes of {len(record.shape)} axes", requirement=503, tensor=name)
    layout = _layout(record, name)
    if codec.lossy and (dtype not in FLOATS or layout is None):
        raise MalformedError(f"the {codec.name} codec needs floats and a layout", requirement=200, tensor=name)
    return TensorConfig(
        name,
        dtype,
        FRAMEWORKS[record.framework],
        record.shape,
        codec,
        layout,
        alignment,
        record.parameters or (),
        tap=record.tap,
        leader=record.leader,
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
