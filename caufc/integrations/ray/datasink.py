"""Writing: blocks of a dataset of Ray as files, each of which appears whole or not at all."""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSelector, FileType
from ray.data.block import BlockAccessor
from ray.data.datasource import BlockBasedFileDatasink, WriteResult

import caufc

from ..sample_codec import profile_of
from .columns import KEY, samples_of

__all__ = ["CaufDatasink"]

PARTIAL = ".partial"
"""What stands behind the name of a file that is not finished."""

OF_TENSORS = ("align", "arch", "layout", "profile", "reads", "tap", "truncate", "weights")
"""Options whose values depend on the tensors, which are not known before the rows are."""


class CaufDatasink(BlockBasedFileDatasink):
    """Rows as samples of ``.cauf`` files in a folder: ``dataset.write_datasink(CaufDatasink("out", snr=30))``.

    A task writes a file. Columns of tensors are coded, others are kept as notes; a lone column ``features`` makes
    samples that are a tensor by themselves. Until a file is whole it has another name, so that a worker that is killed
    leaves none behind that readers would take for one; Ray does its task again, under the same name.

    With a ``ray.data.checkpoint.CheckpointConfig`` whose ``id_column`` is ``key``, a run that was killed goes on where
    it was: Ray knows the keys that were written.

    Args:
        path: of the folder, or a URL of one as Ray takes it; workers must reach it.
        key: column with keys of the samples, text or integers, unique within a file; None for samples without keys.
            A column that there is not counts as none if it is the default.
        min_rows_per_file: rows that are joined for a file, at least; None for those of a block.
        meta: metadata of each file, texts by name.
        filesystem, filename_provider, mode: of Ray's ``BlockBasedFileDatasink``.
        options: of :func:`caufc.encode`; layouts are those of a sample, ``n c``.

    Raises:
        OptionError: for options that cannot be.
        CaufError: for what is wrong with a profile.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        key: str | None = KEY,
        min_rows_per_file: int | None = None,
        meta: Mapping[str, str] | None = None,
        filesystem: Any = None,
        filename_provider: Any = None,
        mode: Any = None,
        **options: Any,
    ) -> None:
        if "keyed" in options:
            raise caufc.OptionError("samples are keyed where there is a key column", remedy="give key=, or key=None")
        options["profile"] = profile_of(options.get("profile"))  # workers need no file
        caufc.size_bound((2, 2), "float32", **{**options, **dict.fromkeys(OF_TENSORS)})  # checks the other options
        given = {"filesystem": filesystem, "filename_provider": filename_provider, "mode": mode}
        super().__init__(
            str(path),
            min_rows_per_file=min_rows_per_file,
            file_format="cauf",
            **{name: value for name, value in given.items() if value is not None},
        )
        self._key, self._options = key, {"threads": 1, "meta": meta, **options}
        self._own = uuid.uuid4().hex

    @contextmanager
    def open_output_stream(self, path: str) -> Iterator[Any]:
        """A stream to a file beside ``path``, which takes its place when the body ends."""
        beside = f"{path}.{self._own}-{uuid.uuid4().hex}{PARTIAL}"
        try:
            with super().open_output_stream(beside) as file:
                yield file
            self.filesystem.move(beside, path)
        except BaseException:
            with suppress(OSError):
                self.filesystem.delete_file(beside)
            raise

    def write_block_to_file(self, block: BlockAccessor, file: Any) -> None:
        """Encode the rows of a block.

        Raises:
            InputError: for rows that cannot be encoded as asked.
        """
        columns = dict(block.to_batch_format("numpy"))
        keys = None if self._key is None else columns.pop(self._key, None)
        if keys is None and self._key not in (None, KEY):
            raise caufc.InputError(f"no column '{self._key}'; there are {', '.join(columns)}")
        samples = samples_of(columns)
        if keys is None:
            file.write(caufc.encode(samples, **self._options))
            return
        by_key = dict(zip(keys.tolist(), samples, strict=True))
        if len(by_key) < len(samples):
            raise caufc.InputError(f"{len(samples) - len(by_key):,} rows have the key of another", tensor=self._key)
        file.write(caufc.encode(by_key, keyed=True, **self._options))

    def on_write_complete(self, write_result: WriteResult[None]) -> None:
        """Remove what workers left that were killed."""
        super().on_write_complete(write_result)
        self._tidy()

    def on_write_failed(self, error: Exception) -> None:
        """Likewise."""
        super().on_write_failed(error)
        self._tidy()

    def _tidy(self) -> None:
        for found in self.filesystem.get_file_info(FileSelector(self.path, allow_not_found=True)):
            name = posixpath.basename(found.path)
            if found.type == FileType.File and self._own in name and name.endswith(PARTIAL):
                with suppress(OSError):
                    self.filesystem.delete_file(found.path)
