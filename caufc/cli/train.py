"""``caufc train``: weights for the learned codec."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..bench.features import LoadedFeatures
from ..coders.side_files import content_id
from ..errors import CaufError, InputError, OptionError
from ..features import atomic_output, read
from ..options import layouts_for_structure
from ..output_names import check_output, plugin_formats
from .options import (
    align_option,
    arch_option,
    by_tensor,
    example,
    force_option,
    input_format_option,
    json_option,
    layout_option,
    quiet_option,
    tap_option,
)
from .progress import Bar
from .report import as_json_text
from .streams import input_file, tell

if TYPE_CHECKING:
    from ..train.model import ModelShape
    from ..train.planes import Plane
    from ..train.trainer import Trainer

__all__ = ["command"]

SUFFIX, CHECKPOINT_SUFFIX = ".caufw", ".checkpoint"


@click.command(
    "train",
    **example(
        "caufc train resnet/*.npy vit/*.npy -o both.caufw",
        "caufc train maps.npy -o maps.caufw --steps 20000 --device cuda --log maps.jsonl",
        "caufc encode more.npy --codec hyperprior --weights both.caufw -o more.cauf",
    ),
)
@click.argument("sources", metavar="FEATS...", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="OUT", help="The weights, a .caufw file.")
@arch_option
@tap_option
@layout_option
@align_option
@click.option(
    "--truncate", "truncates", multiple=True, metavar="[T=]LO,HI", help="Range of values, [0, 1] to the codec."
)
@click.option("--steps", type=click.IntRange(1), default=8000, show_default=True, metavar="N", help="Of the optimiser.")
@click.option("--batch", type=click.IntRange(1), default=5, show_default=True, metavar="N", help="Crops a step.")
@click.option(
    "--lambdas",
    default="0.002,0.008,0.03,0.12,0.5",
    show_default=True,
    metavar="L,L,...",
    help="One rate each, ascending: what a squared error of values in [0, 255] weighs against bits.",
)
@click.option(
    "--width", type=click.IntRange(1, 512), default=48, show_default=True, metavar="N", help="Inner channels."
)
@click.option("--latents", type=click.IntRange(1, 512), default=256, show_default=True, metavar="M", help="Of a block.")
@click.option("--plain", is_flag=True, help="Without linear transforms beside the deep ones, as in the paper.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of weights, crops and noise.")
@click.option("--device", default="cpu", show_default=True, metavar="cpu|cuda|...", help="Where to train.")
@click.option("--samples", type=click.IntRange(2), metavar="N", help="Train on the first N samples of each file only.")
@click.option("--log", metavar="FILE", help="Write losses to, one JSON object a line.")
@input_format_option
@json_option
@force_option
@quiet_option
def train(
    sources: tuple[str, ...],
    output: str,
    arch: str | None,
    taps: tuple[str, ...],
    layouts: tuple[str, ...],
    aligns: tuple[str, ...],
    truncates: tuple[str, ...],
    steps: int,
    batch: int,
    lambdas: str,
    width: int,
    latents: int,
    plain: bool,
    seed: int,
    device: str,
    samples: int | None,
    log: str | None,
    suffix: str | None,
    as_json: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Train weights for --codec hyperprior on features of one or several architectures.

    One model serves all rates. A checkpoint stands beside OUT while it trains: the same command goes on where it was
    stopped. Training needs compressai (pip install 'caufc[train]'); encoding and decoding do not.
    """
    started = time.perf_counter()
    if not output.endswith(SUFFIX):
        raise OptionError(f"'{output}' is no name of weights", remedy=f"end it in {SUFFIX}")
    rates = _lambdas(lambdas)
    check_output(output, sources, force)
    if log is not None:
        check_output(log, (output, *sources), True)
    _need_compressai()
    from ..train.model import ModelShape
    from ..train.trainer import Schedule, Trainer

    options = by_tensor(taps, layouts, aligns, truncates)
    shape = ModelShape(width, latents, rates, not plain)
    planes = [plane for source in sources for plane in _planes(source, suffix, samples, {**options, "arch": arch})]
    trainer = Trainer(planes, shape, Schedule(steps, batch, seed), _device(device))
    checkpoint = Path(output + CHECKPOINT_SUFFIX)
    if checkpoint.exists():
        trainer.resume(checkpoint)
    _run(trainer, checkpoint, quiet)
    data = _export(trainer, planes, sources)
    with atomic_output(Path(output), force) as file:
        file.write(data)
    if log is not None:
        with atomic_output(Path(log), True) as file:
            file.write("".join(json.dumps(entry) + "\n" for entry in trainer.curve).encode())
    checkpoint.unlink(missing_ok=True)
    if not quiet:
        _report(output, data, trainer, shape, time.perf_counter() - started, as_json)


def _need_compressai() -> None:
    try:
        import compressai  # noqa: F401 - it must only be there
    except ImportError as err:
        raise InputError("training needs compressai", remedy="pip install 'caufc[train]'") from err


def _lambdas(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or len(found) > 64 or list(found) != sorted(set(found)) or not 0 < found[0] <= found[-1] < 1e6:
        raise OptionError(f"lambdas '{text}'", remedy="up to 64 numbers above 0, ascending: 0.01,0.1")
    return found


def _device(name: str) -> str:
    """A device that is there.

    Raises:
        OptionError: if it is not.
    """
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as err:
        raise OptionError(f"device '{name}' cannot be used", remedy="use --device cpu") from err
    return name


def _planes(source: str, suffix: str | None, samples: int | None, options: dict[str, Any]) -> list[Plane]:
    from ..train.planes import aligned_planes

    layouts = layouts_for_structure(options["layout"])
    with input_file(source, suffix) as path:
        form = path.suffix if source == "-" or suffix is None else suffix
        features = LoadedFeatures.load(read(path, form, plugin_formats(form)), layouts, samples).features
        try:
            return aligned_planes(source, features, **options)
        except CaufError as err:
            raise err.locate(file=source) from err.__cause__


def _run(trainer: Trainer, checkpoint: Path, quiet: bool) -> None:
    first = trainer.step
    with Bar("train", quiet=quiet) as bar:

        def progress(what: str, done: int, total: int, /) -> None:
            bar.progress(what, done - first, total - first)

        trainer.train(checkpoint, progress)


def _export(trainer: Trainer, planes: list[Plane], sources: tuple[str, ...]) -> bytes:
    from ..train.export import export_weights

    name = ", ".join(Path(source).name for source in sources)
    return export_weights(trainer.model, planes, name[:4096])


def _report(output: str, data: bytes, trainer: Trainer, shape: ModelShape, seconds: float, as_json: bool) -> None:
    name, last = content_id(data).hex(), trainer.curve[-1] if trainer.curve else {}
    if as_json:
        facts = {"weights": output, "id": name, "bytes": len(data), "steps": trainer.step, "rates": len(shape.lambdas)}
        click.echo(as_json_text({**facts, "last": last, "seconds": seconds}))
        return
    rates = f", {last['bpfp'][0]:.2f} to {last['bpfp'][-1]:.2f} BPFP" if last else ""
    tell(f"{output}: {len(data):,} bytes, id {name}, {trainer.step:,} steps{rates}, in {seconds:.1f} s")


command = train
