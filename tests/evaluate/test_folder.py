"""A folder of labelled files as a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import caufc
from caufc.errors import CaufError, InputError, OptionError, StorageError, UnknownNameError
from caufc.evaluate.folder_task import class_numbers, folder_task

ARCH = "timm/test_resnet?pretrained=false"


def fill(folder: Path, **counts: int) -> Path:
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.png").write_bytes(b"")
    return folder


def task(data: Path, *taps: str, classes: Path | None = None) -> caufc.Task:
    return folder_task(caufc.default_manager(), ARCH, taps or ("layer1",), data, classes)


def test_every_second_file_of_a_class_tests_and_classes_take_turns(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    found = task(fill(tmp_path / "d", cat=4, dog=3, eel=1))
    runtime: Any = found.load(None)
    halves = {half: [f"{path.parent.name}{path.stem}" for path, _ in runtime._halves[half]] for half in ("fit", "test")}
    assert halves == {"fit": ["cat0", "dog0", "eel0", "cat2", "dog2"], "test": ["cat1", "dog1", "cat3"]}
    assert found.id == f"d/{ARCH}"


@pytest.mark.parametrize(
    ("names", "outputs", "numbers"),
    [
        (["0", "7"], 10, {"0": 0, "7": 7}),
        (["cat", "dog"], 2, {"cat": 0, "dog": 1}),
        (["cat", "dog"], 1000, {}),
        (["n01440764", "n01443537"], 1000, {"n01440764": 0, "n01443537": 1}),
    ],
)
def test_which_output_a_class_is(names: list[str], outputs: int, numbers: dict[str, int]) -> None:
    if outputs == 1000:
        pytest.importorskip("timm")
    assert class_numbers(names, None, outputs) == numbers


def test_a_file_tells_the_order(tmp_path: Path) -> None:
    assert class_numbers(["cat", "dog"], ["dog", "emu", "cat"], 3) == {"dog": 0, "emu": 1, "cat": 2}
    (tmp_path / "order.txt").write_text("dog\n")
    with pytest.raises(InputError, match="the folder 'cat' is not in it"):
        task(fill(tmp_path / "d", cat=2, dog=2), classes=tmp_path / "order.txt")


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda folder: None, StorageError, "no such folder"),
        (lambda folder: folder.mkdir(), InputError, "there are no classes"),
        (lambda folder: folder.write_text(""), StorageError, "is not a folder"),
        (lambda folder: fill(folder, cat=1, dog=1), InputError, "no class has two files"),
    ],
)
def test_what_is_wrong_with_a_folder(
    tmp_path: Path, make: Callable[[Path], object], error: type[CaufError], text: str
) -> None:
    make(tmp_path / "data")
    with pytest.raises(error, match=text):
        task(tmp_path / "data")


def test_taps_are_known_before_anything_is_loaded(tmp_path: Path) -> None:
    data = fill(tmp_path / "d", cat=2)
    with pytest.raises(UnknownNameError, match="unknown tap 'layer9'"):
        task(data, "layer9")
    with pytest.raises(OptionError, match=r"no tap is given; give tap=...; .* has layer1"):
        folder_task(caufc.default_manager(), ARCH, (), data, None)
