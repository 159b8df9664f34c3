"""The experiment of an evaluation: which tasks, taps and methods it measures, from what the user asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ..descriptors import Tap, Task
from ..errors import OptionError, StorageError, UnknownNameError
from ..plugin_manager import PluginManager
from .folder_task import folder_task
from .methods import CODEC_METHODS, CodecMethod, Method, find_methods
from .task_data import TaskData

__all__ = ["FIT_SAMPLES", "OWN_TASKS", "Experiment", "ExperimentOptions", "make_experiment"]

OWN_TASKS = (
    "imagenet-sample/efficientnet_lite0",
    "cifar10/resnet56",
    "cifar10/vit",
    "agnews/minilm",
    "agnews/smollm2",
)
"""The tasks of caufc's own measuring data."""

ANCHOR = "int"
"""The method that others are compared with by default: per-channel int-k with zstd, the usual practice."""

FIT_SAMPLES = 800
"""Samples of the fit half at most, by default; chosen by hand."""

HEAD = "head"
"""What plugins call the last tap of a network where the classifier's reading of it is meant."""


@dataclass(frozen=True)
class ExperimentOptions:
    """The options of an evaluation, as the user gave them.

    Args:
        data: the data folder.
        arch: architecture ID; makes ``data`` a folder of labelled images.
        taps: names; empty for all of a task.
        tasks: IDs or patterns; empty for caufc's own.
        classes: file with the order of classes, for ``arch``.
        codecs, rivals: keys; None for all that can run.
        known_codecs: codecs of caufc to choose from.
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
    known_codecs: Sequence[CodecMethod] = CODEC_METHODS
    anchor: str | None = None
    samples: int | None = None
    fit_samples: int = FIT_SAMPLES
    both_halves: bool = False


@dataclass(frozen=True)
class Experiment:
    """The experiment: all methods on all tasks.

    Args:
        tasks: the data of each task.
        methods: what codes.
        anchor: key of the method that others are compared with.
        skipped: key of a method -> why it is left out.
        read_outs: task ID -> the taps behind which its network only reads out.
    """

    tasks: Sequence[TaskData]
    methods: Sequence[Method]
    anchor: str
    skipped: dict[str, str]
    read_outs: dict[str, set[str]] = field(default_factory=dict)


def make_experiment(options: ExperimentOptions, manager: PluginManager, work: Path) -> Experiment:
    """The tasks and methods that options name; no network is loaded yet.

    Raises:
        OptionError: for what contradicts itself, or is not enough.
        StorageError: for a missing folder.
        UnknownNameError: for unknown names.
    """
    methods, skipped = find_methods(options.codecs, options.rivals, options.known_codecs)
    if not methods:
        raise OptionError("there is nothing to measure", remedy="; ".join(f"{k}: {v}" for k, v in skipped.items()))
    tasks = _tasks(options, manager)
    return Experiment(
        tasks=[_data(task, options, manager, work) for task in tasks],
        methods=methods,
        anchor=_anchor(options.anchor, methods),
        skipped=skipped,
        read_outs={
            task.id: _read_outs(task.taps if options.arch is None else manager.taps(options.arch)) for task in tasks
        },
    )


def _tasks(options: ExperimentOptions, manager: PluginManager) -> list[Task]:
    if options.arch is not None:
        if options.tasks:
            raise OptionError("--arch and --task contradict each other", remedy="give one")
        if options.data is None:
            raise OptionError("there is no data", remedy="give --data DIR, with one folder a class")
        return [folder_task(manager, options.arch, options.taps, options.data, options.classes)]
    if options.data is not None and not options.data.is_dir():
        raise StorageError("no such folder", file=str(options.data), remedy="docs/evaluate.md says what it holds")
    if not options.tasks and options.data is None:
        raise OptionError(
            "there is no task", remedy="give --data DIR, with --arch ID and --tap NAME for labelled images of yours"
        )
    tasks = _matching(options.tasks or OWN_TASKS, manager)
    for name in options.taps:
        if not any(tap.name == name for task in tasks for tap in task.taps):
            raise UnknownNameError("tap", name, [tap.name for task in tasks for tap in task.taps])
    return [task for task in tasks if _chosen_taps(task, options)]


def _matching(patterns: Sequence[str], manager: PluginManager) -> list[Task]:
    names = [task.id for _, task in manager.tasks()]
    found: dict[str, Task] = {}
    for pattern in patterns:
        matching = [name for name in names if fnmatchcase(name, pattern)]
        for name in matching or [pattern]:
            found[name] = manager.find_task(name)
    return list(found.values())


def _chosen_taps(task: Task, options: ExperimentOptions) -> list[str]:
    return [tap.name for tap in task.taps if not options.taps or tap.name in options.taps]


def _read_outs(taps: Sequence[Tap]) -> set[str]:
    """The taps behind which a network only reads out, of all in order: the last, and those not read token by token."""
    partly_read = {tap.name for tap in taps if tap.reads != "tokens"}
    last = [tap.name for tap in taps if tap.name != HEAD][-1:]
    return partly_read.union(last)


def _data(task: Task, options: ExperimentOptions, manager: PluginManager, work: Path) -> TaskData:
    data, arch = options.data, options.arch
    names = _chosen_taps(task, options)
    return TaskData(
        task,
        [tap for tap in task.taps if tap.name in names],
        (lambda: task.load(data)) if arch is not None else (lambda: manager.task_runtime(task.id, data)),
        work / "features",
        options.samples,
        options.fit_samples,
        f"{arch or task.id} {'' if data is None else data.resolve()}",
        ("test", "fit") if options.both_halves else ("test",),
    )


def _anchor(wanted: str | None, methods: Sequence[Method]) -> str:
    keys = [method.key for method in methods]
    if wanted is not None and wanted not in keys:
        raise UnknownNameError("method", wanted, keys)
    return wanted or (ANCHOR if ANCHOR in keys else keys[0])
