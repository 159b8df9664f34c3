"""``caufc show``: a file as one page, with features as pictures."""

from __future__ import annotations

from typing import Any

import click

from ..limits import Limits
from ..show import ShownFile, show_file
from .options import (
    example,
    force_option,
    limits_option,
    profile_option,
    quiet_option,
    weights_option,
)
from .progress import Bar
from .report import count, shown, size
from .streams import binary_stdout, stdin_bytes, tell

__all__ = ["command"]


@click.command(
    "show",
    **example(
        "caufc show feats.cauf                       # to feats.html, which opens in a browser, offline",
        "caufc show feats.cauf --original feats.npy -o page.html",
        "caufc show cache.cauf --only layers.3 --sample 0 --sample 17",
    ),
)
@click.argument("source", metavar="SRC")
@click.option("-o", "--output", metavar="OUT", help="The page, or - for stdout.  [SRC with .html]")
@click.option(
    "--original", metavar="FILE", help="What SRC was encoded from: shown beside what is decoded, with the error."
)
@click.option(
    "--format", "suffix", metavar="SUFFIX", help="Format of the original, if its name does not tell: .pt, ..."
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    metavar="N",
    help="Look at N samples, evenly spread.  [as many as have 4 million values, 1,024 at most]",
)
@click.option(
    "--sample", "named", metavar="KEY", multiple=True, help="Draw this sample, by number or key; repeatable.  [some]"
)
@click.option(
    "--only", metavar="NAME", multiple=True, help="Draw this tensor, or all of a prefix or pattern; repeatable.  [some]"
)
@profile_option
@weights_option
@limits_option
@force_option
@quiet_option
def show(
    source: str,
    output: str | None,
    original: str | None,
    suffix: str | None,
    samples: int | None,
    named: tuple[str, ...],
    only: tuple[str, ...],
    limits: Limits,
    quiet: bool,
    **rest: Any,
) -> None:
    """Show a .cauf file as one HTML page: what is in it, where its bytes go, its features as pictures.

    The page opens without a network, follows the browser's light or dark theme, and prints. Of a large file some
    samples are looked at, and the page says how many. SRC may be - for stdin.
    """
    target = binary_stdout("a page") if output == "-" or (source == "-" and output is None) else output
    with Bar("show", quiet=quiet) as bar:
        done = show_file(
            stdin_bytes() if source == "-" else source,
            target,
            original=original,
            format=suffix,
            samples=samples,
            sample=named,
            only=only or None,
            limits=limits,
            progress=bar.progress,
            **rest,
        )
    if not quiet:
        tell(_line(done), to_stderr=done.output == "-")


def _line(done: ShownFile) -> str:
    looked_at = f"{done.samples:,} of {count(done.available, 'sample')} of {count(done.tensors, 'tensor')}"
    return f"{shown(done.input)} -> {shown(done.output)}: {looked_at}, {size(done.bytes)}"


command = show
