"""The fitting of profiles: blind ones from statistics of samples, task-aware ones from gradients too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..coders.side_files import read_profile
from ..encoder.encoder import Encoder
from ..features import to_source
from ..limits import DEFAULT_LIMITS
from ..options import layouts_for_structure, make_options
from ..types import Progress, no_progress
from .network_tail import NetworkTail, Resume
from .task_aware import fit_to_network, samples_of, stages_of

__all__ = ["fit_profile"]


def fit_profile(
    features: Any,
    *,
    layout: Any = None,
    resume: Resume | None = None,
    outputs: str = "auto",
    progress: Progress = no_progress,
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
        progress: called with what is being done, and how many of the stages of a task-aware fit are through.
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
    encoder = Encoder(source, settings)
    if resume is None:
        return encoder.make_profile()
    samples = samples_of(features)
    (first,) = encoder.configs()
    fitted = fit_to_network(first, samples, NetworkTail(resume, outputs), progress)
    stages = stages_of(first)
    progress("tables", stages - 1, stages)
    untabled = read_profile(encoder.profile_of([fitted]), DEFAULT_LIMITS)
    fitted_alignment = {name: replace(own, alignment=None) for name, own in settings.tensors.items()}
    return Encoder(source, replace(settings, tensors=fitted_alignment), untabled).make_profile()
