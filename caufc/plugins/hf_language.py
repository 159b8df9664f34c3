"""Hugging Face language models, ``hf/NAME-OR-FOLDER``: hidden states ``[B, N, C]``, KV caches ``[B, G, T, D]``.

``hidden0`` is what enters the first layer and ``hiddenN`` the model's output; ``key.0`` and ``value.0`` are the first
layer's cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from caufc import Alignment, Backbone, Runtime, Tap, hookimpl

from .hf_config import read_model_size

HIDDEN = Alignment("mean-deviation", "channel", strength=0.5)
KEYS = Alignment("mean-deviation", "channel", strength=0.5)
VALUES = Alignment("mean-deviation", "token")
"""Keys differ from channel to channel, values from token to token."""


def taps(arch: str) -> Sequence[Tap]:
    """Hidden states, then keys and values of every layer."""
    size = read_model_size(arch)
    layers = range(size.layers)
    hidden = [Tap(f"hidden{number}", "b n c", size.channels, HIDDEN) for number in range(size.layers + 1)]
    keys = [Tap(f"key.{number}", "b g t d", None, KEYS) for number in layers]
    return hidden + keys + [Tap(f"value.{number}", "b g t d", None, VALUES) for number in layers]


def load(arch: str) -> Runtime:
    """Load a language model; of one that has an encoder and a decoder, the encoder."""
    from .hf_text import TextRuntime

    return TextRuntime.load(arch)


@hookimpl
def caufc_backbones() -> Iterable[Backbone]:
    return [Backbone("hf/*", taps, load, requires=("transformers", "torch"))]
