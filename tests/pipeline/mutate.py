"""Run by test_fuzz in a process of its own: an entropy coder that aborts must not take the tests with it.

Prints one line a mutation that neither decodes to the right number of values nor raises a CaufError.
"""

from __future__ import annotations

import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from container import Blocks, assemble, split

import caufc
from caufc.bitstream import Chunk
from caufc.limits import Limits
from caufc.pipeline.decoder import ChunkDecoder

LIMITS = Limits(chunk_elements=1 << 16, file_elements=1 << 18, output_bytes=1 << 22)


def bases() -> list[tuple[bytes, int]]:
    """Small files of every kind, and their number of values."""
    rng = np.random.default_rng(7)
    tokens = rng.laplace(size=(12, 10)).astype("f4")
    sparse = np.maximum(rng.standard_normal((2, 8, 3, 3)), 0).astype("f2")
    holes = np.where(rng.random(tokens.shape) < 0.1, np.nan, tokens)
    ragged = [tokens, tokens[:4], tokens[:1]]
    skewed = np.rint(rng.laplace(size=700) * 3).astype("f4") * (rng.random(700) < 0.3)
    ids = rng.geometric(0.3, 300)
    return [
        (caufc.encode(tokens, quality=80), 120),
        (caufc.encode(tokens[None], align="robust/token"), 120),
        (caufc.encode(sparse, align="min-max:0,6", index=True, chunk=1), 144),
        (caufc.encode(holes, nonfinite="keep", align="mean-deviation/channel"), 120),
        (caufc.encode(tokens * 1e4, max_error=1e-3), 120),
        (caufc.encode(ragged, chunk=2), 170),
        (caufc.encode({"x": tokens[:3], "ids": ids[:3]}, lossless=True), 33),
        (caufc.encode(skewed, lossless=True), 700),
        (caufc.encode(ids, lossless=True), 300),
    ]


def mutated(blocks: Blocks, rng: np.random.Generator) -> Blocks:
    """Bytes changed, inserted or cut in one block's body; checksums are made right again later."""
    number = rng.choice([i for i, (_, body) in enumerate(blocks) if body])
    tag, body = blocks[number]
    changed = bytearray(body)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(changed))) if changed else 0
        way = rng.integers(8)
        if way < 5 and changed:
            changed[place] = rng.choice([0, 1, 2, 127, 128, 255, int(rng.integers(256)), changed[place] ^ 1])
        elif way == 5:
            changed[place:place] = rng.bytes(int(rng.integers(1, 6)))
        elif way == 6:
            del changed[place : place + int(rng.integers(1, 6))]
        elif len(changed) > place + 4:
            changed[place : place + 4] = rng.bytes(4)
    return [*blocks[:number], (tag, bytes(changed)), *blocks[number + 1 :]]


def count(found: Any) -> int:
    if isinstance(found, dict):
        return sum(count(part) for part in found.values())
    if isinstance(found, list | tuple):
        return sum(count(part) for part in found)
    return int(np.size(found))


def check(data: bytes, values: int | None) -> str | None:
    """What is wrong with how a file is read, if anything."""
    for read in (caufc.decode, caufc.verify, random_access):
        try:
            found = read(data, limits=LIMITS)
        except caufc.CaufError:
            continue
        except Exception as err:
            return f"{read.__name__}: {type(err).__name__}: {err}"
        if read is caufc.decode and values is not None and count(found) != values:
            return f"{count(found)} values, not {values}"
    return None


def random_access(data: bytes, limits: Limits) -> None:
    with caufc.open(data, limits=limits) as reader:
        for number in range(min(5, len(reader))):
            reader[number]


def trusting(self: ChunkDecoder, chunk: Chunk) -> list[Any]:
    """Symbols without their checksum, so that mutated payloads get all the way to the samples."""
    parts = zip(self.coders, chunk.payloads, chunk.shapes, strict=True)
    return [coder.decode_symbols(memoryview(payload), shapes) for coder, payload, shapes in parts]


def main(seed: int, rounds: int) -> None:
    """Mutate bodies of blocks, and every fourth time the header."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(seed)
    files = bases()
    ChunkDecoder.symbols = trusting  # type: ignore[method-assign]
    for turn in range(rounds):
        data, values = files[turn % len(files)]
        header, blocks = split(data)
        fixed = all(None not in tensor["shape"] for tensor in caufc.inspect(data).tensors)
        if turn % 4 == 3:
            head = bytearray(header[:-4])
            head[int(rng.integers(11, len(head)))] = int(rng.integers(256))
            report = check(assemble(bytes(head) + zlib.crc32(head).to_bytes(4, "little"), blocks), None)
        else:
            new = mutated(blocks, rng)
            counted = fixed and [new[i] for i, (tag, _) in enumerate(blocks) if tag == "E"] == blocks[-1:]
            report = check(assemble(header, new), values if counted else None)
        if report is not None:
            print(turn, report, flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
