"""Architecture IDs: a network's name, and behind ``?`` options for what loads it."""

from __future__ import annotations

from urllib.parse import parse_qsl

__all__ = ["arch_warnings", "without_options"]


def without_options(arch: str) -> str:
    """The name alone: ``timm/resnet18`` of ``timm/resnet18?pretrained=false``."""
    return arch.partition("?")[0]


def arch_warnings(arch: str | None) -> tuple[str, ...]:
    """What the user should know of features of an architecture: a sentence where weights are random."""
    options = dict(parse_qsl((arch or "").partition("?")[2], keep_blank_values=True))
    if options.get("pretrained", "").lower() != "false" or "checkpoint" in options:
        return ()
    return (
        f"'{arch}' has random weights: its features show shapes and speeds, and are of no use to a task; "
        "leave pretrained=false out, or give checkpoint=PATH",
    )
