"""Zip archives of strangers, as ``.npz`` and ``.pt`` files are: what can be checked before a member is read."""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

from ..errors import CaufError, ForeignFormatError
from ..limits import Limits

__all__ = ["data_offset", "members", "unzipping"]

_ENCRYPTED = 1
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")


@contextmanager
def unzipping(file: str, member: str | None = None) -> Iterator[None]:
    """Turn what ``zipfile`` raises on bad archives into :class:`~caufc.errors.ForeignFormatError`."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError) as err:
        reason = " ".join(str(err).split())[:120] or type(err).__name__
        raise ForeignFormatError(f"damaged zip archive: {reason}", file=file, tensor=member) from err
    except CaufError:
        raise
    except (OverflowError, ValueError) as err:
        raise ForeignFormatError("damaged zip archive", file=file, tensor=member) from err
    except OSError as err:
        # zipfile seeks to wherever a damaged directory points.
        if err.errno != errno.EINVAL:
            raise
        raise ForeignFormatError("damaged zip archive", file=file, tensor=member) from err


def members(archive: zipfile.ZipFile, file: str, size: int, limits: Limits) -> list[zipfile.ZipInfo]:
    """The members of an archive, once their names and sizes make sense.

    Args:
        archive: the open archive.
        file: its path, for errors.
        size: its length in bytes.
        limits: the most members, and the most bytes that they may unpack to.

    Raises:
        ForeignFormatError: for duplicate names, encryption, compression other than deflate, and members that overlap.
        LimitError: for too many members or bytes.
    """
    found = archive.infolist()
    limits.check("tensors", len(found))
    names = set[str]()
    for info in found:
        if info.filename in names:
            raise ForeignFormatError("two members of the archive have this name", file=file, tensor=info.filename)
        names.add(info.filename)
        if info.flag_bits & _ENCRYPTED:
            raise ForeignFormatError("is encrypted", file=file, tensor=info.filename)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ForeignFormatError(
                f"uses compression method {info.compress_type}",
                file=file,
                tensor=info.filename,
                remedy="write it with numpy.savez or numpy.savez_compressed",
            )
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise ForeignFormatError("is stored with two different sizes", file=file, tensor=info.filename)
    if sum(info.compress_size for info in found) > size:
        raise ForeignFormatError("its members are larger than the archive", file=file)
    limits.check("output_bytes", sum(info.file_size for info in found))
    return found


def data_offset(stream: FileIO, info: zipfile.ZipInfo, size: int, file: str) -> int:
    """Where a stored member's bytes begin: after its local header, which has a length of its own."""
    stream.seek(info.header_offset)
    raw = stream.read(_LOCAL_HEADER.size)
    signature, _, _, method, _, _, _, _, _, name, extra = _LOCAL_HEADER.unpack(raw)
    offset = info.header_offset + _LOCAL_HEADER.size + name + extra
    if signature != b"PK\x03\x04" or method != info.compress_type or offset + info.file_size > size:
        raise ForeignFormatError("damaged zip archive: a local header differs", file=file, tensor=info.filename)
    return int(offset)
