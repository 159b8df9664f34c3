"""``caufc bench``: rate, error and speed on the user's own features, over a sweep of settings and beside rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    settings,
)
from ..bench.report import (
    BenchReport,
    bench_text,
)
from ..bench.tensor_facts import (
    TensorFacts,
    rival_plans,
    tensor_facts,
)
from ..errors import (
    CaufError,
    OptionError,
    StorageError,
)
from ..evaluate.rivals import (
    RIVALS,
    Rival,
    TensorPlan,
    find_rivals,
)
from ..features import read
from ..options import check_options, layouts_for_structure
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
from .report import (
    SHOWN_TENSORS,
    as_json_text,
    count,
    shown,
)
from .streams import input_file

__all__ = ["command"]

QUALITIES = "20,35,50,65,80"


@click.command(
    "bench",
    **example(
        "caufc bench feats.npy --samples 64",
        "caufc bench feats.pt --quality 10,medium,90 --rivals fp16,int4,int8 --repeat 5",
        "caufc bench maps.npy --arch timm/resnet50 --tap layer4 --no-rivals --json",
    ),
)
@click.argument("source", metavar="SRC")
@click.option("--quality", "qualities", default=QUALITIES, show_default=True, metavar="Q,Q,...", help="0 to 100 each.")
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
@click.option("--rivals", metavar="NAME,...", help=f"Rivals to measure, of {', '.join(RIVALS)}.  [all]")
@click.option("--no-rivals", is_flag=True, help="Measure no rivals.")
@click.option(
    "--zstd-level", type=click.IntRange(1, 22), default=19, show_default=True, metavar="N", help="Of the rivals' zstd."
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

    SRC is a .pt, .npy, .npz or .safetensors file, or - for stdin. It is held in memory: --samples takes less of a
    large one. The rivals are fp16 with zstd, and int-k with zstd: k-bit codes between the minimum and the maximum of
    each channel, whose two fp32 scales are counted. Options with [T=] hold for all tensors, or for tensor T, and can
    be repeated.
    """
    try:
        common = {**rest, **by_tensor(taps, layouts, aligns, reads=reads)}
        sweep = settings(qualities, efforts, lossless=lossless)
        for setting in sweep:
            check_options({**common, **setting.options})
        against = _rivals(rivals, no_rivals, zstd_level)
    except CaufError as err:
        raise err.locate(file=source) from err.__cause__
    try:
        with input_file(source, suffix) as path:
            form = path.suffix if source == "-" or suffix is None else suffix
            features = read(path, form, plugin_formats(form))
            subject = Subject.load(features, layouts_for_structure(common["layout"]), samples)
            report = _measure(source, subject, sweep, common, against, repeat, quiet)
    except MemoryError as err:
        raise StorageError("not enough memory", file=source, remedy="measure less of it with --samples N") from err
    click.echo(as_json_text(report.to_json()) if as_json else bench_text(report))
    if not quiet:
        for warning in report.warnings:
            say(f"warning: {source}: {warning}")


def _rivals(names: str | None, none: bool, level: int) -> Sequence[tuple[Rival, ...]]:
    if none and names is not None:
        raise OptionError("--rivals and --no-rivals contradict each other", remedy="give one")
    if none:
        return []
    return find_rivals(RIVALS if names is None else [name.strip() for name in names.split(",")], level)


def _measure(
    file: str,
    subject: Subject,
    sweep: Sequence[Setting],
    common: Mapping[str, Any],
    against: Sequence[tuple[Rival, ...]],
    repeat: int,
    quiet: bool,
) -> BenchReport:
    rows: list[Row] = []
    with Bar("bench", quiet=quiet) as bar:

        def told(name: str) -> None:
            bar.label = name
            bar.update(len(rows) / (len(sweep) + len(against)))

        contest = Contest(subject, repeat, told)
        warm_up()
        reports = []
        for setting in sweep:
            row, report = contest.codec(setting, common)
            rows.append(row)
            reports.append(report)
        facts = tensor_facts(subject, common, reports)
        plans = rival_plans(subject, facts)
        notes = [*_run_rivals(contest, against, plans, rows), *_kept(facts, plans, against)]
    return BenchReport(
        file=file,
        samples=subject.source.samples,
        samples_in_file=subject.available,
        numel=subject.numel,
        bytes_in=subject.bytes_in,
        dtype=subject.dtype,
        tensors=tuple(facts),
        repeat=repeat,
        rows=tuple(rows),
        notes=tuple(notes),
        warnings=tuple(dict.fromkeys(warning for report in reports for warning in report.warnings)),
    )


def _run_rivals(
    contest: Contest, against: Sequence[tuple[Rival, ...]], plans: Sequence[TensorPlan], rows: list[Row]
) -> list[str]:
    """Add a row for each rival that takes the features; returns a sentence for each that does not."""
    left_out: dict[str, list[str]] = {}
    for variants in against:
        refusal = contest.refusal(variants[0], plans)
        if refusal is None:
            rows.append(contest.rival(variants, plans))
        else:
            left_out.setdefault(refusal, []).append(variants[0].kind)
    return [f"Left out: {', '.join(kinds)}; {refusal}." for refusal, kinds in left_out.items()]


def _kept(facts: Sequence[TensorFacts], plans: Sequence[TensorPlan], against: Sequence[object]) -> list[str]:
    """A sentence on tensors that rivals keep as they are, where others are left to them."""
    kept = [f"'{shown(f.name)}' ({f.dtype})" for f, p in zip(facts, plans, strict=True) if p.channels is None]
    if not against or not kept or len(kept) == len(plans):
        return []
    more = f" and {count(len(kept) - SHOWN_TENSORS, 'more tensor')}" if len(kept) > SHOWN_TENSORS else ""
    return [f"Kept as they are by rivals, with zstd: {', '.join(kept[:SHOWN_TENSORS])}{more}."]


command = bench
