"""Text files into language models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from caufc import InputError, PluginError, StorageError

from .hf_runtime import HiddenStateRuntime


class TextRuntime(HiddenStateRuntime):
    """A language model."""

    plugin = "hf-language"

    @classmethod
    def load_preprocessor(cls, name: str) -> Any:
        """The model's tokenizer, padding on the right."""
        import transformers

        try:
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(name)
        except Exception:  # features of token ids need none; prepare says that it is missing
            return None
        if len(tokenizer.get_vocab()) <= len(tokenizer.all_special_tokens):
            return None  # transformers makes one without words for a folder that has no tokenizer
        tokenizer.padding_side = "right"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    def prepare(self, paths: Sequence[Path]) -> dict[str, Tensor]:
        """UTF-8 text files -> ``input_ids`` and ``attention_mask`` ``[B, N]``.

        Shorter texts are padded to the longest; longer ones than the model takes are cut.

        Raises:
            StorageError: if a file cannot be opened.
            InputError: if a file is empty or not UTF-8.
        """
        if self.preprocessor is None:
            raise PluginError("the model comes without a tokenizer", plugin=self.plugin)
        limit = getattr(self.config, "max_position_embeddings", None)
        texts = [_read_text(path) for path in paths]
        encoded = self.preprocessor(
            texts, padding=True, truncation=limit is not None, max_length=limit, return_tensors="pt"
        )
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}

    def stand_in(self, samples: int, tokens: int) -> dict[str, Tensor]:
        ids = torch.zeros(samples, tokens, dtype=torch.int64)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _read_text(path: Path) -> str:
    try:
        text = Path(path).read_text("utf-8")
    except UnicodeDecodeError as err:
        raise InputError(f"not UTF-8 text: byte {err.start}", file=str(path)) from err
    except OSError as err:
        raise StorageError(err.strerror or "cannot be read", file=str(path)) from err
    if not text.strip():
        raise InputError("an empty text", file=str(path))
    return text
