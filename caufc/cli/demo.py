"""``caufc demo``: the features that ship with caufc, encoded by caufc and by two simple rivals."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import click

from ..bench.features import Subject
from ..bench.measure import (
    Row,
    warm_up,
)
from ..bench.methods import (
    Contest,
    Setting,
)
from ..bench.report import rows_table
from ..bench.tensor_facts import (
    rival_plans,
    tensor_facts,
)
from ..errors import StorageError
from ..evaluate.rivals import find_rivals
from ..features import read
from .options import (
    example,
    json_option,
)
from .report import (
    as_json_text,
    count,
    short_size,
)

__all__ = ["command"]

SETTINGS = (
    Setting("caufc low", {"quality": "low"}),
    Setting("caufc medium", {"quality": "medium"}),
    Setting("caufc high", {"quality": "high"}),
    Setting("caufc lossless", {"lossless": True}),
)

RIVALS = ("fp16", "int8")
ZSTD_LEVEL = 3
"""zstd's own default."""

REPEATS = 3
"""The fastest of so many runs counts: the features are small."""


@dataclass(frozen=True)
class DemoFile:
    """Features that ship with caufc.

    Args:
        name: in ``caufc/data/demo``.
        what: where they come from.
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

    Size in bytes, BPFP (bits a value), SNR, and speed in MB of fp32 a second, the fastest of three runs.
    """
    found: list[dict[str, Any]] = []
    warm_up()
    for file in FILES:
        with resources.as_file(resources.files("caufc") / "data" / "demo" / file.name) as path:
            subject = _read(file, path)
        rows = _rows(subject)
        numel = subject.numel
        if as_json:
            data = [row.to_json() for row in rows]
            found.append({"file": file.name, "features": file.what, "numel": numel, "rows": data})
            continue
        click.echo(
            f"{file.name}: {file.what}; {count(subject.source.samples, 'sample')}, {numel:,} values, "
            f"{short_size(subject.bytes_in)} as fp32"
        )
        click.echo(rows_table(rows) + "\n")
    if as_json:
        click.echo(as_json_text({"files": found}))
    else:
        click.echo("Everything that came back has the structure, names, shapes and dtypes of what went in.")


def _read(file: DemoFile, path: Path) -> Subject:
    """The features as numpy arrays: the demo needs no torch."""
    try:
        arrays = {name: leaf.read() for name, leaf in read(path).items()}
        return Subject.load([arrays[name] for name in sorted(arrays)] if file.listed else arrays, {})
    except StorageError as err:
        err.remedy = "install caufc again: its demo features are missing"
        raise


def _rows(subject: Subject) -> list[Row]:
    contest = Contest(subject, REPEATS)
    ours = [contest.codec(setting, {}) for setting in SETTINGS]
    plans = rival_plans(subject, tensor_facts(subject, {}, [report for _, report in ours]))
    return [*(row for row, _ in ours), *(contest.rival(r, plans) for r in find_rivals(RIVALS, ZSTD_LEVEL))]


command = demo
