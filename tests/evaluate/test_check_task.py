"""The check that a task's author runs."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

import caufc
from caufc.errors import PluginError
from caufc.testing import check_task

pytest.importorskip("torch")

from .tiny_task import Tiny


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = caufc.PluginManager([metadata.EntryPoint("tiny", "evaluate.tiny_task", "caufc")])
    monkeypatch.setattr(caufc, "default_manager", lambda: manager, raising=False)


def test_a_sound_task_passes() -> None:
    check_task("tiny/maps")


@pytest.mark.parametrize(
    ("method", "instead", "text"),
    [
        ("labels", lambda *_: [], "task 'tiny/maps': its fit half has no samples"),
        ("extract", lambda *_: {}, "extract gave no features for tap 'middle'"),
        ("extract", lambda *_: {"middle": [0.0]}, "extract gave 1 features of 4 samples for tap 'middle'"),
        ("resume", lambda self, x, tap: x.mean((2, 3))[0], "gives [8] for one sample, not scores [1, K] or [1, T, K]"),
        ("resume", lambda self, x, tap: x.mean((2, 3)) / 0, "gives values that are not finite"),
        ("resume", lambda self, x, tap: x.detach().mean((2, 3)), "cannot be differentiated"),
    ],
)
def test_what_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch, method: str, instead: Any, text: str) -> None:
    monkeypatch.setattr(Tiny, method, instead)
    with pytest.raises(PluginError) as caught:
        check_task("tiny/maps")
    assert text in str(caught.value)
