"""Keys and values in LMCache's disk cache: bytes of its files, and the divergence of predictions from them.

    OMP_NUM_THREADS=1 python -m tools.measure.lmcache --data DATA --work WORK [--results lmcache]

Chunks are the cache of 192 tokens of news in SmolLM2-135M, in bf16 as LMCache lays them out, ``[2, 30, 192, 192]``. Its
storage manager writes them through a serde into the adapter ``fs``, another one prefetches them, and the network
predicts the next 64 tokens from what came back. Serdes are none (bf16), ``fp8`` and docs/integrations/lmcache.md's with
a profile of other texts; its bits are those of the largest of 8 chunks that the profile has not seen, and 5 % more, as
the page has it. docs/evaluate.md says what DATA holds. 8 chunks take about 10 minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import caufc
from tools.measure.language_model import CACHE, Features, LanguageBench
from tools.measure.machine import ROOT, plain_command, write_results

PAGE = ROOT / "docs" / "integrations" / "lmcache.md"
QUALITIES = (20, 33, 42, 50, 56, 62)
WINDOWS, FIT_WINDOWS = 8, 64
PATIENCE = 120.0

Method = tuple[str, Mapping[str, Any] | None, int]
"""For people, the serde as LMCache's command line takes it, and bytes of its profile."""


def serde_of_the_page() -> dict[str, Any]:
    """What the page's first block defines; it registers the serde."""
    known: dict[str, Any] = {"__name__": "serve"}
    found = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    exec(compile(found[1], PAGE.name, "exec"), known)
    return known


def chunks_of(features: Features) -> Any:
    """Of each window ``[B, 2, layers, tokens, channels]`` in bf16, as LMCache has them."""
    import torch

    layers = len(features) // 2
    kinds = [np.stack([features[f"{kind}.{n}"] for n in range(layers)], 1) for kind in ("keys", "values")]
    return torch.from_numpy(np.stack(kinds, 1)).transpose(3, 4).flatten(4).bfloat16()


def features_of(chunks: Any, heads: int) -> dict[str, Any]:
    """The inverse."""
    split = chunks.float().unflatten(-1, (heads, -1)).transpose(3, 4).numpy()
    return {
        f"{kind}.{layer}": split[:, place, layer]
        for place, kind in enumerate(("keys", "values"))
        for layer in range(split.shape[2])
    }


def methods(fitted: Any, heads: int, folder: Path) -> Iterator[Method]:
    """Each serde."""
    tensors = serde_of_the_page()["tensors"]
    yield "none (bf16)", None, 0
    yield "fp8", {"type": "fp8"}, 0
    samples = [tensors(chunk, heads) for chunk in fitted]
    profile = caufc.Coder.fit(samples[8:], layout="(1 + n) g d", quality="medium").profile
    path = folder / "model.caufp"
    path.write_bytes(profile)
    for quality in QUALITIES:
        coder = caufc.Coder(profile, quality=quality)
        largest = max(len(coder.encode(sample)) for sample in samples[:8])
        bits = round(1.05 * 8 * largest / fitted[0].numel(), 2)
        serde = {"type": "caufc", "profile": str(path), "heads": heads, "bits": bits, "qualities": [quality]}
        yield f"caufc {quality}", serde, len(profile)


class Cache:
    """LMCache's storage manager with chunks of one shape, as its command line makes it.

    Args:
        folder: of the adapter ``fs``.
        serde: of the adapter.
        chunks: which are to be kept ``[B, 2, layers, tokens, channels]``.
    """

    def __init__(self, folder: Path, serde: Mapping[str, Any] | None, chunks: Any) -> None:
        from lmcache.v1.distributed.api import MemoryLayoutDesc, ObjectKey

        self.folder, self.chunks = folder, chunks
        self.keys = [ObjectKey(number.to_bytes(16, "big"), "model", 1 << 24) for number in range(len(chunks))]
        self.layout = MemoryLayoutDesc([chunks[0].shape], [chunks.dtype])
        self.adapter = {"type": "fs", "base_path": str(folder), **({"serde": dict(serde)} if serde else {})}

    def put(self) -> None:
        """Write all, and wait until all are files."""
        manager = self._manager()
        given = manager.reserve_write(self.keys, self.layout)
        for key, chunk in zip(self.keys, self.chunks, strict=True):
            given[key].tensor.copy_(chunk)
        manager.finish_write(self.keys)
        end = time.perf_counter() + PATIENCE
        while len(self.files()) < len(self.keys):
            if time.perf_counter() > end:
                raise SystemExit(f"{self.adapter}: chunks are not stored")
            time.sleep(0.01)
        manager.close()

    def get(self) -> Any:
        """All, as another manager prefetches them."""
        import torch
        from lmcache.v1.distributed.api import GroupedObjectKeys, PrefetchTaskSpec

        manager = self._manager()
        task = manager.submit_prefetch_task(PrefetchTaskSpec([GroupedObjectKeys(self.keys, 0, self.layout)]))
        manager.wait_prefetch_status(task, PATIENCE)
        with manager.read_prefetched_results(self.keys) as found:
            if found is None:
                raise SystemExit(f"{self.adapter}: chunks do not come back")
            chunks = torch.stack([one.tensor.clone() for one in found])
        manager.finish_read_prefetched(self.keys)
        manager.close()
        return chunks

    def files(self) -> list[Path]:
        """Of the adapter, whole ones."""
        return sorted(self.folder.glob("*.data"))

    def _manager(self) -> Any:
        from lmcache.v1.distributed.config import add_storage_manager_args, parse_args_to_config
        from lmcache.v1.distributed.storage_manager import StorageManager

        parser = add_storage_manager_args(argparse.ArgumentParser())
        arguments = ["--l1-size-gb", "1", "--no-l1-use-lazy", "--eviction-policy", "LRU"]
        given = parser.parse_args([*arguments, "--l2-adapter", json.dumps(self.adapter)])
        given.shm_name = ""
        return StorageManager(parse_args_to_config(given))


def row_of(bench: LanguageBench, method: Method, chunks: Any, heads: int) -> dict[str, Any]:
    """The figures of a method."""
    name, serde, profile_bytes = method
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder), serde, chunks)
        cache.put()
        back = cache.get()
        size = sum(path.stat().st_size for path in cache.files())
    divergences, agreements = bench.moves(CACHE, features_of(back, heads))
    return {
        "method": name,
        "bytes": size,
        "bits": 8 * size / chunks.numel(),
        "profile_bytes": profile_bytes,
        "kl": float(np.mean(divergences)),
        "top1": float(np.mean(agreements)),
    }


def page(figures: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    rows: Sequence[Mapping[str, Any]] = figures["rows"]
    lines = [
        f"SmolLM2-135M, keys and values of {figures['windows']} texts of 192 tokens in 30 layers, one chunk each, in "
        f"LMCache {figures['lmcache']}'s adapter `fs`; a profile of {figures['fit_windows'] - 8} other texts. Bytes of "
        "files, zeros that fill them up among them; the profile, one for all, apart. KL of the predictions of the next "
        "64 tokens in nats, and the share whose top-1 stands.",
        "",
        "| serde | bytes a chunk | bits a value | KL, nats | top-1 stands |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['method']} | {row['bytes'] / figures['windows']:,.0f} | {row['bits']:.2f} | {row['kl']:.5f} "
        f"| {100 * row['top1']:.1f} % |"
        for row in rows
    ]
    return "\n".join([*lines, "", f"The profile has {rows[-1]['profile_bytes']:,} bytes."])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of agnews.csv")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="features are kept there")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="chunks that are stored")
    parser.add_argument("--fit-windows", type=int, default=FIT_WINDOWS, help="of other texts: 8, and the profile's")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    from importlib.metadata import version

    import torch

    torch.set_num_threads(1)
    bench = LanguageBench(options.data, options.work, options.windows, options.fit_windows)
    given = bench.features(CACHE)
    heads, chunks = given["keys.0"].shape[1], chunks_of(given)
    rows = []
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        for method in methods(chunks_of(bench.features(CACHE, "fit")), heads, Path(folder)):
            rows.append(row_of(bench, method, chunks, heads))
            print(f"  {method[0]}: {rows[-1]['bits']:.3f} {rows[-1]['kl']:.5f}", file=sys.stderr, flush=True)
    counts = {"windows": options.windows, "fit_windows": options.fit_windows, "lmcache": version("lmcache")}
    figures = {**counts, "rows": rows}
    text = page(figures)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), figures, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
