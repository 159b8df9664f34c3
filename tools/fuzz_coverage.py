"""Coverage-guided fuzzing of the parsers, checksums off; needs atheris.

    python tools/fuzz_coverage.py TARGET [--quiet N] [--most N] [--corpus FOLDER] [--record]

TARGET is one of header, sections, payload, index, pt. Seeds come from the vectors. libFuzzer prints what it covers; it
goes on until so many inputs in a row took no new path. Anything but success or CaufError ends it with the input in a
file. The last line is a summary as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["caufc", "zipfile"]):
    import zipfile

    import caufc
    import caufc.api
    import caufc.codec.lossless.codec
    import caufc.codec.transform.coefficients
    import caufc.codec.transform.dct
    import caufc.coders.transform
    import caufc.decoder.file_decoder
    import caufc.features.npz
    import caufc.features.pt
    from caufc.bitstream import (
        Cursor,
        Header,
        Section,
        parse_end,
        parse_index,
    )
    from caufc.bitstream.header import parse_header
    from caufc.bitstream.section import parse_section
    from caufc.catalog import lookup_of
    from caufc.decoder.file_decoder import ChunkDecoder
    from caufc.features.pt import _check_archive
    from caufc.limits import Limits

import numpy as np
from fuzzing import outcome_of, record_coverage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from container import read_varint, split  # noqa: E402

LIMITS = Limits(chunk_elements=1 << 14, chunk_tokens=1 << 12, section_bytes=1 << 16, channels=1 << 14,
                chunk_products=1 << 20, chunk_latents=1 << 12, chunk_arrays=1 << 10, chunk_grids=1 << 6)  # fmt: skip
VALID = sorted((ROOT / "spec" / "vectors" / "valid").glob("*.cauf"))
LOOKUP = lookup_of(weights=ROOT / "spec" / "vectors" / "profiles" / "tiny.caufw", limits=LIMITS)
SMALL = [path.read_bytes() for path in VALID if path.stat().st_size < 1600]

EVERY = 1000
"""Inputs between two looks at the corpus, where libFuzzer writes what takes a new path."""

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
        found.append(parse_section(cursor.take(min(length, cursor.left)), 0, LIMITS))
    return ChunkDecoder(PLAIN[data[0] % len(PLAIN)], found, LOOKUP, LIMITS)


def decoders() -> list[tuple[ChunkDecoder, bytes]]:
    """A decoder of every small vector, and the body of its first chunk."""
    made = []
    for data in SMALL:
        head, blocks = split(data)
        parsed: Header = parse_header(head[read_varint(data, 10)[1] : -4], LIMITS)
        if parsed.profile is not None:
            continue
        own = [parse_section(memoryview(body), 0, LIMITS) for tag, body in blocks if tag == "S"]
        bodies = [body for tag, body in blocks if tag == "C"]
        if bodies:
            made.append((ChunkDecoder(parsed, own, LOOKUP, LIMITS), bodies[0]))
    return made


DECODERS = decoders()


def payload(data: bytes) -> object:
    """The first byte chooses the decoder; the rest is the body of a chunk, whose symbols have no checksum."""
    if not data:
        return None
    decoder, _ = DECODERS[data[0] % len(DECODERS)]
    chunk = caufc.bitstream.parse_chunk(memoryview(data)[1:], decoder.templates, 0, LIMITS)
    decoder.work(chunk)
    parts = zip(decoder.coders, chunk.payloads, chunk.shapes, strict=True)
    return [coder.reconstruct(coder.decode_symbols(memoryview(p), shapes), shapes) for coder, p, shapes in parts]


def index(data: bytes) -> object:
    if data[:1] >= b"\x80":
        return parse_end(memoryview(data)[1:], data[0] & 1 == 1, 0)
    found = parse_index(memoryview(data)[1:], 0, LIMITS)
    return [found.find(sample) for sample in range(min(found.samples, 4))]


def pt(data: bytes) -> object:
    """The scan of a .pt archive, before torch sees it."""
    return _check_archive(_Stream(data), "x.pt", Limits(tensors=100, output_bytes=1 << 20))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--quiet", type=int, default=300_000, help="inputs in a row without a new path, to end")
    parser.add_argument("--most", type=int, default=20_000_000, help="inputs at most")
    parser.add_argument("--corpus", type=Path, help="where inputs that find new paths are kept")
    parser.add_argument("--record", action="store_true", help="add the figures to tools/results/fuzz_coverage")
    options = parser.parse_args()
    corpus = options.corpus or Path(tempfile.mkdtemp())
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(options.target)):
        (corpus / f"seed{number}").write_bytes(seed)
    run, outcomes = TARGETS[options.target], Counter[str]()
    slowest, started, paths, last_new = 0.0, time.process_time(), 0, 0

    def one(data: bytes) -> None:
        nonlocal slowest
        before = time.process_time()
        try:
            with np.errstate(all="ignore"):
                run(data)
            outcome = "success"
        except caufc.CaufError as err:
            outcome = outcome_of(err)
        outcomes[outcome] += 1
        slowest = max(slowest, time.process_time() - before)

    def report() -> None:
        inputs = sum(outcomes.values())
        facts: dict[str, Any] = {
            "target": options.target,
            "inputs": inputs,
            "last_new_path": last_new,
            "distinct_outcomes": len(outcomes),
            "corpus": len(list(corpus.iterdir())),
            "slowest_seconds": round(slowest, 3),
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "processor_minutes": round((time.process_time() - started) / 60, 1),
        }
        print(json.dumps(facts), flush=True)
        if options.record:
            record_coverage(facts)
        with contextlib.suppress(OSError):
            FILE.unlink()

    def counted(data: bytes) -> None:
        nonlocal paths, last_new
        one(data)
        inputs = sum(outcomes.values())
        if inputs % EVERY:
            return
        if (found := len(list(corpus.iterdir()))) > paths:
            paths, last_new = found, inputs
        if inputs - last_new >= options.quiet or inputs >= options.most:
            report()
            os._exit(0)

    flags = [
        f"-atheris_runs={options.most + EVERY}",
        "-max_len=4096",
        "-rss_limit_mb=12000",
        f"-artifact_prefix={tempfile.gettempdir()}/",
        "-timeout=60",
    ]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], counted)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
