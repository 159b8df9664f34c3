"""The plugin interface: what a plugin may implement. Entry-point group: ``caufc``.

A plugin is a module that an entry point of the group names. It implements any of the hooks below, each marked with
``@caufc.hookimpl``, and describes what it brings with the dataclasses of :mod:`caufc`. Hooks return descriptions only:
whatever is heavy (torch, a model library, weights) is imported by the functions that the descriptions carry.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from .descriptors import Backbone, FeatureFormat, Profile, Task

__all__ = [
    "PROJECT",
    "caufc_backbones",
    "caufc_feature_formats",
    "caufc_profiles",
    "caufc_tasks",
    "hookimpl",
    "hookspec",
]

PROJECT = "caufc"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def caufc_backbones() -> Iterable[Backbone]:
    """Backbone families: architecture IDs or patterns, their taps, and how to load them.

    An ID belongs to one plugin. An exact ID goes before patterns, and the pattern with the most literal characters
    before the others.
    """
    return ()


@hookspec
def caufc_profiles() -> Iterable[Profile]:
    """Named profiles: the bytes of a ``.caufp`` file each, for ``--profile NAME``."""
    return ()


@hookspec
def caufc_feature_formats() -> Iterable[FeatureFormat]:
    """Feature file formats, by suffix: how to read and write them."""
    return ()


@hookspec
def caufc_tasks() -> Iterable[Task]:
    """Tasks for ``caufc evaluate --task ID``: labelled data, a network, and the taps where it is cut."""
    return ()
