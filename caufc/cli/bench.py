"""``caufc bench``: rate, error and speed on the user's own features, over a sweep of settings and beside rivals."""

from __future__ import annotations

from typing import Any

import click

from ..bench.measure import measure
from ..bench.methods import QUALITIES, encode_settings
from ..errors import CaufError, OptionError, StorageError
from ..evaluate.rivals.base import ZSTD_LEVEL
from ..evaluate.rivals.registry import RIVAL_NAMES, find_rivals
from ..features import read
from ..options import check_options
from ..output_names import plugin_formats
from .failure import say
from .options import (
    align_option,
    arch_option,
    by_tensor,
    chunk_option,
    codec_option,
    encode_profile_option,
    example,
    input_format_option,
    json_option,
    layout_option,
    nonfinite_option,
    reads_option,
    tap_option,
)
from .progress import Bar
from .report import as_json_text
from .streams import input_file

__all__ = ["command"]


@click.command(
    "bench",
    **example(
        "caufc bench feats.npy --samples 64",
        "caufc bench feats.pt --quality 10,medium,90 --rivals fp16,int4,int8 --repeat 5",
        "caufc bench maps.npy --arch timm/resnet50 --tap layer4 --no-rivals --json",
    ),
)
@click.argument("source", metavar="SRC")
@click.option(
    "--quality",
    "qualities",
    default=",".join(map(str, QUALITIES)),
    show_default=True,
    metavar="Q,Q,...",
    help="0 to 100 each.",
)
@click.option(
    "--effort", "efforts", default="default", show_default=True, metavar="NAME,...", help="fast, default, best."
)
@click.option("--lossless/--no-lossless", default=True, show_default=True, help="Also measure coding without loss.")
@click.option("--samples", type=click.IntRange(1), metavar="N", help="Measure the first N samples only.")
@click.option(
    "--repeat",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Run everything N times; the fastest run counts.",
)
@click.option("--rivals", metavar="NAME,...", help=f"Rivals to measure, of {', '.join(RIVAL_NAMES)}.  [all]")
@click.option("--no-rivals", is_flag=True, help="Measure no rivals.")
@click.option(
    "--zstd-level",
    type=click.IntRange(1, 22),
    default=ZSTD_LEVEL,
    show_default=True,
    metavar="N",
    help="Of the rivals' zstd.",
)
@arch_option
@tap_option
@layout_option
@align_option
@reads_option
@encode_profile_option
@codec_option
@chunk_option
@nonfinite_option
@input_format_option
@json_option
@click.option("--quiet", is_flag=True, help="No progress, no warnings.")
def bench(
    source: str,
    qualities: str,
    efforts: str,
    lossless: bool,
    samples: int | None,
    repeat: int,
    rivals: str | None,
    no_rivals: bool,
    zstd_level: int,
    taps: tuple[str, ...],
    layouts: tuple[str, ...],
    aligns: tuple[str, ...],
    reads: tuple[str, ...],
    suffix: str | None,
    as_json: bool,
    quiet: bool,
    **rest: Any,
) -> None:
    """Measure rate, error and speed on features, over a sweep of qualities, beside what is in use today.

    SRC is a .pt, .npy, .npz, .safetensors, .h5 or .parquet file, or - for stdin. It is held in memory: --samples
    takes less of a large one. The rivals are fp16 with zstd, and int-k with zstd: k-bit codes between the minimum and
    the maximum of each channel, whose two fp32 scales are counted. Options with [T=] hold for all tensors, or for
    tensor T, and can be repeated.
    """
    try:
        options = {**rest, **by_tensor(taps, layouts, aligns, reads=reads)}
        sweep: dict[str, Any] = {"qualities": qualities.split(","), "efforts": efforts.split(","), "lossless": lossless}
        for setting in encode_settings(**sweep):
            check_options({**options, **setting.options})
        names = _rival_names(rivals, no_rivals)
        find_rivals(names, zstd_level)
    except CaufError as err:
        raise err.locate(file=source) from err.__cause__
    try:
        with input_file(source, suffix) as path:
            form = path.suffix if source == "-" or suffix is None else suffix
            features = read(path, form, plugin_formats(form))
            with Bar("bench", quiet=quiet) as bar:
                report = measure(
                    features,
                    **sweep,
                    rivals=names,
                    zstd_level=zstd_level,
                    samples=samples,
                    repeat=repeat,
                    name=source,
                    progress=bar.progress,
                    **options,
                )
    except MemoryError as err:
        raise StorageError("not enough memory", file=source, remedy="measure less of it with --samples N") from err
    click.echo(as_json_text(report.to_json()) if as_json else report.text())
    if not quiet:
        for warning in report.warnings:
            say(f"warning: {source}: {warning}")


def _rival_names(names: str | None, none: bool) -> tuple[str, ...]:
    if none and names is not None:
        raise OptionError("--rivals and --no-rivals contradict each other", remedy="give one")
    if none:
        return ()
    return RIVAL_NAMES if names is None else tuple(name.strip() for name in names.split(","))


command = bench
