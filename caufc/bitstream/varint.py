"""Unsigned integers of 1 to 9 bytes, least significant 7 bits first (LEB128), shortest form only."""

from __future__ import annotations

from ..errors import MalformedError

__all__ = ["Cursor", "varint"]

MAX_BYTES = 9


def varint(value: int) -> bytes:
    """Encode ``value``, 0 to 2^63 - 1."""
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{value} is no 63-bit unsigned integer")
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class Cursor:
    """Reads a structure's bytes from front to back.

    Args:
        data: the bytes of one structure.
        offset: where they stand in the file, for errors.
    """

    def __init__(self, data: bytes | memoryview, offset: int = 0) -> None:
        self.data = memoryview(data)
        self.size = len(self.data)
        self.offset = offset
        self.position = 0

    @property
    def left(self) -> int:
        return self.size - self.position

    def take(self, count: int) -> memoryview:
        """The next ``count`` bytes.

        Raises:
            MalformedError: if fewer are left.
        """
        start = self.position
        if start + count > self.size:
            left = self.size - start
            raise MalformedError(f"{count} bytes announced, {left} left", requirement=3, offset=self.offset + start)
        self.position = start + count
        return self.data[start : self.position]

    def byte(self) -> int:
        if self.position == self.size:
            self.take(1)
        self.position += 1
        return self.data[self.position - 1]

    def varint(self) -> int:
        """The next integer.

        Raises:
            MalformedError: if it is cut, longer than 9 bytes, or not in shortest form.
        """
        start = self.position
        if start < self.size and self.data[start] < 128:
            self.position += 1
            return self.data[start]
        value = 0
        for index in range(MAX_BYTES):
            byte = self.byte()
            value |= (byte & 127) << 7 * index
            if byte < 128:
                if byte == 0 and index:
                    raise MalformedError("integer not in shortest form", requirement=2, offset=self.offset + start)
                return value
        raise MalformedError("integer of more than 9 bytes", requirement=2, offset=self.offset + start)

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            MalformedError: if bytes are left.
        """
        if self.left:
            raise MalformedError(f"{self.left} bytes too many", requirement=4, offset=self.offset + self.position)
