"""Real features in the shapes that people store, for ``layouts.py``: each with the layouts that it could have.

Networks whose weights no package ships have random ones, of one seed, on real images: what matters here is which axes
are tokens, and that they come from an image.
"""

from __future__ import annotations

import importlib.util
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.measure.tap_features import load_features

__all__ = ["SHAPES", "Folders", "Shape"]

SEED = 7
IMAGES, WINDOWS, LENGTH, LAYERS = 24, 16, 192, (8, 15, 22)
TEXTS = (2500, 3500)


@dataclass(frozen=True)
class Folders:
    """Where features come from.

    Args:
        data: the folder that docs/evaluate.md describes, with ``smollm2.py``.
        features: what ``tap_features`` wrote.
        audio: a ``.wav`` file.
    """

    data: Path
    features: Path
    audio: Path


@dataclass(frozen=True)
class Shape:
    """A way in which features are stored.

    Args:
        name: as tables show it.
        layouts: that could be meant; all are tried.
        make: folders -> features.
    """

    name: str
    layouts: Sequence[str]
    make: Callable[[Folders], Any]


def _tap(name: str, count: int) -> Callable[[Folders], Any]:
    return lambda folders: load_features(folders.features, name)[:count]


def _channels_last(name: str, count: int) -> Callable[[Folders], Any]:
    return lambda folders: np.ascontiguousarray(load_features(folders.features, name)[:count].transpose(0, 2, 3, 1))


def _images(folders: Folders, size: int, count: int = IMAGES) -> Any:
    """ImageNet images ``[B, 3, size, size]``, normalised."""
    import torch
    from PIL import Image

    paths = sorted((folders.data / "imagenet-sample").glob("*.jpg"))[:count]
    pixels = [np.asarray(Image.open(path).convert("RGB").resize((size, size))) for path in paths]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _network(name: str, **options: Any) -> Any:
    import timm
    import torch

    torch.manual_seed(SEED)
    return timm.create_model(name, pretrained=False, **options).eval()


def _tokens_of(name: str, size: int) -> Callable[[Folders], Any]:
    """Tokens of a vision transformer ``[B, N, C]``, special ones first, as its last block gives them."""

    def make(folders: Folders) -> Any:
        import torch

        with torch.no_grad():
            return _network(name, img_size=size).forward_features(_images(folders, size))

    return make


def _swin(folders: Folders) -> Any:
    """A stage's maps ``[B, 14, 14, 384]``."""
    import torch

    with torch.no_grad():
        return _network("swin_tiny_patch4_window7_224", features_only=True)(_images(folders, 224))[2].contiguous()


def _pyramid(folders: Folders) -> Any:
    """One image at four scales, ``[1, C, H, W]`` each."""
    import torch

    with torch.no_grad():
        return _network("resnet18", features_only=True, out_indices=(1, 2, 3, 4))(_images(folders, 224, 1))


def _two_ragged_axes(folders: Folders) -> Any:
    """Maps of images of several sizes, channels last: ``[H, W, 128]``."""
    import torch

    network, found = _network("resnet18", features_only=True, out_indices=(2,)), []
    with torch.no_grad():
        for number, image in enumerate(_images(folders, 256, 12)):
            cut = image[None, :, : 160 + 8 * number, : 256 - 8 * number]
            found.append(network(cut)[0][0].permute(1, 2, 0).contiguous())
    return found


def _padded(folders: Folders) -> Any:
    """Hidden states of texts, padded to one length ``[B, T, 384]``."""
    texts = load_features(folders.features, "minilm-hidden3")[:64]
    out = np.zeros((len(texts), max(map(len, texts)), 384), np.float32)
    for number, text in enumerate(texts):
        out[number, : len(text)] = text
    return out


def _pooled(folders: Folders) -> Any:
    """A vector a text ``[B, 384]``."""
    return np.stack([np.asarray(text).mean(0) for text in load_features(folders.features, "minilm-hidden6")])


def _language(folders: Folders) -> tuple[Any, Any, Any]:
    """``smollm2.py``, the model, and token numbers ``[B, T]``."""
    spec = importlib.util.spec_from_file_location("smollm2", folders.data / "smollm2.py")
    assert spec is not None and spec.loader is not None
    tools = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tools)
    tokenizer, model = tools.load()
    return tools, model, tools.windows(tokenizer, *TEXTS, WINDOWS)[:, :LENGTH]


def _states(folders: Folders) -> Any:
    """All layers' states of windows: a list of ``[B, T, 576]``."""
    import torch

    _, model, ids = _language(folders)
    with torch.no_grad():
        return model(ids, output_hidden_states=True).hidden_states


def _hidden(folders: Folders) -> Any:
    return _states(folders)[15].clone()


def _hidden_tuple(folders: Folders) -> Any:
    return tuple(states[:4].clone() for states in _states(folders)[:13])


def _dump(folders: Folders) -> Any:
    """Samples ``{hidden_states: [T, layers, 576]}`` of several lengths."""
    import torch

    whole = torch.stack([_states(folders)[layer] for layer in LAYERS], dim=2)
    return [{"hidden_states": states[: LENGTH - 7 * number].clone()} for number, states in enumerate(whole)]


def _cache(folders: Folders) -> Any:
    """Keys and values of 30 layers, a tuple of pairs ``[B, 3, T, 64]``."""
    tools, model, ids = _language(folders)
    return tuple(tools.kv_cache(model, ids[:8]))


def _cache_tensor(folders: Folders) -> Any:
    """The same of one window as one tensor ``[2, L, B, 3, T, 64]``."""
    import torch

    layers = _cache(folders)
    return torch.stack([torch.stack([pair[which] for pair in layers]) for which in (0, 1)])[:, :, :2].contiguous()


def _attentions(folders: Folders) -> Any:
    """Attention weights of a layer ``[B, heads, T, T]``."""
    import torch

    _, model, ids = _language(folders)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        return model(ids[:6, :96], output_attentions=True).attentions[12].clone()


def _log_mel(folders: Folders) -> Any:
    """Log-mel maps ``[B, 80, 100]`` of sound at several speeds."""
    with wave.open(str(folders.audio)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())[:, 0]
    sound, rng = raw / 32768.0, np.random.default_rng(SEED)
    return np.stack([_mel_of(sound, rng.uniform(0.5, 2.0), int(rng.integers(0, 2000))) for _ in range(32)])


def _mel_of(sound: Any, speed: float, shift: int) -> Any:
    places = np.arange(100 * 160 + 400) * speed + shift
    heard = np.interp(places % len(sound), np.arange(len(sound)), sound)
    frames = np.stack([heard[start : start + 400] * np.hanning(400) for start in range(0, 16000, 160)])
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    edges = 700 * (10 ** (np.linspace(0, 2840, 82) / 2595) - 1) / 8000 * 256
    bins = np.arange(257)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.log10(np.maximum(np.clip(np.minimum(rise, fall), 0, 1) @ power.T, 1e-8)).astype(np.float32)


IMAGE_MAPS = ("b c h w", "b h w c", "b h c w", "b n g d", "b g n d", "b g d n", "b t h w")
SEQUENCES = ("b n c", "b c n", "b h w")

SHAPES = (
    Shape("CNN map, channels first", IMAGE_MAPS, _tap("efficientnet_lite0-block10", 100)),
    Shape("CNN map, channels last", IMAGE_MAPS, _channels_last("efficientnet_lite0-block10", 100)),
    Shape("CNN map of a last layer, channels last", IMAGE_MAPS, _channels_last("efficientnet_lite0-last", 40)),
    Shape("ViT tokens, CLS first", (*SEQUENCES, "b (1 + h w) c", "b (1 + n) c"), _tap("vit-block6", 500)),
    Shape(
        "ViT tokens, CLS and 4 registers",
        (*SEQUENCES, "b (5 + h w) c", "b (1 + n) c", "b (5 + n) c"),
        _tokens_of("vit_small_patch14_reg4_dinov2", 224),
    ),
    Shape(
        "ViT tokens, CLS and distillation token",
        (*SEQUENCES, "b (2 + h w) c", "b (1 + n) c", "b (2 + n) c"),
        _tokens_of("deit_tiny_distilled_patch16_224", 224),
    ),
    Shape("Swin maps, channels last", IMAGE_MAPS, _swin),
    Shape("pyramid of one image", IMAGE_MAPS, _pyramid),
    Shape("maps of images of several sizes, channels last", ("h w c", "t h w"), _two_ragged_axes),
    Shape("MiniLM hidden states, padded", (*SEQUENCES, "b (1 + n) c"), _padded),
    Shape("MiniLM hidden states, ragged", ("n c", "h w", "(1 + n) c"), _tap("minilm-hidden3", 200)),
    Shape("SmolLM2 hidden states", (*SEQUENCES, "b (1 + n) c"), _hidden),
    Shape("SmolLM2 hidden states, a tuple of layers", (*SEQUENCES, "b (1 + n) c"), _hidden_tuple),
    Shape("SmolLM2 hidden states of 3 layers, ragged", ("n g d", "h w c", "h c w", "(1 + n) g d"), _dump),
    Shape("SmolLM2 KV cache", ("b g n d", "b n g d", "b h w c", "b g (1 + n) d", "b g d n"), _cache),
    Shape(
        "SmolLM2 KV cache in one tensor",
        ("b t n g h d", "b t n h w d", "b g n c t d", "g n t c h d", "b t g h c w", "b g n t h d"),
        _cache_tensor,
    ),
    Shape(
        "attention weights", ("b g n d", "b g d n", "b c h w", "b t h w", "b h w c", "b n g d", "b h c w"), _attentions
    ),
    Shape("pooled vectors", ("b c", "b n"), _pooled),
    Shape("log-mel maps", ("b c n", "b n c", "b h w"), _log_mel),
)
