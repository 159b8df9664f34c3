"""``caufc split``: a file in parts, chunk by chunk."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from ..errors import OptionError
from ..limits import Limits
from ..remux import split_file
from .options import example, force_option, json_option, limits_option, profile_option, quiet_option, weights_option
from .output_paths import made_folder
from .progress import Bar
from .report import as_json_text, count, shown, size
from .streams import tell

__all__ = ["command"]

DIGITS = 5


@click.command(
    "split",
    **example(
        "caufc split feats.cauf --samples 10000          # to feats-00000.cauf, feats-00001.cauf, ...",
        "caufc split feats.cauf --parts 8 -o parts/",
    ),
)
@click.argument("source", metavar="SRC")
@click.option("-o", "--output", metavar="DIR", help="Folder of the parts, which is made.  [that of SRC]")
@click.option(
    "--samples", type=click.IntRange(1), metavar="N", help="Samples of a part, at least: parts are whole chunks."
)
@click.option("--parts", type=click.IntRange(1), metavar="N", help="How many parts, as equal as chunks allow.")
@profile_option
@weights_option
@limits_option
@force_option
@quiet_option
@json_option
def split(
    source: str,
    output: str | None,
    samples: int | None,
    parts: int | None,
    profile: str | None,
    weights: str | None,
    limits: Limits,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Split a .cauf file between its chunks, without decoding it; caufc cat joins the parts again.

    Parts are numbered: NAME-00000.cauf, NAME-00001.cauf, ...; each holds the bases and tables of SRC.
    """
    if (samples is None) == (parts is None):
        raise OptionError("a split needs --samples or --parts", file=source, remedy="give one of them")
    folder = Path(source).parent if output is None else Path(output)
    written: list[dict[str, Any]] = []
    length = Path(source).stat().st_size if Path(source).is_file() else 0
    placed = nullcontext() if output is None else made_folder(folder)
    with placed, Bar("split", length, quiet=quiet) as bar:
        for part in split_file(
            source,
            lambda number: str(folder / f"{Path(source).stem}-{number:0{DIGITS}d}.cauf"),
            samples=samples,
            parts=parts,
            force=force,
            profile=profile,
            weights=weights,
            limits=limits,
            progress=lambda read: bar.update(read / max(1, bar.size)),
        ):
            written.append(part.to_json())
            if not as_json and not quiet:
                bar.clear()
                tell(f"{shown(part.output)}: {count(part.samples, 'sample')}, {size(part.bytes)}")
    if as_json:
        click.echo(as_json_text({"input": source, "parts": written}))
    return 0


command = split
