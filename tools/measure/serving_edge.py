"""The edge of ``serving``: sends a folder's samples in every way, and prints the figures as JSON.

python -m tools.measure.serving_edge FOLDER ADDRESS PORT RAW_PORT QUALITY...
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

import caufc

RAW_SERVICE, RAW_METHOD = "measure.Raw", "Resume"
ZSTD_LEVEL = 3
WARM = 3
"""Samples that are sent before those that count."""


def figures(way: str, sent: Sequence[Any], code: Callable[[Any], bytes], call: Callable[[bytes], Any]) -> Any:
    """Of a way: ms of every sample, its bytes and the result's top-1."""
    times, sizes, top = [], [], []
    for sample in [*sent[:WARM], *sent]:
        started = time.perf_counter()
        message = code(sample)
        result = call(message)
        times.append(1e3 * (time.perf_counter() - started))
        sizes.append(len(message))
        top.append(int(np.argmax(result)))
    times, sizes, top = times[WARM:], sizes[WARM:], top[WARM:]
    median, ninth = np.quantile(times, [0.5, 0.9])
    return {"way": way, "median_ms": median, "ninth_ms": ninth, "bytes": float(np.mean(sizes)), "top": top}


def main(folder: Path, address: str, port: str, raw_port: str, qualities: Sequence[str]) -> None:
    """Measure all ways."""
    import grpc

    from caufc.integrations.grpc import Client

    sent = np.load(folder / "sent.npy")
    packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    found = []
    with grpc.insecure_channel(f"{address}:{raw_port}") as channel:
        method = channel.unary_unary(f"/{RAW_SERVICE}/{RAW_METHOD}")

        def raw(data: bytes) -> Any:
            return np.frombuffer(method(data), np.float32)

        found.append(figures("fp16", sent, lambda x: x.astype(np.float16).tobytes(), raw))
        found.append(figures("fp16 + zstd", sent, lambda x: packer.compress(x.astype(np.float16).tobytes()), raw))
    for quality in map(float, qualities):
        coder = caufc.Coder(folder / "profile.caufp", quality=quality)
        with Client(f"{address}:{port}", coder, timeout=120) as client:
            found.append(figures(f"caufc {quality:g}", sent, coder.encode, client.send))
    print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("address")
    parser.add_argument("ports", nargs=2, help="of caufc's service and of the raw one")
    parser.add_argument("qualities", nargs="+")
    options = parser.parse_args()
    main(options.folder, options.address, options.ports[0], options.ports[1], options.qualities)
