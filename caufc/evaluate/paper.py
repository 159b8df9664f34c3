"""The experiment of the paper that caufc is named after (arXiv 2506.12737), as choices of tasks and codecs.

The paper compares one codec for all architectures with one trained for each, after aligning what they see. Here both
are the learned codec, beside the transform codec and the rivals, and the ablation leaves alignment steps out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import StorageError
from .methods import CODECS, Codec, hyperprior
from .plan import OWN_TASKS
from .taskdata import file_name

__all__ = ["PAPER_FIT_SAMPLES", "PAPER_SAMPLES", "paper_anchor", "paper_codecs"]

PAPER_SAMPLES = 1000
PAPER_FIT_SAMPLES = 800
"""So that eight taps take less than three hours on two cores."""

PER_ARCHITECTURE = "hyperprior-arch"
UNIVERSAL = "hyperprior"

ABLATION = {
    "none": "hyperprior, no alignment",
    "format": "hyperprior, format alignment only",
    "format-value": "hyperprior, format and value alignment",
}
"""Part of a weights file's name -> name of the codec; all are trained on all architectures."""


def paper_codecs(weights: Path | None) -> list[Codec]:
    """All codecs of the experiment; those whose weights are not there are left out with a note.

    Args:
        weights: folder with ``TASK.caufw``, trained for one architecture each (``cifar10_resnet56.caufw``), and
            ``ablation-none.caufw``, ``ablation-format.caufw`` and ``ablation-format-value.caufw``; None for what ships.

    Raises:
        StorageError: if the folder is missing.
    """
    if weights is not None and not weights.is_dir():
        raise StorageError("no such folder", file=str(weights), remedy="'caufc train' makes weights")
    own = [codec for codec in CODECS if codec.key != UNIVERSAL]
    universal = hyperprior(UNIVERSAL, "hyperprior, universal", None)
    single = hyperprior(PER_ARCHITECTURE, "hyperprior, per architecture", _by_task(weights))
    ablation = [
        hyperprior(f"ablation-{part}", name, _for_all(weights, f"ablation-{part}")) for part, name in ABLATION.items()
    ]
    return [*own, universal, single, *ablation]


def paper_anchor(codecs: list[Codec]) -> str | None:
    """The paper's baseline, the codec trained for one architecture; what stands in for it where it is not there."""
    there = [codec.key for codec in codecs if codec.missing() is None and (codec.weights is None or codec.weights)]
    return next((key for key in (PER_ARCHITECTURE, UNIVERSAL) if key in there), None)


def _by_task(folder: Path | None) -> Mapping[str, Path]:
    found = {} if folder is None else {task: folder / f"{file_name(task)}.caufw" for task in OWN_TASKS}
    return {task: path for task, path in found.items() if path.is_file()}


def _for_all(folder: Path | None, name: str) -> Mapping[str, Path]:
    path = Path() if folder is None else folder / f"{name}.caufw"
    return {"*": path} if path.is_file() else {}
