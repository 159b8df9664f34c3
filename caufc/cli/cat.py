"""``caufc cat``: files joined, chunk by chunk."""

from __future__ import annotations

from pathlib import Path

import click

from ..limits import Limits
from ..remux import Remuxed, cat_files
from .failure import say
from .options import (
    example,
    force_option,
    json_option,
    limits_option,
    profile_option,
    quiet_option,
    weights_option,
)
from .output_paths import containers
from .progress import Bar
from .report import as_json_text, count, shown, size
from .streams import binary_stdout, tell

__all__ = ["command"]


@click.command(
    "cat",
    **example(
        "caufc cat monday.cauf tuesday.cauf -o week.cauf",
        "caufc cat parts/ -o whole.cauf --json",
        "caufc cat 'parts/*.cauf' -o - | caufc decode - -o whole.npz",
    ),
)
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="OUT", required=True, help="Output file, or -.")
@profile_option
@weights_option
@limits_option
@force_option
@quiet_option
@json_option
def cat(
    sources: tuple[str, ...],
    output: str,
    profile: str | None,
    weights: str | None,
    limits: Limits,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Join .cauf files without decoding them: no value changes.

    Samples stand in the order of SRC: files, folders (their .cauf files), patterns, or .txt lists. Files must be coded
    alike: parts of one file, files without loss, or with one profile that made all choices. Others are refused, since
    they would have to be coded anew, with a loss; caufc.open in Python reads them as one.
    """
    files = containers(sources, quiet=quiet)
    stdout = binary_stdout("a .cauf file") if output == "-" else None
    total = sum(Path(file).stat().st_size for file in files if Path(file).is_file())
    with Bar("cat", total, quiet=quiet) as bar:
        done = cat_files(
            files,
            output if stdout is None else stdout,
            force=force,
            profile=profile,
            weights=weights,
            limits=limits,
            progress=lambda read: bar.update(read / max(1, bar.size)),
        )
    _tell(files, done, as_json=as_json, quiet=quiet)
    return 0


def _tell(files: list[str], done: Remuxed, *, as_json: bool, quiet: bool) -> None:
    to_stderr = done.output == "-"
    if as_json:
        click.echo(as_json_text({"inputs": files, **done.to_json()}), err=to_stderr)
    elif not quiet:
        held = f"{count(done.samples, 'sample')} in {count(done.chunks, 'chunk')}, {size(done.bytes)}"
        tell(f"{count(len(files), 'file')} -> {shown(done.output)}: {held}", to_stderr=to_stderr)
    for warning in () if quiet else done.warnings:
        say(f"warning: {warning}")


command = cat
