"""Discovers plugins and finds what they bring by name.

Every entry point of the group ``caufc`` is a plugin; the built-in families come the same way. Plugins load in name
order. One that cannot be imported, misspells a hook or returns junk is left out and reported; a name that two plugins
bring is an error for whoever asks for that name, and for nobody else.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path
from typing import Generic, TypeVar

from .arch_ids import without_options
from .descriptors import Backbone, FeatureFormat, Profile, Runtime, Tap, Task, TaskRuntime, normal_suffix
from .errors import PluginError, UnknownNameError
from .hookspecs import PROJECT
from .plugin_border import translated
from .plugin_loader import Plugin, PluginLoader, check_taps
from .plugin_runtime import guarded_format, load_runtime, load_task

__all__ = ["PluginManager", "default_manager"]

BUILT_IN = {
    "formats": "caufc.features.formats",
    "generic": "caufc.plugins.generic",
    "hf-audio": "caufc.plugins.hf_audio",
    "hf-language": "caufc.plugins.hf_language",
    "measuring": "caufc.plugins.measuring",
    "timm-cnn": "caufc.plugins.timm_cnn",
    "timm-swin": "caufc.plugins.timm_swin",
    "timm-vit": "caufc.plugins.timm_vit",
}
"""The plugins that come with caufc, for a checkout that is on the path but not installed."""

Item = TypeVar("Item")


class _Index(Generic[Item]):
    """Items of one kind by their names, with the plugins that bring them."""

    def __init__(
        self,
        noun: str,
        plugins: Iterable[Plugin],
        namesakes: dict[str, list[Plugin]],
        items: Callable[[Plugin], Iterable[Item]],
        names: Callable[[Item], Iterable[str]],
    ) -> None:
        self._noun = noun
        self._items: dict[str, tuple[Plugin, Item]] = {}
        self.clashes: dict[str, list[Plugin]] = {}
        bringers: dict[str, list[Plugin]] = {}
        for plugin in plugins:
            for item in items(plugin):
                for name in names(item):
                    self._items.setdefault(name, (plugin, item))
                    bringers.setdefault(name, []).append(plugin)
        for key, owners in bringers.items():
            involved = list({id(p): p for owner in owners for p in namesakes.get(owner.name, [owner])}.values())
            if len(involved) > 1:
                self.clashes[key] = involved

    def names(self) -> list[str]:
        return sorted(self._items)

    def unambiguous(self) -> list[tuple[str, Item]]:
        """(plugin name, item) of every item with a name that one plugin brings, in the order of loading."""
        clear = [found for key, found in self._items.items() if key not in self.clashes]
        return list({id(item): (plugin.name, item) for plugin, item in clear}.values())

    def get(self, name: str) -> tuple[str, Item]:
        """(plugin name, item).

        Raises:
            UnknownNameError: if nobody brings the name.
            PluginError: if two plugins do.
        """
        if name not in self._items:
            raise UnknownNameError(self._noun, name, self.names())
        if name in self.clashes:
            raise _clash(f"the {self._noun} '{name}'", self.clashes[name])
        plugin, item = self._items[name]
        return plugin.name, item


class PluginManager:
    """The plugins of one environment.

    Args:
        entry_points: what to load; the entry points installed in the group ``caufc`` when None.
    """

    def __init__(self, entry_points: Iterable[metadata.EntryPoint] | None = None) -> None:
        own = _own_formats()
        loader = PluginLoader(own)
        points = _installed() if entry_points is None else list(entry_points)
        self._plugins = [
            _guarded(loader.load(point), own) for point in sorted(points, key=lambda point: (point.name, point.value))
        ]
        by_name = {key: list(group) for key, group in itertools.groupby(self._plugins, key=lambda p: p.name)}
        self._namesakes = {key: group for key, group in by_name.items() if len(group) > 1}
        plugins, same = self._plugins, self._namesakes
        self._backbones = _Index("arch", plugins, same, lambda p: p.backbones, lambda b: [b.id])
        self._profiles = _Index("profile", plugins, same, lambda p: p.profiles, lambda f: [f.name])
        self._formats = _Index("feature format", plugins, same, lambda p: p.feature_formats, lambda f: f.suffixes)
        self._tasks = _Index("task", plugins, same, lambda p: p.tasks, lambda t: [t.id])

    def report(self) -> list[Plugin]:
        """Every plugin in the order of loading, with its status."""
        return [self._with_collisions(plugin) for plugin in self._plugins]

    def backbones(self) -> list[tuple[str, Backbone]]:
        """(plugin name, backbone) of every backbone whose ID is unambiguous."""
        return self._backbones.unambiguous()

    def profiles(self) -> list[tuple[str, Profile]]:
        """(plugin name, profile) of every profile whose name is unambiguous."""
        return self._profiles.unambiguous()

    def feature_formats(self) -> list[tuple[str, FeatureFormat]]:
        """(plugin name, format) of every format with an unambiguous suffix, without its ambiguous ones."""
        return [(plugin, self._without_clashes(item)) for plugin, item in self._formats.unambiguous()]

    def tasks(self) -> list[tuple[str, Task]]:
        """(plugin name, task) of every task whose ID is unambiguous."""
        return self._tasks.unambiguous()

    def find_task(self, task: str) -> Task:
        """The task of an ID; see :meth:`find_backbone` for the errors."""
        return self._tasks.get(task)[1]

    def task_runtime(self, task: str, data: Path | None) -> TaskRuntime:
        """Load a task's data and network; PluginError says which package is missing, or why it cannot be run."""
        plugin, found = self._tasks.get(task)
        return load_task(found, data, plugin)

    def find_profile(self, name: str) -> Profile:
        """The profile of a name; see :meth:`find_backbone` for the errors."""
        return self._profiles.get(name)[1]

    def profile_data(self, name: str) -> tuple[str, bytes]:
        """The plugin of a profile's name, and the profile's file; see :meth:`find_backbone` for the errors.

        Raises:
            PluginError: if the plugin's code fails, or gives no bytes.
        """
        plugin, found = self._profiles.get(name)
        with translated(plugin, f"reading profile '{name}'"):
            data: object = found.read()
        if not isinstance(data, bytes):
            raise PluginError(f"profile '{name}' is of type {type(data).__name__}, not bytes", plugin=plugin)
        return plugin, data

    def find_feature_format(self, suffix: str) -> FeatureFormat:
        """The format of a suffix (``.mat``), in any case; see :meth:`find_backbone` for the errors."""
        return self._formats.get(normal_suffix(suffix))[1]

    def find_backbone(self, arch: str) -> Backbone:
        """The backbone of an architecture ID: the exact one, else the pattern with the most literal characters.

        Options after ``?`` (``timm/resnet18?pretrained=false``) are for the loader and do not take part.

        Raises:
            UnknownNameError: if no plugin knows the ID.
            PluginError: if two plugins claim it.
        """
        return self._find(arch)[1]

    def taps(self, arch: str) -> tuple[Tap, ...]:
        """The taps of an architecture, loading nothing."""
        plugin, backbone = self._find(arch)
        if not callable(backbone.taps):
            return tuple(backbone.taps)
        with translated(plugin, f"listing the taps of '{arch}'"):
            return check_taps(backbone.id, backbone.taps(without_options(arch)))

    def find_tap(self, arch: str, name: str) -> Tap:
        """The tap of a name; UnknownNameError lists the taps that there are."""
        taps = self.taps(arch)
        for tap in taps:
            if tap.name == name:
                return tap
        raise UnknownNameError("tap", name, _abridged([tap.name for tap in taps]))

    def runtime(self, arch: str) -> Runtime:
        """Load a backbone; PluginError says which package is missing, or why it cannot be run."""
        plugin, backbone = self._find(arch)
        return load_runtime(backbone, arch, plugin)

    def _find(self, arch: str) -> tuple[str, Backbone]:
        name = without_options(arch)
        if name in self._backbones.names():
            return self._backbones.get(name)
        matching = [pattern for pattern in self._backbones.names() if fnmatchcase(name, pattern)]
        if not matching:
            return self._backbones.get(name)
        best = max(_literals(pattern) for pattern in matching)
        found = [self._backbones.get(pattern) for pattern in matching if _literals(pattern) == best]
        plugins = [plugin for plugin in self._plugins if plugin.name in {owner for owner, _ in found}]
        if len(plugins) > 1:
            raise _clash(f"a pattern for the arch '{name}'", plugins)
        return found[0]

    def _without_clashes(self, item: FeatureFormat) -> FeatureFormat:
        left = [suffix for suffix in item.suffixes if suffix not in self._formats.clashes]
        return item if len(left) == len(item.suffixes) else replace(item, suffix=left[0], aliases=left[1:])

    def _with_collisions(self, plugin: Plugin) -> Plugin:
        reasons = [plugin.reason] if plugin.reason else []
        others = [other for other in self._namesakes.get(plugin.name, []) if other is not plugin]
        if others:
            reasons.append(f"its name is also that of a plugin of {others[0].origin}")
        else:
            for index in (self._backbones, self._profiles, self._formats, self._tasks):
                for name, owners in index.clashes.items():
                    reasons += [
                        f"'{name}' also comes from plugin '{owner.name}' ({owner.origin})"
                        for owner in owners
                        if plugin in owners and owner is not plugin
                    ]
        if not reasons:
            return plugin
        return replace(plugin, status="broken" if plugin.reason else "collision", reason="; ".join(reasons))


def _guarded(plugin: Plugin, own: Iterable[FeatureFormat]) -> Plugin:
    """A plugin whose formats, but for caufc's own, raise caufc's errors."""
    kept = {id(item) for item in own}
    formats = (item if id(item) in kept else guarded_format(item, plugin.name) for item in plugin.feature_formats)
    return replace(plugin, feature_formats=tuple(formats))


def _own_formats() -> tuple[FeatureFormat, ...]:
    """The formats of caufc itself, whichever plugins are looked at."""
    return PluginLoader().load(metadata.EntryPoint("formats", BUILT_IN["formats"], PROJECT)).feature_formats


def _installed() -> list[metadata.EntryPoint]:
    points = list(metadata.entry_points(group=PROJECT))
    provided = {point.name for point in points}
    return points + [
        metadata.EntryPoint(name, module, PROJECT) for name, module in BUILT_IN.items() if name not in provided
    ]


def _clash(what: str, plugins: list[Plugin]) -> PluginError:
    first, second = plugins[:2]
    return PluginError(
        f"brings {what} ({first.origin}), and so does plugin '{second.name}' ({second.origin})",
        plugin=first.name,
        remedy="uninstall one of the two",
    )


def _literals(pattern: str) -> int:
    return len(re.sub(r"\[[^]]*\]|[*?]", "", pattern))


def _abridged(names: list[str]) -> list[str]:
    """Names for a message: of a numbered run (``hidden0`` to ``hidden99``) only the first and the last."""
    groups = itertools.groupby(names, key=lambda name: name.rstrip("0123456789"))
    runs = [list(group) for _, group in groups]
    return [name for run in runs for name in (run if len(run) <= 16 else [run[0], "...", run[-1]])]


@functools.cache
def default_manager() -> PluginManager:
    """The plugins installed in this environment, discovered once a process."""
    return PluginManager()
