"""The experiment of the paper that caufc is named after (arXiv 2506.12737): its codecs, anchor and sample counts.

The paper compares one codec for all architectures with one trained for each, after aligning what they see. Here both
are the learned codec, beside the transform codec and the rivals, and the ablation leaves alignment steps out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import StorageError
from .methods import CODEC_METHODS, CodecMethod, hyperprior
from .task_data import file_name

__all__ = ["PAPER_SAMPLES", "PAPER_TASKS", "paper_anchor", "paper_codecs"]

PAPER_TASKS = ("imagenet-sample/efficientnet_lite0", "cifar10/resnet56", "cifar10/vit", "agnews/minilm")
"""Four architectures, as the learned codec's weights know them."""

PAPER_SAMPLES = 1000
"""Samples of the test half at most: eight taps then take less than three hours (tools/results/paper.md)."""

PER_ARCHITECTURE = "hyperprior-arch"
UNIVERSAL = "hyperprior"

UNALIGNED = {"b c h w": "b n c d"}
"""The layout of maps -> that of maps as they are: channels as rows of the plane, positions as columns."""


@dataclass(frozen=True)
class _Ablated:
    """A learned codec for all architectures with less alignment than the paper's.

    Args:
        name: as tables show it.
        options: of :func:`caufc.encode`; its weights were trained under the same.
        layouts: the features' own layout -> the layout that is given instead.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    layouts: Mapping[str, str] = field(default_factory=dict)


ABLATION = {
    "none": _Ablated("hyperprior, no alignment", {"align": "none"}, UNALIGNED),
    "format": _Ablated("hyperprior, format alignment only", {"align": "none"}),
}
"""Part of a weights file's name -> the codec it was trained for. The universal codec has both alignment steps."""


def paper_codecs(weights: Path | None) -> list[CodecMethod]:
    """The codecs of the experiment; those whose weights are not there are left out of the run with a note.

    Args:
        weights: folder with ``TASK.caufw``, trained for one architecture each (``cifar10_resnet56.caufw``), and
            ``ablation-none.caufw`` and ``ablation-format.caufw``; None for what ships.

    Raises:
        StorageError: if the folder is missing.
    """
    if weights is not None and not weights.is_dir():
        raise StorageError("no such folder", file=str(weights), remedy="'caufc train' makes weights")
    own = [codec for codec in CODEC_METHODS if codec.key != UNIVERSAL]
    universal = hyperprior(UNIVERSAL, "hyperprior, universal", None)
    single = hyperprior(PER_ARCHITECTURE, "hyperprior, per architecture", _by_task(weights))
    ablation = [_ablated(f"ablation-{part}", each, weights) for part, each in ABLATION.items()]
    return [*own, universal, single, *ablation]


def paper_anchor(codecs: list[CodecMethod]) -> str | None:
    """The key of the paper's baseline, the codec trained for one architecture, or of what stands in for it."""
    there = [codec.key for codec in codecs if codec.missing() is None and (codec.weights is None or codec.weights)]
    return next((key for key in (PER_ARCHITECTURE, UNIVERSAL) if key in there), None)


def _ablated(key: str, ablated: _Ablated, weights: Path | None) -> CodecMethod:
    found = hyperprior(key, ablated.name, _for_all(weights, key), **ablated.options)
    return replace(found, layouts=ablated.layouts)


def _by_task(folder: Path | None) -> Mapping[str, Path]:
    found = {} if folder is None else {task: folder / f"{file_name(task)}.caufw" for task in PAPER_TASKS}
    return {task: path for task, path in found.items() if path.is_file()}


def _for_all(folder: Path | None, name: str) -> Mapping[str, Path]:
    path = Path() if folder is None else folder / f"{name}.caufw"
    return {"*": path} if path.is_file() else {}
