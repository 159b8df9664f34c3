# ruff: noqa: E501
"""Code many inputs with every control, and compare what two states of the code make of them.

    python tools/compare_states.py prepare INPUTS            # with either state
    python tools/compare_states.py record INPUTS OUT         # with each state, one BLAS thread
    python tools/compare_states.py compare OUT OTHER_OUT     # files, values, JSON objects, exit codes

It stands here only while the code is rearranged, to show that bytes stay what they were.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402

LEFT_OUT = ("seconds", "encode_seconds", "decode_seconds", "encode_mb_s", "decode_mb_s", "busy_threads")
"""What differs from run to run."""


def prepare(folder: Path) -> None:
    """Write the inputs."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    mix = rng.normal(size=(96, 96)) * np.exp(rng.normal(size=96))
    smooth = np.cumsum(rng.normal(size=(12, 64, 14, 14)), axis=3) / 4
    maps = np.maximum(smooth + rng.normal(size=smooth.shape) - 0.4, 0).astype(np.float32)
    tokens = (rng.normal(size=(24, 50, 96)) @ mix).astype(np.float32)
    pooled = (rng.normal(size=(700, 96)) @ mix).astype(np.float32)
    np.save(folder / "maps.npy", maps)
    np.save(folder / "tokens.npy", tokens)
    np.save(folder / "tokens16.npy", tokens.astype(np.float16))
    np.save(folder / "tokens64.npy", tokens[:6].astype(np.float64))
    np.save(folder / "pooled.npy", pooled)
    np.save(folder / "small.npy", pooled[:3, :8])
    np.save(folder / "sparse.npy", np.where(rng.random((64, 200)) < 0.02, rng.normal(size=(64, 200)), 0).astype("f4"))
    hole = tokens.copy()
    hole[0, 0, 0], hole[1, 2, 3] = np.nan, np.inf
    np.save(folder / "hole.npy", hole)
    np.savez(
        folder / "dict.npz",
        maps=maps[:, :, :8, :8],
        ids=rng.integers(0, 50_000, (12, 40)),
        mask=rng.random((12, 40)) < 0.7,
        bytes=rng.integers(0, 256, (12, 5, 7)).astype(np.uint8),
        constant=np.ones((12, 3), np.float32),
    )
    for dtype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"):
        np.save(folder / f"int_{np.dtype(dtype).name}.npy", rng.integers(0, 100, (9, 31)).astype(dtype))
    torch.save(torch.from_numpy(tokens).to(torch.bfloat16), folder / "bf16.pt")
    ragged = [torch.from_numpy(tokens[i, : 20 + i]) for i in range(20)]
    torch.save(ragged, folder / "ragged.pt")
    keys = {"layers": [{"k": torch.randn(3, 2, 7, 16), "v": torch.randn(3, 2, 7, 16)} for _ in range(2)]}
    torch.manual_seed(0)
    torch.save(keys, folder / "kv.pt")
    torch.save({"cls": torch.randn(6, 17, 32), "pooled": torch.randn(6, 32)}, folder / "vit.pt")
    from safetensors.torch import load_file

    import caufc

    demo = Path(caufc.__file__).parent / "data" / "demo"
    shutil.copy(demo / "efficientnet_lite0_last.safetensors", folder)
    texts = load_file(demo / "minilm_hidden3.safetensors")
    torch.save([texts[name] for name in sorted(texts)], folder / "minilm_hidden3.pt")


CONTROLS = ["", "--quality low", "--quality high", "--quality 0", "--quality 100", "--snr 12", "--snr 45", "--bpfp 0.3",
            "--bpfp 3", "--max-error 0.01", "--lossless"]  # fmt: skip

EXTRA = [
    "tokens.npy --effort fast", "tokens.npy --effort best --quality high", "maps.npy --effort best --snr 20",
    "tokens.npy --chunk 5 --snr 25", "tokens.npy --chunk 5 --no-index", "tokens.npy --index",
    "tokens16.npy", "tokens16.npy --max-error 0.1", "tokens16.npy --bpfp 2", "tokens64.npy", "tokens64.npy --snr 80",
    "tokens64.npy --max-error 1e-6", "bf16.pt", "bf16.pt --snr 30", "bf16.pt --max-error 0.5", "bf16.pt --lossless",
    "ragged.pt", "ragged.pt --bpfp 1 --chunk 3", "ragged.pt --snr 20 --layout 'n c'", "kv.pt --layout *=b_g_t_d",
    "vit.pt --layout cls=b_(1_+_n)_c --reads cls=first", "vit.pt --layout cls=b_(1_+_h_w)_c",
    "maps.npy --reads mean", "maps.npy --reads mean --snr 10", "maps.npy --truncate 0,2", "maps.npy --align min-max:0,6",
    "tokens.npy --align robust/token", "tokens.npy --align percentile/channel", "tokens.npy --align mean-deviation/channel",
    "tokens.npy --align none", "dict.npz", "dict.npz --bpfp 4", "dict.npz --snr 30", "dict.npz --lossless", "hole.npy",
    "hole.npy --nonfinite keep", "hole.npy --nonfinite keep --codec hyperprior", "hole.npy --lossless",
    "small.npy", "small.npy --bpfp 9", "sparse.npy", "sparse.npy --snr 50", "sparse.npy --layout b_c --quality 80",
    "efficientnet_lite0_last.safetensors", "efficientnet_lite0_last.safetensors --profile efficientnet_lite0-last",
    "efficientnet_lite0_last.safetensors --bpfp 0.2", "minilm_hidden3.pt", "minilm_hidden3.pt --profile minilm-hidden3",
    "minilm_hidden3.pt --profile minilm-hidden3 --snr 20", "minilm_hidden3.pt --profile minilm-hidden3 --max-error 0.1",
    "minilm_hidden3.pt --profile OUT/own.caufp", "minilm_hidden3.pt --profile OUT/own.caufp --no-embed-profile",
    "maps.npy --profile minilm-hidden3", "dict.npz --profile minilm-hidden3",
    "maps.npy --codec hyperprior", "maps.npy --codec hyperprior --quality low", "tokens.npy --codec hyperprior --bpfp 1",
    "tokens.npy --codec hyperprior --bpfp 0.001", "tokens.npy --codec hyperprior --outliers clip",
    "tokens.npy --codec hyperprior --align mean-deviation/token --quality high", "bf16.pt --codec hyperprior",
    "tokens16.npy --codec hyperprior --truncate=-1,1", "dict.npz --codec hyperprior", "ragged.pt --codec hyperprior",
    "tokens.npy --codec hyperprior --snr 20", "tokens.npy --codec other", "tokens.npy --snr 20 --bpfp 1",
    "maps.npy --codec hyperprior --profile minilm-hidden3", "maps.npy --weights universal", "nowhere.npy",
    "tokens.npy --layout b_c_h_w", "tokens.npy --layout b_q", "tokens.npy --layout x=b_n_c", "tokens.npy --effort slow",
    "tokens.npy --align odd", "tokens.npy --quality 101", "tokens.npy --arch generic --tap bnc",
    "maps.npy --arch timm/resnet50 --tap layer4", "maps.npy --arch timm/resnet50 --tap head",
    "maps.npy --arch timm/resnet50 --tap nolayer", "maps.npy --tap layer4", "tokens.npy --reads first",
    "tokens.npy --limit chunk-tokens=100", "tokens.npy --chunk 0", "tokens.npy --truncate 3,1",
]  # fmt: skip


def cases() -> list[list[str]]:
    """Arguments of ``caufc encode`` behind the input's name."""
    lines = [f"{name} {control}" for name in ("maps.npy", "tokens.npy", "pooled.npy") for control in CONTROLS]
    lines += [f"int_{np.dtype(d).name}.npy" for d in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]
    return [[word.replace("'", "").replace("_", " ") if "=b_" in word or word.startswith("b_") else word.strip("'")
             for word in line.split()] for line in [*lines, *EXTRA]]  # fmt: skip


class Recorder:
    """Runs command lines and keeps what they did."""

    def __init__(self, inputs: Path, out: Path) -> None:
        from click.testing import CliRunner

        from caufc.cli.main import caufc as group

        self.inputs, self.out, self.group, self.runner = inputs, out, group, CliRunner()
        self.found: dict[str, Any] = {}

    def run(self, name: str, *args: str) -> int:
        words = [word.replace("OUT/", f"{self.out}/") for word in args]
        result = self.runner.invoke(self.group, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        text = result.output.replace(str(self.out), "OUT").replace(str(self.inputs), "IN")
        told = [_line(line) for line in text.splitlines() if "MB/s" not in line]
        self.found[name] = {"exit": result.exit_code, "told": told}
        return result.exit_code

    def digest(self, name: str, path: Path) -> None:
        self.found[name]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _line(text: str) -> Any:
    try:
        return _without_times(json.loads(text))
    except ValueError:
        return text


def _without_times(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_times(value) for key, value in data.items() if key not in LEFT_OUT}
    return [_without_times(value) for value in data] if isinstance(data, list) else data


def values_digest(path: Path) -> str:
    """Of the object that Python decodes."""
    import caufc

    digest = hashlib.sha256()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for key, child in node.items():
                digest.update(repr(key).encode())
                walk(child)
        elif isinstance(node, list | tuple):
            digest.update(type(node).__name__.encode())
            for child in node:
                walk(child)
        elif isinstance(node, np.ndarray):
            digest.update(f"{node.dtype}{node.shape}".encode() + np.ascontiguousarray(node).tobytes())
        else:
            digest.update(f"{node.dtype}{tuple(node.shape)}".encode())
            digest.update(node.contiguous().view(-1).view(__import__("torch").uint8).numpy().tobytes())

    walk(caufc.load(path))
    return digest.hexdigest()


def record(inputs: Path, out: Path) -> None:
    """Code everything."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    recorder = Recorder(inputs, out)
    recorder.run("fit", "fit", str(inputs / "minilm_hidden3.pt"), "-o", "OUT/own.caufp", "--quiet")
    recorder.digest("fit", out / "own.caufp")
    recorder.run("fit maps", "fit", str(inputs / "maps.npy"), "-o", "OUT/maps.caufp", "--quality", "30", "--quiet")
    recorder.digest("fit maps", out / "maps.caufp")
    for number, (source, *rest) in enumerate(cases()):
        name = f"{number:03d} {' '.join([source, *rest])}"
        path = out / f"{number:03d}.cauf"
        if recorder.run(name, "encode", str(inputs / source), "-o", str(path), "--json", *rest):
            continue
        recorder.digest(name, path)
        if "--no-embed-profile" in rest:
            continue
        recorder.found[name]["values"] = values_digest(path)
        recorder.run(f"{name}: info", "info", "--json", str(path))
        recorder.run(f"{name}: verify", "verify", "--deep", "--json", str(path))
        for suffix in (".pt", ".npy") if number % 4 == 0 else ():
            back = out / f"{number:03d}{suffix}"
            recorder.run(f"{name}: decode {suffix}", "decode", "--json", str(path), "-o", str(back))
            recorder.digest(f"{name}: decode {suffix}", back)
        if number % 10 == 0:
            damaged = bytearray(path.read_bytes())
            damaged[len(damaged) // 2] ^= 64
            (out / "damaged.cauf").write_bytes(damaged)
            for more in ([], ["--recover"]):
                key = f"{name}: damaged {more}"
                recorder.run(key, "decode", "--json", "-f", f"{out}/damaged.cauf", "-o", f"{out}/damaged.pt", *more)
            recorder.run(f"{name}: verify damaged", "verify", "--deep", "--json", f"{out}/damaged.cauf")
    (out / "found.json").write_text(json.dumps(recorder.found, indent=1))


def compare(first: Path, second: Path) -> int:
    """Print what differs; the exit code."""
    one, two = (json.loads((folder / "found.json").read_text()) for folder in (first, second))
    differing = [key for key in {**one, **two} if one.get(key) != two.get(key)]
    for key in differing:
        print(key, one.get(key), two.get(key), sep="\n    ")
    print(f"{len(one)} commands, {len(differing)} differ")
    return bool(differing)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("prepare", "record", "compare"))
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    verbs: dict[str, Callable[..., int | None]] = {"prepare": prepare, "record": record, "compare": compare}
    sys.exit(verbs[options.verb](*options.folders))
