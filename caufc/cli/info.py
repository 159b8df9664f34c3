"""``caufc info``: what a file says of itself."""

from __future__ import annotations

import click

from ..api import Info, inspect
from ..limits import Limits
from .for_each import for_each
from .options import example, json_option, limits_option, profile_option, weights_option
from .output_paths import containers
from .report import info_text
from .side_file import SideFile, or_side_file
from .streams import stdin_bytes

__all__ = ["command"]


@click.command("info", **example("caufc info feats.cauf", "caufc info --json shards/*.cauf"))
@click.argument("files", metavar="SRC...", nargs=-1, required=True)
@profile_option
@weights_option
@limits_option
@json_option
def info(files: tuple[str, ...], profile: str | None, weights: str | None, limits: Limits, as_json: bool) -> int:
    """Show what .cauf files say of themselves: version, architecture, tensors, layouts, codec, sizes.

    No sample is decoded. Profiles and weights are shown too. SRC may be - for stdin, a folder, a pattern in quotes or a
    .txt list.
    """

    def inspected(source: str | bytes) -> Info:
        return inspect(source, profile=profile, weights=weights, limits=limits)

    def look(file: str) -> Info | SideFile:
        return or_side_file(inspected, stdin_bytes() if file == "-" else file, limits)

    return for_each(containers(files), look, lambda found: found.to_json(), _text, as_json=as_json)


def _text(name: str, found: Info | SideFile) -> str:
    return found.info_text(name) if isinstance(found, SideFile) else info_text(name, found)


command = info
