"""The rate control of a file as its header names it, in a few bytes (spec, section 3)."""

from __future__ import annotations

import re

__all__ = ["control_code", "control_text", "quality_in"]

LETTERS = {"quality": "q", "snr": "snr", "bpfp": "bpfp", "max_error": "e", "lossless": "lossless"}
"""Rate control -> what stands before its number [CAUF-0552]."""

TEXTS = {"q": "quality {}", "snr": "SNR {} dB", "bpfp": "{} BPFP", "e": "largest error {}", "lossless": "lossless"}

CODE = re.compile(r"(q|snr|bpfp|e|lossless)([-+.0-9e]*)(/token)?")


def control_code(kind: str, value: float, *, by_token: bool = False) -> str:
    """The code of a rate control and its number: ``q50``, ``snr30/token``, ``bpfp0.5``, ``e0.01``, ``lossless``."""
    if kind == "lossless":
        return LETTERS[kind]
    return f"{LETTERS[kind]}{value:.7g}{'/token' if by_token else ''}"


def control_text(code: str) -> str:
    """A code as people read it: ``quality 50``, ``SNR 30 dB per token``; what is no such code as it is."""
    found = CODE.fullmatch(code)
    if found is None or bool(found[2]) == (found[1] == "lossless"):
        return code
    return TEXTS[found[1]].format(found[2]) + (" per token" if found[3] else "")


def quality_in(code: str | None) -> float | None:
    """The quality that a code names; None for another control, or none."""
    found = None if code is None else CODE.fullmatch(code)
    if found is None or found[1] != "q" or found[3]:
        return None
    try:
        return float(found[2])
    except ValueError:
        return None
