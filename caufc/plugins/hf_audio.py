"""Hugging Face audio encoders, ``hf-audio/NAME-OR-FOLDER``: wav2vec 2.0, HuBERT, WavLM, and Whisper's encoder.

Taps are hidden states over time, ``[B, T, C]``: ``hidden0`` enters the first layer, ``hiddenN`` is the output.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from caufc import Alignment, Backbone, Runtime, Tap, hookimpl

from .hf_config import read_model_size

ALIGNMENT = Alignment("mean-deviation", "channel", strength=0.5)


def taps(arch: str) -> Sequence[Tap]:
    """The hidden states."""
    size = read_model_size(arch)
    return [Tap(f"hidden{number}", "b t c", size.channels, ALIGNMENT) for number in range(size.layers + 1)]


def load(arch: str) -> Runtime:
    """Load an audio encoder."""
    from .hf_sound import SoundRuntime

    return SoundRuntime.load(arch)


@hookimpl
def caufc_backbones() -> Iterable[Backbone]:
    return [Backbone("hf-audio/*", taps, load, requires=("transformers", "torch"))]
