"""The preset of the paper's experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

import caufc
from caufc.errors import StorageError
from caufc.evaluate.experiment import OWN_TASKS
from caufc.evaluate.paper import ABLATION, PAPER_TASKS, UNALIGNED, paper_codecs


def test_weights_that_are_there_are_used(tmp_path: Path) -> None:
    for name in ("cifar10_vit", "ablation-format"):
        (tmp_path / f"{name}.caufw").write_bytes(b"")
    codecs = {codec.key: codec for codec in paper_codecs(tmp_path)}
    assert list(codecs)[:5] == ["blind", "reads", "task", "hyperprior", "hyperprior-arch"]
    assert len(codecs) == 5 + len(ABLATION)
    single = codecs["hyperprior-arch"].options_for_task("cifar10/vit")
    assert single is not None and single["weights"] == str(tmp_path / "cifar10_vit.caufw")
    assert codecs["hyperprior-arch"].options_for_task("cifar10/resnet56") is None
    assert codecs["ablation-format"].options_for_task("agnews/minilm") == {
        "codec": "hyperprior",
        "align": "none",
        "weights": str(tmp_path / "ablation-format.caufw"),
    }
    assert codecs["ablation-none"].options_for_task("agnews/minilm") is None
    assert codecs["hyperprior"].options_for_task("agnews/minilm") == {"codec": "hyperprior"}


def test_the_layouts_of_the_ablation_are_layouts() -> None:
    for own, instead in UNALIGNED.items():
        assert len(caufc.Layout(own).terms) == len(caufc.Layout(instead).terms)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such folder; 'caufc train' makes weights"):
        paper_codecs(tmp_path / "absent")


def test_own_tasks_are_those_of_the_measuring_plugin() -> None:
    assert [task.id for plugin, task in caufc.default_manager().tasks() if plugin == "measuring"] == list(OWN_TASKS)
    assert {*PAPER_TASKS} < {*OWN_TASKS}
