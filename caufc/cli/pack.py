"""``caufc pack``: many feature files in one .cauf file, by name."""

from __future__ import annotations

from typing import Any

import click

from ..errors import CaufError
from ..options import check_options
from ..packing import pack_files, packed_names
from .failure import say
from .jobs import Outcome
from .options import (
    align_option,
    arch_option,
    by_tensor,
    chunk_option,
    control_options,
    effort_option,
    encode_profile_option,
    example,
    force_option,
    input_format_option,
    json_option,
    layout_option,
    limits_option,
    meta_option,
    nonfinite_option,
    parse_metas,
    quiet_option,
    reads_option,
    tap_option,
    threads_option,
)
from .progress import EncodeBar
from .report import as_json_text, encode_text
from .streams import binary_stdout, tell

__all__ = ["command"]


@click.command(
    "pack",
    **example(
        "caufc pack embeddings/ -o embeddings.cauf           # embeddings/P0001.pt becomes sample P0001",
        "caufc pack feats/ -o feats.cauf --format npy --snr 30 --layout 'n c'",
    ),
)
@click.argument("folder", metavar="DIR")
@click.option("-o", "--output", metavar="OUT", required=True, help="Output file, or -.")
@control_options
@arch_option
@tap_option
@layout_option
@align_option
@reads_option
@encode_profile_option
@chunk_option
@effort_option
@nonfinite_option
@meta_option
@input_format_option
@limits_option
@threads_option
@force_option
@quiet_option
@json_option
def pack(
    folder: str,
    output: str,
    taps: tuple[str, ...],
    layouts: tuple[str, ...],
    aligns: tuple[str, ...],
    reads: tuple[str, ...],
    metas: tuple[str, ...],
    suffix: str | None,
    force: bool,
    quiet: bool,
    as_json: bool,
    **rest: Any,
) -> int:
    """Encode the feature files of a folder, and of those in it, as samples of one .cauf file.

    A sample's key is the file's path within DIR, without suffix. Files are alike: the same tensors, of any length.
    caufc unpack makes the files again; caufc.open in Python reads samples by key.
    """
    options = {**rest, **by_tensor(taps, layouts, aligns, (), reads), "meta": parse_metas(metas)}
    try:
        options = check_options(options)
    except CaufError as err:
        raise err.locate(file=folder) from err.__cause__
    files = packed_names(folder, suffix)
    stdout = binary_stdout("a .cauf file") if output == "-" else None
    with EncodeBar(quiet=quiet) as progress:
        report = pack_files(
            files, output if stdout is None else stdout, format=suffix, force=force, progress=progress, **options
        )
    outcome = Outcome(folder, output, "done", report)
    if as_json:
        click.echo(as_json_text(outcome.to_json()), err=output == "-")
    elif not quiet:
        tell(encode_text(outcome, "caufc unpack makes files of them again"), to_stderr=output == "-")
    for warning in () if quiet else report.warnings:
        say(f"warning: {folder}: {warning}")
    return 0


command = pack
