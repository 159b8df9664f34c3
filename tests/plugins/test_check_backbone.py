"""``caufc.testing.check_backbone``: good backbones pass, and each fault has its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import caufc
from caufc.errors import PluginError, UnknownNameError
from caufc.testing import check_backbone

from .conftest import Site

torch = pytest.importorskip("torch")

RUNTIME = """
import torch

class Runtime:
    def prepare(self, paths):
        return torch.stack([torch.linspace(0, 1, 48).view(3, 4, 4) + i for i, _ in enumerate(paths)])
    def extract(self, inputs, taps):
        return {tap: inputs * 2 for tap in taps}
    def resume(self, features, tap):
        return features.mean((2, 3))

class Bad(Runtime):
    def {method}

@hookimpl
def caufc_backbones():
    return [Backbone("mine/net", {taps}, load=lambda arch: {kind}())]
"""
GOOD_TAPS = "[Tap('map', 'b c h w', 3)]"


@pytest.fixture
def mine(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def install(kind: str = "Runtime", method: str = "unused(self): pass", taps: str = GOOD_TAPS) -> None:
        site.add(RUNTIME.replace("{method}", method).replace("{taps}", taps).replace("{kind}", kind))
        manager = site.manager()
        monkeypatch.setattr("caufc.plugin_manager.PluginManager", lambda: manager)
        caufc.default_manager.cache_clear()

    yield install
    caufc.default_manager.cache_clear()


def test_a_good_backbone(mine: Callable[..., None], tmp_path: Path) -> None:
    mine()
    check_backbone("mine/net")
    check_backbone("mine/net", torch.randn(2, 3, 4, 4))
    check_backbone("mine/net", [tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize("arch", ["timm/test_resnet", "timm/test_vit"])
def test_built_in_families(arch: str) -> None:
    pytest.importorskip("timm")
    check_backbone(f"{arch}?pretrained=false")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("extract(self, inputs, taps): return {tap: inputs[0] for tap in taps}", r"shape \[3, 4, 4\], but its layout"),
        ("extract(self, inputs, taps): return {tap: inputs.int() for tap in taps}", "torch.int32, not floats"),
        ("extract(self, inputs, taps): return {tap: inputs / 0 for tap in taps}", "values that are not finite"),
        ("extract(self, inputs, taps): return {tap: 'text' for tap in taps}", "yields a str, not a tensor"),
        ("extract(self, inputs, taps): return {tap: inputs[:, :2] for tap in taps}", "2 channels, but declares 3"),
        ("extract(self, inputs, taps): return {tap: torch.rand(2, 3, 4, 4) for tap in taps}", "is the model in eval"),
        ("extract(self, inputs, taps): return {}", "extract gave no features for tap 'map'"),
        ("extract(self, inputs, taps): 1 / 0", "extract failed: ZeroDivisionError"),
        ("resume(self, features, tap): return features.detach()", "cannot be differentiated"),
        ("resume(self, features, tap): return features / 0", "values that are not finite"),
        ("resume(self, features, tap): return None", "gives a NoneType, no tensor"),
        ("resume(self, features, tap): 1 / 0", "resume failed: ZeroDivisionError"),
        ("prepare(self, paths): 1 / 0", "prepare failed: ZeroDivisionError"),
    ],
)
def test_a_bad_runtime(mine: Callable[..., None], method: str, message: str) -> None:
    mine("Bad", method)
    with pytest.raises(PluginError, match=message) as caught:
        check_backbone("mine/net")
    assert caught.value.plugin == "p"


def test_a_tap_that_says_it_cannot_be_resumed(mine: Callable[..., None]) -> None:
    mine("Bad", "resume(self, features, tap): import caufc; raise caufc.UnsupportedError('no')")
    check_backbone("mine/net")


@pytest.mark.parametrize(
    ("taps", "message"),
    [("[]", "has no taps"), ("[Tap('map', 'b (5 + h) c')]", "but its layout is"), ("None", "unknown arch")],
)
def test_bad_taps(mine: Callable[..., None], taps: str, message: str) -> None:
    mine(taps=taps)
    with pytest.raises((PluginError, UnknownNameError), match=message):
        check_backbone("mine/net")
