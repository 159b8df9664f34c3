"""The rest of a backbone that a plugin knows, as a server's function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import caufc

__all__ = ["resume_of"]


def resume_of(arch: str, tap: str) -> Callable[[Any], Any]:
    """A function from a sample's features at a tap to the backbone's output for it.

    Args:
        arch: architecture ID (``timm/resnet50``).
        tap: name of the tap.

    Raises:
        CaufError: if there is no such backbone or tap, or it cannot be loaded.
    """
    manager = caufc.default_manager()
    known = manager.find_tap(arch, tap)
    runtime = manager.runtime(arch)

    def resume(features: Any) -> Any:
        torch = sys.modules.get("torch")  # a runtime of torch has imported it
        with nullcontext() if torch is None else torch.inference_mode():
            return runtime.resume(_batch_of(features, torch), known.name)[0]

    return resume


def _batch_of(features: Any, torch: Any) -> Any:
    """A sample as a batch of one.

    Raises:
        InputError: for a structure, where a plugin's taps are tensors.
    """
    if not hasattr(features, "shape"):
        raise caufc.InputError("the tap's features are one tensor", remedy="send a tensor without a batch axis")
    tensor = features if torch is None else torch.as_tensor(features)
    return tensor[None]
