"""What coverage-guided fuzzing runs: parsers that take bytes, and bytes to start from; checksums are off.

atheris instruments caufc as this module imports it: nothing may import caufc before.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import caufc.api
import caufc.codec.lossless.codec
import caufc.codec.transform.coefficients
import caufc.codec.transform.dct
import caufc.coders.transform
import caufc.features.npz  # noqa: F401
from caufc.bitstream import Cursor, Header, Section, parse_chunk, parse_end, parse_index
from caufc.bitstream.header import parse_header
from caufc.bitstream.section import parse_section
from caufc.catalog import lookup_of
from caufc.decoder.file_decoder import ChunkDecoder
from caufc.errors import UnsupportedError
from caufc.features.pt import _from_archive, _from_pickles
from caufc.limits import Limits
from tools.attack.container import read_varint, split

__all__ = ["FILE", "TARGETS", "seeds"]

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(chunk_elements=1 << 14, chunk_tokens=1 << 12, section_bytes=1 << 16, channels=1 << 14,
                chunk_products=1 << 20, chunk_latents=1 << 12, chunk_arrays=1 << 10, chunk_grids=1 << 6)  # fmt: skip
VALID = sorted((ROOT / "spec" / "vectors" / "1.0" / "valid").glob("*.cauf"))
LOOKUP = lookup_of(weights=ROOT / "spec" / "vectors" / "1.0" / "profiles" / "tiny.caufw", limits=LIMITS)
SMALL = [path.read_bytes() for path in VALID if path.stat().st_size < 1600]

Target = Callable[[bytes], object]


def header(data: bytes) -> object:
    found = parse_header(data, LIMITS)
    if found.profile is None and found.content not in ("profile", "weights"):
        ChunkDecoder(found, [], LOOKUP, LIMITS)
    return found


RECORDS = [
    parse_header(split(data)[0][read_varint(data, 10)[1] : -4], LIMITS) for data in SMALL if split(data)[0][11] != 0xC4
]
PLAIN = [record for record in RECORDS if record.profile is None]


def sections(data: bytes) -> object:
    """The first byte chooses the header; two bytes of length precede each section."""
    if not data:
        return None
    found: list[Section] = []
    cursor = Cursor(data[1:])
    while cursor.left > 2:
        length = int.from_bytes(cursor.take(2), "little")
        section = parse_section(cursor.take(min(length, cursor.left)), 0, LIMITS)
        found += [] if section is None else [section]
    return ChunkDecoder(PLAIN[data[0] % len(PLAIN)], found, LOOKUP, LIMITS)


def decoders() -> list[tuple[ChunkDecoder, bytes]]:
    """A decoder of every small vector that needs no other file and is within the limits, and its first chunk's body."""
    made = []
    for data in SMALL:
        head, blocks = split(data)
        parsed: Header = parse_header(head[read_varint(data, 10)[1] : -4], LIMITS)
        if parsed.profile is not None:
            continue
        parsed_sections = (parse_section(memoryview(body), 0, LIMITS) for tag, body in blocks if tag == "S")
        own = [section for section in parsed_sections if section is not None]
        bodies = [body for tag, body in blocks if tag == "C"]
        with suppress(UnsupportedError):
            made += [(ChunkDecoder(parsed, own, LOOKUP, LIMITS), body) for body in bodies[:1]]
    return made


DECODERS = decoders()


def payload(data: bytes) -> object:
    """The first byte chooses the decoder; the rest is the body of a chunk, whose symbols have no checksum."""
    if not data:
        return None
    decoder, _ = DECODERS[data[0] % len(DECODERS)]
    chunk = parse_chunk(memoryview(data)[1:], decoder.templates, 0, LIMITS)
    decoder.work(chunk)
    found = []
    for stack, coder in zip(decoder.stacks, decoder.coders, strict=True):
        shapes = stack.shapes(chunk.shapes)
        symbols = coder.decode_symbols(memoryview(stack.payload(chunk.payloads)), shapes)
        found.append(coder.reconstruct(symbols, shapes))
    return found


def index(data: bytes) -> object:
    if data[:1] >= b"\x80":
        return parse_end(memoryview(data)[1:], data[0] & 1 == 1, 0)
    found = parse_index(memoryview(data)[1:], 0, LIMITS)
    return [found.find(sample) for sample in range(min(found.samples, 4))]


def pt(data: bytes) -> object:
    """Archive and pickle of a .pt file, before torch sees a value."""
    stream, limits = _Stream(data), Limits(tensors=100, output_bytes=1 << 20)
    if data.startswith(b"PK"):
        return _from_archive(stream, len(data), "x.pt", limits)
    return _from_pickles(stream, "x.pt", limits)


class _Stream(io.BytesIO):
    """Bytes that have a file's descriptor, for its size."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        with open(FILE, "wb") as file:  # noqa: PTH123
            file.write(data)
        self._file = open(FILE, "rb")  # noqa: PTH123, SIM115

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
        super().close()


FILE = Path(tempfile.gettempdir()) / f"fuzz_coverage.{os.getpid()}.pt"
TARGETS: dict[str, Target] = {"header": header, "sections": sections, "payload": payload, "index": index, "pt": pt}


def seeds(target: str) -> list[bytes]:
    """Inputs to start from."""
    if target == "header":
        return [split(data)[0][read_varint(data, 10)[1] : -4] for data in SMALL]
    if target == "sections":
        found = []
        for data in SMALL:
            bodies = [body for tag, body in split(data)[1] if tag == "S"]
            found.append(b"\0" + b"".join(len(body).to_bytes(2, "little") + body for body in bodies))
        return found
    if target == "payload":
        return [bytes([number]) + body for number, (_, body) in enumerate(DECODERS)]
    if target == "index":
        blocks = [block for path in VALID for block in split(path.read_bytes())[1]]
        return [b"\0" + body for tag, body in blocks if tag == "I"] + [
            b"\x81" + body for tag, body in blocks if tag == "E"
        ]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}q\0.")
        archive.writestr("x/byteorder", b"little")
        archive.writestr("x/data/0", bytes(16))
        archive.writestr("x/version", b"3\n")
    return [made.getvalue(), zlib.compress(b"x")]
