"""``caufc unpack``: each sample of a .cauf file as a feature file of its own."""

from __future__ import annotations

from pathlib import Path

import click

from ..features import check_place
from ..limits import Limits
from ..output_names import with_suffix
from ..packing import unpack_file
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
from .output_paths import made_folder
from .progress import Bar
from .report import as_json_text, count, shown, size
from .streams import tell

__all__ = ["command"]


@click.command(
    "unpack",
    **example(
        "caufc unpack embeddings.cauf                    # to embeddings/P0001.pt, ...",
        "caufc unpack feats.cauf -o back/ --format npy --only hidden",
    ),
)
@click.argument("source", metavar="SRC")
@click.option("-o", "--output", metavar="DIR", help="Folder of the files, which is made.  [SRC without its suffix]")
@click.option(
    "--format",
    "suffix",
    metavar="SUFFIX",
    help="Format of the files: .pt, .npy, ...  [.pt for torch tensors, .npy or .npz for arrays]",
)
@click.option(
    "--only", metavar="NAME", multiple=True, help="Decode this tensor alone, or all of a prefix or pattern; repeatable."
)
@profile_option
@weights_option
@limits_option
@threads_option
@force_option
@quiet_option
@json_option
def unpack(
    source: str,
    output: str | None,
    suffix: str | None,
    only: tuple[str, ...],
    profile: str | None,
    weights: str | None,
    limits: Limits,
    threads: int | None,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Decode each sample of a .cauf file to a feature file of its own.

    Files have the names of their keys, or numbers where samples have none. A key that would lead out of DIR is refused.
    """
    folder = with_suffix(source, "") if output is None else output
    with made_folder(Path(folder)), Bar("unpack", quiet=quiet) as bar:
        check_place(Path(folder) / "sample")
        done = unpack_file(
            source,
            folder,
            format=suffix,
            force=force,
            profile=profile,
            weights=weights,
            limits=limits,
            only=only or None,
            threads=threads,
            progress=lambda what, samples, total: bar.update(samples / max(1, total)),
        )
    if as_json:
        click.echo(as_json_text(done.to_json()))
    elif not quiet:
        sizes = f"{size(done.bytes_in)} -> {size(done.bytes_out)}"
        tell(f"{shown(source)} -> {shown(done.folder)}: {count(done.files, 'file')}, {sizes}")
    return 0


command = unpack
