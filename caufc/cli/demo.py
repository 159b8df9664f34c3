"""``caufc demo``: the features that ship with caufc, encoded by caufc and by two simple rivals."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import click

from ..bench.features import LoadedFeatures
from ..bench.measure import measure_methods
from ..bench.methods import EncodeSetting
from ..bench.report import BenchReport, rows_table
from ..errors import StorageError
from ..evaluate.rivals.registry import find_rivals
from ..features import read
from ..text import count, short_size
from .options import example, json_option
from .report import as_json_text

__all__ = ["command"]

SETTINGS = (
    EncodeSetting("caufc low", {"quality": "low"}),
    EncodeSetting("caufc medium", {"quality": "medium"}),
    EncodeSetting("caufc high", {"quality": "high"}),
    EncodeSetting("caufc lossless", {"lossless": True}),
)

RIVALS = ("fp16", "int8")
ZSTD_LEVEL = 3
"""The level of the rivals' zstd: its own default."""

REPEATS = 3
"""The fastest of so many runs counts: the features are small."""


@dataclass(frozen=True)
class DemoFile:
    """A file of features that ships with caufc.

    Args:
        name: in ``caufc/data/demo``.
        what: where the features come from.
        listed: whether the file's tensors are the samples of one list, in the order of their names.
    """

    name: str
    what: str
    listed: bool = False


FILES = (
    DemoFile("efficientnet_lite0_last.safetensors", "EfficientNet-Lite0, last feature map, a CNN"),
    DemoFile("minilm_hidden3.safetensors", "MiniLM, hidden states behind layer 3, a transformer", listed=True),
)


@click.command("demo", **example("caufc demo", "caufc demo --json"))
@json_option
def demo(as_json: bool) -> None:
    """Encode and decode features that ship with caufc, beside fp16 and int8 with zstd.

    Size in bytes, BPFP (bits per value), SNR, and speed in MB of fp32 per second, the fastest of three runs.
    """
    found: list[dict[str, Any]] = []
    for file in FILES:
        with resources.as_file(resources.files("caufc") / "data" / "demo" / file.name) as path:
            report = _measure(file, path)
        if as_json:
            rows = [row.to_json() for row in report.rows]
            found.append({"file": file.name, "features": file.what, "numel": report.numel, "rows": rows})
            continue
        click.echo(
            f"{file.name}: {file.what}; {count(report.samples, 'sample')}, {report.numel:,} values, "
            f"{short_size(report.bytes_in)} as fp32"
        )
        click.echo(rows_table(report.rows) + "\n")
    if as_json:
        click.echo(as_json_text({"files": found}))
    else:
        click.echo("Everything that came back has the structure, names, shapes and dtypes of what went in.")


def _measure(file: DemoFile, path: Path) -> BenchReport:
    """The features as numpy arrays: the demo needs no torch."""
    try:
        arrays = {name: leaf.read() for name, leaf in read(path).items()}
        features = LoadedFeatures.load([arrays[name] for name in sorted(arrays)] if file.listed else arrays, {})
    except StorageError as err:
        err.remedy = "install caufc again: its demo features are missing"
        raise
    return measure_methods(features, SETTINGS, find_rivals(RIVALS, ZSTD_LEVEL), options={}, repeat=REPEATS)


command = demo
