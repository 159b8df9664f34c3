"""The interface of readers: samples by number or key, of one file or of many."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self, SupportsIndex, cast

from ..decoder.call_meter import CallMeter
from ..errors import InputError
from ..types import AnyArray
from .info import Info

__all__ = ["SampleReader"]


class SampleReader(ABC):
    """Samples by number: ``len(reader)``, ``reader[i]``, iteration; a context manager.

    Attributes:
        name: how errors name it.
        cache_bytes: of decoded chunks that are kept.
    """

    name: str
    cache_bytes: int

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are."""

    @abstractmethod
    def _samples(self, numbers: Sequence[int], meter: CallMeter | None = None) -> list[Any]:
        """Samples by number, counted from the first, in that order."""

    @property
    @abstractmethod
    def keyed(self) -> bool:
        """Whether samples have keys."""

    @property
    @abstractmethod
    def chunk_sizes(self) -> tuple[int, ...]:
        """Samples of every chunk, in order."""

    @abstractmethod
    def chunk_bytes(self) -> int | None:
        """Bytes that the largest chunk takes when it is decoded; None where samples vary in shape."""

    @abstractmethod
    def keys(self) -> list[str | int]:
        """Keys of keyed samples, in order; they are found without decoding the samples.

        Raises:
            InputError: if samples have no keys, or the reader is closed.
        """

    @abstractmethod
    def find(self, key: str | int) -> int:
        """The number of the sample of a key.

        Raises:
            InputError: if samples have no keys, or the reader is closed.
            KeyError: if no sample has this key.
        """

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Sizes of the axes of a sample's tensors, by name; None where they may differ between samples."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""

    @abstractmethod
    def close(self) -> None:
        """Close what was opened."""

    @property
    @abstractmethod
    def info(self) -> Info:
        """What the file says of itself.

        Raises:
            InputError: if the reader is closed.
        """

    def __getitem__(self, number: SupportsIndex | slice | str | Sequence[SupportsIndex | str] | AnyArray) -> Any:
        """Sample ``number``; a list of the samples of a slice, or of a list, range or array of numbers.

        Negative numbers count from the end. Keyed samples are found by their key too, if it is text. A tuple is
        refused: elsewhere, ``x[1, 2]`` is one value of two axes.

        Raises:
            IndexError: if there is no such sample.
            KeyError: if no sample has such a key.
            TypeError: if it is neither number, slice, list of such nor key.
            InputError: if the reader is closed.
            FormatError: if its chunk is damaged.
            LimitError: if a chunk, or all that is asked for, is over the limits.
        """
        several = self.numbers_of(number)
        return self.__getitems__([number])[0] if several is None else self.__getitems__(several)  # type: ignore[list-item]

    def __getitems__(self, numbers: Sequence[SupportsIndex | str]) -> list[Any]:
        """Samples by number or key, in that order: what a DataLoader calls. Each of their chunks is decoded once.

        Raises:
            IndexError: if there is no such sample.
            KeyError: if no sample has such a key.
            TypeError: if one is no number.
            InputError: if the reader is closed.
            FormatError: if a chunk is damaged.
            LimitError: if a chunk, or all that is asked for, is over the limits.
        """
        self._check_open()
        count = len(self)
        return self._samples([self._numbered(number, count) for number in numbers])

    def numbers_of(self, asked: object) -> Sequence[Any] | None:
        """The numbers or keys that a slice, or a list, range or array of them, stands for; None for one sample."""
        if isinstance(asked, slice):
            return range(*asked.indices(len(self)))
        if isinstance(asked, Sequence) and not isinstance(asked, str | bytes | tuple):
            return asked
        one: Any = asked
        return one.tolist() if getattr(one, "ndim", None) == 1 else None  # an array of numpy or torch

    def _check_open(self) -> None:
        """
        Raises:
            InputError: if the reader is closed.
        """
        if self.closed:
            raise InputError("the reader is closed", file=self.name, remedy="open the file again")

    def _numbered(self, number: object, count: int) -> int:
        """The number of a sample of so many, counted from the first."""
        if isinstance(number, str) and self.keyed:
            return self.find(number)
        try:
            found = operator.index(cast(SupportsIndex, None if isinstance(number, bool) else number))
        except TypeError as err:
            kind = f"'{type(number).__name__}'"
            message = f"samples are numbered; {kind} is neither a number nor a slice, nor a list of numbers or keys"
            raise TypeError(message) from err
        if not -count <= found < count:
            raise IndexError(f"sample {found} of {count}")
        return found % count

    def __contains__(self, key: object) -> bool:
        """Whether a sample has this key; nothing is decoded.

        Raises:
            InputError: if samples have no keys, or the reader is closed.
        """
        if not isinstance(key, str | int) or isinstance(key, bool):
            return False
        try:
            self.find(key)
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
