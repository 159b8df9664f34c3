"""``caufc fit``: profiles from samples of features."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..arch_ids import arch_warnings
from ..bench.features import LoadedFeatures
from ..coders.side_files import content_id, read_profile
from ..encoder.source import Source, SourceTensor
from ..errors import CaufError, OptionError
from ..features import atomic_output, read, to_source
from ..fit.cost import FitCost
from ..fit.network_tail import Resume
from ..fit.profile import fit_profile
from ..layouts import Layout
from ..limits import DEFAULT_LIMITS
from ..options import layouts_for_structure
from ..output_names import check_output, plugin_formats
from ..plugin_manager import default_manager
from ..text import SHOWN_TENSORS, count, shown
from .failure import say
from .joined import check_channels, joined
from .options import (
    align_option,
    arch_option,
    by_tensor,
    example,
    force_option,
    input_format_option,
    json_option,
    layout_option,
    nonfinite_option,
    quiet_option,
    reads_option,
    tap_option,
)
from .progress import Bar
from .report import as_json_text
from .streams import input_file, tell

__all__ = ["command"]


@click.command(
    "fit",
    **example(
        "caufc fit hidden-*.pt --arch hf/sentence-transformers/all-MiniLM-L6-v2 --tap hidden3 -o hidden3.caufp",
        "caufc fit maps.npy --arch timm/resnet50 --tap layer3 --sensitivity -o layer3.caufp",
        "caufc encode more.npy --profile layer3.caufp -o more.cauf",
    ),
)
@click.argument("sources", metavar="FEATS...", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="OUT", help="The profile, a .caufp file.")
@arch_option
@tap_option
@layout_option
@align_option
@reads_option
@click.option("--sensitivity", is_flag=True, help="Task-aware: gradients through the rest of --arch behind --tap.")
@click.option(
    "--outputs",
    type=click.Choice(["auto", "logits", "values"]),
    default="auto",
    show_default=True,
    help="What the network puts out, with --sensitivity: classes to agree on, or values.",
)
@click.option("--quality", metavar="Q", help="The quality that tables are made for.  [medium]")
@click.option("--samples", type=click.IntRange(2), metavar="N", help="Fit on the first N samples of each file only.")
@nonfinite_option
@input_format_option
@json_option
@force_option
@quiet_option
def fit(
    sources: tuple[str, ...],
    output: str,
    arch: str | None,
    taps: tuple[str, ...],
    layouts: tuple[str, ...],
    aligns: tuple[str, ...],
    reads: tuple[str, ...],
    sensitivity: bool,
    outputs: str,
    quality: str | None,
    samples: int | None,
    nonfinite: str,
    suffix: str | None,
    as_json: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Make a profile from samples of features, for files of more of their kind.

    A profile holds alignment, a basis along channels, steps and tables. Without --sensitivity it is blind: it knows
    statistics only. With it, gradients through the rest of the network tell which directions, frequencies and tokens
    matter, and medium quality becomes the one at which 99.5 % of predictions on such samples are expected to stand.
    """
    started = time.perf_counter()
    if not output.endswith(".caufp"):
        raise OptionError(f"'{output}' is no name of a profile", remedy="end it in .caufp")
    check_output(output, sources, force)
    for warning in () if quiet else arch_warnings(arch):
        say(f"warning: {warning}")
    options = by_tensor(taps, layouts, aligns, reads=reads)
    layouts_known = layouts_for_structure(options["layout"])
    parts = [_read(source, suffix, layouts_known, samples) for source in sources]
    features = joined(parts, sources, layouts_known)
    check_channels(parts, sources, layouts_known, arch=arch, tap=options["tap"], layout=options["layout"])
    del parts
    resume = _resume(arch, taps) if sensitivity else None
    try:
        with Bar("fit", quiet=quiet) as bar:
            data = fit_profile(
                features,
                arch=arch,
                tap=options["tap"],
                layout=options["layout"],
                align=options["align"],
                reads=options["reads"],
                quality=quality,
                nonfinite=nonfinite,
                resume=resume,
                outputs=outputs,
                progress=lambda what, done, total: bar.progress(f"fit: {what}", done, total),
                announce=None if quiet else _announcer(bar),
            )
    except CaufError as err:
        raise err.locate(file=sources[0]) from err.__cause__
    _write(output, data, force)
    if not quiet:
        _report(output, data, to_source(features, layouts_known), time.perf_counter() - started, as_json)


def _read(source: str, suffix: str | None, layouts: dict[str, str], samples: int | None) -> Any:
    with input_file(source, suffix) as path:
        form = path.suffix if source == "-" or suffix is None else suffix
        return LoadedFeatures.load(read(path, form, plugin_formats(form)), layouts, samples).features


def _resume(arch: str | None, taps: tuple[str, ...]) -> Resume:
    """The network behind the tap as a function.

    Raises:
        OptionError: without an architecture and one tap.
    """
    if arch is None or len(taps) != 1:
        raise OptionError("--sensitivity needs the network", remedy="give --arch ID and one --tap NAME")
    manager = default_manager()
    tap = manager.find_tap(arch, taps[0].rpartition("=")[2])
    runtime = manager.runtime(arch)
    return lambda features: runtime.resume(features, tap.name)


def _announcer(bar: Bar) -> Callable[[FitCost], None]:
    """Says what a fit will cost, and has the bar count from then on."""

    def announce(cost: FitCost) -> None:
        bar.clear()
        say(f"fit: {cost.text()}")
        bar.stage("fit")

    return announce


def _write(output: str, data: bytes, force: bool) -> None:
    with atomic_output(Path(output), force) as file:
        file.write(data)


def _report(output: str, data: bytes, source: Source, seconds: float, as_json: bool) -> None:
    header, samples = read_profile(data, DEFAULT_LIMITS).header, source.samples
    records = header.tensors or ()
    layouts = {own.name: _layout(own, record.layout) for own, record in zip(source.tensors, records, strict=True)}
    if as_json:
        facts = {"profile": output, "id": content_id(data).hex(), "bytes": len(data), "samples": samples}
        click.echo(as_json_text({**facts, "arch": header.arch, "layouts": layouts, "seconds": seconds}))
        return
    tell(f"{output}: {len(data):,} bytes, id {content_id(data).hex()}, from {samples:,} samples in {seconds:.1f} s")
    for name, layout in list(layouts.items())[:SHOWN_TENSORS]:
        which = f"tensor '{shown(name)}'" if name else "tensor"
        tell(f"  {which}: {'without loss' if layout is None else f'layout {layout!r}'}")
    if len(layouts) > SHOWN_TENSORS:
        tell(f"  ... and {count(len(layouts) - SHOWN_TENSORS, 'more tensor')}")


def _layout(tensor: SourceTensor, layout: str | None) -> str | None:
    """A layout of samples as an option gives it."""
    return str(Layout(layout).of_batch()) if layout is not None and tensor.stacked else layout


command = fit
