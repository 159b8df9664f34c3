"""What was decided before the format froze, each with figures: alignment, lanes, signature, checksums, fp8, additions.

    OMP_NUM_THREADS=1 python -m tools.measure.format_choices [--results format_choices]

On the features that ship with caufc and the vectors. Needs a C compiler, `cc`, for the part on lanes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

import caufc
from tools.measure.file_additions import additions, additions_page, tokens
from tools.measure.machine import ROOT, plain_command, write_results

TURNS = 9
REPEATS = 40
"""How often the tokens that ship are repeated: 3 million values."""


def fastest(run: Callable[[], object]) -> float:
    """Least processor time of several turns, in seconds."""
    times = []
    for _ in range(TURNS):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)


def lanes() -> dict[str, Any]:
    """Nanoseconds a symbol and bytes of a million symbols, by the number of rANS states that take turns."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "lanes"
        source = Path(__file__).with_name("lanes.c")
        subprocess.run(["cc", "-O3", "-o", program, source], check=True)
        lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [line.split() for line in lines]
    return {count: {"ns": float(taken), "bytes": int(size)} for count, taken, size in rows}


def alignment() -> dict[str, Any]:
    """Decoding when the file stands 0 to 7 bytes off, and what padding of every payload to 8 bytes would cost."""
    samples = tokens() * REPEATS
    data = caufc.encode(samples, threads=1)
    seconds = []
    for offset in range(8):
        room = bytearray(len(data) + 8)
        room[offset : offset + len(data)] = data
        view = memoryview(room)[offset : offset + len(data)]
        seconds.append(fastest(lambda view=view: caufc.decode(view, threads=1)))  # type: ignore[misc]
    with caufc.open(data) as reader:
        chunks = len(reader.chunk_sizes)
    return {"seconds": seconds, "bytes": len(data), "chunks": chunks, "padding": 3.5 * chunks / len(data)}


def _to_crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


TRANSFERS: Mapping[str, Callable[[bytes], bytes]] = {
    "every LF to CR LF": lambda data: data.replace(b"\n", b"\r\n"),
    "LF to CR LF, where there is no CR": _to_crlf,
    "CR LF to LF": lambda data: data.replace(b"\r\n", b"\n"),
    "CR to LF": lambda data: data.replace(b"\r", b"\n"),
    "LF to CR": lambda data: data.replace(b"\n", b"\r"),
    "bit 7 cleared": lambda data: bytes(byte & 127 for byte in data),
    "cut at 1A, the end of text": lambda data: data.partition(b"\x1a")[0],
    "as UTF-8, what is none replaced": lambda data: data.decode("utf-8", "replace").encode("utf-8"),
    "from Latin-1 to UTF-8": lambda data: data.decode("latin-1").encode("utf-8"),
}
"""What changes files that are taken for text."""


def _valid_vectors() -> Iterator[bytes]:
    for path in sorted((ROOT / "spec" / "vectors").rglob("valid/*.cauf")):
        yield path.read_bytes()


def transfers() -> dict[str, Any]:
    """By transfer: vectors that it changes, those whose signature it changes, and those that decoders then take."""
    found = {}
    for name, transfer in TRANSFERS.items():
        changed = [(data, moved) for data in _valid_vectors() if (moved := transfer(data)) != data]
        taken = sum(_is_taken(moved) for _, moved in changed)
        signature = sum(data[:8] != moved[:8] for data, moved in changed)
        found[name] = {"changed": len(changed), "by_signature": signature, "taken": taken}
    return found


def _is_taken(data: bytes) -> bool:
    try:
        caufc.verify(data)
    except caufc.CaufError:
        return False
    return True


def checksums() -> dict[str, Any]:
    """GB/s of the checksum, which blocks that go to another file need anew, and of copying them."""
    block = np.random.default_rng(0).bytes(1 << 24)
    return {
        "crc32": len(block) / fastest(lambda: zlib.crc32(block, 1)) / 1e9,
        "copy": len(block) / fastest(lambda: bytearray(block)) / 1e9,
    }


def fp8() -> dict[str, Any]:
    """Bytes of tokens as fp8 (e4m3, a scale per token), by what stores their bits."""
    import ml_dtypes

    values = np.concatenate(tokens())
    scales = np.abs(values).max(axis=1, keepdims=True) / 448
    small = (values / scales).astype(ml_dtypes.float8_e4m3fn)
    raw = small.tobytes()
    return {
        "raw": len(raw),
        "zstd -19": len(zstandard.compress(raw, 19)),
        "caufc lossless": len(caufc.encode({"fp8": small}, layout="n c", lossless=True)),
        "caufc medium of the fp32 values": len(caufc.encode({"fp32": values}, layout="n c")),
    }


def page(found: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["## rANS states in turn", "", "| states a payload | ns a symbol, decoding | bytes |", "|---|---|---|"]
    lines += [f"| {count} | {of['ns']:.2f} | {of['bytes']:,} |" for count, of in found["lanes"].items()]
    of = found["alignment"]
    lines += ["", "## Alignment of words", ""]
    lines += [f"{of['bytes']:,} bytes in {of['chunks']} chunks; padding payloads to 8 bytes takes {of['padding']:.3%}."]
    lines += ["", "| file stands off by, bytes | decoding, ms |", "|---|---|"]
    lines += [f"| {offset} | {1e3 * seconds:.1f} |" for offset, seconds in enumerate(of["seconds"])]
    lines += ["", "## Transfers as text", "", "| transfer | vectors that it changes | by their signature | taken |"]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| {name} | {of['changed']} | {of['by_signature']} | {of['taken']} |"
        for name, of in found["transfers"].items()
    ]
    of = found["checksums"]
    lines += ["", "## Checksums that begin with the header's", ""]
    lines += [f"A block that goes to another file is checked anew at {of['crc32']:.1f} GB/s; copies: {of['copy']:.1f}."]
    lines += ["", "## fp8 among dtypes", "", "| 14 texts, fp8 with a scale per token | bytes |", "|---|---|"]
    lines += [f"| {name} | {size:,} |" for name, size in found["fp8"].items()]
    lines += additions_page(found["additions"])
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    found = {
        "lanes": lanes(),
        "alignment": alignment(),
        "transfers": transfers(),
        "checksums": checksums(),
        "fp8": fp8(),
        "additions": additions(),
    }
    text = page(found)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), found, text)


if __name__ == "__main__":
    main()
