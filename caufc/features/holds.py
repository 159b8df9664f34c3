"""What each file format can hold."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from ..types import (
    Branch,
    Structure,
)
from .safetensors import METADATA

__all__ = ["check_holds"]

_BUILT_IN = (".npy", ".npz", ".safetensors", ".pt")
_NAME_BYTES = 60_000


def check_holds(suffix: str, structure: Structure, names: Sequence[str], dtypes: Sequence[str]) -> None:
    """Check that a built-in format can hold an object as it is.

    Args:
        suffix: of the format.
        structure: of the object.
        names: of its tensors, by tensor number.
        dtypes: of its tensors, by tensor number.

    Raises:
        InputError: if it cannot; names the tensor, and the formats that can.
    """
    problem = _problem(suffix, structure, names, dtypes)
    if problem is None:
        return
    able = [other for other in _BUILT_IN if _problem(other, structure, names, dtypes) is None]
    message, tensor = problem
    raise InputError(f"{suffix} cannot hold {message}", tensor=tensor, remedy=f"write {' or '.join(able)}")


def _problem(
    suffix: str, structure: Structure, names: Sequence[str], dtypes: Sequence[str]
) -> tuple[str, str | None] | None:
    if suffix in (".pt", ".pth"):
        return None
    first = names[0] if names else None
    if structure.kind in ("list", "tuple"):
        return f"a {structure.kind} of samples", first
    tree = structure.tree
    if suffix != ".safetensors" and "bf16" in dtypes:
        return "bf16", names[dtypes.index("bf16")]
    if suffix == ".npy":
        return None if isinstance(tree, int) else (f"a {tree.kind} of tensors", first)
    return _dict_problem(suffix, tree, names)


def _dict_problem(suffix: str, tree: Branch | int, names: Sequence[str]) -> tuple[str, str | None] | None:
    if isinstance(tree, int):
        return "a tensor without a name", None
    if tree.kind != "dict":
        return f"a {tree.kind} of tensors", names[0] if names else None
    for name, child in zip(tree.names, tree.children, strict=True):
        if isinstance(child, Branch):
            return f"a {child.kind} inside a dict", str(name)
        if not isinstance(name, str):
            return "an integer as a name", str(name)
        if suffix == ".safetensors" and name == METADATA:
            return "this name", name
        if suffix == ".npz" and ("\0" in name or "\\" in name or len(name.encode()) > _NAME_BYTES):
            return "this name", name
    return None
