"""Audio encoders of transformers: tiny, random, saved to a folder, nothing from a hub."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caufc import default_manager
from caufc.errors import InputError, StorageError
from caufc.layouts import Layout

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SaveModel = Callable[..., None]

CONVOLUTIONS: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "conv_dim": (8, 8, 8),
    "conv_kernel": (10, 3, 2),
    "conv_stride": (5, 2, 2),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "intermediate_size": 32,
}
SOUND: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2": ("Wav2Vec2Config", CONVOLUTIONS),
    "wav2vec2-stable": (
        "Wav2Vec2Config",
        {**CONVOLUTIONS, "do_stable_layer_norm": True, "feat_extract_norm": "layer"},
    ),
    "hubert": ("HubertConfig", CONVOLUTIONS),
    "wavlm": ("WavLMConfig", CONVOLUTIONS),
    "whisper": (
        "WhisperConfig",
        {
            "vocab_size": 40,
            "d_model": 16,
            "encoder_layers": 3,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32,
            "max_source_positions": 50,
            "num_mel_bins": 16,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
    ),
}


def write_wav(path: Path, samples: np.ndarray, *, rate: int = 16_000, width: int = 2) -> Path:
    """Samples in -1 to 1, ``[T]`` or ``[T, channels]``, as PCM."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        sound.setsampwidth(width)
        sound.setframerate(rate)
        whole = np.round(samples * (2 ** (8 * width - 1) - 1)).astype("<i4")
        if width == 1:
            sound.writeframes((whole + 128).astype(np.uint8).tobytes())
        else:
            sound.writeframes(np.ascontiguousarray(whole).view(np.uint8).reshape(-1, 4)[:, :width].tobytes())
    return path


@pytest.mark.parametrize("model", SOUND)
def test_audio_encoders(tmp_path: Path, save_model: SaveModel, model: str) -> None:
    folder = tmp_path / model
    save_model(folder, *SOUND[model])
    if model == "whisper":
        extractor = transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=1)
    else:
        extractor = transformers.Wav2Vec2FeatureExtractor()
    extractor.save_pretrained(folder)
    generator = np.random.default_rng(0)
    sounds = [write_wav(tmp_path / "one.wav", generator.uniform(-1, 1, 2000)), tmp_path / "two.npy"]
    np.save(sounds[1], generator.uniform(-1, 1, 1500))
    arch = f"hf-audio/{folder}"
    taps = default_manager().taps(arch)
    assert [(tap.name, tap.channels) for tap in taps] == [(f"hidden{number}", 16) for number in range(4)]
    runtime = default_manager().runtime(arch)
    features = runtime.extract(runtime.prepare(sounds), [tap.name for tap in taps])
    for _ in range(2):
        for tap in taps:
            given = features[tap.name].clone().requires_grad_()
            assert given.ndim == len(Layout(tap.layout).terms)
            output = runtime.resume(given, tap.name)
            torch.testing.assert_close(output, features["hidden3"], rtol=1e-4, atol=1e-5)
            output.square().sum().backward()
            assert given.grad is not None


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_pcm_of_every_width(tmp_path: Path, width: int) -> None:
    from caufc.plugins.hf_sound import read_sound

    samples = np.sin(np.arange(400) / 10)
    heard = read_sound(write_wav(tmp_path / "sound.wav", samples, width=width))
    assert heard.dtype == np.float32
    assert np.abs(heard - samples).max() < (0.02 if width == 1 else 1e-4)


def test_sounds_are_mixed_and_resampled(tmp_path: Path) -> None:
    from caufc.plugins.hf_sound import read_sound

    tone = np.sin(2 * np.pi * 50 * np.arange(8000) / 8000)
    heard = read_sound(write_wav(tmp_path / "sound.wav", np.stack([tone, tone * 0], axis=1), rate=8000))
    assert heard.shape == (16_000,)
    assert np.abs(heard - np.sin(2 * np.pi * 50 * np.arange(16_000) / 16_000) / 2).max() < 0.02


def test_files_that_are_no_sounds(tmp_path: Path) -> None:
    from caufc.plugins.hf_sound import read_sound

    (tmp_path / "text.wav").write_text("hello")
    np.save(tmp_path / "ints.npy", np.arange(3))
    write_wav(tmp_path / "empty.wav", np.zeros(0))
    for name, reason in {"text.wav": "not a sound", "ints.npy": "int64 of shape", "empty.wav": "without"}.items():
        with pytest.raises(InputError, match=reason):
            read_sound(tmp_path / name)
    with pytest.raises(StorageError, match="no such file"):
        read_sound(tmp_path / "missing.wav")
