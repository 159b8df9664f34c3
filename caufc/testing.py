"""Checks for authors of plugins: ``caufc.testing.check_backbone("mine/net")`` is a plugin's test.

:func:`check_task` is that of a task.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import caufc

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["check_backbone", "check_task"]

IMAGE_SIDE = 256
"""Pixels of a side of the images that :func:`check_backbone` makes."""

TOLERANCE = 1e-4
"""Difference, relative to the largest value, up to which two extractions of one input count as equal."""


def check_backbone(name: str, inputs: Any = None, *, batch: int = 2) -> None:
    """Check that a backbone does what its descriptor says, from its files to its output.

    Taps: there are some, and each yields floats in its layout with its number of channels, the same alone as among
    others. Features come back from :func:`caufc.encode` exactly when lossless, else in their shape and
    dtype, and finite.
    From every tap, ``resume`` gives finite output that can be differentiated with respect to the features; a runtime
    that cannot resume from a tap says so with :class:`caufc.UnsupportedError`.

    Args:
        name: an architecture ID, options included.
        inputs: files for ``prepare`` (a list of paths), or what ``extract`` takes; random images when None.
        batch: number of random images.

    Raises:
        PluginError: says what is wrong.
        UnknownNameError: if no plugin knows the ID.
    """
    manager = caufc.default_manager()
    backbone = manager.find_backbone(name)
    plugin = next(owner for owner, other in manager.backbones() if other is backbone)
    check = _Check(name, plugin)
    taps = manager.taps(name)
    if not taps:
        check.fail("has no taps")
    runtime = manager.runtime(name)
    given = _model_inputs(runtime, inputs, batch)
    features = runtime.extract(given, [tap.name for tap in taps])
    for tap in taps:
        values = check.features(features[tap.name], tap)
        alone = check.features(runtime.extract(given, [tap.name])[tap.name], tap)
        scale = float(values.double().abs().max())
        if alone.shape != values.shape or float((alone - values).double().abs().max()) > TOLERANCE * scale:
            check.fail(f"tap '{tap.name}' yields other values when it is asked for alone; is the model in eval mode?")
        check.coding(values, tap)
        check.resuming(runtime, values, tap)


def check_task(task: str, data: Path | None = None, *, batch: int = 4) -> None:
    """Check that a task does what its descriptor says, from its data to its scores.

    Both halves hold samples; each tap yields floats in its layout, for every sample; ``resume`` gives finite scores
    ``[B, K]`` or ``[B, T, K]`` that can be differentiated with respect to the features.

    Args:
        task: its ID.
        data: the folder that ``--data`` would name.
        batch: samples of the test half that are taken.

    Raises:
        PluginError: says what is wrong.
        UnknownNameError: if no plugin knows the ID.
    """
    manager = caufc.default_manager()
    found = manager.find_task(task)
    check = _Check(task, next(owner for owner, other in manager.tasks() if other is found), "task")
    runtime = manager.task_runtime(task, data)
    for half, labels in (("fit", runtime.labels("fit")), ("test", runtime.labels("test"))):
        if not len(labels):
            check.fail(f"its {half} half has no samples")
    count = min(batch, len(runtime.labels("test")))
    features = runtime.extract("test", 0, count, [tap.name for tap in found.taps])
    for tap in found.taps:
        for sample in features[tap.name]:
            check.scores(runtime, check.features(sample[None], replace(tap, layout=str(_batched(tap)))), tap)


def _batched(tap: caufc.Tap) -> caufc.Layout:
    return caufc.Layout(tap.layout).of_batch()


class _Check:
    """The parts of the check; each names the backbone or task in its error."""

    def __init__(self, name: str, plugin: str, noun: str = "backbone") -> None:
        self._name, self._plugin, self._noun = name, plugin, noun

    def fail(self, message: str) -> NoReturn:
        raise caufc.PluginError(f"{self._noun} '{self._name}': {message}", plugin=self._plugin)

    def features(self, features: Any, tap: caufc.Tap) -> Tensor:
        """The features as a tensor, if they are what the tap says."""
        import torch

        layout = caufc.Layout(tap.layout)
        try:
            values = torch.as_tensor(features).detach().cpu()
        except (TypeError, ValueError, RuntimeError):
            self.fail(f"tap '{tap.name}' yields a {type(features).__name__}, not a tensor")
        shape = list(values.shape)
        if len(shape) != len(layout.terms):
            self.fail(f"tap '{tap.name}' yields the shape {shape}, but its layout is '{layout}'")
        if not values.is_floating_point():
            self.fail(f"tap '{tap.name}' yields {values.dtype}, not floats")
        if not values.numel() or not bool(values.isfinite().all()):
            self.fail(f"tap '{tap.name}' yields {'values that are not finite' if values.numel() else 'nothing'}")
        channels = math.prod(size for size, term in zip(shape, layout.terms, strict=True) if term in "gcd")
        if tap.channels not in (None, channels):
            self.fail(f"tap '{tap.name}' yields {channels} channels, but declares {tap.channels}")
        tokens = [size for size, term in zip(shape, layout.terms, strict=True) if term[0] in "nthw"]
        if layout.special and tokens[0] <= layout.special:
            self.fail(f"tap '{tap.name}' yields {tokens[0]} tokens, no more than the special ones of '{layout}'")
        return values

    def coding(self, values: Tensor, tap: caufc.Tap) -> None:
        """Features survive coding."""
        import torch

        exact = caufc.decode(caufc.encode(values, arch=self._name, tap=tap.name, lossless=True))
        if exact.dtype != values.dtype or not torch.equal(exact, values):
            self.fail(f"features of tap '{tap.name}' do not come back exactly from lossless coding")
        coded = caufc.decode(caufc.encode(values, arch=self._name, tap=tap.name))
        if coded.dtype != values.dtype or coded.shape != values.shape or not bool(coded.isfinite().all()):
            self.fail(f"features of tap '{tap.name}' do not come back from coding as they were")

    def scores(self, runtime: caufc.TaskRuntime, values: Tensor, tap: caufc.Tap) -> None:
        """A sample's scores, ``[1, K]`` or ``[1, T, K]``."""
        import torch

        leaf = values.clone().requires_grad_()
        output = runtime.resume(leaf, tap.name)
        if not isinstance(output, torch.Tensor) or output.ndim not in (2, 3) or len(output) != 1:
            shape = list(getattr(output, "shape", ())) or type(output).__name__
            self.fail(f"resume from tap '{tap.name}' gives {shape} for one sample, not scores [1, K] or [1, T, K]")
        if not bool(output.isfinite().all()):
            self.fail(f"resume from tap '{tap.name}' gives values that are not finite")
        if output.requires_grad:
            torch.autograd.backward(output.sum())
        if leaf.grad is None:
            self.fail(f"resume from tap '{tap.name}' cannot be differentiated with respect to the features")

    def resuming(self, runtime: caufc.Runtime, values: Tensor, tap: caufc.Tap) -> None:
        """The rest of the network runs from the tap, and back."""
        leaf = values.clone().requires_grad_()
        try:
            output = runtime.resume(leaf, tap.name)
        except caufc.UnsupportedError:
            return
        tensors = list(_tensors(output))
        if not tensors:
            self.fail(f"resume from tap '{tap.name}' gives a {type(output).__name__}, no tensor")
        if not all(bool(tensor.isfinite().all()) for tensor in tensors):
            self.fail(f"resume from tap '{tap.name}' gives values that are not finite")
        differentiable = [tensor for tensor in tensors if tensor.requires_grad]
        if differentiable:
            sum(tensor.sum() for tensor in differentiable).backward()  # type: ignore[union-attr]
        if leaf.grad is None:
            self.fail(f"resume from tap '{tap.name}' cannot be differentiated with respect to the features")


def _tensors(output: Any) -> Iterable[Tensor]:
    import torch

    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping | Sequence) and not isinstance(output, str):
        for item in output.values() if isinstance(output, Mapping) else output:
            yield from _tensors(item)


def _model_inputs(runtime: caufc.Runtime, inputs: Any, batch: int) -> Any:
    if inputs is None:
        return _prepared_images(runtime, batch)
    if isinstance(inputs, list | tuple) and all(isinstance(item, str | Path) for item in inputs):
        return runtime.prepare([Path(item) for item in inputs])
    return inputs


def _prepared_images(runtime: caufc.Runtime, batch: int) -> Any:
    """Smooth random images, through files, as ``prepare`` reads them."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.png" for number in range(batch)]
        for path in paths:
            coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            coarse.resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BICUBIC).save(path)
        return runtime.prepare(paths)
