"""``caufc encode``: feature files in, ``.cauf`` out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..errors import CaufError, OptionError
from ..options import check_options
from ..output_names import with_suffix
from .batch import Batch, run_job
from .failure import say
from .jobs import EncodeJob, Outcome
from .options import (
    align_option,
    arch_option,
    by_tensor,
    chunk_option,
    codec_option,
    control_options,
    effort_option,
    encode_profile_option,
    example,
    force_option,
    input_format_option,
    json_option,
    keyed_option,
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
from .output_paths import is_folder, is_many
from .report import as_json_text, encode_text
from .streams import tell

__all__ = ["command"]


@click.command(
    "encode",
    **example(
        "caufc encode feats.pt                            # medium quality, to feats.cauf",
        "caufc encode feats.pt -o x.cauf --bpfp 0.5 --arch timm/resnet50 --tap layer4",
        "caufc encode kv.pt -o kv.cauf --snr 30 --layout keys='b g t d' --layout values='b g t d'",
        "caufc encode ids.npz -o ids.cauf --lossless --json",
        "caufc encode maps.npy --codec hyperprior --bpfp 1 -o maps.cauf",
        "caufc encode feats/ -o out/                             # out/a.cauf for feats/a.pt",
        "caufc encode list.txt -o out/ --shard 2/8 --jobs 4 --skip-existing",
    ),
)
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="OUT", help="Output file, folder (for several SRC), or -.  [SRC with .cauf]")
@control_options
@arch_option
@tap_option
@layout_option
@align_option
@reads_option
@click.option("--truncate", "truncates", multiple=True, metavar="[T=]LO,HI", help="Clip values to a range first.")
@encode_profile_option
@click.option("--no-embed-profile", is_flag=True, help="Do not copy the profile into the file; decoding then needs it.")
@codec_option
@click.option("--weights", metavar="NAME|FILE", help="Weights of the hyperprior codec.  [universal]")
@click.option("--no-embed-weights", is_flag=True, help="Do not copy weights into the file; decoding then needs them.")
@click.option(
    "--outliers", metavar="keep|clip", help="Values beyond the hyperprior codec's range.  [keep; clip with --truncate]"
)
@chunk_option
@effort_option
@click.option("--index/--no-index", default=None, help="Index for random access.  [if there are several chunks]")
@nonfinite_option
@keyed_option
@meta_option
@click.option("--software", is_flag=True, help="Name caufc and its version in the file.")
@input_format_option
@limits_option
@json_option
@force_option
@quiet_option
@threads_option
@click.option("--shard", metavar="i/n", help="Of several SRC, do only the i-th of n parts.")
@click.option("--skip-existing", is_flag=True, help="Leave outputs alone that exist: goes on where a run was stopped.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Files at a time, each in a process, with one thread unless --threads says otherwise.",
)
def encode(
    sources: tuple[str, ...],
    output: str | None,
    taps: tuple[str, ...],
    layouts: tuple[str, ...],
    aligns: tuple[str, ...],
    reads: tuple[str, ...],
    truncates: tuple[str, ...],
    metas: tuple[str, ...],
    no_embed_profile: bool,
    no_embed_weights: bool,
    suffix: str | None,
    as_json: bool,
    force: bool,
    quiet: bool,
    shard: str | None,
    skip_existing: bool,
    jobs: int,
    **rest: Any,
) -> int:
    """Encode features to .cauf files.

    SRC is a .pt, .npy, .npz, .safetensors, .h5 or .parquet file, or - for stdin. Several SRC, a folder, a pattern in
    quotes, or a .txt list with one path a line, are encoded one by one: a failure is reported and the others go on.
    Options with [T=] hold for all tensors, or for tensor T, and can be repeated.
    """
    try:
        options = {
            **rest,
            **by_tensor(taps, layouts, aligns, truncates, reads),
            "meta": parse_metas(metas),
            "embed_profile": not no_embed_profile,
            "embed_weights": not no_embed_weights,
        }
        options = check_options(options)
    except CaufError as err:
        raise err.locate(file=sources[0] if len(sources) == 1 else None) from err.__cause__
    if force and skip_existing:
        raise OptionError("--force and --skip-existing contradict each other", remedy="give one")
    job = EncodeJob(sources[0], output or "", suffix, force, options)
    many = len(sources) > 1 or is_many(sources[0]) or is_folder(output)
    if many:
        if jobs > 1 and options["threads"] is None:  # processes are enough
            job = replace(job, options={**options, "threads": 1})
        return Batch(sources, output, job, shard, skip_existing, jobs, as_json, quiet).run()
    if shard is not None:
        raise OptionError("there is one input, and no list", file=sources[0], remedy="leave --shard out")
    job = replace(job, output=job.output or _default_output(job.source))
    if skip_existing and job.output != "-" and Path(job.output).exists():
        outcome = Outcome(job.source, job.output, "skipped")
    else:
        outcome = run_job(job, quiet=quiet)
    _tell(outcome, as_json, quiet)
    return 0


def _tell(outcome: Outcome, as_json: bool, quiet: bool) -> None:
    to_stderr = outcome.output == "-"
    if as_json:
        click.echo(as_json_text(outcome.to_json()), err=to_stderr)
    elif not quiet:
        tell(encode_text(outcome), to_stderr=to_stderr)
    if not quiet:
        for warning in outcome.report.warnings if outcome.report else ():
            say(f"warning: {outcome.source}: {warning}")


def _default_output(source: str) -> str:
    return "-" if source == "-" else with_suffix(source, ".cauf")


command = encode
