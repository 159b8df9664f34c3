"""``caufc demo``: the features that ship with caufc, encoded by caufc and by two simple rivals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from numpy.typing import NDArray

from .. import api
from ..errors import CaufError, StorageError
from ..features import read, to_source
from ..pipeline.source import Source
from .demo_rivals import RIVALS, Rival
from .options import example, json_option
from .report import as_json_text, count, short_size, table

__all__ = ["command"]

Found = TypeVar("Found")
Floats = NDArray[np.float32]

SETTINGS: dict[str, dict[str, Any]] = {
    "caufc low": {"quality": "low"},
    "caufc medium": {"quality": "medium"},
    "caufc high": {"quality": "high"},
    "caufc lossless": {"lossless": True},
}

REPEATS = 3
"""The fastest of so many runs counts: the features are small."""


@dataclass(frozen=True)
class DemoFile:
    """Features that ship with caufc.

    Args:
        name: in ``caufc/data/demo``.
        what: where they come from.
        channel: the channel axis, counted from the end.
    """

    name: str
    what: str
    channel: int


FILES = (
    DemoFile("efficientnet_lite0_last.safetensors", "EfficientNet-Lite0, last feature map, a CNN", -3),
    DemoFile("minilm_hidden3.pt", "MiniLM, hidden states behind layer 3, a transformer", -1),
)


@dataclass(frozen=True)
class Row:
    """One method on one file; sizes in bytes, speeds in MB of fp32 a second, ``snr_db`` None if nothing is lost."""

    method: str
    bytes: int
    bpfp: float
    snr_db: float | None
    encode_mb_s: float
    decode_mb_s: float


@click.command("demo", **example("caufc demo", "caufc demo --json"))
@json_option
def demo(as_json: bool) -> None:
    """Encode and decode features that ship with caufc, beside fp16 and int8 with zstd.

    Size in bytes, BPFP (bits a value), SNR, and speed in MB of fp32 a second, the fastest of three runs.
    """
    found: list[dict[str, Any]] = []
    for file in FILES:
        with resources.as_file(resources.files("caufc") / "data" / "demo" / file.name) as path:
            features = _read(path)
            source = to_source(features)
            rows = list(_rows(features, source, file))
        numel = sum(tensor.numel for tensor in source.tensors)
        if as_json:
            found.append({"file": file.name, "features": file.what, "numel": numel, "rows": [asdict(r) for r in rows]})
            continue
        click.echo(
            f"{file.name}: {file.what}; {count(source.samples, 'sample')}, {numel:,} values, "
            f"{short_size(4 * numel)} as fp32"
        )
        click.echo(_table(rows) + "\n")
    if as_json:
        click.echo(as_json_text({"files": found}))
    else:
        click.echo("Everything that came back has the structure, names, shapes and dtypes of what went in.")


def _read(path: Path) -> Any:
    try:
        return read(path)
    except StorageError as err:
        err.remedy = "install caufc again: its demo features are missing"
        raise


def _rows(features: Any, source: Source, file: DemoFile) -> Iterator[Row]:
    arrays = _arrays(source)
    for name, options in SETTINGS.items():
        data, encode_s = _timed(lambda options=options: api.encode(features, **options))  # type: ignore[misc]
        back, decode_s = _timed(lambda data=data: api.decode(data))  # type: ignore[misc]
        returned = to_source(back)
        _check(source, returned, file.name)
        yield _row(name, len(data), arrays, _arrays(returned), encode_s, decode_s)
    for rival in RIVALS:
        yield _rival_row(rival, arrays, file.channel)


def _rival_row(rival: Rival, arrays: Sequence[Floats], channel: int) -> Row:
    shapes = [array.shape for array in arrays]
    (data, side), encode_s = _timed(lambda: rival.encode(arrays, channel))
    back, decode_s = _timed(lambda: rival.decode(data, side, shapes))
    return _row(rival.name, len(data), arrays, back, encode_s, decode_s)


def _arrays(source: Source) -> list[Floats]:
    return [np.asarray(leaf.read(), np.float32) for tensor in source.tensors for leaf in tensor.leaves]


def _timed(run: Callable[[], Found]) -> tuple[Found, float]:
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        found = run()
        best = min(best, time.perf_counter() - started)
    return found, best


def _row(
    name: str, size: int, before: Sequence[Floats], after: Sequence[Floats], encode_s: float, decode_s: float
) -> Row:
    numel = sum(array.size for array in before)
    energy = sum(float(np.square(array, dtype=np.float64).sum()) for array in before)
    lost = sum(float(np.square(b.astype(np.float64) - a).sum()) for b, a in zip(before, after, strict=True))
    snr = None if not lost else float(10 * np.log10(energy / lost))
    megabytes = 4 * numel / 1e6
    return Row(name, size, 8 * size / numel, snr, megabytes / encode_s, megabytes / decode_s)


def _check(before: Source, after: Source, file: str) -> None:
    """What came back is built like what went in."""

    def build(source: Source) -> Any:
        tensors = [(t.name, t.dtype, [leaf.shape for leaf in t.leaves]) for t in source.tensors]
        return source.structure, source.samples, tensors

    if build(before) != build(after):
        raise CaufError("what was decoded is built otherwise than what was encoded", file=file)


def _table(rows: Sequence[Row]) -> str:
    head = ("METHOD", "BYTES", "BPFP", "SNR dB", "ENCODE MB/s", "DECODE MB/s")
    lines = [
        (
            row.method,
            f"{row.bytes:,}",
            f"{row.bpfp:.3f}",
            "exact" if row.snr_db is None else f"{row.snr_db:.2f}",
            f"{row.encode_mb_s:.1f}",
            f"{row.decode_mb_s:.1f}",
        )
        for row in rows
    ]
    return table([head, *lines], right=range(1, len(head)))


command = demo
