"""Options as people give them, made into what the encoder takes: plugins supply what is left open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .arch_ids import arch_warnings, without_options
from .catalog import UNIVERSAL, find_profile, find_weights
from .coders.registry import Codec, codec_named, lossy_codecs
from .coders.side_files import ProfileFile, WeightsFile
from .descriptors import READS, Alignment, Tap
from .encoder.effort import Effort
from .encoder.options import EncodeOptions, Target, TensorOptions
from .errors import OptionError, UnknownNameError, UnsupportedError
from .layouts import Layout
from .limits import DEFAULT_LIMITS, Limits
from .plugin_manager import default_manager
from .tensor_patterns import for_tensor, unmatched
from .threads import thread_count
from .whole_numbers import whole_number

__all__ = ["check_options", "layouts_for_structure", "make_options", "per_tensor"]

MAX_CHUNK = 65_536


def per_tensor(value: Any) -> dict[str, Any]:
    """By tensor name, prefix or pattern; ``*`` for all others.

    Raises:
        OptionError: for names that are neither text nor the numbers of a list or dict.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return {"*": value}
    for name in value:
        if not isinstance(name, str | int) or isinstance(name, bool):
            raise OptionError(
                f"an option for the tensor {name!r}", remedy="name tensors by their dotted paths, as text"
            )
    return {str(name): given for name, given in value.items()}


def _alignments(align: Any, truncate: Any) -> dict[str, Alignment]:
    alignments = {name: a if isinstance(a, Alignment) else Alignment.parse(a) for name, a in per_tensor(align).items()}
    for name, limits in per_tensor(truncate).items():
        base = for_tensor(alignments, name) or Alignment("none")
        alignments[name] = replace(base, truncate=_range(limits))
    return alignments


def _range(limits: Any) -> tuple[float, float]:
    try:
        low, high = limits
        return float(low), float(high)
    except (TypeError, ValueError) as err:
        raise OptionError(f"truncation range {limits!r}", remedy="two numbers, the lower first") from err


def _reads(reads: Any) -> dict[str, str]:
    found = per_tensor(reads)
    for value in found.values():
        if value not in READS:
            raise UnknownNameError("part that is read", str(value), READS)
    return found


def _taps(arch: str | None, tap: Any, names: list[str]) -> dict[str, Tap]:
    """The tap of every tensor that has one: as given, or of the same name, or the only one."""
    if arch is None:
        return {}
    manager = default_manager()
    known = {t.name: t for t in manager.taps(arch)}
    given = per_tensor(tap)
    found = {}
    for name in names:
        wanted = for_tensor(given, name)
        if wanted is not None:
            found[name] = manager.find_tap(arch, wanted)
        elif name in known:
            found[name] = known[name]
        elif len(known) == 1:
            found[name] = next(iter(known.values()))
    return found


def _fitting(layout: str, dimensions: int) -> Layout:
    """A tap's layout for tensors with or without a sample axis."""
    full = Layout(layout)
    return full.unbatched() if full.batched and dimensions == len(full.terms) - 1 else full


def layouts_for_structure(layout: Any) -> dict[str, str]:
    """Layouts that were given, by tensor name: they decide what is a batch."""
    return {name: str(value) for name, value in per_tensor(layout).items()}


def make_options(
    names: list[str],
    dimensions: Mapping[str, int],
    *,
    arch: str | None = None,
    tap: Any = None,
    layout: Any = None,
    align: Any = None,
    truncate: Any = None,
    reads: Any = None,
    codec: str = "transform",
    quality: float | str | None = None,
    snr: float | str | None = None,
    bpfp: float | None = None,
    max_error: float | None = None,
    lossless: bool = False,
    nonfinite: str = "error",
    chunk: int | None = None,
    index: bool | None = None,
    effort: str = "default",
    embed_profile: bool = True,
    limits: Limits = DEFAULT_LIMITS,
    profile: ProfileFile | None = None,
    weights: str | Path | WeightsFile | None = None,
    embed_weights: bool = True,
    outliers: str | None = None,
    threads: int | None = None,
    software: bool = False,
) -> EncodeOptions:
    """Check options and fill in what the architecture's plugin knows.

    Args:
        names: of the tensors.
        dimensions: axes of one sample, by tensor name.

    Raises:
        OptionError: for contradictions and numbers out of range.
        UnknownNameError: for an unknown arch, tap or codec, and options for tensors that are not there.
    """
    limits = Limits.given(limits)
    if not isinstance(arch, str | None):
        raise OptionError(f"an architecture is named by text, not a {type(arch).__name__}", remedy="as 'timm/resnet50'")
    coding = codec_named(codec)
    if coding is None:
        raise UnknownNameError("codec", codec, [known.name for known in lossy_codecs()])
    target = Target.choose(quality, snr, bpfp, max_error, lossless)
    model = _weights(coding, weights, target, outliers, profile, embed_weights)
    if nonfinite not in ("error", "keep"):
        raise UnknownNameError("way with NaN and Inf", nonfinite, ("error", "keep"))
    chunk = None if chunk is None else whole_number("chunk", chunk, None)
    if chunk is not None and not 1 <= chunk <= MAX_CHUNK:
        raise OptionError(f"{chunk} samples a chunk", remedy=f"1 to {MAX_CHUNK:,}")
    if tap is not None and arch is None and profile is None:
        raise OptionError("a tap without an architecture", remedy="name it with --arch")
    _check_names(names, tap, layout, align, truncate, reads)
    reading = _reads(reads)
    taps = _taps(arch, tap, names)
    layouts, alignments = per_tensor(layout), _alignments(align, truncate)
    tensors = {}
    for name in names:
        known = taps.get(name)
        given = for_tensor(layouts, name)
        chosen = Layout(given) if given is not None else None
        if chosen is None and known is not None:
            chosen = _fitting(known.layout, dimensions[name])
        alignment = for_tensor(alignments, name) or (known.alignment if known and model is None else None)
        read = for_tensor(reading, name)
        if known is None:
            tensors[name] = TensorOptions(chosen, None, None, alignment, read)
        else:
            tensors[name] = TensorOptions(chosen, known.name, known.channels, alignment, read, known.reads)
    return EncodeOptions(
        target=target,
        arch=None if arch is None else without_options(arch),
        tensors=tensors,
        keep_nonfinite=nonfinite == "keep",
        chunk=chunk,
        index=index,
        effort=Effort.named(effort),
        embed_profile=embed_profile,
        codec=coding,
        weights=model,
        embed_weights=embed_weights,
        outliers=None if outliers is None else outliers == "keep",
        limits=limits,
        threads=None if threads is None else thread_count(threads),
        software=software,
        warnings=arch_warnings(arch),
    )


def _weights(
    codec: Codec,
    weights: str | Path | WeightsFile | None,
    target: Target,
    outliers: str | None,
    profile: ProfileFile | None,
    embed_weights: bool,
) -> WeightsFile | None:
    """The weights of a learned codec; None for a codec without. Targets are checked for both.

    Raises:
        OptionError: for options that the codec does not have, and for targets that it cannot promise.
        UnsupportedError: for weights without an encoder.
    """
    if not codec.weighted:
        if weights is not None or outliers is not None or not embed_weights:
            option = "outliers" if weights is None and outliers is not None else "weights"
            raise OptionError(f"the {codec.name} codec has no {option}", remedy="use --codec hyperprior")
        codec.load("rate_control").check(target)
        return None
    if outliers not in (None, "keep", "clip"):
        raise UnknownNameError("way with outliers", outliers, ("keep", "clip"))
    if profile is not None:
        raise OptionError("profiles are for the transform codec", remedy="leave --profile or --codec out")
    codec.load("rate_control").check(target)
    found = find_weights(UNIVERSAL if weights is None else weights)
    if not found.weights.encodes:
        raise UnsupportedError("the weights hold no encoder", file=str(weights), remedy="use those that were trained")
    return found


def _check_names(names: list[str], *options: Any) -> None:
    for option in options:
        name = unmatched(per_tensor(option), names)
        if name is None:
            continue
        if names == [""]:
            raise OptionError(f"no tensor '{name}': there is one, without a name", remedy="give the value alone")
        raise UnknownNameError("tensor", name, names)


def check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Check what can be checked without an input, so that many inputs do not fail one by one.

    Args:
        options: of :func:`caufc.encode`.

    Returns:
        the same, with the profile and the weights that they name: so each is read once.

    Raises:
        CaufError: as :func:`caufc.encode` does.
    """
    profile = None if options.get("profile") is None else find_profile(options["profile"])
    named = (options.get(key) or {} for key in ("tap", "layout", "align", "truncate", "reads"))
    names = sorted({"*"}.union(*named))
    apart = ("profile", "keyed", "meta")  # what is about the input, not about its tensors
    rest = {name: value for name, value in options.items() if name not in apart}
    made = make_options(names, dict.fromkeys(names, 0), profile=profile, **rest)
    return {**options, "profile": profile, "weights": made.weights}
