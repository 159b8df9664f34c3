"""``caufc decode``: ``.cauf`` files in, feature files out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..errors import (
    FormatError,
    OptionError,
    UnknownNameError,
)
from ..features import known_suffixes
from ..features.formats import normal_suffix
from ..limits import Limits
from ..packages import is_installed
from .decoding import (
    Decoded,
    DecodeJob,
    decode_file,
)
from .failure import (
    EXPECTED,
    failure,
    say,
)
from .options import (
    example,
    force_option,
    json_option,
    limits_option,
    profile_option,
    quiet_option,
    weights_option,
)
from .output_paths import (
    Entry,
    is_folder,
    make_folder,
    targets,
)
from .report import (
    as_json_text,
    count,
    shown,
    size,
    speed,
)
from .streams import (
    plugin_formats,
    with_suffix,
)

__all__ = ["command"]

TO_STDOUT = ".pt"
"""What stdout gets where no format is named and torch is there."""


@click.command(
    "decode",
    **example(
        "caufc decode feats.cauf                     # to feats.pt, or .npy or .npz if arrays went in",
        "caufc decode feats.cauf -o feats.npz",
        "caufc decode a.cauf b.cauf -o back/ --format safetensors",
        "caufc decode - -o - --format npy < feats.cauf > feats.npy",
    ),
)
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@click.option(
    "-o", "--output", metavar="OUT", help="Output file, folder (for several SRC), or -.  [SRC with its format]"
)
@click.option(
    "--format",
    "suffix",
    metavar="SUFFIX",
    help="Output format: .pt, .npy, .npz, .safetensors.  [that of OUT; .pt for torch tensors, .npy or .npz for arrays]",
)
@profile_option
@weights_option
@limits_option
@click.option("--recover", is_flag=True, help="Of a damaged file, write what is whole; exits 3 if samples are lost.")
@force_option
@quiet_option
@json_option
def decode(
    sources: tuple[str, ...],
    output: str | None,
    suffix: str | None,
    profile: str | None,
    weights: str | None,
    limits: Limits,
    recover: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Decode .cauf files to the features that were encoded.

    Structure, names, shapes, dtypes and the order of samples are those of the input; a format that cannot hold them is
    refused. SRC may be - for stdin.
    """
    given = None if suffix is None else normal_suffix(suffix)
    job = DecodeJob("", "", given, profile, weights, force, limits, recover)
    if len(sources) > 1 or is_folder(output):
        return _decode_many(sources, output, job, quiet, as_json)
    source = sources[0]
    if output is not None or given is not None or source == "-":
        output = output or ("-" if source == "-" else with_suffix(source, str(given)))
        job = replace(job, suffix=_suffix(output, suffix))
    output = output or with_suffix(source, "")
    decoded = decode_file(replace(job, source=source, output=output), quiet=quiet)
    if as_json:
        click.echo(as_json_text(decoded.to_json()), err=output == "-")
    elif not quiet:
        click.echo(_line(decoded), err=output == "-")
    return _tell_lost(decoded)


def _tell_lost(decoded: Decoded) -> int:
    """Say which samples damage took; the exit code."""
    if not decoded.lost:
        return 0
    ranges = [_range(first, stop) for first, stop in decoded.lost]
    kept = f"{count(decoded.samples, 'sample')} written, numbered anew"
    say(f"{shown(decoded.input)}: damaged: lost {', '.join(ranges)}; {kept}")
    return FormatError.exit_code


def _range(first: int, stop: int | None) -> str:
    if stop is None:
        return f"all samples from {first} on"
    return f"sample {first}" if stop == first + 1 else f"samples {first} to {stop - 1}"


def _suffix(output: str, given: str | None) -> str | None:
    """The output's format, known to exist; None for stdout where what is decoded must tell."""
    if given is None and output != "-" and not Path(output).suffix:
        raise OptionError("has no suffix that tells the format", file=output, remedy="give --format .pt")
    if given is None and output == "-" and not is_installed("torch"):
        return None
    found = normal_suffix(given or (TO_STDOUT if output == "-" else Path(output).suffix))
    formats = plugin_formats(found)
    if found not in known_suffixes(formats):
        raise UnknownNameError("format", found, known_suffixes(formats), file=output)
    return found


def _decode_many(
    sources: tuple[str, ...],
    output: str | None,
    job: DecodeJob,
    quiet: bool,
    as_json: bool,
) -> int:
    outputs = targets([Entry(source, source) for source in sources], output, job.suffix or "")
    if job.suffix is not None:
        _suffix(outputs[0], job.suffix)
    files: list[dict[str, Any]] = []
    worst = 0
    for source, target in zip(sources, outputs, strict=True):
        try:
            make_folder(Path(target).parent)
            decoded = decode_file(replace(job, source=source, output=target), quiet=quiet)
        except EXPECTED as err:
            told = failure(err, source)
            say(told.message)
            named = None if job.suffix is None else target
            files.append({"input": source, "output": named, "error": told.message, "exit_code": told.exit_code})
            worst = max(worst, told.exit_code)
            continue
        files.append(decoded.to_json())
        if not quiet and not as_json:
            click.echo(_line(decoded))
        worst = max(worst, _tell_lost(decoded))
    if as_json:
        click.echo(as_json_text({"files": files, "exit_code": worst}))
    return worst


def _line(decoded: Decoded) -> str:
    held = f"{count(decoded.samples, 'sample')} of {count(decoded.tensors, 'tensor')}"
    return (
        f"{shown(decoded.input)} -> {shown(decoded.output)}: {held}, {size(decoded.bytes_in)} -> "
        f"{size(decoded.bytes_out)}, {speed(decoded.bytes_out, decoded.seconds)}"
    )


command = decode
