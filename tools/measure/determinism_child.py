"""What tools.measure.determinism runs in each environment: decodes all vectors, or encodes demo features.

    python -m tools.measure.determinism_child read [--quick] [--without-constriction] [--torch]
    python -m tools.measure.determinism_child write [--torch]

*read* prints, as JSON, the versions and, by vector, whether its symbols are right and the largest error as a share of
what is allowed; with --quick of one vector in seven, of the learned codec without values, which take torch. *write*
prints a digest of files. It needs numpy and what caufc imports, and no torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0"
CONTROLS: tuple[dict[str, Any], ...] = ({}, {"snr": 20}, {"quality": "high"}, {"max_error": 0.01}, {"lossless": True})
QUICK_EVERY = 7
FORMS = {"fp32": "<f4", "fp16": "<f2", "fp64": "<f8"}


def floats(dtype: str, data: bytes) -> NDArray[np.float64]:
    """Stored values as numbers."""
    if dtype == "bf16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return np.frombuffer(data, FORMS[dtype]).astype(np.float64)


def decoded(path: Path) -> tuple[bool, float]:
    """Whether a vector's symbols are right, and the largest error of its values as a share of what is allowed."""
    from caufc.catalog import lookup_of
    from caufc.decoder.file_decoder import FileDecoder
    from caufc.limits import DEFAULT_LIMITS

    facts: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    needed = {kind: VECTORS / "profiles" / facts[kind] for kind in ("profile", "weights") if kind in facts}
    lookup = lookup_of(**needed)
    data = path.read_bytes()
    right = FileDecoder.of(iter([data]), lookup, DEFAULT_LIMITS).symbols_sha256() == facts["symbols_sha256"]
    decoder = FileDecoder.of(iter([data]), lookup, DEFAULT_LIMITS)
    if any(config.codec.weighted for config in decoder.configs) and not find_spec("torch"):
        return right, 0.0
    parts: list[list[bytes]] = [[] for _ in decoder.configs]
    for chunk in decoder.samples():
        for listed, samples in zip(parts, chunk.tensors, strict=True):
            listed += [np.ascontiguousarray(sample).tobytes() for sample in samples]
    share = 0.0
    for tensor, listed in zip(facts["tensors"], parts, strict=True):
        if "values" in tensor:
            values = floats(tensor["dtype"], b"".join(listed))
            shares = (abs(values[place] - value) / allowed for place, value, allowed in tensor["values"] if allowed)
            share = max([share, *shares])
    return right, share


def versions(*, torch: bool) -> str:
    """Of Python, numpy and, if asked for, torch with the instruction set that it chose."""
    found = f"Python {platform.python_version()}, numpy {np.__version__}"
    if torch and find_spec("torch"):
        from torch import __version__
        from torch.backends import cpu

        found += f", torch {__version__} ({cpu.get_cpu_capability()})"
    return found


def read(every: int, *, torch: bool) -> None:
    """Decode one vector in so many."""
    found = {path.stem: decoded(path) for path in sorted((VECTORS / "valid").glob("*.cauf"))[::every]}
    print(json.dumps([versions(torch=torch), found]))


def write(*, torch: bool) -> None:
    """Encode demo features, with those that need torch to be read or without."""
    import caufc
    from caufc import features

    demo = resources.files("caufc") / "data" / "demo"
    values: list[Any] = [features.read(str(demo / "efficientnet_lite0_last.safetensors"))]
    values += [features.read(str(demo / "minilm_hidden3.pt"))] if torch else []
    digest = hashlib.sha256()
    controls: tuple[dict[str, Any], ...] = (
        {},
        {"snr": 20},
        {"quality": "high"},
        {"max_error": 0.01},
        {"lossless": True},
    )
    for control in controls:
        for value in values:
            digest.update(caufc.encode(value, **control))
    print(digest.hexdigest())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("read", "write"))
    parser.add_argument("--quick", action="store_true", help="read few vectors, without torch")
    parser.add_argument("--without-constriction", action="store_true")
    parser.add_argument("--torch", action="store_true", help="name its version, or encode what it reads")
    options = parser.parse_args()
    if options.without_constriction:
        sys.modules["constriction"] = None  # type: ignore[assignment]
    if options.quick:
        sys.modules["torch"] = None  # type: ignore[assignment]
    if options.verb == "read":
        read(QUICK_EVERY if options.quick else 1, torch=options.torch or "ATEN_CPU_CAPABILITY" in os.environ)
    else:
        write(torch=options.torch)


if __name__ == "__main__":
    main()
