"""Options that are whole numbers."""

from __future__ import annotations

import operator

from .errors import OptionError

__all__ = ["whole_number"]


def whole_number(name: str, value: object, least: int | None = 0) -> int:
    """The integer that an option stands for; a float without a fraction (``1e9``) is one too.

    Args:
        name: of the option.
        value: what was given.
        least: the smallest that may be; None for any.

    Raises:
        OptionError: for what is no whole number, or a smaller one.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        found = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        remedy = "give one" if least is None else f"give {least} or more"
        raise OptionError(f"{name}={value!r} is no whole number", remedy=remedy) from None
    if least is not None and found < least:
        raise OptionError(f"{name}={found} is too small", remedy=f"give {least} or more")
    return found
