"""Live objects of other libraries as the dicts, lists and tuples that they stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["opened"]

CACHE_PARTS = ("self_attention_cache", "cross_attention_cache")
"""What an encoder-decoder's cache is made of."""

LEAVES = (type, str, bytes, int, float)
"""What holds nothing, and is told quickly: samples may be many."""

PAIR, LISTS = ("keys", "values"), ("key_cache", "value_cache")
"""What most layers hold, and the lists of these."""

MANY = 2
"""Axes from which on a tensor is no mere length or list of positions."""

OF_CACHES = "layer_class_to_replicate"
"""An attribute that caches have even before their first layer."""


def opened(node: object) -> Mapping[Any, object] | list[object] | tuple[object, ...] | None:
    """What an object holds, if it is one that holds others; None for tensors, text, numbers and all else.

    Mappings (a ``ModelOutput``, ``BatchFeature`` or ``BatchEncoding`` too), lists and tuples hold their items, a
    dataclass its fields. A cache of keys and values, such as ``transformers.DynamicCache``, holds the lists
    ``key_cache`` and ``value_cache``, one tensor per layer. One whose layers hold more than that, such as quantised
    values, states of a recurrence or keys of an index, holds ``layers``, a dict of each layer's tensors by attribute.
    """
    if isinstance(node, Mapping | list | tuple):
        return node
    if node is None or isinstance(node, LEAVES) or _is_array(type(node)):
        return None
    cache = _cache(node)
    if cache is not None:
        return cache
    if dataclasses.is_dataclass(node) and not callable(getattr(node, "read", None)):
        return {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    return None


def _is_array(kind: type) -> bool:
    return hasattr(kind, "shape") and hasattr(kind, "dtype") and not dataclasses.is_dataclass(kind)


def _cache(node: object) -> Mapping[Any, object] | None:
    if all(hasattr(node, part) for part in CACHE_PARTS):
        return {part: getattr(node, part) for part in CACHE_PARTS}
    layers = getattr(node, "layers", None)
    # An empty list alone does not tell a cache: networks have layers too.
    if isinstance(layers, list) and (hasattr(node, OF_CACHES) or (layers and all(map(_has_pair, layers)))):
        return _of_layers(layers)
    lists = {name: getattr(node, name, None) for name in LISTS}
    if not all(isinstance(value, list) for value in lists.values()):
        return None
    more = {name: value for name, value in _attributes(node) if name not in LISTS and _axes_of(value) >= MANY}
    return lists | more


def _has_pair(layer: Any) -> bool:
    pair = [getattr(layer, name, len) for name in PAIR]
    return not any(callable(part) and not hasattr(part, "shape") for part in pair)


def _of_layers(layers: list[Any]) -> Mapping[Any, object]:
    """What a cache of layers holds."""
    if all(_has_pair(layer) and _holds_no_more(layer) for layer in layers):
        return {kept: [getattr(layer, name) for layer in layers] for kept, name in zip(LISTS, PAIR, strict=True)}
    return {"layers": [_tensors_of(layer) for layer in layers]}


def _tensors_of(layer: Any) -> Mapping[Any, object]:
    return {name: value for name, value in _attributes(layer) if _axes_of(value) >= 0}


def _holds_no_more(layer: Any) -> bool:
    """Whether a layer has no tensors but its pair, lengths and positions not counted."""
    return all(name in PAIR or _axes_of(value) < MANY for name, value in _attributes(layer))


def _attributes(node: object) -> Iterable[tuple[str, object]]:
    return getattr(node, "__dict__", {}).items()


def _axes_of(value: object) -> int:
    """Axes of a tensor, or the most of those inside; -1 where there is none."""
    if isinstance(value, Mapping | list | tuple) and not hasattr(value, "shape"):
        return max(map(_axes_of, value.values() if isinstance(value, Mapping) else value), default=-1)
    sizes = getattr(value, "shape", None)
    return len(sizes) if isinstance(sizes, tuple) else -1
