"""Profiles from samples: blind ones from statistics, task-aware ones from gradients too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..coders.side_files import read_profile
from ..encoder.encoder import Encoder
from ..features import to_source
from ..limits import DEFAULT_LIMITS
from ..options import (
    layouts_for_structure,
    make_options,
)
from .network_tail import (
    Resume,
    Task,
)
from .task_aware import (
    fit_task,
    samples_of,
)

__all__ = ["fit_profile"]

Told = Callable[[str], None]


def fit_profile(
    features: Any,
    *,
    layout: Any = None,
    resume: Resume | None = None,
    outputs: str = "auto",
    told: Told = lambda text: None,
    **options: Any,
) -> bytes:
    """Make a profile of features like these.

    Args:
        features: as for :func:`caufc.encode`; their structure, names, dtypes and frameworks become the profile's.
        layout: meaning of the axes, as for :func:`caufc.encode`.
        resume: the rest of a network, features ``[B, ...]`` to outputs; makes the profile task-aware: medium quality
            then is where 99.5 % of predictions are expected to stand on samples like these, or values have 20 dB.
        outputs: what ``resume`` gives: ``logits``, ``values``, or ``auto``.
        told: called with what is being done.
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
    fitted = fit_task(first, samples, Task(resume, outputs), told)
    told("tables")
    draft = read_profile(encoder.profile_of([fitted]), DEFAULT_LIMITS)
    fitted_alignment = {name: replace(own, alignment=None) for name, own in settings.tensors.items()}
    return Encoder(source, replace(settings, tensors=fitted_alignment), draft).make_profile()
