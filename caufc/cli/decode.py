"""``caufc decode``: ``.cauf`` files in, feature files out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from ..catalog import find_profile, find_weights
from ..coders.side_files import ProfileFile, WeightsFile
from ..descriptors import normal_suffix
from ..errors import FormatError, OptionError, UnknownNameError
from ..features import known_suffixes
from ..files import AUTO, DecodedFile, decode_file
from ..limits import Limits
from ..output_names import check_output, plugin_formats
from .failure import EXPECTED, failure, say
from .options import (
    example,
    force_option,
    json_option,
    limits_option,
    profile_option,
    quiet_option,
    threads_option,
    weights_option,
)
from .output_paths import CONTAINER, expand, is_folder, is_many, made_folder, targets
from .progress import Bar
from .report import as_json_text, count, shown, size, speed
from .streams import binary_stdout, input_file, tell

__all__ = ["command"]


@dataclass(frozen=True)
class DecodeOptions:
    """What is the same for all files of one command line.

    Args:
        profile: that files need.
        weights: that files need.
        force: replace outputs that exist.
        limits: what files may ask for.
        recover: write what whole chunks hold, if a file is damaged.
        only: names, prefixes or patterns of the tensors to decode; None for all.
        threads: that work; None for one per processor that may be used.
    """

    profile: ProfileFile | None
    weights: WeightsFile | None
    force: bool
    limits: Limits
    recover: bool
    only: tuple[str, ...] | None
    threads: int | None


@click.command(
    "decode",
    **example(
        "caufc decode feats.cauf                     # to feats.pt, or .npy or .npz if arrays went in",
        "caufc decode feats.cauf -o feats.npz",
        "caufc decode a.cauf b.cauf -o back/ --format safetensors",
        "caufc decode feats.cauf --only hidden_states.3 -o layer3.npy",
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
@click.option(
    "--only", metavar="NAME", multiple=True, help="Decode this tensor alone, or all of a prefix or pattern; repeatable."
)
@profile_option
@weights_option
@limits_option
@click.option("--recover", is_flag=True, help="Of a damaged file, write what is whole; exits 3 if samples are lost.")
@threads_option
@force_option
@quiet_option
@json_option
def decode(
    sources: tuple[str, ...],
    output: str | None,
    suffix: str | None,
    only: tuple[str, ...],
    profile: str | None,
    weights: str | None,
    limits: Limits,
    recover: bool,
    threads: int | None,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Decode .cauf files to the features that were encoded.

    Structure, names, shapes, dtypes and the order of samples are those of the input; a format that cannot hold them is
    refused. SRC may be - for stdin; several SRC, a folder, a pattern in quotes or a .txt list are decoded one by one.
    """
    many = len(sources) > 1 or is_many(sources[0]) or is_folder(output)
    if not many:
        output = output or ("-" if sources[0] == "-" else None)
    suffix = _suffix(None if many else output, suffix)
    options = DecodeOptions(
        None if profile is None else find_profile(profile, limits),
        None if weights is None else find_weights(weights, limits),
        force,
        limits,
        recover,
        only or None,
        threads,
    )
    if many:
        return _decode_many(sources, output, suffix, options, quiet, as_json)
    decoded = _decode_one(sources[0], output, suffix, options, quiet)
    if as_json:
        click.echo(as_json_text(decoded.to_json()), err=output == "-")
    elif not quiet:
        tell(_line(decoded), to_stderr=output == "-")
    return _tell(decoded, quiet)


def _decode_one(
    source: str, output: str | None, suffix: str | None, options: DecodeOptions, quiet: bool
) -> DecodedFile:
    stdout = binary_stdout(f"a {suffix or 'feature'} file") if output == "-" else None
    if source == "-" and output is not None:
        check_output(output, (), options.force)
    with input_file(source, ".cauf") as path, Bar("decode", quiet=quiet) as bar:

        def progress(what: str, done: int, total: int) -> None:
            bar.label, bar.size = what, total if what == "decode" else 0
            bar.update(done / max(1, total))

        decoded = decode_file(
            path,
            output if stdout is None else stdout,
            format=suffix,
            profile=options.profile,
            weights=options.weights,
            force=options.force,
            limits=options.limits,
            recover=options.recover,
            only=options.only,
            threads=options.threads,
            progress=progress,
        )
    return replace(decoded, input=source)


def _tell(decoded: DecodedFile, quiet: bool) -> int:
    """Say what the user should know, and which samples damage took; the exit code."""
    for warning in () if quiet else decoded.warnings:
        say(f"warning: {shown(decoded.input)}: {warning}")
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


def _suffix(output: str | None, given: str | None) -> str | None:
    """The output's format, known to exist; None where what is decoded decides."""
    if given is None and output not in (None, "-") and not Path(str(output)).suffix:
        raise OptionError("has no suffix that tells the format", file=output, remedy="give --format, as .npy or .pt")
    if given is None and output in (None, "-"):
        return None
    found = normal_suffix(given or Path(str(output)).suffix)
    known = known_suffixes(plugin_formats(found))
    if found not in known:
        raise UnknownNameError("format", found, known, file=output)
    return found


def _decode_many(
    sources: tuple[str, ...],
    output: str | None,
    suffix: str | None,
    options: DecodeOptions,
    quiet: bool,
    as_json: bool,
) -> int:
    entries = expand(sources, (CONTAINER,), quiet=quiet)
    outputs = targets(entries, output, suffix or "")
    files: list[dict[str, Any]] = []
    worst = 0
    for source, target in zip((entry.path for entry in entries), outputs, strict=True):
        try:
            with made_folder(Path(target).parent):
                decoded = _decode_one(source, target, suffix or AUTO, options, quiet)
        except EXPECTED as err:
            told = failure(err, source)
            say(told.message)
            named = None if suffix is None else target
            files.append({"input": source, "output": named, "error": told.message, "exit_code": told.exit_code})
            worst = max(worst, told.exit_code)
            continue
        files.append(decoded.to_json())
        if not quiet and not as_json:
            tell(_line(decoded))
        worst = max(worst, _tell(decoded, quiet))
    if as_json:
        click.echo(as_json_text({"files": files, "exit_code": worst}))
    return worst


def _line(decoded: DecodedFile) -> str:
    held = f"{count(decoded.samples, 'sample')} of {count(decoded.tensors, 'tensor')}"
    return (
        f"{shown(decoded.input)} -> {shown(decoded.output)}: {held}, {size(decoded.bytes_in)} -> "
        f"{size(decoded.bytes_out)}, {speed(decoded.bytes_out, decoded.seconds)}"
    )


command = decode
