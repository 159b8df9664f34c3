"""``caufc extract --ray``: shards of features, made by the workers of a cluster of Ray."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..arch_ids import arch_warnings
from ..errors import InputError, OptionError, StorageError
from ..packages import needing
from .failure import say

if TYPE_CHECKING:
    from ..integrations.ray import Extraction, Shard

__all__ = ["SIZE", "Sharding", "extract_on_ray", "inputs_of"]

SIZE = 256
"""Inputs a shard, unless it is told."""

IMAGES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Suffixes of the files of a folder that count."""


@dataclass(frozen=True)
class Sharding:
    """What is made of inputs, and where.

    Args:
        address: of the cluster; ``local`` starts one.
        arch: architecture ID.
        taps: names.
        folder: of the shards.
        size: inputs a shard.
        batch_size: inputs that the backbone sees at a time.
        encoding: options of :func:`caufc.encode`.
    """

    address: str
    arch: str
    taps: Sequence[str]
    folder: str
    size: int
    batch_size: int
    encoding: dict[str, Any]


def inputs_of(paths: Sequence[Path]) -> dict[str, str]:
    """Absolute path of each input, by its key: for a file its path as it was given, in a folder that within it.

    Of folders, and folders in them, images count; names that begin with a dot are left out. They come in order.

    Raises:
        StorageError: if no image is in a folder.
        InputError: if two inputs would have one key.
    """
    found: dict[str, str] = {}
    for path in paths:
        names = _images(path) if path.is_dir() else [(path.as_posix(), os.path.abspath(path))]  # noqa: PTH100 - links stay
        if not names:
            known = ", ".join(sorted(IMAGES))
            raise StorageError(
                "no image in this folder", file=str(path), remedy=f"images are {known}; name other files"
            )
        for key, name in names:
            if key in found:
                raise InputError(f"would have the key '{key}', and so would {found[key]}", file=name)
            found[key] = name
    return found


def _images(top: Path) -> list[tuple[str, str]]:
    whole = os.path.abspath(top)  # noqa: PTH100 - links stay
    found = []
    for folder, folders, files in os.walk(whole):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = [name for name in files if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGES]  # noqa: PTH122 - of millions
        inside = folder[len(whole) :].replace(os.sep, "/").lstrip("/")
        found += [(f"{inside}/{name}" if inside else name, f"{folder}{os.sep}{name}") for name in sorted(names)]
    return found


def extract_on_ray(
    paths: Sequence[Path], sharding: Sharding, workers: int | None, worker_gpus: float, *, as_json: bool, quiet: bool
) -> int:
    """Make the shards that are missing; returns the exit code, which is that of inputs that were left out.

    Raises:
        MissingPackageError: if Ray is not installed.
        CaufError: for what ends the run; shards that are done stay.
    """
    started = time.perf_counter()
    if Path(sharding.address).exists():
        raise OptionError(f"--ray {sharding.address} is a path", remedy="give --ray last, or --ray=HOST:PORT")
    with needing("'caufc[ray]'", "caufc extract --ray"):
        from ..integrations.ray import Extraction, cluster
    inputs = inputs_of(paths)
    extraction = Extraction(
        inputs,
        os.path.abspath(sharding.folder),  # noqa: PTH100 - workers have other working directories
        arch=sharding.arch,
        taps=sharding.taps,
        size=sharding.size,
        batch_size=sharding.batch_size,
        **sharding.encoding,
    )
    done: list[Shard] = []
    missing = extraction.missing()
    hidden = quiet or not sys.stderr.isatty()
    if missing:
        with cluster(sharding.address), click.progressbar(length=len(missing), file=sys.stderr, hidden=hidden) as bar:
            bar.label = "extract"
            for shard in extraction.run(workers=workers, worker_gpus=worker_gpus):
                done.append(shard)
                bar.update(1)
                for line in () if quiet or as_json else shard.failed:
                    say(line)
    _report(extraction, done, sharding, len(inputs), time.perf_counter() - started, as_json=as_json, quiet=quiet)
    return max((shard.exit_code for shard in done), default=0)


def _report(
    extraction: Extraction,
    done: Sequence[Shard],
    sharding: Sharding,
    inputs: int,
    seconds: float,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    failed = [line for shard in done for line in shard.failed]
    samples, size, there = (
        sum(shard.samples for shard in done),
        sum(shard.bytes for shard in done),
        len(extraction) - len(done),
    )
    warnings = list(arch_warnings(sharding.arch))
    if as_json:
        data = {
            **{"arch": sharding.arch, "inputs": inputs, "output": sharding.folder, "shards": len(done)},
            **{"shards_that_were_there": there, "samples": samples, "bytes_out": size, "failed": failed},
            **{"seconds": round(seconds, 3), "warnings": warnings},
        }
        click.echo(json.dumps(data))
    elif not quiet:
        before = f", {there} were there" if there else ""
        left = f", {len(failed)} inputs left out" if failed else ""
        text = f"{samples} samples in {len(done)} shards{before}{left}, {size:,} bytes, {seconds:.1f} s"
        click.echo(f"{inputs} inputs -> {sharding.folder}: {text}", err=True)
        for warning in warnings:
            say(f"warning: {warning}")
