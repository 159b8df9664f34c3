"""Runs transformers' models: hidden states and KV caches out, and from a hidden state on to the last."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from caufc import InputError, PluginError, UnknownNameError, UnsupportedError

from .arch_options import ArchOptions
from .module_patch import acting
from .random_weights import seeded


class HiddenStateRuntime(ABC):
    """A transformers model, or the encoder of one, in evaluation mode, its parameters frozen.

    Args:
        options: the architecture ID, taken apart.
        model: the model.
        preprocessor: the model's tokenizer or feature extractor.
    """

    plugin = "hf"

    def __init__(self, options: ArchOptions, model: nn.Module, preprocessor: Any) -> None:
        whole: Any = model
        encoder: nn.Module = whole.get_encoder() if whole.config.is_encoder_decoder else model
        self.model = encoder.eval().requires_grad_(False).to(options.device)
        self.preprocessor = preprocessor
        self.config: Any = whole.config
        self._layers = _find_layers(encoder, self.plugin)
        self._layer_returns: type | None = None
        self._lock = threading.RLock()

    @classmethod
    def load(cls, arch: str) -> HiddenStateRuntime:
        """Load the model of an architecture ID with its weights; see :class:`ArchOptions`.

        Raises:
            PluginError: if model, weights or preprocessor are not available.
        """
        import transformers

        options = ArchOptions.parse(arch)
        if options.checkpoint is not None:
            raise InputError(f"'{arch}': a folder takes the place of a checkpoint", remedy="give FAMILY/FOLDER")
        try:
            if options.pretrained:
                model = transformers.AutoModel.from_pretrained(options.name)
            else:
                config = transformers.AutoConfig.from_pretrained(options.name)
                with seeded(options):
                    model = transformers.AutoModel.from_config(config)
        except Exception as err:
            raise PluginError(
                f"cannot load '{options.name}': {_first_line(err)}",
                plugin=cls.plugin,
                remedy="give a folder that save_pretrained wrote, or a model of the hub while online; "
                "'?pretrained=false' needs its configuration only",
            ) from err
        return cls(options, model, cls.load_preprocessor(options.name))

    @classmethod
    @abstractmethod
    def load_preprocessor(cls, name: str) -> Any:
        """The tokenizer or feature extractor of a model; None if it has none."""

    @abstractmethod
    def prepare(self, paths: Sequence[Path]) -> dict[str, Tensor]:
        """Files -> the model's inputs by name."""

    @abstractmethod
    def stand_in(self, samples: int, tokens: int) -> dict[str, Tensor]:
        """Inputs of which the model makes ``[samples, tokens, C]``, whatever their values."""

    @torch.no_grad()
    def extract(self, inputs: Mapping[str, Tensor], taps: Sequence[str]) -> dict[str, Tensor]:
        """The model's inputs -> features by tap; positions of padding (attention mask 0) are zeros.

        ``hidden0`` is what enters the first layer, ``hiddenI`` what the I-th gives, and that of the last layer the
        model's output, after its final normalisation. ``key.I`` and ``value.I`` are layer I's cache, from 0.
        """
        places = [self._place(tap) for tap in taps]
        caches = any(kind != "hidden" for kind, _ in places)
        given = {name: value.to(self._parameter.device) for name, value in inputs.items()}
        with self._lock:
            outputs: Any = self.model(**given, output_hidden_states=True, **({"use_cache": True} if caches else {}))
        cache = getattr(outputs, "past_key_values", None)
        if caches and cache is None:
            raise InputError("this model keeps no KV cache", remedy="take one of its hidden states")
        mask = given.get("attention_mask")
        return {
            tap: self._masked(self._pick(outputs, cache, *place), mask) for tap, place in zip(taps, places, strict=True)
        }

    def resume(self, features: Any, tap: str) -> Tensor:
        """Hidden states ``[B, N, C]`` of a tap, none of them padding -> the model's output, differentiable.

        Raises:
            UnsupportedError: for a KV cache, which a model continues from only as a whole.
            InputError: for shapes that do not fit.
        """
        kind, number = self._place(tap)
        if kind != "hidden":
            raise UnsupportedError(f"'{tap}' is part of a KV cache: no rest of the network runs from it alone")
        given: Tensor = torch.as_tensor(features).to(self._parameter.device, self._parameter.dtype)
        if given.ndim != 3:
            raise InputError(f"features of shape {list(given.shape)} do not fit the tap '{tap}', which is [B, N, C]")
        if number == len(self._layers):
            return given
        stand_in = {name: value.to(given.device) for name, value in self.stand_in(*given.shape[:2]).items()}
        with self._lock, ExitStack() as stack:
            for layer in self._layers[:number]:
                if self._layer_returns is Tensor:
                    stack.enter_context(acting(layer, _pass_hidden))
            swap = self._layers[number].register_forward_pre_hook(_entering(given), with_kwargs=True)
            stack.callback(swap.remove)
            stack.callback(self._layers[0].register_forward_hook(self._note_return).remove)
            try:
                output: Tensor = self.model(**stand_in).last_hidden_state
            except (RuntimeError, ValueError, TypeError, IndexError) as err:
                raise InputError(f"features of shape {list(given.shape)} do not fit the tap '{tap}': {err}") from err
        return output

    @property
    def _parameter(self) -> nn.Parameter:
        return next(self.model.parameters())

    def _note_return(self, _layer: nn.Module, _args: Any, output: object) -> None:
        """Layers that return a bare tensor can be passed by; others hand things on to the next one."""
        self._layer_returns = Tensor if isinstance(output, Tensor) else type(output)

    def _place(self, tap: str) -> tuple[str, int]:
        depth = len(self._layers)
        hidden = {f"hidden{number}": ("hidden", number) for number in range(depth + 1)}
        cache = {f"{kind}.{number}": (kind, number) for kind in ("key", "value") for number in range(depth)}
        if tap not in hidden | cache:
            raise UnknownNameError("tap", tap, hidden)
        return (hidden | cache)[tap]

    def _pick(self, outputs: Any, cache: Any, kind: str, number: int) -> Tensor:
        if kind != "hidden":
            return _cached(cache, kind, number)
        state: Tensor = outputs.last_hidden_state if number == len(self._layers) else outputs.hidden_states[number]
        return state

    def _masked(self, features: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None or mask.shape[1] != features.shape[-2]:
            return features
        kept = mask[:, :, None] if features.ndim == 3 else mask[:, None, :, None]
        return torch.where(kept.bool(), features, features.new_zeros(()))


def _find_layers(model: nn.Module, plugin: str) -> list[nn.Module]:
    """The list of as many modules as the model has layers; if convolutions are as many, the larger list."""
    config: Any = model.config
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    fitting = [module for module in lists if len(module) == config.num_hidden_layers]
    if fitting:
        return list(max(fitting, key=_parameters))
    raise PluginError(f"finds no list of layers in {type(model).__name__}", plugin=plugin)


def _parameters(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _cached(cache: Any, kind: str, number: int) -> Tensor:
    """Keys or values of a layer; ``layers`` is how transformers 5 holds them, pairs are how 4 does."""
    if hasattr(cache, "layers"):
        layer = cache.layers[number]
        kept: Tensor = layer.keys if kind == "key" else layer.values
        return kept
    pair: Sequence[Tensor] = cache[number]
    return pair[0 if kind == "key" else 1]


def _pass_hidden(*args: Any, **options: Any) -> Tensor:
    hidden: Tensor = args[0] if args else options["hidden_states"]
    return hidden


def _entering(features: Tensor) -> Callable[..., tuple[tuple[Any, ...], dict[str, Any]]]:
    def hook(
        _layer: nn.Module, args: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return ((features, *args[1:]), options) if args else (args, {**options, "hidden_states": features})

    return hook


def _first_line(err: Exception) -> str:
    return next(iter(str(err).strip().splitlines()), type(err).__name__)
