"""Pretended installations: a module and the metadata of the distribution that brings it, in a folder on the path."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from caufc.plugin_manager import PluginManager

HEAD = "from caufc import Alignment, Backbone, FeatureFormat, Profile, Tap, Task, hookimpl\n"
_serial = itertools.count()


class Site:
    """A folder of distributions with one plugin each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, source: str, *, name: str = "p", distribution: str = "dist", version: str = "1.0") -> str:
        """Install a plugin; its source follows imports of caufc's names. Returns the module's name."""
        module = f"site_plugin_{next(_serial)}"
        (self.folder / f"{module}.py").write_text(HEAD + source)
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[caufc]\n{name} = {module}\n")
        return module

    def manager(self) -> PluginManager:
        found = metadata.distributions(path=[str(self.folder)])
        return PluginManager([point for dist in found for point in dist.entry_points])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Site(tmp_path)


@pytest.fixture
def backbone() -> Callable[..., str]:
    """Source of a plugin that brings backbones of the given IDs."""

    def source(*ids: str, extra: str = "taps=[Tap('mid', 'b c')]") -> str:
        items = ", ".join(f"Backbone({name!r}, {extra})" for name in ids)
        return f"@hookimpl\ndef caufc_backbones():\n    return [{items}]\n"

    return source


@pytest.fixture
def save_model() -> Callable[..., None]:
    """Saves a tiny random model of transformers in a folder: (folder, name of a configuration class, its options)."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")

    def save(folder: Path, name: str, options: dict[str, Any]) -> None:
        torch.manual_seed(0)
        transformers.AutoModel.from_config(getattr(transformers, name)(**options)).save_pretrained(folder)

    return save
