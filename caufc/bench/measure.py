"""Measures caufc on one's own features, over a sweep of settings and beside what is in use today.

.. code-block:: python

    from caufc.bench.measure import measure

    report = measure(features, qualities=(20, 50, 80), rivals=("fp16", "int8"), layout="b c h w")
    print(report.text())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..codec.kernels import built
from ..encoder.report import Report
from ..errors import OptionError
from ..evaluate.rivals.base import ZSTD_LEVEL, Rival, TensorSpec
from ..evaluate.rivals.registry import RIVAL_NAMES, find_rivals
from ..options import layouts_for_structure
from ..text import SHOWN_TENSORS, count, shown
from ..types import Progress, no_progress
from .features import LoadedFeatures
from .methods import QUALITIES, EncodeSetting, encode_settings
from .report import BenchReport
from .row import BenchRow, measure_rival, measure_setting, warm_up
from .tensor_facts import TensorFacts, rival_specs, tensor_facts

__all__ = ["measure", "measure_methods"]


def measure(
    features: Any,
    *,
    qualities: Sequence[float | str] = QUALITIES,
    efforts: Sequence[str] = ("default",),
    lossless: bool = True,
    rivals: Sequence[str] | None = None,
    zstd_level: int = ZSTD_LEVEL,
    samples: int | None = None,
    repeat: int = 1,
    name: str = "features",
    progress: Progress = no_progress,
    **options: Any,
) -> BenchReport:
    """Measure rate, error and speed on features, at several settings of caufc and beside rivals.

    Args:
        features: as for :func:`caufc.encode`; they are held in memory.
        qualities: 0 to 100 each, or ``low``, ``medium``, ``high``.
        efforts: ``fast``, ``default``, ``best``; every quality is measured at each.
        lossless: whether coding without loss is measured too.
        rivals: names of :data:`~caufc.evaluate.rivals.registry.RIVAL_NAMES`; None for all, empty for none.
        zstd_level: of the rivals' zstd.
        samples: measure only the first so many; None for all.
        repeat: run everything so many times; the fastest run counts.
        name: what the report calls the features.
        progress: called with the method at work, how many methods are done, and how many there are.
        options: others of :func:`caufc.encode`, which all settings share: ``arch``, ``layout``, ``profile``...

    Raises:
        InputError: for features that cannot be encoded as asked, or hold no values.
        OptionError: for options that contradict each other or do not exist.
        UnknownNameError: for an unknown rival.
    """
    settings = encode_settings(qualities, efforts, lossless=lossless)
    against = find_rivals(RIVAL_NAMES if rivals is None else rivals, zstd_level)
    loaded = LoadedFeatures.load(features, layouts_for_structure(options.get("layout")), samples)
    return measure_methods(loaded, settings, against, options=options, repeat=repeat, name=name, progress=progress)


def measure_methods(
    features: LoadedFeatures,
    settings: Sequence[EncodeSetting],
    rivals: Sequence[Sequence[Rival]],
    *,
    options: Mapping[str, Any],
    repeat: int = 1,
    name: str = "features",
    progress: Progress = no_progress,
) -> BenchReport:
    """Measure features that are loaded, with settings and rivals that are chosen.

    Args:
        features: what is coded.
        settings: of caufc.
        rivals: each as its variants, of which the smallest counts.
        options: of :func:`caufc.encode`, which all settings share.
        repeat, name, progress: as for :func:`measure`.

    Raises:
        InputError: for features that cannot be encoded as asked.
        OptionError: if there is nothing to measure.
    """
    if not settings and not rivals:
        raise OptionError("there is nothing to measure", remedy="give a quality, lossless or a rival")
    rows: list[BenchRow] = []
    reports: list[Report] = []

    def at_work(method: str, *_: object) -> None:
        progress(method, len(rows), len(settings) + len(rivals))

    warm_up()
    for setting in settings:
        at_work(setting.name)
        encode_progress = partial(at_work, setting.name)
        row, report = measure_setting(features, setting, options=options, repeat=repeat, progress=encode_progress)
        rows.append(row)
        reports.append(report)
    facts = tensor_facts(features, options, reports)
    specs = rival_specs(features, facts)
    left_out: dict[str, list[str]] = {}
    for variants in rivals:
        refusal = _refusal(features, variants[0], specs)
        if refusal is not None:
            left_out.setdefault(refusal, []).append(variants[0].kind)
            continue
        found = []
        for variant in variants:
            at_work(variant.name)
            found.append(measure_rival(features, variant, specs, repeat=repeat))
        rows.append(min(found, key=lambda row: row.bytes))
    notes = [f"Left out: {', '.join(kinds)}; {refusal}." for refusal, kinds in left_out.items()]
    return BenchReport(
        file=name,
        samples=features.source.samples,
        samples_in_file=features.available,
        numel=features.numel,
        bytes_in=features.bytes_in,
        dtype=features.dtype,
        tensors=tuple(facts),
        repeat=repeat,
        rows=tuple(rows),
        notes=(*notes, *(_kept(facts, specs) if rivals else ())),
        warnings=tuple(dict.fromkeys(warning for report in reports for warning in report.warnings)),
        kernels=built(),
    )


def _refusal(features: LoadedFeatures, rival: Rival, specs: Sequence[TensorSpec]) -> str | None:
    """Why a rival cannot take the features; None if it can."""
    if all(spec.channels is None for spec in specs):
        return "there are no floats with channels"
    for tensor, arrays, spec in zip(features.source.tensors, features.arrays, specs, strict=True):
        refusal = None if spec.channels is None else rival.refusal(arrays, spec)
        if refusal:
            return f"tensor '{tensor.name}' {refusal}" if tensor.name else f"the tensor {refusal}"
    return None


def _kept(facts: Sequence[TensorFacts], specs: Sequence[TensorSpec]) -> list[str]:
    """A sentence on the tensors that rivals keep as they are, where others are left to them."""
    kept = [f"'{shown(f.name)}' ({f.dtype})" for f, spec in zip(facts, specs, strict=True) if spec.channels is None]
    if not kept or len(kept) == len(specs):
        return []
    more = f" and {count(len(kept) - SHOWN_TENSORS, 'more tensor')}" if len(kept) > SHOWN_TENSORS else ""
    return [f"Kept as they are by rivals, with zstd: {', '.join(kept[:SHOWN_TENSORS])}{more}."]
