"""The rate control of a file as its header names it, in a few bytes (spec, section 3)."""

from __future__ import annotations

import re

__all__ = ["EVERY_BIT", "control_code", "control_text", "quality_in"]

LETTERS = {"quality": "q", "snr": "s", "bpfp": "b", "max_error": "e"}
"""Rate control -> what stands before its number [CAUF-0552]."""

PER_TOKEN = "t"
"""What stands before an SNR of every token."""

ALONE = {"l": 25.0, "m": 50.0, "h": 75.0}
"""Qualities that have a letter of their own: files with nothing else to say take two bytes for it."""

EVERY_BIT = "x"
"""The code of the control without loss."""

TEXTS = {"q": "quality {}", "s": "SNR {} dB", "t": "SNR {} dB per token", "b": "{} BPFP", "e": "largest error {}"}

LONGER = {"snr": "s", "bpfp": "b", "lossless": EVERY_BIT}
"""What earlier files have in place of a letter."""

CODE = re.compile(r"(q|snr|s|t|bpfp|b|e)([-+.0-9e]+)(/token)?")


def control_code(kind: str, value: float, *, by_token: bool = False) -> str:
    """The code of a rate control and its number: ``m``, ``q60``, ``s30``, ``t30``, ``b.5``, ``e.01``, ``x``."""
    if kind == "lossless":
        return EVERY_BIT
    for letter, quality in ALONE.items():
        if kind == "quality" and value == quality:
            return letter
    return f"{PER_TOKEN if by_token else LETTERS[kind]}{_shortest(value)}"


def _shortest(value: float) -> str:
    """Seven digits of a number in as few characters as they take."""
    plain = re.sub(r"^(-?)0\.", r"\1.", f"{value:.7g}")
    short, exponent = f"{value:.6e}".split("e")
    short = f"{short.rstrip('0').rstrip('.')}e{int(exponent)}"
    return min(plain, short, key=len)


def control_text(code: str) -> str:
    """A code as people read it: ``quality 50``, ``SNR 30 dB per token``; what is no such code as it is."""
    if LONGER.get(code, code) == EVERY_BIT:
        return "lossless"
    if code in ALONE:
        return f"quality {ALONE[code]:g}"
    found = CODE.fullmatch(code)
    number = None if found is None else _number(found[2])
    if found is None or number is None or (found[3] and found[1] != "snr"):
        return code
    return TEXTS[PER_TOKEN if found[3] else LONGER.get(found[1], found[1])].format(f"{number:.7g}")


def quality_in(code: str | None) -> float | None:
    """The quality that a code names; None for another control, or none."""
    if code in ALONE:
        return ALONE[code]
    found = None if code is None else CODE.fullmatch(code)
    return _number(found[2]) if found is not None and found[1] == "q" and not found[3] else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
