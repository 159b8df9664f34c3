"""What a file was encoded from: its samples, found by the file's structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from ..bitstream import Key
from ..coders.config import TensorConfig
from ..coders.dtypes import to_floats
from ..decoder.random_access import FileReader
from ..encoder.source import Source, SourceTensor
from ..errors import InputError
from ..features import read, to_source
from ..output_names import plugin_formats
from ..types import FLOATS, AnyArray

__all__ = ["Original"]

MOST_LISTED = 8
"""Names that a message lists."""


@dataclass(frozen=True)
class Original:
    """A feature file beside the container that was made of it.

    Args:
        file: its path.
        source: its tensors.
        order: number in the source of every sample of the container.
    """

    file: str
    source: Source
    order: Sequence[int]

    @classmethod
    def open(cls, path: str | Path, reader: FileReader, format: str | None = None) -> Self:
        """Open a feature file.

        Args:
            path: of the file.
            reader: of the container, whose layouts and keys say what a sample is.
            format: suffix of the file's format, if its name does not tell.

        Raises:
            InputError: if it has other samples than the container.
        """
        suffix = format or Path(path).suffix
        structure, configs = reader.chunks.structure, reader.chunks.configs
        layouts = {config.name: text for config in configs if (text := config.layout_text(structure)) is not None}
        features = read(path, suffix, plugin_formats(suffix), limits=reader.limits)
        source = to_source(features, layouts, keyed=structure.kind == "keyed")
        if source.samples != len(reader):
            raise InputError(
                f"has {source.samples:,} samples, the container {len(reader):,}",
                file=str(path),
                remedy="give the file that it was encoded from",
            )
        return cls(str(path), source, cls._order(source, reader.index.keys, str(path)))

    @staticmethod
    def _order(source: Source, keys: Sequence[Key] | None, file: str) -> Sequence[int]:
        if keys is None:
            return range(source.samples)
        numbers = {key: number for number, key in enumerate(source.keys or ())}
        missing = next((key for key in keys if key not in numbers), None)
        if missing is not None:
            raise InputError(
                f"has no sample '{missing}'", file=file, remedy="give the file that the container was encoded from"
            )
        return [numbers[key] for key in keys]

    def samples(self, config: TensorConfig, numbers: Sequence[int], like: Sequence[AnyArray]) -> list[AnyArray]:
        """Samples of a tensor, floats as they are computed with.

        Args:
            config: of the tensor in the container.
            numbers: of the samples in the container.
            like: what is decoded of them, which they have the shapes of.

        Raises:
            InputError: if there is no such tensor, or its samples have other shapes.
        """
        tensor = next((tensor for tensor in self.source.tensors if tensor.name == config.name), None)
        if tensor is None:
            names = [other.name for other in self.source.tensors]
            held = (
                "a tensor without a name" if names == [""] else ", ".join(f"'{name}'" for name in names[:MOST_LISTED])
            )
            wanted = f"tensor '{config.name}'" if config.name else "a tensor without a name"
            raise InputError(
                f"holds {held or 'no tensor'}, the container {wanted}",
                file=self.file,
                remedy="give the file that the container was encoded from",
            )
        found = [_sample(tensor, self.order[number]) for number in numbers]
        for number, sample, decoded in zip(numbers, found, like, strict=True):
            if sample.shape != decoded.shape:
                raise self._differs(f"is {sample.shape} in sample {number}, decoded {decoded.shape}", config)
        return [to_floats(sample, tensor.dtype) if tensor.dtype in FLOATS else sample for sample in found]

    def _differs(self, what: str, config: TensorConfig) -> InputError:
        return InputError(
            what, file=self.file, tensor=config.name, remedy="give the file that the container was encoded from"
        )


def _sample(tensor: SourceTensor, number: int) -> AnyArray:
    block = tensor.block(number, number + 1)
    return np.asarray(block[0])
