"""Runs timm models: images in, features out by forward hooks, and from features on to the logits."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from caufc import InputError, PluginError, StorageError, UnknownNameError

from .arch_options import ArchOptions
from .module_patch import acting
from .random_weights import seeded


@dataclass(frozen=True)
class TapPlace:
    """Where a tap sits: the tap is the output of ``module``.

    Args:
        tap: name of the tap.
        module: path of the module in the model.
        skip: modules between the tap before and this one, which :meth:`TimmRuntime.resume` need not run.
    """

    tap: str
    module: str
    skip: tuple[str, ...] = ()


class _AllFound(Exception):  # noqa: N818 - not an error: it ends a forward pass early
    pass


class TimmRuntime:
    """A timm model in evaluation mode, its parameters frozen.

    Args:
        model: the model.
        places: its taps in the order in which the model computes them.
    """

    def __init__(self, model: nn.Module, places: Sequence[TapPlace]) -> None:
        import timm

        self.model = model.eval().requires_grad_(False)
        self._places = {place.tap: place for place in places}
        config = timm.data.resolve_model_data_config(model)
        self._transform: Callable[[Any], Tensor] = timm.data.create_transform(**config, is_training=False)
        self._input_shape = tuple(config["input_size"])
        self._lock = threading.RLock()

    @classmethod
    def load(cls, arch: str, places: Sequence[TapPlace], plugin: str) -> TimmRuntime:
        """Build the model of an architecture ID with its weights; see :class:`ArchOptions`.

        Raises:
            UnknownNameError: if timm has no such model.
            StorageError: if the checkpoint cannot be read.
            PluginError: if weights are not available, or do not fit.
        """
        options = ArchOptions.parse(arch)
        model = _create(options, plugin)
        present = dict(model.named_modules())
        return cls(model.to(options.device), [place for place in places if place.module in present])

    def prepare(self, paths: Sequence[Path]) -> Tensor:
        """Image files -> ``[B, 3, H, W]``, resized, cropped and normalised as the model's configuration says.

        Raises:
            StorageError: if a file cannot be opened.
            InputError: if a file is not an image.
        """
        return torch.stack([self._transform(_open_image(path)) for path in paths])

    @torch.no_grad()
    def extract(self, inputs: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        """Images ``[B, 3, H, W]`` -> features by tap; the model runs no further than the last of them."""
        modules = {tap: self._module(tap) for tap in taps}
        found: dict[str, Tensor] = {}

        def keep(tap: str) -> Callable[..., None]:
            def hook(_module: nn.Module, _args: Any, output: Tensor) -> None:
                found[tap] = output.clone()  # the next module may work in place
                if len(found) == len(modules):
                    raise _AllFound

            return hook

        with self._lock, ExitStack() as stack:
            for tap, module in modules.items():
                stack.callback(module.register_forward_hook(keep(tap)).remove)
            stack.enter_context(suppress(_AllFound))
            self.model(self._placed(inputs))
        return {tap: found[tap] for tap in taps}

    def resume(self, features: Any, tap: str) -> Tensor:
        """Features of a tap -> the model's output (logits ``[B, K]``), differentiable with respect to the features.

        The tapped module gives the features; earlier stages let a stand-in image through untouched.

        Raises:
            InputError: if the features do not fit the tap.
        """
        module = self._module(tap)
        given = self._placed(features)
        order = list(self._places)
        place = self._places[tap]
        before = [p for name in order[: order.index(tap)] if (p := self._places[name]).module != place.module]
        idle = [path for p in before for path in (*p.skip, p.module)] + list(place.skip)
        with self._lock, ExitStack() as stack:
            for path in idle:
                stack.enter_context(acting(self.model.get_submodule(path), lambda first, *_args, **_options: first))
            stack.enter_context(acting(module, lambda *_args, **_options: given))
            try:
                output: Tensor = self.model(given.new_zeros(1, *self._input_shape))
            except (RuntimeError, ValueError, TypeError, AssertionError, IndexError) as err:
                shape = list(given.shape)
                raise InputError(f"features of shape {shape} do not fit the tap '{tap}': {err}") from err
        return output

    def _module(self, tap: str) -> nn.Module:
        if tap not in self._places:
            raise UnknownNameError("tap", tap, self._places)
        return self.model.get_submodule(self._places[tap].module)

    def _placed(self, values: Any) -> Tensor:
        """As a tensor of the model's dtype on its device."""
        parameter = next(self.model.parameters())
        return torch.as_tensor(values).to(parameter.device, parameter.dtype)


def _create(options: ArchOptions, plugin: str) -> nn.Module:
    import timm

    if not timm.is_model(options.name):
        near = difflib.get_close_matches(options.name, timm.list_models(), n=5)
        raise UnknownNameError("arch", options.arch, [f"timm/{name}" for name in near])
    overlay = None if options.checkpoint is None else {"state_dict": _read_weights(options.checkpoint), "source": None}
    wanted = options.pretrained or overlay is not None
    try:
        with seeded(options):
            model: nn.Module = timm.create_model(options.name, pretrained=wanted, pretrained_cfg_overlay=overlay)
    except Exception as err:
        what = "no pretrained weights" if overlay is None else f"the weights of '{options.checkpoint}' do not fit"
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        raise PluginError(
            f"{what} for '{options.arch}': {reason}",
            plugin=plugin,
            remedy=f"give 'timm/{options.name}?checkpoint=PATH', or '?pretrained=false' for random weights",
        ) from err
    return model


def _read_weights(path: Path) -> dict[str, Tensor]:
    import timm

    if not path.is_file():
        raise StorageError("no such checkpoint", file=str(path))
    try:
        weights: dict[str, Tensor] = timm.models.load_state_dict(str(path), weights_only=True)
    except Exception as err:
        raise InputError(f"not a file of weights: {type(err).__name__}", file=str(path)) from err
    return weights


def _open_image(path: Path) -> Any:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (FileNotFoundError, PermissionError, IsADirectoryError) as err:
        raise StorageError(err.strerror or "cannot be opened", file=str(path)) from err
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as err:
        raise InputError("not an image that can be read", file=str(path)) from err
