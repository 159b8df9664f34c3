"""Names of tensors as options give them: one tensor, all below a prefix, or all that a pattern fits."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

__all__ = ["ALL", "fits", "for_tensor", "unmatched"]

ALL = "*"
"""Stands for all tensors that nothing else names."""

Value = TypeVar("Value")


def for_tensor(given: Mapping[str, Value], name: str, *, patterns: bool = True) -> Value | None:
    """The value that is given for a tensor: by its name, else by the longest prefix or pattern; None if none is.

    Args:
        given: values by name, prefix (``hidden_states``, for all ``hidden_states.…``), pattern (``layer.*.keys``, with
            ``*``, ``?`` and ``[…]``), or ``*`` for all others.
        name: dotted path of the tensor.
        patterns: whether anything but its very name counts.
    """
    if name in given:
        return given[name]
    found = [text for text in given if fits(text, name)] if patterns else []
    return given[max(found, key=_literals)] if found else None


def fits(text: str, name: str) -> bool:
    """Whether a name, prefix or pattern stands for a tensor."""
    return name == text or name.startswith(f"{text}.") or fnmatch.fnmatchcase(name, text)


def unmatched(given: Iterable[str], names: Collection[str]) -> str | None:
    """The first name, prefix or pattern that fits no tensor."""
    known = set(names)
    for text in given:
        if text != ALL and text not in known and not any(fits(text, name) for name in names):
            return text
    return None


def _literals(text: str) -> tuple[int, int]:
    """How much a pattern says: characters that stand for themselves, then all."""
    return len(text) - sum(text.count(letter) for letter in "*?[]"), len(text)
