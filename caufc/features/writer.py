"""Feature files out: one interface, whatever the format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from ..descriptors import FeatureFormat
from ..errors import (
    InputError,
    UnknownNameError,
)
from ..types import (
    AnyArray,
    Branch,
    Framework,
    Structure,
)
from .collecting import (
    CollectingWriter,
    Dump,
    dump_npz,
    dump_pt,
    dump_with,
)
from .formats import (
    known_suffixes,
    normal_suffix,
    plugin_formats,
)
from .holds import check_holds
from .output import Output
from .streaming import (
    Place,
    StreamingWriter,
    npy_plan,
    safetensors_plan,
)

__all__ = ["Writer", "open_writer"]


class Writer(Protocol):
    """Takes decoded samples, tensor by tensor, in any order of tensors."""

    def put(self, tensor: int, start: int, arrays: AnyArray | list[AnyArray]) -> None:
        """Samples from ``start`` on of one tensor: an array ``[k, ...]`` for a batch, else a list of arrays (of one
        for a single sample), in the numpy form of the tensor's dtype."""
        ...

    def close(self) -> None:
        """Make the file whole."""
        ...

    def abort(self) -> None:
        """Leave no file."""
        ...


def open_writer(
    path: Path | None,
    stream: BinaryIO | None,
    suffix: str,
    structure: Structure,
    names: Sequence[str],
    dtypes: Sequence[str],
    frameworks: Sequence[Framework],
    shapes: Sequence[tuple[int, ...] | None],
    samples: int,
    extra: Iterable[FeatureFormat] = (),
    *,
    force: bool = False,
) -> Writer:
    """Begin a feature file.

    ``.npy`` and ``.safetensors`` are written as samples come; other formats need the whole object in memory. What
    the format cannot hold is refused before anything is written. ``.npy`` and ``.npz`` hold torch tensors as numpy
    arrays, ``.pt`` and ``.safetensors`` hold numpy arrays as torch tensors.

    Args:
        path: the file, which appears whole or not at all; None if there is a stream.
        stream: a binary stream, which is left open; None if there is a path.
        suffix: the format.
        structure: of the object.
        names, dtypes, frameworks: by tensor number.
        shapes: of one sample, by tensor number; None where samples differ.
        samples: number of samples.
        extra: formats of plugins.
        force: whether an existing file may be replaced.

    Raises:
        InputError: if the format cannot hold the object; names the tensor, and the formats that can.
        UnknownNameError: for an unknown suffix.
        StorageError: if the file cannot be made.
        OutputExistsError: if it exists and ``force`` is False.
    """
    extra = tuple(extra)
    suffix, plugins = normal_suffix(suffix), plugin_formats(extra)
    if suffix not in known_suffixes(extra):
        raise UnknownNameError("format", suffix, known_suffixes(extra))
    if suffix not in plugins:
        check_holds(suffix, structure, names, dtypes)
    if suffix in (".npy", ".safetensors"):
        batch = structure.kind == "batch"
        head, places = _plan(suffix, structure, names, dtypes, shapes, samples)
        seeks = len(places) > 1
        return StreamingWriter(Output(path, stream, seeks=seeks, force=force), head, places, batch=batch)
    dump: Dump
    if suffix in plugins:
        dump = dump_with(plugins[suffix])
    elif suffix == ".npz":
        dump, frameworks = dump_npz, ["numpy"] * len(dtypes)
    else:
        dump, frameworks = dump_pt, ["torch"] * len(dtypes)
    output = Output(path, stream, seeks=False, force=force)
    return CollectingWriter(output, dump, structure, samples, frameworks, dtypes, shapes)


def _plan(
    suffix: str,
    structure: Structure,
    names: Sequence[str],
    dtypes: Sequence[str],
    shapes: Sequence[tuple[int, ...] | None],
    samples: int,
) -> tuple[bytes, list[Place]]:
    for name, shape in zip(names, shapes, strict=True):
        if shape is None:
            raise InputError("samples differ in shape", tensor=name, remedy="write .pt")
    whole = [cast("tuple[int, ...]", shape) for shape in shapes]
    if structure.kind == "batch":
        whole = [(samples, *shape) for shape in whole]
    if suffix == ".npy":
        return npy_plan(whole[0], dtypes[0])
    tree = cast(Branch, structure.tree)
    order = [cast(int, child) for child in tree.children]
    head, ordered = safetensors_plan(
        [str(name) for name in tree.names], [whole[number] for number in order], [dtypes[number] for number in order]
    )
    return head, [place for _, place in sorted(zip(order, ordered, strict=True))]
