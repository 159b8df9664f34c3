"""``caufc verify``: is a file whole?"""

from __future__ import annotations

from pathlib import Path

import click

from ..api import Verdict
from ..api import verify as verify_file
from ..limits import Limits
from .for_each import for_each
from .options import example, json_option, limits_option, profile_option, quiet_option, weights_option
from .output_paths import containers
from .progress import Bar
from .report import verify_line
from .side_file import SideFile, or_side_file
from .streams import stdin_bytes

__all__ = ["command"]


@click.command("verify", **example("caufc verify feats.cauf", "caufc verify --deep --json feats.cauf"))
@click.argument("files", metavar="SRC...", nargs=-1, required=True)
@click.option("--deep", is_flag=True, help="Decode all symbols too; --json then holds their SHA-256.")
@profile_option
@weights_option
@limits_option
@json_option
@quiet_option
def verify(
    files: tuple[str, ...],
    deep: bool,
    profile: str | None,
    weights: str | None,
    limits: Limits,
    as_json: bool,
    quiet: bool,
) -> int:
    """Check every byte, count and index of .cauf files, of profiles and of weights.

    SRC may be - for stdin, a folder, a pattern in quotes or a .txt list.
    """

    def verified(source: str | bytes) -> Verdict:
        with Bar("verify", _size(source), quiet=quiet) as bar:
            return verify_file(
                source,
                deep=deep,
                profile=profile,
                weights=weights,
                limits=limits,
                progress=lambda done: bar.update(done / max(1, bar.size)),
            )

    def look(file: str) -> Verdict | SideFile:
        return or_side_file(verified, stdin_bytes() if file == "-" else file, limits)

    sources = containers(files, quiet=quiet)
    return for_each(sources, look, lambda found: found.to_json(), _line, as_json=as_json, quiet=quiet)


def _line(name: str, found: Verdict | SideFile) -> str:
    return found.verify_line(name) if isinstance(found, SideFile) else verify_line(name, found)


def _size(source: str | bytes) -> int:
    if isinstance(source, bytes):
        return len(source)
    path = Path(source)
    return path.stat().st_size if path.is_file() else 0


command = verify
