"""Options in the terms of who reads: remedies are written as the command line has them, and Python is told its own."""

from __future__ import annotations

import re

__all__ = ["in_python"]

SWITCHES = {"force": "force=True", "lossless": "lossless=True", "no-embed-profile": "embed_profile=False"}
"""Options without a value, and what they are in Python."""

NAMES = frozenset(
    {
        *("arch", "bpfp", "chunk", "codec", "layout", "max-error", "nonfinite", "profile", "quality", "reads", "snr"),
        *("tap", "threads", "truncate", "weights"),
    }
)
"""Options with a value that Python has by the same name."""

LIMIT = re.compile(r"--limit (\w+)=N")
VALUE = r"(?P<some>[A-Z]+)\b|(?P<text>'[^']*')|(?P<word>keep|transform|hyperprior|tokens)\b"
OPTION = re.compile(rf"--(?P<name>[a-z][a-z-]*)(?: (?:{VALUE}))?")


def in_python(text: str) -> str:
    """The text with options of the command line as arguments in Python; others, as of ``evaluate``, stay."""
    return OPTION.sub(_argument, LIMIT.sub(r"limits=Limits(\1=N)", text))


def _argument(found: re.Match[str]) -> str:
    name = found["name"]
    if name in SWITCHES:
        return SWITCHES[name] + found[0].removeprefix(f"--{name}")
    if name not in NAMES:
        return found[0]
    value = "..." if found["some"] else found["text"] or (f"'{found['word']}'" if found["word"] else "")
    return f"{name.replace('-', '_')}={value}"
