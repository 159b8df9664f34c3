"""Profiles as text: data URIs, which JSON of other people's containers can hold."""

from __future__ import annotations

import base64
from typing import Any

import caufc

from .sample_codec import profile_of

__all__ = ["profile_bytes", "profile_text", "shortened"]

URI = "data:application/x-caufp;base64,"


def profile_text(given: Any) -> str | None:
    """A profile as text: of a coder, by name, ``.caufp`` file or bytes, or text already.

    Raises:
        CaufError: if there is none.
    """
    if isinstance(given, str) and given.startswith(URI):
        return given
    found = profile_of(given)
    return None if found is None else URI + base64.b64encode(found).decode("ascii")


def profile_bytes(text: str | None) -> bytes | None:
    """The bytes of a ``.caufp`` file from their text.

    Raises:
        ForeignFormatError: for what is no such text.
    """
    if text is None:
        return None
    try:
        return base64.b64decode(text.removeprefix(URI), validate=True)
    except ValueError as err:
        raise caufc.ForeignFormatError("a profile that is no base64") from err


def shortened(name: str, value: Any) -> str:
    """A parameter for people: of a profile its size."""
    size = len(profile_bytes(value) or b"") if name == "profile" else 0
    return f"{name}=<{size:,} bytes>" if size else f"{name}={value!r}"
