"""Loads what plugins describe, and stops what their code raises at caufc's border."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from .descriptors import Backbone, FeatureFormat, Half, Runtime, Task, TaskRuntime
from .errors import PluginError
from .plugin_border import translated

__all__ = ["GuardedRuntime", "GuardedTask", "guarded_format", "load_runtime", "load_task"]

Answer = TypeVar("Answer")


EXTRAS = ("timm", "transformers")
"""Extras of caufc, each with the name of the package that its plugins need most."""


class GuardedRuntime:
    """A runtime whose errors are caufc's, and whose ``extract`` gives every tap that was asked for."""

    def __init__(self, runtime: Runtime, plugin: str) -> None:
        self._runtime, self._plugin = runtime, plugin

    def prepare(self, paths: Sequence[Path]) -> Any:
        with translated(self._plugin, "prepare"):
            return self._runtime.prepare(paths)

    def extract(self, inputs: Any, taps: Sequence[str]) -> dict[str, Any]:
        with translated(self._plugin, "extract"):
            features: object = self._runtime.extract(inputs, taps)
        missing = [tap for tap in taps if not isinstance(features, dict) or tap not in features]
        if not isinstance(features, dict) or missing:
            raise PluginError(
                f"extract gave no features for tap '{missing[0] if missing else ''}'", plugin=self._plugin
            )
        return features

    def resume(self, features: Any, tap: str) -> Any:
        with translated(self._plugin, "resume"):
            return self._runtime.resume(features, tap)


def load_runtime(backbone: Backbone, arch: str, plugin: str) -> Runtime:
    """The runtime of an architecture ID.

    Raises:
        PluginError: if the backbone cannot be run, a package is missing, or its ``load`` fails.
    """
    if backbone.load is None:
        raise PluginError(f"'{arch}' only describes features and cannot be run", plugin=plugin)
    _check_installed(arch, backbone, plugin)
    with translated(plugin, f"loading '{arch}'"):
        runtime: object = backbone.load(arch)
    _check_methods(runtime, ("prepare", "extract", "resume"), f"load('{arch}')", plugin)
    return GuardedRuntime(runtime, plugin)  # type: ignore[arg-type]


def guarded_format(item: FeatureFormat, plugin: str) -> FeatureFormat:
    """A feature format whose errors are caufc's."""
    suffix = item.suffix.lower()

    def guarded(function: Callable[..., Answer], doing: str) -> Callable[..., Answer]:
        @wraps(function)
        def call(*arguments: Any) -> Answer:
            with translated(plugin, doing):
                return function(*arguments)

        return call

    asking, with_metadata = f"asking what {suffix} holds", item.with_metadata

    def with_guarded_metadata(metadata: Mapping[str, str]) -> FeatureFormat:
        with translated(plugin, asking):
            return guarded_format(with_metadata(metadata), plugin)  # type: ignore[misc]

    return replace(
        item,
        read=guarded(item.read, f"reading {suffix}"),
        write=guarded(item.write, f"writing {suffix}"),
        read_within=item.read_within and guarded(item.read_within, f"reading {suffix}"),
        dump=item.dump and guarded(item.dump, f"writing {suffix}"),
        problem=item.problem and guarded(item.problem, asking),
        plan=item.plan and guarded(item.plan, f"writing {suffix}"),
        with_metadata=with_metadata and with_guarded_metadata,
    )


def load_task(task: Task, data: Path | None, plugin: str) -> TaskRuntime:
    """The runtime of a task.

    Raises:
        PluginError: if a package is missing, or the task's ``load`` fails.
    """
    _check_installed(task.id, task, plugin)
    with translated(plugin, f"loading '{task.id}'"):
        runtime: object = task.load(data)
    _check_methods(runtime, ("labels", "extract", "resume"), f"load of '{task.id}'", plugin)
    return GuardedTask(runtime, plugin)  # type: ignore[arg-type]


class GuardedTask:
    """A task's runtime whose errors are caufc's, and whose ``extract`` gives every tap that was asked for."""

    def __init__(self, runtime: TaskRuntime, plugin: str) -> None:
        self._runtime, self._plugin = runtime, plugin

    def labels(self, half: Half) -> Sequence[int]:
        with translated(self._plugin, "labels"):
            return self._runtime.labels(half)

    def extract(self, half: Half, start: int, stop: int, taps: Sequence[str]) -> dict[str, Any]:
        with translated(self._plugin, "extract"):
            features: object = self._runtime.extract(half, start, stop, taps)
        for tap in taps:
            if not isinstance(features, dict) or tap not in features:
                raise PluginError(f"extract gave no features for tap '{tap}'", plugin=self._plugin)
            if len(features[tap]) != stop - start:
                raise PluginError(
                    f"extract gave {len(features[tap])} features of {stop - start} samples for tap '{tap}'",
                    plugin=self._plugin,
                )
        return dict(features)  # type: ignore[call-overload,no-any-return]

    def resume(self, features: Any, tap: str) -> Any:
        with translated(self._plugin, "resume"):
            return self._runtime.resume(features, tap)


def _check_methods(runtime: object, names: Sequence[str], what: str, plugin: str) -> None:
    for method in names:
        if not callable(getattr(runtime, method, None)):
            raise PluginError(f"{what} gave no runtime: '{method}' is missing", plugin=plugin)


def _check_installed(name: str, described: Backbone | Task, plugin: str) -> None:
    missing = [package for package in described.requires if not _installed(package)]
    if missing:
        raise PluginError(f"'{name}' needs {', '.join(missing)}", plugin=plugin, remedy=_install(described, missing))


def _install(described: Backbone | Task, missing: Sequence[str]) -> str:
    """How to install what is missing: for caufc's own plugins, the extra that holds it."""
    extra = next((name for name in EXTRAS if name in described.requires), None)
    if extra is not None and str(getattr(described.load, "__module__", "")).startswith("caufc.plugins."):
        return f"pip install 'caufc[{extra}]'"
    return f"pip install {' '.join(missing)}"


def _installed(package: str) -> bool:
    """Whether a package is here, under its name on the index (``pillow``) or the one it is imported by (``PIL``)."""
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return package.isidentifier() and find_spec(package) is not None
