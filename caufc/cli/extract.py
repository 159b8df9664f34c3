"""``caufc extract``: runs a backbone over files and writes the features of its taps."""

from __future__ import annotations

import json
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click

from ..arch_ids import arch_warnings
from ..descriptors import FeatureFormat, Runtime, Tap, normal_suffix
from ..encoder.source import SourceTensor
from ..errors import InputError, OptionError, StorageError, UnknownNameError
from ..features import Writer, known_suffixes, open_writer, to_source
from ..features.formats import check_holds, find_format, holds
from ..features.leaf import storing
from ..output_names import check_output, plugin_formats
from ..plugin_manager import default_manager
from ..types import AnyArray, Branch, Framework, Structure, Tree
from .extract_ray import SIZE, Sharding, extract_on_ray
from .failure import say
from .json_flag import json_flag
from .options import example
from .streams import binary_stdout

__all__ = ["command"]


@click.command(
    "extract",
    **example(
        "caufc extract photos/*.jpg --arch timm/resnet50 --tap layer4 -o maps.safetensors",
        "caufc extract a.txt b.txt --arch hf/sentence-transformers/all-MiniLM-L6-v2 --tap hidden3 -o hidden.pt",
        "caufc extract a.jpg --arch 'timm/resnet18?pretrained=false' --tap layer1 --tap layer2 -o two.pt",
        "caufc extract photos/ --arch timm/vit_small_patch16_224 --tap block8 --snr 30 -o shards/ --ray",
    ),
)
@click.argument("inputs", metavar="FILES...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--arch", required=True, metavar="ID", help="Architecture, as in timm/resnet50; see 'caufc plugins'.")
@click.option("--tap", "taps", multiple=True, metavar="NAME", help="Where to take features; repeatable.")
@click.option(
    "-o", "--output", required=True, metavar="OUT", help="Feature file (.pt, .safetensors, .npy, .npz), or -; a folder."
)
@click.option("--format", "suffix", metavar="SUFFIX", help="Format of the output, if its name does not tell.")
@click.option("--batch-size", type=click.IntRange(min=1), default=16, show_default=True, help="Files at a time.")
@click.option(
    "--ray",
    "address",
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="Run on a cluster of Ray, or a local one: shards of FILES, and of images in folders, into the folder OUT.",
)
@click.option("--workers", type=click.IntRange(1), metavar="N", help="With --ray: processes.  [as many as fit]")
@click.option("--worker-gpus", type=click.FloatRange(0), default=0, metavar="N", help="With --ray: GPUs of each.  [0]")
@click.option("--shard-size", type=click.IntRange(1), metavar="N", help="With --ray: files a shard.  [256]")
@click.option("--quality", metavar="Q", help="With --ray: 0 to 100, or low, medium (the default), high.")
@click.option("--snr", metavar="DB[/token]", help="With --ray: SNR of every tensor, or of every token.")
@click.option("--lossless", is_flag=True, help="With --ray: keep every bit.")
@click.option("--profile", metavar="NAME|FILE", help="With --ray: profile with what options leave open.")
@click.option("-f", "--force", is_flag=True, help="Replace the output if it exists.")
@json_flag("Print the report as one JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No progress, no report.")
def extract(
    inputs: tuple[Path, ...],
    arch: str,
    taps: tuple[str, ...],
    output: str,
    suffix: str | None,
    batch_size: int,
    address: str | None,
    workers: int | None,
    worker_gpus: float,
    shard_size: int | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **encoding: Any,
) -> int:
    """Run a backbone over images, texts or sounds and write the features of its taps.

    One tap is written as a lone tensor where the format has such; otherwise tensors have the names of their taps.
    '--arch timm/resnet18?pretrained=false' takes random weights, the same each time ('&seed=1' takes others),
    '?checkpoint=PATH' those of a file.

    With --ray, OUT is a folder of shards, samples have their paths as keys, and a run that was stopped goes on where
    it was.
    """
    started = time.perf_counter()
    _check_inputs(inputs, folders=address is not None)
    manager = default_manager()
    if not taps:
        known = ", ".join(tap.name for tap in manager.taps(arch)[:12])
        raise OptionError("no tap is given", remedy=f"give --tap NAME; '{arch}' has {known}, ...")
    chosen = [manager.find_tap(arch, name) for name in dict.fromkeys(taps)]
    if address is not None:
        if suffix is not None or force:
            raise OptionError("--format and --force are not for --ray, which makes new .cauf files")
        sharding = Sharding(
            address, arch, [tap.name for tap in chosen], output, shard_size or SIZE, batch_size, encoding
        )
        return extract_on_ray(inputs, sharding, workers, worker_gpus, as_json=as_json, quiet=quiet)
    _check_no_ray(workers=workers, worker_gpus=worker_gpus, shard_size=shard_size, **encoding)
    formats = plugin_formats(suffix or Path(output).suffix)
    sink = _Sink(output, suffix, [tap.name for tap in chosen], len(inputs), formats, force)
    runtime = manager.runtime(arch)
    try:
        for start, batch in _progress(inputs, batch_size, quiet):
            sink.add(start, _features(runtime, batch, chosen, arch))
        sink.close()
    except BaseException:
        sink.abort()
        raise
    for warning in () if quiet or as_json else arch_warnings(arch):
        say(f"warning: {warning}")
    _report(sink, arch, output, time.perf_counter() - started, as_json, quiet)
    return 0


def _check_no_ray(**given: Any) -> None:
    """
    Raises:
        OptionError: for options that only --ray has.
    """
    for name, value in given.items():
        if value:
            raise OptionError(
                f"--{name.replace('_', '-')} is for --ray", remedy="give --ray, or encode what is written"
            )


def _check_inputs(inputs: tuple[Path, ...], *, folders: bool) -> None:
    """Look whether the inputs are there, before a backbone is loaded for them.

    Raises:
        StorageError: if one is missing, or a folder where these do not count.
    """
    for path in inputs:
        with storing(str(path)):
            if stat.S_ISDIR(path.stat().st_mode) and not folders:
                raise StorageError("is a directory", file=str(path), remedy="name the files in it, or give --ray")


def _progress(inputs: tuple[Path, ...], size: int, quiet: bool) -> Iterator[tuple[int, list[Path]]]:
    hidden = quiet or not sys.stderr.isatty()
    with click.progressbar(length=len(inputs), label="extract", file=sys.stderr, hidden=hidden) as bar:
        for start in range(0, len(inputs), size):
            batch = list(inputs[start : start + size])
            yield start, batch
            bar.update(len(batch))


def _features(runtime: Runtime, batch: list[Path], taps: list[Tap], arch: str) -> dict[str, Any]:
    features = runtime.extract(runtime.prepare(batch), [tap.name for tap in taps])
    for tap in taps:
        shape = list(getattr(features[tap.name], "shape", ()))
        if shape[:1] != [len(batch)]:
            raise InputError(f"'{arch}' gave the shape {shape} for tap '{tap.name}' and {len(batch)} inputs")
    return {tap.name: features[tap.name] for tap in taps}


@dataclass
class _Sink:
    """The output: written as features come where the format allows, else when all are there.

    Args:
        output: a path, or ``-`` for stdout.
        suffix: the format, if the path does not tell.
        taps: names of the tensors.
        samples: number of inputs.
        formats: plugins' formats.
        force: replace an existing file.
    """

    output: str
    suffix: str | None
    taps: list[str]
    samples: int
    formats: list[FeatureFormat]
    force: bool
    shapes: list[tuple[int, ...] | None] = field(default_factory=list)
    dtypes: list[str] = field(default_factory=list)
    _frameworks: list[Framework] = field(default_factory=list)
    _kept: list[list[AnyArray]] = field(default_factory=list)
    _writer: Writer | None = None
    _stdout: BinaryIO | None = None
    _format: FeatureFormat = field(init=False)

    def __post_init__(self) -> None:
        if self.output == "-" and self.suffix is None:
            raise OptionError("stdout has no suffix that tells the format", remedy="give --format .npy")
        self._stdout = binary_stdout("a feature file") if self.output == "-" else None
        self.suffix = normal_suffix(self.suffix or Path(self.output).suffix)
        known = known_suffixes(self.formats)
        if self.suffix not in known:
            raise UnknownNameError("format", self.suffix, known, file=self.output)
        self._format = find_format(self.suffix, self.formats)
        check_holds(self._format, self._structure(), self.taps, ["fp32"] * len(self.taps))
        check_output(self.output, (), self.force)

    def add(self, start: int, features: dict[str, Any]) -> None:
        """The next batch, by tap."""
        tensors = to_source(features).tensors
        blocks = [_block(tensor) for tensor in tensors]
        shapes = [block.shape[1:] for block in blocks]
        if not self.shapes:
            self.shapes = [*shapes]
            self.dtypes = [tensor.dtype for tensor in tensors]
            self._frameworks = [tensor.framework for tensor in tensors]
        for number, (tap, shape) in enumerate(zip(self.taps, shapes, strict=True)):
            if shape != self.shapes[number]:
                if not self._holds(Structure("list", self._tree())):
                    raise InputError(
                        f"features of input {start + 1} have the shape {list(shape)}, those before them another",
                        tensor=tap,
                        remedy="write .pt, which holds samples of different shapes",
                    )
                self.shapes[number] = None
        if self._format.plan is None:
            self._kept.append(blocks)
            return
        self._writer = self._writer or self._open()
        for number, block in enumerate(blocks):
            self._writer.put(number, start, block)

    def close(self) -> None:
        """Make the file whole."""
        if self._writer is None:
            self._writer = self._open()
            start = 0
            for blocks in self._kept:
                for number, block in enumerate(blocks):
                    self._writer.put(number, start, list(block) if self._ragged else block)
                start += len(blocks[0])
        self._writer.close()

    def abort(self) -> None:
        """Leave no file."""
        if self._writer is not None:
            self._writer.abort()

    @property
    def _ragged(self) -> bool:
        return None in self.shapes

    def _structure(self) -> Structure:
        """A batch, or a list of samples if they are ragged."""
        return Structure("list" if self._ragged else "batch", self._tree())

    def _tree(self) -> Tree:
        """A lone tensor for one tap where the format has such, else a dict."""
        lone = len(self.taps) == 1 and self._holds(Structure("batch", 0))
        return 0 if lone else Branch("dict", tuple(self.taps), tuple(range(len(self.taps))))

    def _holds(self, structure: Structure) -> bool:
        return holds(self._format, structure, self.taps, ["fp32"] * len(self.taps))

    def _open(self) -> Writer:
        return open_writer(
            None if self._stdout is not None else Path(self.output),
            self._stdout,
            str(self.suffix),
            self._structure(),
            self.taps,
            self.dtypes,
            self._frameworks,
            self.shapes,
            self.samples,
            self.formats,
            force=self.force,
        )


def _block(tensor: SourceTensor) -> AnyArray:
    return tensor.leaves[0].read()


def _report(sink: _Sink, arch: str, output: str, seconds: float, as_json: bool, quiet: bool) -> None:
    shapes = [None if shape is None else [sink.samples, *shape] for shape in sink.shapes]
    rows = list(zip(sink.taps, shapes, sink.dtypes, strict=True))
    if as_json:
        taps = {tap: {"shape": shape, "dtype": dtype} for tap, shape, dtype in rows}
        data = {"arch": arch, "inputs": sink.samples, "output": output, "taps": taps, "seconds": round(seconds, 3)}
        data["warnings"] = list(arch_warnings(arch))
        click.echo(json.dumps(data), err=output == "-")
    elif not quiet:
        text = ", ".join(f"{tap} {'ragged' if shape is None else shape} {dtype}" for tap, shape, dtype in rows)
        click.echo(f"{sink.samples} inputs -> {output}: {text}, {seconds:.1f} s", err=True)


command = extract
