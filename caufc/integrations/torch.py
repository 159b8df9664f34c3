"""PyTorch: a dataset of samples, batches of ragged ones, and samplers for many workers and ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.utils.data import Dataset, default_collate, get_worker_info

from caufc import ChunkSampler, InputError, OptionError, SampleReader, UnknownNameError
from caufc import open as open_samples

__all__ = ["CaufDataset", "Collate", "Padded"]

HOWS = ("pad", "nested", "list")


class CaufDataset(Dataset[Any]):
    """Samples of a file, or of many, as torch tensors: a map-style dataset.

    ``dataset[i]`` and ``dataset["key"]`` give a sample; a DataLoader fetches a batch at once, each chunk decoded once.
    Workers may be forked or spawned. :meth:`sampler` gives an order that opens few chunks at a time, :meth:`collate`
    makes batches of samples that differ in length.

    Args:
        source: what :func:`caufc.open` opens, or a reader.
        transform: called with each sample, in the process that reads it.
        with_keys: give pairs ``(key, sample)``; without keys, the number takes the key's place.
        device: of the tensors; one that is not the CPU is for a loader without workers.
        options: of :func:`caufc.open`: ``only``, ``dtype``, ``cache_bytes`` and others.

    Raises:
        OptionError: for options beside a reader, which has its own.
        CaufError: what opening raises.
    """

    def __init__(
        self,
        source: Any,
        *,
        transform: Callable[[Any], Any] | None = None,
        with_keys: bool = False,
        device: Any = "cpu",
        **options: Any,
    ) -> None:
        if isinstance(source, SampleReader) and options:
            raise OptionError("a reader has options of its own", remedy="give them to caufc.open")
        self.transform, self.with_keys, self.device = transform, with_keys, torch.device(device)
        self.reader = source if isinstance(source, SampleReader) else open_samples(source, device=device, **options)
        self._names = self.reader.keys() if with_keys and self.reader.keyed else None

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, number: int | str | slice | Sequence[int | str]) -> Any:
        """A sample; a list of those of a slice, or of a list, range or array of numbers."""
        several = self.reader.numbers_of(number)
        return self.__getitems__([number])[0] if several is None else self.__getitems__(several)  # type: ignore[list-item]

    def __getitems__(self, numbers: Sequence[int | str]) -> list[Any]:
        """Samples by number or key, in that order.

        Raises:
            InputError: in a worker, where tensors are to be on another device.
        """
        if self.device.type != "cpu" and get_worker_info() is not None:
            raise InputError(
                f"a worker cannot make tensors on {self.device}", remedy="move batches there, or use num_workers=0"
            )
        samples = [_on_torch(sample) for sample in self.reader.__getitems__(numbers)]
        if self.transform is not None:
            samples = [self.transform(sample) for sample in samples]
        if not self.with_keys:
            return samples
        return [(self._key(number), sample) for number, sample in zip(numbers, samples, strict=True)]

    def _key(self, number: int | str) -> int | str:
        if isinstance(number, str):
            return number
        return range(len(self))[number] if self._names is None else self._names[number]

    def keys(self) -> list[str | int]:
        """Keys of the samples, in order.

        Raises:
            InputError: if samples have no keys.
        """
        return self.reader.keys()

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """Samples of every chunk, in order."""
        return self.reader.chunk_sizes

    @property
    def cache_bytes(self) -> int:
        """Of decoded chunks that are kept."""
        return self.reader.cache_bytes

    def chunk_bytes(self) -> int | None:
        """Bytes that the largest chunk takes when it is decoded; None where samples vary in shape."""
        return self.reader.chunk_bytes()

    def sampler(self, batch_size: int | None = None, *, workers: int = 0, **options: Any) -> ChunkSampler:
        """The order of a :class:`caufc.ChunkSampler`, shared among the ranks of ``torch.distributed`` if it runs.

        Args:
            batch_size: of the DataLoader.
            workers: its ``num_workers``.
            options: ``window``, ``seed``, ``drop_last``, and ``rank`` and ``world`` if they are others.
        """
        there = torch.distributed.is_available() and torch.distributed.is_initialized()
        ranks = {"rank": torch.distributed.get_rank(), "world": torch.distributed.get_world_size()} if there else {}
        return ChunkSampler(self, workers=workers, batch_size=batch_size, **{**ranks, **options})

    def collate(self, ragged: str = "pad", *, value: float = 0.0) -> Collate:
        """What makes batches: the ``collate_fn`` of a DataLoader.

        Tensors whose samples may differ in shape, as the file says, become what ``ragged`` says in every batch, whether
        or not they differ in this one; others are stacked. With a transform that changes shapes, make a
        :class:`Collate` yourself.

        Args:
            ragged: ``pad`` for a :class:`Padded`, ``nested`` for a nested tensor, ``list`` for a list.
            value: of the padding.

        Raises:
            UnknownNameError: for another word.
        """
        names = frozenset(name for name, shape in self.reader.shapes.items() if None in shape)
        return Collate(names, ragged, value, self.with_keys)


class Padded(NamedTuple):
    """A batch of tensors of several shapes.

    Args:
        values: ``[B, ...]``, as large along each axis as the largest sample.
        sizes: of each sample along each axis ``[B, axes]``.
    """

    values: torch.Tensor
    sizes: torch.Tensor

    @property
    def lengths(self) -> torch.Tensor:
        """Sizes along the first axis of samples ``[B]``."""
        return self.sizes[:, 0]

    @property
    def mask(self) -> torch.Tensor:
        """Which places along the first axis of samples hold values ``[B, L]``."""
        places = torch.arange(self.values.shape[1], device=self.values.device)
        return places[None] < self.lengths.to(self.values.device)[:, None]


@dataclass(frozen=True)
class Collate:
    """Makes a batch of samples; it can be pickled.

    Args:
        names: dotted names of the tensors that may differ in shape; empty for a lone tensor.
        ragged: ``pad``, ``nested`` or ``list``.
        value: of the padding.
        keyed: whether samples are pairs of a key and a sample; keys come as a list.

    Raises:
        UnknownNameError: for another word than these.
    """

    names: frozenset[str] = frozenset()
    ragged: str = "pad"
    value: float = 0.0
    keyed: bool = False

    def __post_init__(self) -> None:
        if self.ragged not in HOWS:
            raise UnknownNameError("way with ragged samples", self.ragged, HOWS)

    def __call__(self, samples: Sequence[Any]) -> Any:
        if self.keyed:
            return [key for key, _ in samples], self._batch([sample for _, sample in samples], ())
        return self._batch(samples, ())

    def _batch(self, parts: Sequence[Any], path: tuple[str, ...]) -> Any:
        first = parts[0]
        if isinstance(first, torch.Tensor):
            return self._tensor(parts, ".".join(path))
        if isinstance(first, Mapping):
            return {key: self._batch([part[key] for part in parts], (*path, str(key))) for key in first}
        if isinstance(first, list | tuple):
            columns = [self._batch(column, (*path, str(n))) for n, column in enumerate(zip(*parts, strict=True))]
            return tuple(columns) if isinstance(first, tuple) else columns
        return default_collate(list(parts)) if isinstance(first, int | float) else list(parts)

    def _tensor(self, parts: Sequence[torch.Tensor], name: str) -> Any:
        if name not in self.names:
            if len({part.shape for part in parts}) > 1:
                raise InputError(
                    "its samples differ in shape", tensor=name, remedy="name it in Collate(names), or pad in transform"
                )
            return torch.stack(list(parts))
        if self.ragged == "list":
            return list(parts)
        if self.ragged == "nested":
            return torch.nested.nested_tensor(list(parts), layout=torch.jagged)
        sizes = torch.tensor([part.shape for part in parts])
        shape = sizes.max(dim=0).values.tolist()
        values = parts[0].new_full((len(parts), *shape), self.value)
        for row, part in zip(values, parts, strict=True):
            row[tuple(slice(size) for size in part.shape)] = part
        return Padded(values, sizes)


def _on_torch(sample: Any) -> Any:
    """A sample of a reader that was given, with torch tensors in place of arrays."""
    if isinstance(sample, Mapping):
        return {key: _on_torch(part) for key, part in sample.items()}
    if isinstance(sample, list | tuple):
        parts = [_on_torch(part) for part in sample]
        return tuple(parts) if isinstance(sample, tuple) else parts
    return torch.from_numpy(sample) if hasattr(sample, "__array_interface__") else sample
