"""What an evaluation measures: tasks and methods, chosen by what the user gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ..descriptors import (
    Tap,
    Task,
)
from ..errors import (
    OptionError,
    StorageError,
    UnknownNameError,
)
from ..plugin_manager import PluginManager
from .folder_task import folder_task
from .methods import (
    CODECS,
    Codec,
    Method,
    find_methods,
)
from .task_data import TaskData

__all__ = ["OWN_TASKS", "Plan", "Wanted", "make_plan"]

OWN_TASKS = (
    "imagenet-sample/efficientnet_lite0",
    "cifar10/resnet56",
    "cifar10/vit",
    "agnews/minilm",
)
"""The tasks of caufc's own measuring data."""

ANCHOR = "int"

HEAD = "head"
"""What plugins call the last tap of a network where the classifier's reading of it is meant."""


@dataclass(frozen=True)
class Wanted:
    """What the user asked for.

    Args:
        data: the data folder.
        arch: architecture ID; makes ``data`` a folder of labelled images.
        taps: names; empty for all of a task.
        tasks: IDs or patterns; empty for caufc's own.
        classes: file with the order of classes, for ``arch``.
        codecs, rivals: keys; None for all that can run.
        known_codecs: codecs to choose from.
        anchor: key of the method that others are compared with; None for int-k, or the first there is.
        samples: of the test half at most; None for all.
        fit_samples: of the fit half at most.
        both_halves: whether each half is tested, with what the other one fits.
    """

    data: Path | None
    arch: str | None = None
    taps: Sequence[str] = ()
    tasks: Sequence[str] = ()
    classes: Path | None = None
    codecs: Sequence[str] | None = None
    rivals: Sequence[str] | None = None
    known_codecs: Sequence[Codec] = CODECS
    anchor: str | None = None
    samples: int | None = None
    fit_samples: int = 800
    both_halves: bool = False


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Args:
        tasks, methods: all of one on all of the other.
        anchor: key of the method that others are compared with.
        skipped: method -> why it is left out.
        read_outs: task ID -> the taps behind which its network only reads out.
    """

    tasks: Sequence[TaskData]
    methods: Sequence[Method]
    anchor: str
    skipped: dict[str, str]
    read_outs: dict[str, set[str]] = field(default_factory=dict)


def make_plan(wanted: Wanted, manager: PluginManager, work: Path) -> Plan:
    """Choose tasks and methods; nothing is loaded yet.

    Raises:
        OptionError: for what contradicts itself, or is not enough.
        StorageError: for a missing folder.
        UnknownNameError: for unknown names.
    """
    methods, skipped = find_methods(wanted.codecs, wanted.rivals, wanted.known_codecs)
    if not methods:
        raise OptionError("there is nothing to measure", remedy="; ".join(f"{k}: {v}" for k, v in skipped.items()))
    tasks = _tasks(wanted, manager)
    return Plan(
        tasks=[_data(task, wanted, manager, work) for task in tasks],
        methods=methods,
        anchor=_anchor(wanted.anchor, methods),
        skipped=skipped,
        read_outs={
            task.id: _read_outs(task.taps if wanted.arch is None else manager.taps(wanted.arch)) for task in tasks
        },
    )


def _tasks(wanted: Wanted, manager: PluginManager) -> list[Task]:
    if wanted.arch is not None:
        if wanted.tasks:
            raise OptionError("--arch and --task contradict each other", remedy="give one")
        if wanted.data is None:
            raise OptionError("there is no data", remedy="give --data DIR, with one folder a class")
        return [folder_task(manager, wanted.arch, wanted.taps, wanted.data, wanted.classes)]
    if wanted.data is not None and not wanted.data.is_dir():
        raise StorageError("no such folder", file=str(wanted.data), remedy="docs/evaluate.md says what it holds")
    if not wanted.tasks and wanted.data is None:
        raise OptionError(
            "there is no task", remedy="give --data DIR, with --arch ID and --tap NAME for labelled images of yours"
        )
    tasks = _matching(wanted.tasks or OWN_TASKS, manager)
    for name in wanted.taps:
        if not any(tap.name == name for task in tasks for tap in task.taps):
            raise UnknownNameError("tap", name, [tap.name for task in tasks for tap in task.taps])
    return [task for task in tasks if _chosen_taps(task, wanted)]


def _matching(patterns: Sequence[str], manager: PluginManager) -> list[Task]:
    names = [task.id for _, task in manager.tasks()]
    found: dict[str, Task] = {}
    for pattern in patterns:
        matching = [name for name in names if fnmatchcase(name, pattern)]
        for name in matching or [pattern]:
            found[name] = manager.find_task(name)
    return list(found.values())


def _chosen_taps(task: Task, wanted: Wanted) -> list[str]:
    return [tap.name for tap in task.taps if not wanted.taps or tap.name in wanted.taps]


def _read_outs(taps: Sequence[Tap]) -> set[str]:
    """Of all taps of a network, in order: the last, and those of which not every token is read."""
    told = {tap.name for tap in taps if tap.reads != "tokens"}
    last = [tap.name for tap in taps if tap.name != HEAD][-1:]
    return told.union(last)


def _data(task: Task, wanted: Wanted, manager: PluginManager, work: Path) -> TaskData:
    data, arch = wanted.data, wanted.arch
    names = _chosen_taps(task, wanted)
    return TaskData(
        task,
        [tap for tap in task.taps if tap.name in names],
        (lambda: task.load(data)) if arch is not None else (lambda: manager.task_runtime(task.id, data)),
        work / "features",
        wanted.samples,
        wanted.fit_samples,
        f"{arch or task.id} {'' if data is None else data.resolve()}",
        ("test", "fit") if wanted.both_halves else ("test",),
    )


def _anchor(wanted: str | None, methods: Sequence[Method]) -> str:
    keys = [method.key for method in methods]
    if wanted is not None and wanted not in keys:
        raise UnknownNameError("method", wanted, keys)
    return wanted or (ANCHOR if ANCHOR in keys else keys[0])
