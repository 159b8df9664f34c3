"""A task made of labelled images, one folder per class, and any backbone that a plugin knows."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..descriptors import Half, Runtime, Tap, Task
from ..errors import InputError, OptionError, StorageError
from ..plugin_manager import PluginManager

__all__ = ["folder_task"]

Sample = tuple[Path, str]
"""A file, and the name of its class."""


def folder_task(manager: PluginManager, arch: str, taps: Sequence[str], data: Path, classes: Path | None) -> Task:
    """The task of classifying a folder's images; no network is loaded yet.

    In every class files at even positions fit, those at odd ones test.

    Args:
        manager: knows the backbone.
        arch: architecture ID.
        taps: names; at least one.
        data: folder with one folder per class.
        classes: text file with the folders' names in the order of the network's outputs, one per line; None to find
            out.

    Raises:
        StorageError: if a folder or file is missing.
        InputError: if there are no classes, or too few files.
        UnknownNameError: for an unknown architecture or tap.
    """
    if not taps:
        known = ", ".join(tap.name for tap in manager.taps(arch)[:12])
        raise OptionError("no tap is given", remedy=f"give --tap NAME; '{arch}' has {known}")
    chosen: list[Tap] = [manager.find_tap(arch, name) for name in dict.fromkeys(taps)]
    halves = _halves(data)
    order = None if classes is None else _order(classes, {label for half in halves.values() for _, label in half})
    return Task(f"{data.resolve().name}/{arch}", chosen, lambda _: FolderRuntime(manager.runtime(arch), halves, order))


class FolderRuntime:
    """The runtime of a folder task: labelled files, and the backbone that sees them.

    Args:
        runtime: the backbone.
        halves: files and their classes.
        order: names of classes in the order of the network's outputs; None to find out.
    """

    def __init__(self, runtime: Runtime, halves: dict[Half, list[Sample]], order: Sequence[str] | None) -> None:
        self._runtime, self._halves, self._order = runtime, halves, order
        self._classes: dict[str, int] | None = None

    def labels(self, half: Half) -> list[int]:
        if self._classes is None:
            names = sorted({label for each in self._halves.values() for _, label in each})
            self._classes = class_numbers(names, self._order, self._outputs())
        return [self._classes.get(label, -1) for _, label in self._halves[half]]

    def extract(self, half: Half, start: int, stop: int, taps: Sequence[str]) -> dict[str, Any]:
        paths = [path for path, _ in self._halves[half][start:stop]]
        return self._runtime.extract(self._runtime.prepare(paths), taps)

    def resume(self, features: Any, tap: str) -> Any:
        return self._runtime.resume(features, tap)

    def _outputs(self) -> int:
        """How many scores the network gives; 0 if it does not say."""
        model = getattr(getattr(self._runtime, "_runtime", None), "model", None)
        return int(getattr(model, "num_classes", 0) or 0)


def class_numbers(names: Sequence[str], order: Sequence[str] | None, outputs: int) -> dict[str, int]:
    """The number of each class's output by its name; empty if that cannot be known.

    A given order counts; else numbers as names are taken as they are, WordNet IDs as ImageNet-1k orders them, and as
    many folders as outputs in the order of their names.
    """
    if order is not None:
        return {name: number for number, name in enumerate(order)}
    if all(name.isdecimal() for name in names):
        return {name: int(name) for name in names}
    synsets = _imagenet_synsets() if all(name[:1] == "n" and name[1:].isdecimal() for name in names) else []
    if set(names) <= set(synsets):
        return {name: synsets.index(name) for name in names}
    if len(names) == outputs:
        return {name: number for number, name in enumerate(names)}
    return {}


def _imagenet_synsets() -> list[str]:
    if find_spec("timm") is None:
        return []
    from timm.data import ImageNetInfo

    return list(ImageNetInfo("imagenet-1k").label_names())


def _halves(data: Path) -> dict[Half, list[Sample]]:
    remedy = "--data DIR holds one folder a class, with the class's files in it"
    if not data.exists():
        raise StorageError("no such folder", file=str(data), remedy=remedy)
    if not data.is_dir():
        raise StorageError("is not a folder", file=str(data), remedy=remedy)
    folders = sorted(path for path in data.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise InputError("there are no classes", file=str(data), remedy=remedy)
    files = {folder.name: _files(folder) for folder in folders}
    halves: dict[Half, list[Sample]] = {"fit": _mixed(files, 0), "test": _mixed(files, 1)}
    if not halves["test"]:
        raise InputError("no class has two files", file=str(data), remedy="one half fits, the other tests")
    return halves


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _mixed(files: dict[str, list[Path]], start: int) -> list[Sample]:
    """Every second file of every class, the classes taking turns, so that the first samples hold all of them."""
    rounds = zip_longest(*([(path, name) for path in paths[start::2]] for name, paths in files.items()))
    return [sample for each in rounds for sample in each if sample is not None]


def _order(path: Path, names: set[str]) -> list[str]:
    if not path.is_file():
        raise StorageError("no such file", file=str(path), remedy="--classes FILE: names of folders, one per line")
    order = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    missing = sorted(names - set(order))
    if missing:
        raise InputError(
            f"the folder '{missing[0]}' is not in it", file=str(path), remedy="name every class, one per line"
        )
    return order
