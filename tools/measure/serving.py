"""Split inference over links of 1, 10 and 100 Mbit/s: ms from features on the edge to the server's result.

    OMP_NUM_THREADS=1 python -m tools.measure.serving --data DATA [--results serving]

The edge is a process in a network namespace of its own; both ends of the pair of devices between are shaped by tc's
token bucket. Features of real images go to the rest of their network: as messages of a prepared coder to
``caufc.integrations.grpc``, and as fp16, with zstd and without, through a gRPC service that does nothing else. Times
hold encoding, transfer, decoding, the rest of the network and its logits' way back. Needs root, `ip` and `tc`
(iproute2), and `.[grpc]`; docs/evaluate.md says what DATA holds. ``serving_edge`` runs in the namespace.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

import caufc
from tools.measure.machine import plain_command, write_results
from tools.measure.serving_edge import RAW_METHOD, RAW_SERVICE

RATES = (1, 10, 100)
"""Mbit/s."""

BURSTS = {1: 2_000, 10: 5_000, 100: 30_000}
"""Bytes that may pass at once, by Mbit/s: few, for a bucket that is full would carry a message for nothing."""

TAPS = {"imagenet-sample/efficientnet_lite0": "block10", "cifar10/vit": "block3"}
FITTED, SENT = 200, 50
QUALITIES = (25.0, 50.0)

NAMESPACE, HERE, THERE = "caufc-edge", "caufc-a", "caufc-b"
ADDRESS, EDGE_ADDRESS = "10.203.0.1", "10.203.0.2"


def command(*words: str) -> None:
    """Run it, or end with what it said."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def edge() -> Iterator[None]:
    """A namespace with one end of a pair of devices."""
    command("ip", "netns", "add", NAMESPACE)
    inside = ("ip", "-n", NAMESPACE)
    try:
        command("ip", "link", "add", HERE, "type", "veth", "peer", "name", THERE, "netns", NAMESPACE)
        command("ip", "addr", "add", f"{ADDRESS}/24", "dev", HERE)
        command("ip", "link", "set", HERE, "up")
        command(*inside, "addr", "add", f"{EDGE_ADDRESS}/24", "dev", THERE)
        command(*inside, "link", "set", THERE, "up")
        yield
    finally:
        command("ip", "netns", "del", NAMESPACE)


def shape(rate: int) -> None:
    """Let so many Mbit/s pass either way."""
    bucket = ("root", "tbf", "rate", f"{rate}mbit", "burst", f"{BURSTS[rate]}b", "latency", "4s")
    command("tc", "qdisc", "replace", "dev", HERE, *bucket)
    command("tc", "-n", NAMESPACE, "qdisc", "replace", "dev", THERE, *bucket)


@contextmanager
def raw_service(resume: Callable[[Any], Any], sample: Sequence[int]) -> Iterator[int]:
    """A service that takes a sample's fp16 bytes, packed or not, and gives fp32 logits; its port."""
    import grpc

    def answer(data: bytes, _: Any) -> bytes:
        if data[:4] == zstandard.FRAME_HEADER:
            data = zstandard.ZstdDecompressor().decompress(data)
        features = np.frombuffer(data, np.float16).reshape(sample).astype(np.float32)
        return np.asarray(resume(features), np.float32).tobytes()

    server = grpc.server(ThreadPoolExecutor(1))
    handlers = {RAW_METHOD: grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(RAW_SERVICE, handlers)])
    port = server.add_insecure_port(f"{ADDRESS}:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


def rows_of(task: str, tap: str, data: Path) -> Iterator[dict[str, Any]]:
    """Figures of a tap at all rates."""
    import torch

    from caufc.integrations.grpc import Server

    manager = caufc.default_manager()
    runtime = manager.task_runtime(task, data)
    layout = next(known.layout for known in manager.find_task(task).taps if known.name == tap).removeprefix("b ")
    fitted = runtime.extract("fit", 0, FITTED, [tap])[tap].numpy()
    sent = runtime.extract("test", 0, SENT, [tap])[tap].numpy()

    def resume(features: Any) -> Any:
        with torch.inference_mode():
            return runtime.resume(torch.as_tensor(features)[None], tap)[0].numpy()

    profile = caufc.Coder.fit(list(fitted), layout=layout).profile
    expected = [int(np.argmax(resume(sample))) for sample in sent]
    with tempfile.TemporaryDirectory() as name, raw_service(resume, sent[0].shape) as raw, Server(resume) as server:
        folder = Path(name)
        np.save(folder / "sent.npy", sent)
        (folder / "profile.caufp").write_bytes(profile)
        ports = [str(server.start(f"{ADDRESS}:0")), str(raw)]
        for rate in RATES:
            shape(rate)
            run = ["ip", "netns", "exec", NAMESPACE, sys.executable, "-m", "tools.measure.serving_edge"]
            words = [*run, name, ADDRESS, *ports, *map(str, QUALITIES)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, env=dict(os.environ))
            for found in json.loads(done.stdout):
                same = np.mean([own == other for own, other in zip(found.pop("top"), expected, strict=True)])
                about = {"task": task, "tap": tap, "shape": list(sent[0].shape), "rate": rate, **found}
                yield {**about, "same": float(same), "profile_bytes": len(profile)}


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        f"Median of {SENT} images, one call after another on one connection: ms from the edge's features to the "
        "result, with encoding, transfer, decoding, the rest of the network and the logits' way back; what nine of ten "
        "stay under in brackets. The links have a rate and no delay of their own. A profile is sent once before; "
        "*same* is the share of images whose top-1 stands.",
        "",
        "| features | way | bytes | same | " + " | ".join(f"{rate} Mbit/s" for rate in RATES) + " |",
        "|---|---|---|---|" + "---|" * len(RATES),
    ]
    known = dict.fromkeys((row["task"], row["tap"], row["way"]) for row in rows)
    for task, tap, way in known:
        own = [row for row in rows if (row["task"], row["tap"], row["way"]) == (task, tap, way)]
        times = " | ".join(f"{row['median_ms']:.1f} ({row['ninth_ms']:.1f})" for row in own)
        size = " x ".join(map(str, own[0]["shape"]))
        lines.append(
            f"| {task.partition('/')[2]} {tap}, {size} | {way} | {own[0]['bytes']:,.0f} | {100 * own[0]['same']:.0f} % "
            f"| {times} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    with edge():
        rows = [row for task, tap in TAPS.items() for row in rows_of(task, tap, options.data.resolve())]
    text = page(rows)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), {"rows": rows}, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
