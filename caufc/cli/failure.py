"""What a failure says to the user: one line, and an exit code."""

from __future__ import annotations

from dataclasses import dataclass

import click

from ..errors import CaufError, ForeignFormatError, LayoutError, OptionError, StorageError

__all__ = ["EXPECTED", "Failure", "failure", "is_broken_pipe", "say"]

EXPECTED = (CaufError, OSError, MemoryError)
"""What bad input, bad options and a bad disk raise; anything else is a defect of caufc."""

CAUSES: tuple[tuple[type[OSError], str], ...] = (
    (FileNotFoundError, "check the path"),
    (PermissionError, "check its permissions"),
)
"""What to do about an operating system's error."""

KINDS: tuple[tuple[type[CaufError], str], ...] = (
    (ForeignFormatError, "give a file that torch.save, numpy.save or safetensors wrote, or name its format"),
    (LayoutError, "examples: 'b c h w', 'b (1 + h w) c', 'b n c'"),
    (OptionError, "see --help"),
)
"""What to do about errors that do not say it themselves."""


@dataclass(frozen=True)
class Failure:
    """One line without a prefix, and the exit code of its kind."""

    message: str
    exit_code: int


def failure(error: BaseException, file: str | None = None) -> Failure:
    """What an expected error says.

    Args:
        error: an instance of one of :data:`EXPECTED`.
        file: the file that the error is about, if the error does not know.
    """
    if isinstance(error, CaufError):
        told = error
    elif isinstance(error, OSError):
        name = error.filename if isinstance(error.filename, str) else None
        told = StorageError((error.strerror or str(error) or type(error).__name__).lower(), file=name)
        told.__cause__ = error
    else:
        told = StorageError("not enough memory", remedy="try a smaller --chunk, or fewer --jobs")
    if file is not None:
        told.locate(file=file)
    if told.remedy is None:
        told.remedy = _remedy(told)
    return Failure(told.for_command(), told.exit_code)


def _remedy(error: CaufError) -> str | None:
    for cause, text in CAUSES:
        if isinstance(error.__cause__, cause):
            return text
    return next((text for kind, text in KINDS if isinstance(error, kind)), None)


def is_broken_pipe(error: BaseException) -> bool:
    """Whether the reader of stdout has gone: nothing to tell, nobody to tell it to."""
    return isinstance(error, BrokenPipeError) or isinstance(error.__cause__, BrokenPipeError)


def say(message: str) -> None:
    """A line on stderr; what a terminal would take for a command is replaced."""
    text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(message.split()))
    click.echo(f"caufc: {text}", err=True)
