"""Sound files into audio encoders."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caufc import InputError, PluginError, StorageError, UnsupportedError

from .hf_runtime import HiddenStateRuntime

RATE = 16_000
"""Samples a second that the encoders take."""

MEL_FRAMES_PER_TOKEN = 2


class SoundRuntime(HiddenStateRuntime):
    """An audio encoder."""

    plugin = "hf-audio"

    @classmethod
    def load_preprocessor(cls, name: str) -> Any:
        """The model's feature extractor."""
        import transformers

        try:
            return transformers.AutoFeatureExtractor.from_pretrained(name)
        except Exception:  # waveforms can be given as they are; prepare says that it is missing
            return None

    def prepare(self, paths: Sequence[Path]) -> dict[str, Tensor]:
        """Sound files -> the model's inputs.

        ``.wav`` (PCM; mixed to mono, resampled to 16 kHz) or ``.npy`` (a waveform ``[T]`` at 16 kHz). Shorter
        sounds are padded with silence to the longest.

        Raises:
            StorageError: if a file cannot be opened.
            InputError: if a file is not a sound.
        """
        if self.preprocessor is None:
            raise PluginError("the model comes without a feature extractor", plugin=self.plugin)
        sounds = [read_sound(Path(path)) for path in paths]
        whisper = self._takes_spectrograms
        given = self.preprocessor(
            sounds, sampling_rate=RATE, padding="max_length" if whisper else True, return_tensors="pt"
        )
        name = "input_features" if whisper else "input_values"
        return {name: given[name]}

    def stand_in(self, samples: int, tokens: int) -> dict[str, Tensor]:
        config = self.config
        if self._takes_spectrograms:
            frames = MEL_FRAMES_PER_TOKEN * int(config.max_source_positions)
            return {"input_features": torch.zeros(samples, int(config.num_mel_bins), frames)}
        if not hasattr(config, "conv_kernel"):
            raise UnsupportedError(f"cannot resume a {type(self.model).__name__}")
        length = tokens
        for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
            length = (length - 1) * stride + kernel
        return {"input_values": torch.zeros(samples, length)}

    @property
    def _takes_spectrograms(self) -> bool:
        return hasattr(self.config, "max_source_positions") and hasattr(self.config, "num_mel_bins")


def read_sound(path: Path) -> NDArray[np.float32]:
    """A sound file as mono samples in -1 to 1, ``[T]``, at 16 kHz."""
    if not path.is_file():
        raise StorageError("no such file", file=str(path))
    try:
        samples = _read_npy(path) if path.suffix == ".npy" else _read_wav(path)
    except (wave.Error, EOFError, ValueError) as err:
        raise InputError(f"not a sound that can be read: {err}", file=str(path)) from err
    except OSError as err:
        raise StorageError(err.strerror or "cannot be read", file=str(path)) from err
    if not samples.size or not np.isfinite(samples).all():
        raise InputError("a sound without finite samples", file=str(path))
    return samples


def _read_npy(path: Path) -> NDArray[np.float32]:
    samples = np.load(path, allow_pickle=False)
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise ValueError(f"{samples.dtype} of shape {list(samples.shape)}, not floats [T]")
    return np.asarray(samples, np.float32)


def _read_wav(path: Path) -> NDArray[np.float32]:
    with wave.open(str(path)) as sound:
        rate, channels, width = sound.getframerate(), sound.getnchannels(), sound.getsampwidth()
        data = sound.readframes(sound.getnframes())
    if width == 1:
        values = np.frombuffer(data, np.uint8).astype(np.float32) / 128 - 1
    else:
        padded = np.zeros((len(data) // width, 4), np.uint8)
        padded[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
        values = padded.view("<i4")[:, 0].astype(np.float32) / 2**31
    mono = values.reshape(-1, channels).mean(axis=1).astype(np.float32)
    if rate == RATE:
        return np.asarray(mono)
    times = np.arange(round(len(mono) * RATE / rate)) * (rate / RATE)
    return np.asarray(np.interp(times, np.arange(len(mono)), mono), np.float32)
