"""Files of ``torch.save``, and plain pickles: no code of a file is ever run, nor anything imported that it names."""

from __future__ import annotations

import mmap
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..descriptors import FeatureFormat
from ..errors import ForeignFormatError
from ..limits import DEFAULT_LIMITS, Limits
from ..packages import needing
from .archive import data_offset, members, unzipping
from .held_signals import HeldSignals
from .leaf import FileStamp, open_input, storing
from .needs_code import needs_code
from .output import saving
from .pickle_machine import NeedsCodeError, PickleError
from .pickled_object import PickledObject, Stored
from .plain_pickles import machine_of, unpickled

if TYPE_CHECKING:
    import torch

__all__ = ["FORMAT", "read", "waste"]

PICKLE_BYTES = 1 << 30
"""The most bytes of the pickle that tells the structure; numpy arrays lie in it."""

PLAIN_HEADS = tuple(bytes([0x80, protocol]) for protocol in (2, 3, 4, 5))
"""How pickles of the protocols begin that are read."""


def read(path: Path, limits: Limits = DEFAULT_LIMITS) -> Any:
    """The object in a file of ``torch.save``, or in a plain pickle of dicts, lists and numpy arrays.

    Pickle protocols are 2 to 5. Values of zip files and of files from before torch 1.6 are mapped, not read.

    Raises:
        StorageError: if the file cannot be read.
        ForeignFormatError: if it is no such file, is damaged, needs code to be read, or declares tensors larger than
            what it stores.
        TensorError: for tensors without plain values (sparse, quantised, meta).
        LimitError: for too many tensors, levels or bytes.
        MissingPackageError: if torch is not installed.
    """
    file = str(path)
    with open_input(path) as stream, storing(file):
        size = FileStamp.of(stream).size
        zipped = stream.read(4) == b"PK\x03\x04"
        stored = _from_archive(stream, size, file, limits) if zipped else _from_pickles(stream, file, limits)
    with needing("torch", "a .pt file"):
        return PickledObject(path, size, stored, limits).settled()


def waste(features: object) -> int:
    """Bytes of torch storages that no tensor of ``features`` covers, as when a view was saved with its whole base."""
    if sys.modules.get("torch") is None:
        return 0
    covered: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for tensor in _tensors(features):
        if _is_plain(tensor):
            address = tensor.untyped_storage().data_ptr()
            sizes[address] = tensor.untyped_storage().nbytes()
            covered[address] = covered.get(address, 0) + tensor.numel() * tensor.element_size()
    return sum(max(size - covered[address], 0) for address, size in sizes.items())


def _from_archive(stream: Any, size: int, file: str, limits: Limits) -> Stored:
    """A zip archive: one pickle, and a member for every storage."""
    with unzipping(file), zipfile.ZipFile(stream) as archive:
        found = members(archive, file, size, Limits(tensors=2 * limits.tensors, output_bytes=limits.output_bytes))
        _check_members(found, file)
        pickles = [info for info in found if info.filename.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ForeignFormatError("a zip archive, but not of torch.save", file=file)
        prefix = pickles[0].filename.removesuffix("data.pkl")
        order = next((archive.read(info) for info in found if info.filename == f"{prefix}byteorder"), b"little")
        data = archive.read(pickles[0])
        storages = [info for info in found if info.filename.startswith(f"{prefix}data/")]
        places = {
            info.filename.removeprefix(f"{prefix}data/"): (data_offset(stream, info, size, file), info.file_size)
            for info in storages
        }
    if order.strip() != b"little":
        raise ForeignFormatError("its values are big-endian", file=file, remedy="save it on a little-endian machine")
    with _unpickling(file):
        return Stored(machine_of(data, limits).load(), places)


def _check_members(found: list[zipfile.ZipInfo], file: str) -> None:
    if any(info.filename.rpartition("/")[2] == "constants.pkl" for info in found):
        raise needs_code("TorchScript").locate(file=file)
    for info in found:
        if info.compress_type != zipfile.ZIP_STORED:
            raise ForeignFormatError(
                "is compressed", file=file, tensor=info.filename, remedy="write it with torch.save"
            )
        if info.filename.endswith(".pkl") and info.file_size > PICKLE_BYTES:
            raise ForeignFormatError(f"a pickle of {info.file_size:,} bytes", file=file, tensor=info.filename)


def _from_pickles(stream: Any, file: str, limits: Limits) -> Stored:
    stream.seek(0)
    if stream.read(2) not in PLAIN_HEADS:
        raise ForeignFormatError("not a file of torch.save, and no pickle of protocol 2 to 5", file=file)
    data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    with _unpickling(file):
        return unpickled(data, limits)


@contextmanager
def _unpickling(file: str) -> Iterator[None]:
    """Turn the machine's errors into ours, about a file."""
    try:
        yield
    except NeedsCodeError as err:
        raise needs_code(str(err)).locate(file=file, tensor=err.place) from err
    except PickleError as err:
        raise ForeignFormatError(str(err), file=file, remedy=err.cure) from err


def _tensors(features: object) -> Iterator[torch.Tensor]:
    """The torch tensors of a nested object, each as often as it is named."""
    import torch

    if isinstance(features, torch.Tensor):
        yield features
    elif isinstance(features, dict | list | tuple):
        for child in features.values() if isinstance(features, dict) else features:
            yield from _tensors(child)


def _is_plain(tensor: torch.Tensor) -> bool:
    import torch

    return tensor.layout == torch.strided and not (tensor.is_nested or tensor.is_quantized or tensor.is_meta)


class _Sink:
    """A stream that keeps its first error: torch's zip writer aborts the process if writing raises inside it.

    Args:
        stream: that is written to.
        signals: whose handlers may raise too.
    """

    def __init__(self, stream: IO[bytes], signals: HeldSignals) -> None:
        self._stream, self._signals = stream, signals
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        size = len(view)
        try:
            self._signals.take()
            while self.error is None and len(view):
                view = view[self._stream.write(view) :]
        except BaseException as err:  # raised again when torch is done
            self.error = self.error or err
        return size

    def flush(self) -> None:
        """Nothing: whoever owns the stream flushes it."""


def _dump(features: Any, stream: IO[bytes]) -> None:
    """Save as ``torch.save`` does."""
    with needing("torch", "a .pt file"):
        import torch

    with HeldSignals() as signals:
        sink = _Sink(stream, signals)
        torch.save(features, sink)  # type: ignore[arg-type]
        if sink.error is not None:
            raise sink.error


FORMAT = FeatureFormat(
    ".pt",
    read,
    saving(_dump),
    aliases=(".pth",),
    requires=("torch",),
    read_within=read,
    recognise=lambda head, names: (
        head.startswith(PLAIN_HEADS) or any(name.rpartition("/")[2] == "data.pkl" for name in names or ())
    ),
    problem=lambda _structure, _names, _dtypes: None,
    dump=_dump,
    framework="torch",
)
