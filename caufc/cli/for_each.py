"""One command over several files: goes on after a failure, and exits with the worst code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from .failure import EXPECTED, failure, say
from .report import as_json_text

__all__ = ["for_each"]

Found = TypeVar("Found")


def for_each(
    files: Sequence[str],
    look: Callable[[str], Found],
    as_data: Callable[[Found], dict[str, Any]],
    as_text: Callable[[str, Found], str],
    *,
    as_json: bool,
    quiet: bool = False,
) -> int:
    """Look at each file and print what was found; the result is the worst exit code.

    JSON is one object: that of the file, or for several files their list under ``files``; a failure is one with
    ``error`` and ``exit_code``.

    Args:
        files: paths, or ``-``.
        look: what to do with one.
        as_data, as_text: of what was found; a text begins with the file's name.
        as_json: print JSON.
        quiet: print no text.
    """
    found: list[dict[str, Any]] = []
    worst = 0
    for file in files:
        try:
            result = look(file)
        except EXPECTED as err:
            failed = failure(err, file)
            say(failed.message)
            found.append({"file": file, "error": failed.message, "exit_code": failed.exit_code})
            worst = max(worst, failed.exit_code)
            continue
        found.append({"file": file, **as_data(result)})
        if not as_json and not quiet:
            click.echo(as_text(file, result))
    if as_json and len(files) > 1:
        click.echo(as_json_text({"files": found, "exit_code": worst}))
    elif as_json:
        click.echo(as_json_text(found[0]))
    return worst
