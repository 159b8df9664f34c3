"""Many files as one: their samples by number, one file behind the other."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any
from weakref import WeakSet

from ..decoder.call_meter import CallMeter
from ..decoder.chunk_cache import CACHE_BYTES, ChunkCache
from ..errors import InputError, OptionError
from ..limits import DEFAULT_LIMITS
from ..storage import Openable
from ..whole_numbers import whole_number
from .file_reader import Reader, reopened
from .info import Info
from .sample_kind import SampleKind, counted, shared_template
from .sample_reader import SampleReader

__all__ = ["ReaderSet"]

MOST_OPEN = 64
"""Files that are open at a time; any system allows so many."""

OPENERS = 8
"""Threads that open files, for those that are far away."""

_SETS: WeakSet[ReaderSet] = WeakSet()


@dataclass(frozen=True)
class _Member:
    """What is kept of a file while it is closed.

    Args:
        source: what is opened again.
        name: how errors name it.
        stamp: tells whether it is still the same.
        chunk_sizes: samples of every chunk.
        chunk_bytes: of the largest decoded chunk, if that is known.
        kind: of its samples.
    """

    source: Any
    name: str
    stamp: tuple[int, int]
    chunk_sizes: tuple[int, ...]
    chunk_bytes: int | None
    kind: SampleKind

    @classmethod
    def of(cls, source: Any, reader: Reader) -> _Member:
        """What is kept of an open file."""
        return cls(source, reader.name, reader.stamp, reader.chunk_sizes, reader.chunk_bytes(), reader.kind)

    @property
    def samples(self) -> int:
        """How many it has."""
        return sum(self.chunk_sizes)


class ReaderSet(SampleReader):
    """Samples of many files by number, those of the second behind those of the first, and so on.

    Everything that a :class:`caufc.Reader` can do with one file: keys, slices, iteration, threads, forked processes,
    copies. Files are opened once to learn how many samples they have; then so many stay open, and others are opened
    again when they are asked for. Files without samples, whatever they are of, count as none.

    Args:
        sources: paths, URLs, and what else a reader opens, in order.
        cache_bytes: of decoded chunks that are kept, of all files together.
        most_open: files that are open at a time.
        options: of :class:`caufc.Reader`.

    Raises:
        OptionError: for no file, for less than one open file, and what a reader refuses.
        InputError: if a file has other tensors than the first; it names the file.
        CaufError: what opening a file raises.
    """

    def __init__(
        self,
        sources: Sequence[Openable],
        *,
        cache_bytes: int = CACHE_BYTES,
        most_open: int = MOST_OPEN,
        **options: Any,
    ) -> None:
        if not sources:
            raise OptionError("no file to open", remedy="give one or more")
        cache_bytes, most_open = whole_number("cache_bytes", cache_bytes), whole_number("most_open", most_open, 1)
        if options.get("size") is not None:
            raise OptionError("size= is that of what one function reads", remedy="leave it out")
        self._begin(cache_bytes, most_open, options)
        try:
            with ThreadPoolExecutor(OPENERS) as pool:
                self._settle(list(pool.map(self._met, enumerate(sources))))
        except BaseException:
            self.close()
            raise

    def _begin(self, cache_bytes: int, most_open: int, options: Mapping[str, Any]) -> None:
        self.cache_bytes, self.most_open, self._options = cache_bytes, most_open, options
        self._cache = ChunkCache(cache_bytes)
        self._open: OrderedDict[int, Reader] = OrderedDict()
        self._closed = False
        self.unlock()
        _SETS.add(self)

    def unlock(self) -> None:
        """Begin without readers in use: in a forked process, only the thread that forked goes on."""
        self._lock = threading.RLock()
        self._uses: dict[int, int] = {}

    def _met(self, numbered: tuple[int, Any]) -> _Member:
        """Open a file for the first time."""
        number, source = numbered
        reader = Reader(source, cache_bytes=self.cache_bytes, **self._options)
        member = _Member.of(source, reader)
        with self._lock:
            self._keep(number, reader)
        return member

    def _settle(self, members: Sequence[_Member]) -> None:
        self._members = tuple(members)
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        self.name = f"{self._members[0].name}{more}"
        self._filled = [member for member in self._members if member.samples] or [self._members[0]]
        self._first = self._filled[0]
        for member in self._filled[1:]:
            _check_alike(self._first, member)
        self._stops = list(accumulate(member.samples for member in self._members))

    def __reduce__(self) -> tuple[Any, ...]:
        return _copied, (self._members, self.cache_bytes, self.most_open, self._options)

    def __len__(self) -> int:
        return self._stops[-1]

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files, in order."""
        return tuple(member.name for member in self._members)

    def _samples(self, numbers: Sequence[int], meter: CallMeter | None = None) -> list[Any]:
        meter = meter or CallMeter(self._options.get("limits", DEFAULT_LIMITS))
        by_file: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            by_file.setdefault(bisect_right(self._stops, number), []).append(place)
        found: list[Any] = [None] * len(numbers)
        for file, places in by_file.items():
            first = self._stops[file] - self._members[file].samples
            with self._using(file) as reader:
                samples = reader._samples([numbers[place] - first for place in places], meter)
            for place, sample in zip(places, samples, strict=True):
                found[place] = sample
        return found

    @contextmanager
    def _using(self, number: int) -> Iterator[Reader]:
        """The reader of a file, which stays open meanwhile."""
        with self._lock:
            reader = self._open.get(number)
            if reader is None:
                member = self._members[number]
                options = {**self._options, "cache_bytes": self.cache_bytes}
                reader = reopened(member.source, options, member.stamp)
            self._uses[number] = self._uses.get(number, 0) + 1
            self._keep(number, reader)
        try:
            yield reader
        finally:
            with self._lock:
                self._uses[number] -= 1
                self._trim()

    def _keep(self, number: int, reader: Reader) -> None:
        reader.share(self._cache, number)
        self._open[number] = reader
        self._open.move_to_end(number)
        self._trim()

    def _trim(self) -> None:
        """Close those that were used longest ago and are not in use."""
        for number in list(self._open):
            if len(self._open) <= self.most_open:
                return
            if not self._uses.get(number):
                self._open.pop(number).close()

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        return self.kind.shapes

    @property
    def kind(self) -> SampleKind:
        """What the samples of all files are; files without any are left out."""
        return SampleKind.shared([member.kind for member in self._filled])

    @property
    def keyed(self) -> bool:
        return self._first.kind.keyed

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        return tuple(size for member in self._members for size in member.chunk_sizes)

    def chunk_bytes(self) -> int | None:
        sizes = [member.chunk_bytes for member in self._members]
        return None if None in sizes else max(size or 0 for size in sizes)

    def keys(self) -> list[str | int]:
        return list(self._numbers)

    def find(self, key: str | int) -> int:
        return self._numbers[key]

    @property
    def _numbers(self) -> Mapping[str | int, int]:
        """Number of the sample of every key.

        Raises:
            InputError: if samples have no keys, or two of them the same, or the files are closed.
        """
        self._check_open()
        if not self.keyed:
            raise InputError("its samples have no keys", file=self.name, remedy="give the number of a sample")
        if self._by_key is None:
            self._by_key = dict(self._gathered())
        return self._by_key

    _by_key: dict[str | int, int] | None = None

    def _gathered(self) -> Iterator[tuple[str | int, int]]:
        owners: dict[str | int, str] = {}
        for number, member in enumerate(self._members):
            if not member.samples:
                continue
            with self._using(number) as reader:
                for key in reader.keys():  # noqa: SIM118
                    if key in owners:
                        raise InputError(
                            f"has a sample '{key}', and so has {owners[key]}",
                            file=member.name,
                            remedy="open them one by one, or give numbers",
                        )
                    yield key, len(owners)
                    owners[key] = member.name

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        with self._lock:
            self._closed = True
            while self._open:
                self._open.popitem()[1].close()

    @property
    def info(self) -> Info:
        """What the files say of themselves: the first one's words, and the sums of all."""
        self._check_open()
        found = []
        for number in range(len(self._members)):
            with self._using(number) as reader:
                found.append(reader.info)
        return _joined([info for info in found if info.samples] or found[:1], found)

    def __repr__(self) -> str:
        state = "closed " if self._closed else ""
        held = f"{counted(len(self), 'sample')} of {self.kind}"
        return f"<{state}caufc.ReaderSet of {counted(len(self._members), 'file')}, '{self.name}': {held}>"


def _check_alike(first: _Member, other: _Member) -> None:
    """Refuse files that cannot be read as one.

    Raises:
        InputError: if they differ in tensors, or only one has keys.
    """
    if first.kind.is_like(other.kind):
        return
    if first.kind.keyed != other.kind.keyed:
        has, lacks = ("has", "has none") if other.kind.keyed else ("has no", "has some")
        raise InputError(f"{has} keys, and {first.name} {lacks}", file=other.name, remedy="open them one by one")
    raise InputError(
        f"holds samples of {other.kind}, and {first.name} of {first.kind}",
        file=other.name,
        remedy="open them one by one, or only= what they have in common",
    )


def _copied(members: tuple[_Member, ...], cache_bytes: int, most_open: int, options: Mapping[str, Any]) -> ReaderSet:
    """The copy of a set; its files are opened when they are asked for."""
    copy = ReaderSet.__new__(ReaderSet)
    copy._begin(cache_bytes, most_open, options)
    copy._settle(members)
    return copy


def _joined(found: Sequence[Info], every: Sequence[Info]) -> Info:
    """What several files say: the first one's words, and the sums of all.

    Args:
        found: of the files that have samples.
        every: of all files.
    """
    sums = ("samples", "bytes", "chunks", "numel", "raw_bytes", "section_bytes")
    totals: dict[str, Any] = {name: sum(getattr(info, name) for info in every) for name in sums}
    tensors = []
    for alike in zip(*(info.tensors for info in found), strict=False):
        tensor = dict(alike[0])
        tensor["shape"] = list(shared_template(*(one["shape"] for one in alike)))
        for name in ("numel", "payload_bytes"):
            tensor[name] = sum(one[name] for one in alike)
        tensor["bpfp"] = 8 * tensor["payload_bytes"] / tensor["numel"] if tensor["numel"] else 0.0
        tensors.append(tensor)
    return replace(found[0], tensors=tuple(tensors), **totals)


def _forked() -> None:
    for readers in list(_SETS):
        readers.unlock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
