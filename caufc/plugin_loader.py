"""Turns one entry point into what it brings, or into the reason why it brings nothing."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any, Literal, TypeVar

import pluggy

from . import hookspecs
from .descriptors import Backbone, FeatureFormat, Profile, Tap, Task
from .plugin_border import is_signal, printing_to_stderr

__all__ = ["FaultError", "Plugin", "PluginLoader", "check_taps"]


Described = TypeVar("Described", Backbone, Profile, FeatureFormat, Task)


@dataclass(frozen=True)
class Plugin:
    """One plugin and what became of it.

    Args:
        name: of its entry point.
        distribution: the installed distribution that it comes from; None if it has none.
        version: of the distribution.
        status: ``ok``; ``broken``, then it brings nothing; ``collision``, then the names that it shares are errors.
        reason: why the status is not ``ok``.
        backbones, profiles, feature_formats, tasks: what it brings.
    """

    name: str
    distribution: str | None = None
    version: str | None = None
    status: Literal["ok", "broken", "collision"] = "ok"
    reason: str | None = None
    backbones: tuple[Backbone, ...] = field(default=(), repr=False)
    profiles: tuple[Profile, ...] = field(default=(), repr=False)
    feature_formats: tuple[FeatureFormat, ...] = field(default=(), repr=False)
    tasks: tuple[Task, ...] = field(default=(), repr=False)

    @property
    def origin(self) -> str:
        """Distribution and version, as a user would look for them."""
        return " ".join(part for part in (self.distribution or "no distribution", self.version) if part)


class FaultError(Exception):
    """A fault of the plugin, in words for its author."""


class PluginLoader:
    """Loads plugins one at a time into one pluggy manager; a failure leaves no trace in it.

    Args:
        own_formats: the feature formats of caufc itself, whose suffixes no plugin can take.
    """

    def __init__(self, own_formats: Iterable[FeatureFormat] = ()) -> None:
        self._own = {suffix: item for item in own_formats for suffix in item.suffixes}
        self._pluggy = pluggy.PluginManager(hookspecs.PROJECT)
        self._pluggy.add_hookspecs(hookspecs)

    def load(self, entry_point: metadata.EntryPoint) -> Plugin:
        """Import, register and read one plugin; whatever it raises becomes the reason of a broken one."""
        plugin = _identify(entry_point)
        module: Any = None
        try:
            with printing_to_stderr():
                module = entry_point.load()
                self._register(module)
                return self._read(plugin, module)
        except BaseException as err:  # a plugin that calls sys.exit() must not take the host with it
            if is_signal(err):
                raise
            if module is not None and self._pluggy.is_registered(module):
                self._pluggy.unregister(module)
            text = str(err) if isinstance(err, FaultError) else f"{type(err).__name__}: {err}"
            return replace(plugin, status="broken", reason=" ".join(text.split()))

    def _read(self, plugin: Plugin, module: Any) -> Plugin:
        """The plugin with what its hooks return."""
        return replace(
            plugin,
            backbones=tuple(self._described(module, "caufc_backbones", Backbone, _check_backbone)),
            profiles=tuple(self._described(module, "caufc_profiles", Profile, _check_profile)),
            feature_formats=tuple(
                self._described(module, "caufc_feature_formats", FeatureFormat, self._check_suffixes)
            ),
            tasks=tuple(self._described(module, "caufc_tasks", Task, _check_task)),
        )

    def _register(self, module: Any) -> None:
        if self._pluggy.is_registered(module):
            raise FaultError("another entry point already names this module")
        self._check_hook_names(module)
        self._pluggy.register(module)
        self._pluggy.check_pending()
        if not self._pluggy.get_hookcallers(module):
            raise FaultError(f"implements no hook; there are {', '.join(self._hook_names())}")

    def _hook_names(self) -> list[str]:
        return [name for name in dir(hookspecs) if name.startswith("caufc_")]

    def _check_hook_names(self, module: Any) -> None:
        for attribute in dir(module):
            marks = self._pluggy.parse_hookimpl_opts(module, attribute)
            name = (marks.get("specname") if marks else None) or attribute
            if marks is None and not (attribute.startswith("caufc_") and inspect.isroutine(getattr(module, attribute))):
                continue
            if name not in self._hook_names():
                near = difflib.get_close_matches(name, self._hook_names(), n=1, cutoff=0.4)
                hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(self._hook_names())}"
                raise FaultError(f"'{name}' is not a hook; {hint}")
            if marks is None:
                raise FaultError(f"'{name}' is not marked with @caufc.hookimpl")

    def _described(
        self, module: Any, hook: str, kind: type[Described], check: Callable[[Described], Iterable[str]]
    ) -> Iterator[Described]:
        """What the module's implementation of a hook returns, each item checked and its names met once."""
        names: set[str] = set()
        for implementation in getattr(self._pluggy.hook, hook).get_hookimpls():
            if implementation.plugin is not module:
                continue
            returned = implementation.function()
            if isinstance(returned, str | bytes | kind) or not isinstance(returned, Iterable):
                raise FaultError(f"{hook} returns {_article(returned)}, not an iterable of {kind.__name__}")
            for item in returned:
                if not isinstance(item, kind):
                    raise FaultError(f"{hook} returns {_article(item)} among its items, not a {kind.__name__}")
                for name in check(item):
                    if name in names:
                        raise FaultError(f"{hook} returns '{name}' twice")
                    names.add(name)
                yield item

    def _check_suffixes(self, feature_format: FeatureFormat) -> tuple[str, ...]:
        suffixes = _check_format(feature_format)
        for suffix in suffixes:
            if self._own.get(suffix, feature_format) is not feature_format:
                raise FaultError(f"feature format '{feature_format.suffix}': caufc reads and writes '{suffix}' itself")
        return suffixes


def _identify(entry_point: metadata.EntryPoint) -> Plugin:
    distribution = entry_point.dist
    if distribution is None:
        return Plugin(entry_point.name)
    return Plugin(entry_point.name, distribution.metadata["Name"], distribution.version)


def _article(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _check_name(what: str, name: object) -> str:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise FaultError(f"{what} is {name!r}, not a name")
    return name


def _check_backbone(backbone: Backbone) -> tuple[str]:
    name = _check_name("the id of a backbone", backbone.id)
    if not callable(backbone.taps):
        check_taps(name, backbone.taps)
    if backbone.load is not None and not callable(backbone.load):
        raise FaultError(f"backbone '{name}': load is {_article(backbone.load)}, not a function")
    _check_requires(f"backbone '{name}'", backbone.requires)
    return (name,)


def _check_requires(whose: str, requires: object) -> None:
    if isinstance(requires, str) or not isinstance(requires, Sequence) or any(type(r) is not str for r in requires):
        raise FaultError(f"{whose}: requires is not a sequence of package names")


def check_taps(name: str, taps: object, kind: str = "backbone") -> tuple[Tap, ...]:
    """The taps, if they are a sequence of :class:`~caufc.types.Tap` with distinct names; else a fault."""
    if isinstance(taps, str) or not isinstance(taps, Sequence) or any(not isinstance(tap, Tap) for tap in taps):
        raise FaultError(f"{kind} '{name}': taps are not a sequence of Tap")
    names = [_check_name(f"{kind} '{name}': the name of a tap", tap.name) for tap in taps]
    twice = sorted({tap for tap in names if names.count(tap) > 1})
    if twice:
        raise FaultError(f"{kind} '{name}': tap '{twice[0]}' stands twice")
    return tuple(taps)


def _check_task(task: Task) -> tuple[str]:
    name = _check_name("the id of a task", task.id)
    if not check_taps(name, task.taps, "task"):
        raise FaultError(f"task '{name}': there are no taps")
    if not callable(task.load):
        raise FaultError(f"task '{name}': load is {_article(task.load)}, not a function")
    _check_requires(f"task '{name}'", task.requires)
    return (name,)


def _check_profile(profile: Profile) -> tuple[str]:
    if not callable(profile.read):
        raise FaultError(f"profile '{profile.name}': read is {_article(profile.read)}, not a function")
    return (_check_name("the name of a profile", profile.name),)


def _check_format(feature_format: FeatureFormat) -> tuple[str, ...]:
    suffix = _check_name("the suffix of a feature format", feature_format.suffix)
    _check_requires(f"feature format '{suffix}'", feature_format.requires)
    if isinstance(feature_format.aliases, str):
        raise FaultError(f"feature format '{suffix}': aliases are not a sequence of suffixes")
    for name in (suffix, *feature_format.aliases):
        if not _check_name(f"feature format '{suffix}': an alias", name).startswith(".") or not name[1:]:
            raise FaultError(f"feature format '{suffix}': a suffix starts with a dot")
    if not callable(feature_format.read) or not callable(feature_format.write):
        raise FaultError(f"feature format '{suffix}': read and write must be functions")
    return feature_format.suffixes
