"""Reading: files, chunk by chunk, as blocks of a dataset of Ray."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import pyarrow as pa
import ray.data
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

import caufc

from ..sample_codec import profile_of
from .columns import KEY, table_of

__all__ = ["CaufDatasource", "read_cauf"]

MOST_OPENED = 64
"""Files that are opened to share out their chunks; where there are more, each file is read by one task."""

OPENERS = 8
"""Threads that open them, for those that are far away."""

BLOCK_BYTES = 1 << 24
"""Of samples that are read at once, where their size is known; Ray joins and splits blocks as it likes."""


@dataclass(frozen=True)
class _Part:
    """Samples of a file, whole chunks.

    Args:
        file: what :func:`caufc.open` opens.
        first, stop: their numbers; no stop for all that there are.
        samples: how many; None where nobody has looked.
        bytes: that they take in memory, about.
    """

    file: Any
    first: int = 0
    stop: int | None = None
    samples: int | None = None
    bytes: int | None = None


class CaufDatasource(Datasource):
    """Samples of files as rows: ``ray.data.read_datasource(CaufDatasource("dir/*.cauf"))``.

    Few files are read in ranges of chunks, which their indexes tell, so that one large file is read by many tasks; of
    many, each is read by one. A read begins with the header and index of the first files, on the driver, and decodes in
    tasks. Rows have a column for each tensor (``features`` for a lone one), one for each note, and ``key`` where
    samples have keys. Damage and missing profiles are raised where the rows are used: ray.exceptions.RayTaskError, an
    instance of the CaufError too.

    Args:
        source: path, URL, pattern (``dir/*.cauf``), folder, or a list of such; workers must reach it.
        only: names, prefixes or patterns of the tensors that rows have; the others are not decoded.
        include_paths: add the columns ``path``, and ``number`` of the sample in its file.
        meta: names of metadata of files that become columns; null where a file has none of that name.
        options: of :func:`caufc.open`: ``dtype``, ``profile``, ``weights``, ``limits``, ``storage_options``.

    Raises:
        OptionError: for sources that another process cannot open.
        CaufError: what opening the first file raises, and of few files any.
    """

    def __init__(
        self,
        source: Any,
        *,
        only: Collection[str] | None = None,
        include_paths: bool = False,
        meta: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__()
        for name in ("device", "cache_bytes", "recover", "size"):
            if name in options:
                raise caufc.OptionError(f"{name}= is not for rows of a dataset", remedy=f"leave {name}= out")
        options["profile"] = profile_of(options.get("profile"))  # workers need no file
        several = caufc.matching(source, options.get("storage_options"))
        self.files: list[Any] = [source] if several is None else several
        for file in self.files:
            if not isinstance(file, str | os.PathLike):
                raise caufc.OptionError(f"a {type(file).__name__} cannot be opened by workers", remedy="give paths")
        if not self.files:
            raise caufc.OptionError("no file to open", remedy="give one or more")
        self._read = partial(_tables, only=only, include_paths=include_paths, meta=tuple(meta), options=options)
        few = len(self.files) <= MOST_OPENED
        with ThreadPoolExecutor(OPENERS) as pool:
            look = partial(_chunks_of, only=only, options=options)
            opened = list(pool.map(look, self.files if few else self.files[:1]))
        self._parts = [part for parts in opened for part in parts] if few else [_Part(file) for file in self.files]
        sizes = [sum(part.bytes or 0 for part in parts) for parts in opened]
        self._bytes = sum(sizes) * len(self.files) // len(opened)

    def estimate_inmemory_data_size(self) -> int | None:
        """Bytes of the samples, about; None where they vary in shape."""
        return self._bytes or None

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: Any = None,  # noqa: ARG002 - Ray's signature
    ) -> list[ReadTask]:
        """So many tasks, or one for each chunk, or file, if these are fewer."""
        shares = _shares(self._parts, parallelism)
        return [
            ReadTask(partial(self._read, share), _metadata(share), per_task_row_limit=per_task_row_limit)
            for share in shares
        ]


def read_cauf(source: Any, *, parallelism: int | None = None, **options: Any) -> ray.data.Dataset:
    """The dataset of some files: ``read_datasource`` with a :class:`CaufDatasource`, which has the options.

    Args:
        source: of the datasource.
        parallelism: read tasks, ``override_num_blocks`` of Ray; None leaves it to Ray.
        options: of the datasource.
    """
    return ray.data.read_datasource(CaufDatasource(source, **options), override_num_blocks=parallelism)


def _chunks_of(file: Any, only: Collection[str] | None, options: dict[str, Any]) -> list[_Part]:
    """The chunks of a file."""
    parts, first = [], 0
    with caufc.open(file, only=only, **options) as reader:
        sizes, largest = reader.chunk_sizes, reader.chunk_bytes()
    sample = None if largest is None else largest // max(sizes, default=1)
    for size in sizes:
        parts.append(_Part(file, first, first + size, size, None if sample is None else size * sample))
        first += size
    return parts


def _shares(parts: Sequence[_Part], count: int) -> list[list[_Part]]:
    """Runs of parts, as even as they can be; parts of one file behind each other are joined."""
    count = max(1, min(count, len(parts)))
    weights = [1 if part.samples is None else part.samples for part in parts]
    shares: list[list[_Part]] = [[] for _ in range(count)]
    total, done = sum(weights), 0
    for number, (part, weight) in enumerate(zip(parts, weights, strict=True)):
        place = (2 * done + weight) * count // (2 * total) if total else number * count // len(parts)
        shares[min(place, count - 1)].append(part)
        done += weight
    return [_joined(share) for share in shares if share]


def _joined(parts: Sequence[_Part]) -> list[_Part]:
    found: list[_Part] = []
    for part in parts:
        last = found[-1] if found else None
        if last is not None and last.file == part.file and last.stop == part.first:
            sizes = ((last.samples or 0) + (part.samples or 0), (last.bytes or 0) + (part.bytes or 0))
            found[-1] = _Part(part.file, last.first, part.stop, *sizes)
        else:
            found.append(part)
    return found


def _metadata(share: Sequence[_Part]) -> BlockMetadata:
    known = all(part.samples is not None for part in share)
    files = list(dict.fromkeys(str(part.file) for part in share))
    return BlockMetadata(
        num_rows=sum(part.samples or 0 for part in share) if known else None,
        size_bytes=sum(part.bytes or 0 for part in share) or None,
        input_files=files,
        exec_stats=None,
    )


def _tables(
    share: Sequence[_Part],
    *,
    only: Collection[str] | None,
    include_paths: bool,
    meta: Sequence[str],
    options: dict[str, Any],
) -> Iterator[pa.Table]:
    """The samples of some parts, some chunks a table."""
    for part in share:
        with caufc.open(part.file, only=only, **options) as reader:
            keys = reader.keys() if reader.keyed else None
            texts = reader.info.metadata if meta else {}
            for first, stop in _runs(reader, part):
                beside: dict[str, Sequence[Any]] = {} if keys is None else {KEY: keys[first:stop]}
                if include_paths:
                    beside |= {"path": [str(part.file)] * (stop - first), "number": range(first, stop)}
                beside |= {name: pa.array([texts.get(name)] * (stop - first), pa.string()) for name in meta}
                yield table_of(reader[first:stop], reader.shapes, beside)


def _runs(reader: caufc.SampleReader, part: _Part) -> Iterator[tuple[int, int]]:
    """Ranges of whole chunks that are read at once."""
    sizes, largest = reader.chunk_sizes, reader.chunk_bytes()
    sample = BLOCK_BYTES if largest is None else largest // max(sizes, default=1)
    last = len(reader) if part.stop is None else part.stop
    begin = part.first
    for stop in accumulate(sizes):
        if begin < stop <= last and (stop == last or (stop - begin) * sample >= BLOCK_BYTES):
            yield begin, stop
            begin = stop
