"""The fitting of profiles: blind ones from statistics of samples, task-aware ones from gradients too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..coders.side_files import read_profile
from ..encoder.encoder import Encoder
from ..encoder.options import EncodeOptions
from ..encoder.source import Source
from ..features import to_source
from ..limits import DEFAULT_LIMITS
from ..options import layouts_for_structure, make_options
from ..types import DTYPES, Progress, no_progress
from .cost import FitCost, survey_seconds
from .network_tail import NetworkTail, Resume
from .probe import probe
from .stages import Stages
from .task_aware import Values, fit_to_network, remainders_of, samples_of, trials_of

__all__ = ["fit_profile"]

GUESSED_TRIAL, GUESSED_GRADIENTS = 1.0, 10.0
"""Seconds that progress counts for a trial and for all gradients where nobody asked what a fit will cost."""


def fit_profile(
    features: Any,
    *,
    layout: Any = None,
    resume: Resume | None = None,
    outputs: str = "auto",
    progress: Progress = no_progress,
    announce: Callable[[FitCost], None] | None = None,
    **options: Any,
) -> bytes:
    """The profile of features, for coding more of their kind.

    Args:
        features: as for :func:`caufc.encode`; their structure, names, dtypes and frameworks become the profile's.
        layout: meaning of the axes, as for :func:`caufc.encode`.
        resume: the network behind the tap, features ``[B, ...]`` to outputs; makes the profile task-aware: medium
            quality then is where 99.5 % of predictions are expected to stand on samples like these, or values have
            20 dB.
        outputs: what ``resume`` gives: ``logits``, ``values``, or ``auto``.
        progress: called with what is being done, and how much of the time that all of it was expected to take is
            through, in milliseconds.
        announce: called with the cost before the work begins; a task-aware fit then times its network on a few
            samples first.
        options: ``arch``, ``tap``, ``align``, ``truncate``, ``quality`` and ``nonfinite`` as for :func:`caufc.encode`.

    Returns:
        the bytes of a ``.caufp`` file, made for medium quality unless ``quality`` says otherwise.

    Raises:
        InputError: for features or options that cannot be used.
        PluginError: if ``resume`` fails.
    """
    source = to_source(features, layouts_for_structure(layout))
    names = [tensor.name for tensor in source.tensors]
    settings = make_options(names, source.dimensions, layout=layout, **options)
    if resume is not None:
        return _task_aware(source, settings, samples_of(features), NetworkTail(resume, outputs), progress, announce)
    cost = _cost_of_passes(source, settings, 1)
    if announce is not None:
        announce(cost)
    stages = Stages(progress, cost.seconds)
    stages.begin("statistics and choices", cost.survey_seconds)
    return Encoder(source, settings, progress=stages.within).make_profile()


def _task_aware(
    source: Source,
    settings: EncodeOptions,
    samples: list[Values],
    tail: NetworkTail,
    progress: Progress,
    announce: Callable[[FitCost], None] | None,
) -> bytes:
    encoder = Encoder(source, settings)
    (draft,) = encoder.blind_drafts()
    base, remainders = draft.config, remainders_of(draft)
    probed = (GUESSED_GRADIENTS, GUESSED_TRIAL) if announce is None else probe(base, remainders, samples, tail)
    cost = replace(
        _cost_of_passes(source, settings, 2),
        gradients=tail.draws * len(samples),
        gradient_seconds=probed[0],
        trials=trials_of(base, remainders),
        trial_samples=len(samples) // 2,
        trial_seconds=probed[1],
    )
    if announce is not None:
        announce(cost)
    stages = Stages(progress, cost.seconds)
    stages.begin("statistics", cost.survey_seconds)
    fitted = fit_to_network(base, remainders, samples, tail, stages, cost)
    untabled = read_profile(encoder.profile_of([fitted]), DEFAULT_LIMITS)
    fitted_alignment = {name: replace(own, alignment=None) for name, own in settings.tensors.items()}
    stages.begin("tables", cost.survey_seconds)
    settings = replace(settings, tensors=fitted_alignment)
    return Encoder(source, settings, untabled, stages.within).make_profile()


def _cost_of_passes(source: Source, settings: EncodeOptions, passes: int) -> FitCost:
    values = sum(tensor.numel for tensor in source.tensors)
    value_bytes = sum(tensor.numel * DTYPES[tensor.dtype].itemsize for tensor in source.tensors)
    return FitCost(source.samples, values, value_bytes, passes, survey_seconds(values, settings.effort))
