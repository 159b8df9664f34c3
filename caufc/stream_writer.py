"""Writing samples as they come, from a running model: a file in bounded memory, readable up to a crash."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from .alike_samples import AlikeSamples
from .bitstream import Key
from .coders.dtypes import to_floats
from .container_files import located
from .encoder.encoder import Encoder
from .encoder.report import Report
from .encoder.source import Source
from .encoder.stream_encoder import StreamEncoder
from .encoder.tensor_order import source_for
from .errors import CaufError, InputError, NonFiniteError, OptionError, StorageError
from .features import ArrayLeaf, PartialFile, check_metadata
from .features.atomic import PARTIAL, path_to_write
from .features.leaf import storing
from .features.notes import columns
from .features.walk import Walked, walk
from .limits import DEFAULT_LIMITS
from .options import check_options, make_options
from .types import DTYPES, FLOATS, Branch, Leaf, Structure, tensor_names
from .whole_numbers import whole_number

__all__ = ["StreamWriter", "writer"]

FIRST_VALUES, PROFILED_VALUES = 1 << 22, 1 << 17
"""Values from which a stream is planned, without a profile and with one."""

REPEATS = 8
"""For how many times as many samples a plan is made where nobody says how many will come; chosen by hand."""

MOST_VALUES = 1 << 24
"""Values that are held at most, where samples are much larger than the first."""

REFUSED = {
    "codec": "a stream is coded by the transform codec",
    "weights": "a stream is coded by the transform codec",
    "outliers": "a stream is coded by the transform codec",
    "index": "a stream has an index",
    "keyed": "samples of a stream have keys if they are added with key=",
}


def writer(
    path: str | Path,
    *,
    force: bool = False,
    samples: int | None = None,
    meta: Mapping[str, str] | None = None,
    **options: Any,
) -> StreamWriter:
    """A writer of samples that come one after the other; see :class:`StreamWriter`.

    ::

        with caufc.writer("states.cauf", snr=30) as w:
            for name, inputs in batches:
                w.add(model(inputs), key=name)

    Raises:
        OutputExistsError: if the file, or what was left of it, exists and ``force`` is False.
        OptionError: for options that streams do not have, and numbers out of range.
        CaufError: as :func:`caufc.encode` does.
    """
    return StreamWriter(path, force=force, samples=samples, meta=meta, **options)


@dataclass
class _Pending:
    """Samples that wait for their chunk."""

    walked: list[Walked]
    keys: list[Key]
    values: int = 0

    def first(self, count: int) -> _Pending:
        """So many of them."""
        return _Pending(self.walked[:count], self.keys[:count], _values(self.walked[:count]))

    def drop(self, count: int) -> None:
        """Forget the first."""
        self.values -= _values(self.walked[:count])
        del self.walked[:count], self.keys[:count]

    def halves(self) -> tuple[_Pending, _Pending]:
        """The first half of them, and the others."""
        count = len(self.walked) // 2
        rest = _Pending(self.walked[count:], self.keys[count:], _values(self.walked[count:]))
        return self.first(count), rest

    def source(self, metadata: Mapping[str, str], repeats: float = 1.0) -> Source:
        """The samples as the encoder reads them."""
        tree, tensors = columns(self.walked, streamed=True)
        kind, keys = ("keyed", tuple(self.keys)) if self.keys else ("list", None)
        return Source(Structure(kind, tree), tensors, len(self.walked), metadata, keys, repeats)  # type: ignore[arg-type]


def _values(samples: Sequence[Walked]) -> int:
    return sum(math.prod(leaf.shape) for walked in samples for leaf in walked.leaves)


class StreamWriter:
    """Takes samples one by one and writes chunk after chunk; a context manager.

    What is coded of all samples alike (layouts, steps, bases, tables) is planned once: on the first chunk where
    ``chunk=`` says how many samples that has, else on the first 4,194,304 values, or on those that are there at the
    first :meth:`flush`; with a profile, on the first chunk. A writer holds these samples, later those of one chunk, the
    plan's tables, and the index: keys, and a few bytes for each chunk.

    ``quality`` has the steps of the plan for all; ``max_error``, ``lossless`` and ``snr="30/token"`` hold for every
    value and token, as ever; ``snr=`` (of every tensor) and ``bpfp=`` hold for each chunk, as the report says. Header,
    tables and index come on top of a rate.

    Until :meth:`close`, or the end of the ``with``, the file is ``OUT.partial``. A sample is safe when :meth:`flush`,
    or the :meth:`add` that filled its chunk, has returned: after a crash, ``caufc.open("OUT.partial", recover=True)``
    and ``caufc decode --recover`` read it. If the body of a ``with`` raises, samples that wait are flushed and
    ``OUT.partial`` stays.

    Args:
        path: of the file; its folder is there.
        force: replace the file, and what was left of it.
        samples: how many will come, about; the larger, the more a basis may take. None plans for eight times the first.
        meta: metadata of the file, texts by name.
        options: of :func:`caufc.encode`, but for ``codec``, ``weights``, ``outliers``, ``index`` and ``keyed``.

    Attributes:
        acknowledged: samples that are safe.
        report: what was done, when the file is closed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        force: bool = False,
        samples: int | None = None,
        meta: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        for name in options:
            if name in REFUSED:
                raise OptionError(REFUSED[name], remedy=f"leave {name}= out")
        samples = None if samples is None else whole_number("samples", samples, 1)
        self.path, self.acknowledged = path_to_write(path, "writer"), 0
        self.report: Report | None = None
        self._metadata = check_metadata(meta or {})
        checked = check_options(options)
        self._profile = checked.pop("profile")
        checked.pop("weights")
        self._options, self._expected = checked, samples
        self._limits = options.get("limits", DEFAULT_LIMITS)
        self._chunk = None if options.get("chunk") is None else whole_number("chunk", options["chunk"], 1)
        self._keeps_nonfinite = options.get("nonfinite") == "keep" or bool(options.get("lossless"))
        self._pending = _Pending([], [])
        self._alike: AlikeSamples | None = None
        self._keys: dict[Key, None] | None = None
        self._encoder: StreamEncoder | None = None
        self._closed = False
        self._output = PartialFile(self.path, force)

    def add(self, sample: Any, *, key: str | int | None = None) -> None:
        """Take a sample: a tensor, or dicts, lists and tuples of tensors with notes beside, as the first one is.

        Values are copied. Sizes along token axes may differ from sample to sample.

        Args:
            sample: without a sample axis.
            key: of the sample; all samples have one, or none.

        Raises:
            InputError: for a sample unlike the first, NaN and Inf that may not come, and a key that is there already;
                the sample is not taken, and others can be.
            StorageError: if its chunk cannot be written.
        """
        self._check_open()
        with located(self.path):
            walked = self._checked(walk(sample, self._limits))
            self._check_key(key)
            if self._alike is None:
                self._alike = AlikeSamples(walked, self._profile, self._options)
                self._keys = None if key is None else {}
        if key is not None and self._keys is not None:
            self._keys[key] = None
            self._pending.keys.append(key)
        self._pending.walked.append(walked)
        self._pending.values += _values([walked])
        if self._is_full():
            self._write()

    def flush(self) -> None:
        """Write what waits as a chunk, and wait until the disk has it: all samples are safe then.

        Chunks that are flushed early are smaller than others, and are coded worse; the first one decides the plan.

        Raises:
            StorageError: if it cannot be written.
        """
        self._check_open()
        self._write()
        self._output.sync()

    def close(self) -> Report:
        """Write what waits, and the index; the file gets its name. If nothing was added, it is a list of no samples.

        Raises:
            OutputExistsError: if another file has got that name meanwhile, and ``force`` is False.
            StorageError: if it cannot be written.
            CaufError: if samples that wait cannot be encoded as asked; ``OUT.partial`` stays, with all others.
        """
        if self.report is not None:
            return self.report
        self._check_open()
        try:
            self._write(last=True)
        except StorageError:
            raise
        except CaufError as err:
            self._keep(last=True)
            self.abort()
            err.add_note(f"{self.acknowledged:,} samples are in {self.path}{PARTIAL}: open it with recover=True")
            raise
        with storing(str(self.path)):
            if self._encoder is None:
                empty = Source(Structure("list", Branch("list", (), ())), (), 0, self._metadata)
                report = Encoder(empty, make_options([], {})).encode(self._output.file)
            else:
                report = self._encoder.close(None if self._keys is None else tuple(self._keys))
        self._closed = True
        self._output.commit()
        self.report = report
        return report

    def abort(self) -> None:
        """Stop; ``OUT.partial`` stays, with the samples that are safe."""
        self._closed = True
        self._output.discard()

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._closed:
            return
        try:
            if error is None:
                self.close()
            else:
                self._keep(last=False)
        finally:
            if not self._closed:
                self.abort()

    def _check_open(self) -> None:
        if self._closed:
            raise InputError("the writer is closed", file=str(self.path), remedy="open another one")

    def _checked(self, walked: Walked) -> Walked:
        """A sample with copies of its values, if it is alike to the first and may come.

        Raises:
            InputError: if it is not.
        """
        if not walked.leaves:
            raise InputError("a sample without a tensor", remedy="give tensors")
        names = tensor_names(walked.tree)
        if self._alike is not None:
            self._alike.check(walked, self._count)
        leaves: list[Leaf] = []
        for name, leaf in zip(names, walked.leaves, strict=True):
            leaves.append(ArrayLeaf(np.array(leaf.read(), DTYPES[leaf.dtype]), leaf.dtype, leaf.framework))
            if not self._keeps_nonfinite:
                _check_finite(leaves[-1], name)
        return replace(walked, leaves=leaves, values=[])

    @property
    def _count(self) -> int:
        """Samples so far."""
        return self.acknowledged + len(self._pending.walked)

    def _check_key(self, key: str | int | None) -> None:
        if self._alike is not None and (key is None) != (self._keys is None):
            has = "has no key, and others have" if key is None else "has a key, and others have none"
            raise InputError(f"sample {self._count} {has}", remedy="give all samples keys, or none")
        if key is not None and (isinstance(key, bool) or not isinstance(key, str | int)):
            raise InputError(f"key {key!r} is neither text nor an integer", remedy="give str(key)")
        if self._keys is not None and key in self._keys:
            raise InputError(f"key '{key}' was added already", remedy="give every sample its own")

    def _is_full(self) -> bool:
        pending = self._pending
        if self._encoder is not None:
            most = self._encoder.chunk
        elif self._chunk is not None:
            most = self._chunk
        else:
            return pending.values >= (FIRST_VALUES if self._profile is None else PROFILED_VALUES)
        return len(pending.walked) >= most or pending.values >= MOST_VALUES

    def _write(self, *, last: bool = False) -> None:
        """Write what waits, chunk by chunk."""
        pending = self._pending
        with located(self.path), storing(str(self.path)):
            while pending.walked:
                if self._encoder is None:
                    self._encoder = self._planned(pending, last=last)
                part = pending.first(self._encoder.chunk)
                self._encoder.write(source_for(self._profile, part.source(self._metadata)))
                self._output.file.flush()
                pending.drop(len(part.walked))
                self.acknowledged += len(part.walked)

    def _keep(self, *, last: bool) -> None:
        """Write what waits but for the samples that cannot be written, which are looked for by halves."""
        parts = [self._pending]
        while parts:
            self._pending = parts.pop()
            try:
                self._write(last=last)
            except StorageError:
                return
            except CaufError:
                if len(self._pending.walked) > 1:
                    parts += reversed(self._pending.halves())
        self._pending = _Pending([], [])

    def _planned(self, pending: _Pending, *, last: bool) -> StreamEncoder:
        """The encoder that is planned on what waits."""
        count = len(pending.walked)
        repeats = 1.0 if last else REPEATS if self._expected is None else max(1.0, self._expected / count)
        source = source_for(self._profile, pending.source(self._metadata, repeats))
        names = [tensor.name for tensor in source.tensors]
        settings = make_options(names, source.dimensions, profile=self._profile, **self._options)
        encoder = StreamEncoder(source, settings, self._profile, self._output.file)
        if self._alike is not None:
            self._alike.settle(encoder.plans)
        return encoder


def _check_finite(leaf: Leaf, name: str) -> None:
    """
    Raises:
        NonFiniteError: for NaN and Inf.
    """
    if leaf.dtype not in FLOATS:
        return
    finite = np.isfinite(to_floats(leaf.read(), leaf.dtype))
    if not finite.all():
        raise NonFiniteError(
            f"holds {int(finite.size - finite.sum()):,} values that are NaN or Inf",
            tensor=name,
            remedy="open the writer with nonfinite='keep' to carry them exactly",
        )
