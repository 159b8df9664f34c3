"""``.pt`` and ``.pth`` files, read with ``weights_only=True`` and never otherwise: no code of a file is ever run."""

from __future__ import annotations

import pickle
import re
import struct
import sys
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..descriptors import FeatureFormat
from ..errors import CaufError, ForeignFormatError, LimitError, TensorError
from ..limits import DEFAULT_LIMITS, Limits
from ..packages import needing
from .archive import members, unzipping
from .leaf import FileStamp, open_input, storing
from .output import saving
from .tensors import as_leaf

if TYPE_CHECKING:
    import torch

__all__ = ["FORMAT", "read", "waste"]

LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How a file of torch before 1.6 begins: a pickle of its magic number."""

PICKLE_BYTES = 1 << 26
"""The most bytes of the pickle that tells the structure."""

NODES_PER_TENSOR = 64
"""The most nodes and samples of a file, as a multiple of the limit on tensors; shared branches count each time."""

# Global, class and function are how torch names what it would have to import; the numbers are pickle's own operators
# that make instances (INST, OBJ, EXT1, EXT2, EXT4, NEWOBJ_EX, STACK_GLOBAL).
_NEEDS_CODE = re.compile(r"global|class|function|allowlist|TorchScript|operand (105|111|130|131|132|146|147)\b", re.I)
_GLOBAL = re.compile(r"GLOBAL ([\w.]{1,120})")
"""How torch names what a pickle would import."""

_LOAD_ERRORS = (
    pickle.UnpicklingError,
    struct.error,
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    ImportError,
    MemoryError,
)


def read(path: Path, limits: Limits = DEFAULT_LIMITS) -> Any:
    """The object in a ``.pt`` file, torch tensors at its leaves; values of zip files are mapped, not read.

    Raises:
        StorageError: if the file cannot be read.
        ForeignFormatError: if it is no file of ``torch.save``, is damaged, needs code to be read, or declares tensors
            larger than what it stores.
        TensorError: for tensors without plain values (sparse, quantised, meta).
        LimitError: for too many tensors, levels or bytes.
        MissingPackageError: if torch is not installed.
    """
    file = str(path)
    with open_input(path) as stream, storing(file):
        magic = stream.read(len(LEGACY_MAGIC))
        zipped = magic.startswith(b"PK\x03\x04")
        if not zipped and magic != LEGACY_MAGIC:
            raise ForeignFormatError("not a file of torch.save", file=file)
        stored = _check_archive(stream, file, limits) if zipped else None
    loaded = _load(path, mmap=zipped)
    tensors = _tensors(loaded, file, limits)
    _check_tensors(tensors, file, limits)
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for _, tensor in tensors}
    if stored is not None and sum(storages.values()) > stored:
        raise ForeignFormatError("its tensors need more bytes than it stores", file=file)
    return loaded


def waste(features: object) -> int:
    """Bytes of torch storages that no tensor of ``features`` covers, as when a view was saved with its whole base."""
    if sys.modules.get("torch") is None:
        return 0
    covered: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for _, tensor in _tensors(features, None, DEFAULT_LIMITS):
        if _is_plain(tensor):
            address = tensor.untyped_storage().data_ptr()
            sizes[address] = tensor.untyped_storage().nbytes()
            covered[address] = covered.get(address, 0) + tensor.numel() * tensor.element_size()
    return sum(max(size - covered[address], 0) for address, size in sizes.items())


def _check_archive(stream: Any, file: str, limits: Limits) -> int:
    """Check the zip archive before torch opens it; returns the bytes that it stores for values."""
    size = FileStamp.of(stream).size
    with unzipping(file), zipfile.ZipFile(stream) as archive:
        found = members(archive, file, size, Limits(tensors=2 * limits.tensors, output_bytes=limits.output_bytes))
    if any(info.filename.rpartition("/")[2] == "constants.pkl" for info in found):
        raise _needs_code(file)  # TorchScript
    for info in found:
        if info.compress_type != zipfile.ZIP_STORED:
            raise ForeignFormatError(
                "is compressed", file=file, tensor=info.filename, remedy="write it with torch.save"
            )
        if info.filename.endswith(".pkl") and info.file_size > PICKLE_BYTES:
            raise ForeignFormatError(f"a pickle of {info.file_size:,} bytes", file=file, tensor=info.filename)
    pickles = [info for info in found if info.filename.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ForeignFormatError("a zip archive, but not of torch.save", file=file)
    prefix = pickles[0].filename.removesuffix("data.pkl") + "data/"
    return sum(info.file_size for info in found if info.filename.startswith(prefix))


def _load(path: Path, *, mmap: bool) -> Any:
    with needing("torch", "a .pt file"):
        import torch

    file = str(path)
    try:
        with storing(file):
            return torch.load(file, map_location="cpu", weights_only=True, mmap=mmap)
    except RecursionError as err:
        raise ForeignFormatError("is nested too deep", file=file) from err
    except CaufError:
        raise
    except _LOAD_ERRORS as err:
        if isinstance(err, pickle.UnpicklingError | RuntimeError) and _NEEDS_CODE.search(_reason(err)):
            raise _needs_code(file, _GLOBAL.search(_reason(err))) from err
        raise ForeignFormatError(f"torch cannot read it: {_reason(err)[:120]}", file=file) from err


def _needs_code(file: str, needed: re.Match[str] | None = None) -> ForeignFormatError:
    return ForeignFormatError(
        f"the pickle needs code to be read, which caufc never runs{f': {needed[1]}' if needed else ''}",
        file=file,
        remedy="save tensors, dicts and lists only: model.state_dict(), torch.from_numpy(array)",
    )


def _reason(err: BaseException) -> str:
    """What torch found, without the advice that it wraps around it (which speaks of code in any case)."""
    text = str(err)
    if isinstance(err, pickle.UnpicklingError) and "WeightsUnpickler error:" in text:
        text = text.partition("WeightsUnpickler error:")[2].partition("Check the documentation")[0]
    return " ".join(text.split()) or type(err).__name__


def _tensors(features: object, file: str | None, limits: Limits) -> list[tuple[str, torch.Tensor]]:
    """The torch tensors of a nested object with their dotted names, each as often as it is named.

    Raises:
        TensorError: for a Python number, if ``file`` is given.
        LimitError: for too many levels or nodes, as an object that contains itself has.
    """
    import torch

    found: list[tuple[str, torch.Tensor]] = []
    nodes = 0

    def walk(node: object, path: tuple[str, ...]) -> None:
        nonlocal nodes
        if isinstance(node, torch.Tensor):
            found.append((".".join(path), node))
        elif file is not None and isinstance(node, bool | int | float | complex):
            raise TensorError(
                f"is a scalar ({type(node).__name__}), not a tensor",
                file=file,
                tensor=".".join(path),
                remedy="save torch.tensor(...)",
            )
        elif isinstance(node, dict | list | tuple):
            limits.check("nesting", len(path) + 1)
            for key, child in node.items() if isinstance(node, dict) else enumerate(node):
                nodes += 1
                if nodes > NODES_PER_TENSOR * limits.tensors:
                    raise LimitError("tensors", nodes, limits.tensors)
                walk(child, (*path, str(key) if isinstance(key, str | int) else type(key).__name__))

    try:
        walk(features, ())
    except LimitError as err:
        raise err.locate(file=file) from None
    return found


def _check_tensors(tensors: list[tuple[str, torch.Tensor]], file: str, limits: Limits) -> None:
    """Charge every name, and compare each tensor with its storage: a stride of 0 makes 4 TiB of a few bytes."""
    total = 0
    for name, tensor in tensors:
        if not _is_plain(tensor):
            raise _refusal(tensor, name).locate(file=file)
        size = tensor.numel() * tensor.element_size()
        stored = tensor.untyped_storage().nbytes()
        if size > stored:
            raise ForeignFormatError(
                f"declares {size:,} bytes of values, but stores {stored:,}",
                file=file,
                tensor=name,
                remedy="save an expanded tensor as .clone()",
            )
        total += size
        if total > limits.output_bytes:
            raise LimitError("output_bytes", total, limits.output_bytes).locate(file=file, tensor=name)


def _refusal(tensor: torch.Tensor, name: str) -> CaufError:
    """Why a tensor that is not plain is refused."""
    try:
        as_leaf(tensor, name)
    except CaufError as err:
        return err
    return TensorError("has no plain values", tensor=name, remedy="store a plain tensor")


def _is_plain(tensor: torch.Tensor) -> bool:
    import torch

    return tensor.layout == torch.strided and not (tensor.is_nested or tensor.is_quantized or tensor.is_meta)


class _Sink:
    """A stream that keeps its first error: torch's zip writer aborts the process if writing raises inside it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        size = len(view)
        try:
            while self.error is None and len(view):
                view = view[self._stream.write(view) :]
        except OSError as err:
            self.error = err
        return size

    def flush(self) -> None:
        """Nothing: whoever owns the stream flushes it."""


def _dump(features: Any, stream: IO[bytes]) -> None:
    """Save as ``torch.save`` does."""
    with needing("torch", "a .pt file"):
        import torch

    sink = _Sink(stream)
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
        head.startswith(LEGACY_MAGIC) or any(name.rpartition("/")[2] == "data.pkl" for name in names or ())
    ),
    problem=lambda _structure, _names, _dtypes: None,
    dump=_dump,
    framework="torch",
)
