"""``--json``: what a command prints then, a failure too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .failure import failure, is_broken_pipe

__all__ = ["json_flag", "tell_as_json"]

Command = TypeVar("Command", bound=Callable[..., Any])

NOTED = f"{__name__}.noted"
"""Where the context of a command that prints JSON stands in what contexts share."""


def json_flag(text: str) -> Callable[[Command], Command]:
    """The option, with its help."""
    return click.option("--json", "as_json", is_flag=True, callback=_note, help=text)


def _note(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> bool:  # noqa: ARG001 - click's signature
    if wanted:
        ctx.meta[NOTED] = ctx
    return wanted


def tell_as_json(error: BaseException, ctx: click.Context) -> None:
    """Print an expected error where the report would be, if the command that ran was to print JSON."""
    command: click.Context | None = ctx.meta.get(NOTED)
    if command is None or is_broken_pipe(error):
        return
    from .report import as_json_text

    told = failure(error)
    text = as_json_text({"error": told.message, "exit_code": told.exit_code})
    click.echo(text, err=command.params.get("output") == "-")
