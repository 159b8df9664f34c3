"""A KVTC-style coder for hidden states and caches: principal components, of one's own or of other texts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from caufc.evaluate.rivals.kvtc import Basis, Kvtc, principal_components
from tools.measure.language_model import Features, tokens
from tools.measure.language_rivals import Array, Coded, by_rival, each

__all__ = ["kvtc", "kvtc_bases"]

ROTARY_BASE = 1e5
"""Of SmolLM2's positions."""


def kvtc(features: Features, octaves: float, bases: Mapping[str, Basis] | None = None) -> Coded:
    """Principal components after KVTC (2026): keys without the rotations of their positions, the first token in fp16.

    Args:
        features: of which each tensor has a basis of its own, unless there are others.
        octaves: ``2 ** octaves`` bits per value are shared among the components.
        bases: of other texts, not counted, by the names that :func:`kvtc_bases` gives; keys of all layers share one,
            and so do values.
    """
    unturned = _turned(features, -1)
    parts = unturned if bases is None else _across_layers(unturned)

    def code(name: str, part: Array) -> tuple[int, Array]:
        axis = part.ndim - 2
        first, others = np.split(part, [1], axis=axis)
        size, back = by_rival(Kvtc(octaves, None if bases is None else bases[name]), others)
        exact = first.astype("<f2")
        return size + exact.nbytes, np.concatenate([exact.astype(np.float32), back], axis=axis)

    size, back = each(parts, code)
    return size, _turned(back if bases is None else _by_layer(back, features), 1)


def kvtc_bases(features: Features) -> dict[str, Basis]:
    """The bases of :func:`kvtc` from tokens behind the first."""
    rows = ((name, tokens(np.delete(part, 0, axis=-2))) for name, part in _across_layers(_turned(features, -1)).items())
    return {name: principal_components(np.asarray(part, np.float32)) for name, part in rows}


def _turned(features: Features, sign: int) -> dict[str, Array]:
    """Keys turned by their positions, or back; all else as it is."""
    return {name: _rotated(part, sign) if name.startswith("keys") else part for name, part in features.items()}


def _rotated(part: Array, sign: int) -> Array:
    """Rotary positions of keys ``[B, G, T, D]``: channel i and the one D / 2 behind turn together."""
    count, width = part.shape[2:]
    angles = sign * np.outer(np.arange(count), ROTARY_BASE ** -(np.arange(0, width, 2) / width))
    cosine, sine = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    x, y = np.split(part.astype(np.float32), 2, axis=-1)
    return np.concatenate([x * cosine - y * sine, y * cosine + x * sine], axis=-1)


def _across_layers(features: Features) -> dict[str, Array]:
    """A cache as ``keys`` and ``values`` of all layers side by side ``[B, T, L G D]``; hidden states as they are."""
    kinds = {name.partition(".")[0] for name in features}
    if kinds == {"states"}:
        return dict(features)
    layers = len(features) // 2
    return {
        kind: np.concatenate([_side_by_side(features[f"{kind}.{layer}"]) for layer in range(layers)], axis=2)
        for kind in sorted(kinds)
    }


def _by_layer(joined: Features, like: Features) -> dict[str, Array]:
    """The inverse of :func:`_across_layers`."""
    if "states" in joined:
        return dict(joined)
    layers = len(like) // 2
    found: dict[str, Array] = {}
    for kind, part in joined.items():
        batch, heads, count, width = like[f"{kind}.0"].shape
        apart = part.reshape(batch, count, layers, heads, width).transpose(2, 0, 3, 1, 4)
        found |= {f"{kind}.{layer}": apart[layer] for layer in range(layers)}
    return found


def _side_by_side(part: Array) -> Array:
    """``[B, G, T, D]`` as ``[B, T, G D]``, in fp32."""
    batch, heads, count, width = part.shape
    return part.transpose(0, 2, 1, 3).reshape(batch, count, heads * width).astype(np.float32)
