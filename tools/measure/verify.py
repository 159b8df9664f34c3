"""How fast verify reads: bytes of file a second, and verify --deep against decode.

python -m tools.measure.verify [--mib 512] [--record]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import caufc
from tools.measure.machine import plain_command, write_results

TURNS = 5


def fastest(run: Callable[[], object]) -> float:
    """Least processor time of several turns, in seconds: what else runs on the machine only makes them longer."""
    times = []
    for _ in range(TURNS):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mib", type=int, default=512, help="size of the file that verify reads")
    parser.add_argument("--record", action="store_true", help="write tools/results/verify.*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.cauf", Path(folder) / "small.cauf"
        values = np.random.default_rng(0).integers(0, 1 << 16, (options.mib << 19 >> 10, 1 << 10)).astype("u2")
        caufc.save(large, values, lossless=True)
        size = large.stat().st_size
        verify = fastest(lambda: caufc.verify(large))
        tokens = np.random.default_rng(1).laplace(size=(400, 197, 96)).astype("f4")
        caufc.save(small, tokens, snr=20, layout="b (1 + h w) c")
        deep = fastest(lambda: caufc.verify(small, deep=True))
        decode = fastest(lambda: caufc.load(small))
    table = [
        "| | of one core's time |",
        "|---|---|",
        f"| verify, {size / 1e6:,.0f} MB of file | {size / verify / 1e6:,.0f} MB/s |",
        f"| verify --deep, {tokens.nbytes / 1e6:,.0f} MB of features | {tokens.nbytes / deep / 1e6:,.0f} MB/s |",
        f"| decode of the same | {tokens.nbytes / decode / 1e6:,.0f} MB/s |",
    ]
    print("\n".join(table))
    if options.record:
        figures = {"verify_bytes_per_second": size / verify, "deep_seconds": deep, "decode_seconds": decode}
        write_results("verify", plain_command(sys.argv), figures, "\n".join(table))


if __name__ == "__main__":
    main()
