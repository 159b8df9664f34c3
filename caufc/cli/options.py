"""Options that several commands share, and values given by tensor name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import click

from ..coders.registry import lossy_codecs
from ..descriptors import Alignment
from ..errors import CaufError, OptionError, UnknownNameError
from ..layouts import Layout
from ..limits import DEFAULT_LIMITS, Limits
from .json_flag import json_flag

__all__ = [
    "align_option",
    "arch_option",
    "by_name",
    "by_tensor",
    "chunk_option",
    "codec_option",
    "control_options",
    "effort_option",
    "encode_profile_option",
    "example",
    "force_option",
    "input_format_option",
    "json_option",
    "keyed_option",
    "layout_option",
    "limits_option",
    "meta_option",
    "nonfinite_option",
    "parse_limits",
    "parse_metas",
    "parse_range",
    "profile_option",
    "quiet_option",
    "reads_option",
    "tap_option",
    "threads_option",
    "weights_option",
]

Value = TypeVar("Value")
Command = TypeVar("Command", bound=Callable[..., Any])

force_option = click.option("-f", "--force", is_flag=True, help="Replace outputs that exist.")
json_option = json_flag("Print the report as one JSON object.")
quiet_option = click.option("--quiet", is_flag=True, help="No progress, no report, no warnings.")
profile_option = click.option("--profile", metavar="FILE", help="Profile that the file needs and does not hold.")

weights_option = click.option("--weights", metavar="FILE", help="Weights that the file needs and does not hold.")

arch_option = click.option(
    "--arch", metavar="ID", help="Architecture, as in timm/resnet50; its plugin knows layouts and alignment."
)
tap_option = click.option(
    "--tap", "taps", multiple=True, metavar="[T=]NAME", help="Where features were taken, as in layer4."
)
layout_option = click.option(
    "--layout",
    "layouts",
    multiple=True,
    metavar="[T=]EXPR",
    help="Meaning of the axes: 'b (1 + h w) c'; T may be layer.*.",
)
align_option = click.option(
    "--align", "aligns", multiple=True, metavar="[T=]SPEC", help="Value alignment: KIND[/SCOPE][:OFFSET,SCALE]."
)
reads_option = click.option(
    "--reads",
    "reads",
    multiple=True,
    metavar="[T=]PART",
    help="What will be read of them: tokens (all), mean (pooled) or first (CLS).  [as the tap tells, or tokens]",
)
keyed_option = click.option(
    "--keyed/--no-keyed",
    default=None,
    help="Entries of a dict are samples by key, or tensors of one.  [samples if 32 or more are alike]",
)
meta_option = click.option(
    "--meta", "metas", multiple=True, metavar="NAME=TEXT", help="Text to keep in the file, as caufc info shows it."
)
encode_profile_option = click.option("--profile", metavar="NAME|FILE", help="Profile with what options leave open.")
codec_option = click.option(
    "--codec",
    default="transform",
    show_default=True,
    metavar="NAME",
    help=", or ".join(f"{known.name}: {known.note}" if known.note else known.name for known in lossy_codecs()) + ".",
)
CONTROLS = (
    click.option("--quality", metavar="Q", help="0 to 100, or low, medium (the default), high."),
    click.option("--snr", metavar="DB[/token]", help="Signal-to-noise ratio of every tensor, or of every token."),
    click.option("--bpfp", type=float, metavar="RATE", help="Bits per feature point, all bytes of the file counted."),
    click.option("--max-error", type=float, metavar="E", help="Largest absolute error, exact."),
    click.option("--lossless", is_flag=True, help="Keep every bit."),
)
effort_option = click.option(
    "--effort", default="default", show_default=True, metavar="fast|default|best", help="How long to look for less."
)
chunk_option = click.option("--chunk", type=int, metavar="N", help="Samples a chunk, the unit of random access.")
threads_option = click.option(
    "--threads", type=click.IntRange(1), metavar="N", help="Threads that work.  [one per processor that may be used]"
)
nonfinite_option = click.option(
    "--nonfinite",
    default="error",
    show_default=True,
    metavar="error|keep",
    help="NaN and Inf: refuse, or carry exactly.",
)
input_format_option = click.option(
    "--format", "suffix", metavar="SUFFIX", help="Format of the input, if its name does not tell: .pt, .npy, ..."
)


def control_options(command: Command) -> Command:
    """The rate controls, of which one may be given."""
    return functools.reduce(lambda made, option: option(made), reversed(CONTROLS), command)


def parse_limits(given: Sequence[str], default: Limits = DEFAULT_LIMITS) -> Limits:
    """``["tensors=9"]`` -> the default limits with that one changed; ``none`` lifts all sizes.

    Raises:
        OptionError: for what is no number.
        UnknownNameError: for an unknown limit.
    """
    limits = Limits.unlimited() if "none" in given else default
    names = [field.name for field in fields(Limits)]
    for text in given:
        if text == "none":
            continue
        name, _, number = text.partition("=")
        name = name.replace("-", "_")
        if name not in names:
            raise UnknownNameError("limit", name, names)
        if not (number.isascii() and number.isdigit()):
            raise OptionError(f"limit '{text}' is not NAME=N", remedy=f"for example --limit {name}=1000000")
        limits = replace(limits, **{name: int(number)})
    return limits


limits_option = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=N|none",
    callback=lambda context, parameter, given: parse_limits(given),
    help="Change a limit on what files may ask for, or lift them: only for files that you trust.",
)


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


def by_tensor(
    taps: Iterable[str],
    layouts: Iterable[str],
    aligns: Iterable[str],
    truncates: Iterable[str] = (),
    reads: Iterable[str] = (),
) -> dict[str, Any]:
    """Options of :func:`caufc.encode` that hold for tensors, from how a command line gives them.

    Raises:
        CaufError: for values that are wrong or given twice.
    """
    return {
        "tap": by_name("--tap", taps, str),
        "layout": by_name("--layout", layouts, lambda text: str(Layout(text))),
        "align": by_name("--align", aligns, Alignment.parse),
        "truncate": by_name("--truncate", truncates, parse_range),
        "reads": by_name("--reads", reads, str),
    }


def parse_metas(given: Iterable[str]) -> dict[str, str] | None:
    """``["run=a=b"]`` -> ``{"run": "a=b"}``; None if none was given.

    Raises:
        OptionError: for what is not NAME=TEXT, and for two texts of one name.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise OptionError(f"metadata '{text}' is not NAME=TEXT", remedy="for example --meta model=esm2")
        if name in found:
            raise OptionError(f"--meta is given twice for '{name}'", remedy="give one text per name")
        found[name] = value
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
