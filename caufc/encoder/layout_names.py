"""What names say of tensors: what kind they are of, and which are alike."""

from __future__ import annotations

import re

from .layout_roles import Kind

__all__ = ["kind_of", "pattern_of"]

CACHE = re.compile(r"(past_?)?(key|value)s?(_?(cache|states|values?))?|[kv](_?cache)?|(kv|past)(_?cache|_?values?)?")
STATES = re.compile(r"(\w+_)?hidden(_?states?)?|hidden_?\d+|(last_)?embeddings?")
PAIRS = re.compile(r"\d+\.[01]")

NUMBER = re.compile(r"\d+")


def kind_of(name: str) -> Kind:
    """What kind of features a name stands for, by the parts of its path."""
    parts = [part for part in re.split(r"[./]", name.lower()) if part]
    if any(CACHE.fullmatch(part) for part in parts) or PAIRS.fullmatch(name):
        return Kind.CACHE
    if any(STATES.fullmatch(part) for part in parts):
        return Kind.STATES
    return Kind.UNKNOWN


def pattern_of(name: str) -> str:
    """What names of alike tensors share: all but their numbers."""
    return NUMBER.sub("#", name)
