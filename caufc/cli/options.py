"""Options that several commands share, and values given by tensor name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from ..errors import CaufError, OptionError

__all__ = ["by_name", "example", "force_option", "json_option", "parse_range", "profile_option", "quiet_option"]

Value = TypeVar("Value")

force_option = click.option("-f", "--force", is_flag=True, help="Replace outputs that exist.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
quiet_option = click.option("--quiet", is_flag=True, help="No progress, no report, no warnings.")
profile_option = click.option("--profile", metavar="FILE", help="Profile that the file needs and does not hold.")


def by_name(option: str, given: Iterable[str], parse: Callable[[str], Value]) -> dict[str, Value] | None:
    """Values of a repeatable option by tensor name, ``*`` for all others; None if none was given.

    ``VALUE`` is for all tensors, ``NAME=VALUE`` for one; a name may contain ``=``, a value may not.

    Raises:
        OptionError: for two values for one name.
        CaufError: if ``parse`` refuses a value; it then names the tensor.
    """
    found: dict[str, Value] = {}
    for text in given:
        name, equals, value = text.rpartition("=")
        key = name if equals else "*"
        if key in found:
            whom = f"tensor '{key}'" if equals else "all tensors"
            raise OptionError(f"{option} is given twice for {whom}", remedy=f"use {option} NAME=VALUE for one tensor")
        try:
            found[key] = parse(value)
        except CaufError as err:
            raise err.locate(tensor=name or None) from err.__cause__
    return found or None


def parse_range(text: str) -> tuple[float, float]:
    """``"-3,3"`` -> ``(-3.0, 3.0)``.

    Raises:
        OptionError: unless it is two numbers.
    """
    try:
        low, high = (float(number) for number in text.split(","))
    except ValueError:
        raise OptionError(f"'{text}' is not a range", remedy="give LO,HI, as in --truncate -3,3") from None
    return low, high


def example(*lines: str) -> dict[str, Any]:
    """Keyword arguments of a command that show examples under its help."""
    return {"epilog": "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)}
