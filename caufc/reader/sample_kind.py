"""What the samples of a file are, in short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..bitstream import Shape
from ..coders.config import TensorConfig

__all__ = ["SampleKind", "TensorKind", "counted", "shared_template"]

MOST_SHOWN = 4
"""Tensors that are listed."""


@dataclass(frozen=True)
class TensorKind:
    """A tensor of every sample.

    Args:
        name: dotted path; empty for a lone tensor.
        dtype: of its values.
        template: sizes of its axes, None where they vary.
    """

    name: str
    dtype: str
    template: Shape

    def __str__(self) -> str:
        """``tokens fp32 [*, 96]``; an asterisk is an axis that varies."""
        axes = ", ".join("*" if size is None else str(size) for size in self.template)
        return f"{self.name} {self.dtype} [{axes}]".strip()

    @property
    def fixed(self) -> tuple[str, str, int]:
        """What is the same in all files that can be read as one."""
        return self.name, self.dtype, len(self.template)


@dataclass(frozen=True)
class SampleKind:
    """The tensors of every sample, and whether samples have keys; notes are left out."""

    tensors: tuple[TensorKind, ...]
    keyed: bool

    @classmethod
    def of(cls, configs: Sequence[TensorConfig], keyed: bool) -> SampleKind:
        """That of a file's tensors."""
        tensors = (TensorKind(config.name, config.dtype, config.template) for config in configs if not config.noted)
        return cls(tuple(tensors), keyed)

    @classmethod
    def shared(cls, kinds: Sequence[SampleKind]) -> SampleKind:
        """That of files whose samples can be read as those of one: axes vary that differ between files."""
        alike = zip(*(kind.tensors for kind in kinds), strict=True)
        tensors = (
            replace(tensors[0], template=shared_template(*(tensor.template for tensor in tensors))) for tensors in alike
        )
        return cls(tuple(tensors), kinds[0].keyed)

    def __str__(self) -> str:
        shown = [str(tensor) for tensor in self.tensors[:MOST_SHOWN]]
        more = len(self.tensors) - len(shown)
        return ", ".join([*shown, *([f"{more} more"] if more else [])]) or "no tensor"

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Templates by name."""
        return {tensor.name: tensor.template for tensor in self.tensors}

    def is_like(self, other: SampleKind) -> bool:
        """Whether samples of both can be read as those of one file: names, dtypes and numbers of axes are the same."""
        mine, theirs = ([tensor.fixed for tensor in kind.tensors] for kind in (self, other))
        return mine == theirs and self.keyed == other.keyed


def shared_template(*templates: Sequence[int | None]) -> Shape:
    """Sizes that are the same everywhere; None for others."""
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*templates, strict=True))


def counted(number: int, what: str) -> str:
    """``1 sample``, ``2 samples``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
