"""The error for an object that is no tensor, text or number, with what to give in its place."""

from __future__ import annotations

import enum

from ..errors import TensorError

__all__ = ["refusal"]

CURES = (
    ("state_dict", "give its .state_dict()"),
    ("toarray", "give its .toarray()"),
    ("to_numpy", "give its .to_numpy()"),
    ("__array__", "give np.asarray(...) of it"),
    ("keys", "give dict(...) of it"),
    ("__iter__", "give list(...) of it"),
    ("__dict__", "give what it holds: vars(...)"),
)
"""What an object has -> what to do about it; the first counts."""

AS_TEXT = frozenset({"pathlib", "datetime", "decimal", "fractions", "uuid", "torch", "ipaddress"})
"""Modules whose objects are kept as text."""


def refusal(found: object, name: str) -> TensorError:
    """The error for an object under a dotted name."""
    kind = type(found).__name__
    if isinstance(found, complex):
        return TensorError("is a complex number", tensor=name, remedy="keep its real and imaginary parts")
    if isinstance(found, set | frozenset):
        return TensorError(f"is a {kind}, not a tensor", tensor=name, remedy="keep it as a list: sorted(...)")
    cure = "give numpy arrays or torch tensors, in dicts, lists, tuples"
    if isinstance(found, enum.Enum) or type(found).__module__ in AS_TEXT:
        cure = "keep it as text: str(...)"
    elif not isinstance(found, type):
        cure = next((cure for attribute, cure in CURES if hasattr(found, attribute)), cure)
    return TensorError(f"is a {kind}, not a tensor, text or number", tensor=name, remedy=cure)
