"""Blind profiles: alignment, steps and tables from the statistics of samples, no task in sight."""

from __future__ import annotations

from typing import Any

from ..features import to_source
from ..options import layouts_for_structure, make_options
from ..pipeline.encoder import Encoder

__all__ = ["fit_profile"]


def fit_profile(features: Any, *, layout: Any = None, **options: Any) -> bytes:
    """Make a profile of features like these.

    Args:
        features: as for :func:`caufc.encode`; their structure, names, dtypes and frameworks become the profile's.
        layout: meaning of the axes, as for :func:`caufc.encode`.
        options: ``arch``, ``tap``, ``align``, ``truncate``, ``quality`` and ``nonfinite`` as for :func:`caufc.encode`.

    Returns:
        the bytes of a ``.caufp`` file, made for medium quality unless ``quality`` says otherwise.

    Raises:
        InputError: for features or options that cannot be used.
    """
    source = to_source(features, layouts_for_structure(layout))
    names = [tensor.name for tensor in source.tensors]
    settings = make_options(names, source.dimensions, layout=layout, **options)
    return Encoder(source, settings).make_profile()
