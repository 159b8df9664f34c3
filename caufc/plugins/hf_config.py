"""What a model folder's ``config.json`` says about depth and width, read without transformers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNKNOWN_DEPTH = 128
"""Layers that a model may have of which only the name is known."""

DEPTHS = ("num_hidden_layers", "encoder_layers", "n_layer", "n_layers", "num_layers")
WIDTHS = ("hidden_size", "d_model", "n_embd", "dim")


@dataclass(frozen=True)
class ModelSize:
    """Number of layers, and of channels of a hidden state where known."""

    layers: int = UNKNOWN_DEPTH
    channels: int | None = None


def read_model_size(arch: str) -> ModelSize:
    """The size of ``FAMILY/FOLDER``; of a model that is not a folder here, the most generous guess."""
    try:
        config: Any = json.loads((Path(arch.partition("/")[2]) / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ModelSize()
    if not isinstance(config, dict):
        return ModelSize()
    inner = config.get("text_config")
    config = {**config, **(inner if isinstance(inner, dict) else {})}
    layers = _first_count(config, DEPTHS)
    return ModelSize(layers or UNKNOWN_DEPTH, _first_count(config, WIDTHS))


def _first_count(config: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    return next((config[key] for key in keys if type(config.get(key)) is int and 0 < config[key] < 65_536), None)
