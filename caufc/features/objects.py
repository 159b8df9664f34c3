"""Live objects of other libraries as the dicts, lists and tuples that they stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

__all__ = ["opened"]

CACHE_PARTS = ("self_attention_cache", "cross_attention_cache")
"""What an encoder-decoder's cache is made of."""

OF_CACHES = "layer_class_to_replicate"
"""An attribute that caches have even before their first layer."""


def opened(node: object) -> Mapping[Any, object] | list[object] | tuple[object, ...] | None:
    """What an object holds, if it is one that holds others; None for tensors, text, numbers and all else.

    Mappings (a ``ModelOutput``, ``BatchFeature`` or ``BatchEncoding`` too), lists and tuples hold their items, a
    dataclass its fields. A cache of keys and values, such as ``transformers.DynamicCache``, holds the lists
    ``key_cache`` and ``value_cache``, one tensor per layer.
    """
    if isinstance(node, Mapping | list | tuple):
        return node
    if isinstance(node, type):
        return None
    cache = _cache(node)
    if cache is not None:
        return cache
    if dataclasses.is_dataclass(node) and not callable(getattr(node, "read", None)):
        return {field.name: getattr(node, field.name) for field in dataclasses.fields(node)}
    return None


def _cache(node: object) -> Mapping[Any, object] | None:
    if all(hasattr(node, part) for part in CACHE_PARTS):
        return {part: getattr(node, part) for part in CACHE_PARTS}
    layers = getattr(node, "layers", None)
    # An empty list alone does not tell a cache: networks have layers too.
    if isinstance(layers, list) and (layers or hasattr(node, OF_CACHES)) and all(map(_has_pair, layers)):
        return {
            "key_cache": [layer.keys for layer in layers],
            "value_cache": [layer.values for layer in layers],
        }
    lists = {name: getattr(node, name, None) for name in ("key_cache", "value_cache")}
    return lists if all(isinstance(value, list) for value in lists.values()) else None


def _has_pair(layer: Any) -> bool:
    pair = [getattr(layer, name, len) for name in ("keys", "values")]
    return not any(callable(part) and not hasattr(part, "shape") for part in pair)
