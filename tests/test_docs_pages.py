"""What docs/ says is true: the programs in plugins.md run, and what glossary.md and recipes.md name is there."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from caufc import descriptors, hookspecs
from caufc.plugin_manager import PluginManager

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = (ROOT / "docs" / "plugins.md").read_text("utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
READING = (ROOT / "docs" / "reading.md").read_text("utf-8")
RECIPES = (ROOT / "docs" / "recipes.md").read_text("utf-8")
SHOW = (ROOT / "docs" / "show.md").read_text("utf-8")
STRANGER = ROOT / "tests" / "stranger"

BLOCKS = re.findall(r"```python\n(.*?)```", PLUGINS, re.DOTALL)
BRINGING = [block for block in BLOCKS if "@hookimpl" in block]
RUNNING = [block for block in BLOCKS if "@hookimpl" not in block]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all plugins of the page are installed."""
    folder = tmp_path_factory.mktemp("site")
    for number, block in enumerate(BRINGING):
        module = f"documented_{number}" if number else "caufc_stranger"
        (folder / f"{module}.py").write_text(block, "utf-8")
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[caufc]\n{module} = {module}\n")
    return folder


def run(site: Path, folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stranger_of_the_page_is_the_one_that_is_tested() -> None:
    assert (STRANGER / "caufc_stranger.py").read_text("utf-8") == BRINGING[0]
    assert (STRANGER / "pyproject.toml").read_text("utf-8") in PLUGINS


def test_every_plugin_of_the_page_loads(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    points = [point for found in metadata.distributions(path=[str(site)]) for point in found.entry_points]
    report = PluginManager(points).report()
    assert len(report) == len(BRINGING) == 5
    assert [(plugin.name, plugin.reason) for plugin in report if plugin.status != "ok"] == []


@pytest.mark.parametrize("block", RUNNING, ids=[block.splitlines()[0] for block in RUNNING])
def test_every_other_program_of_the_page_runs_where_they_are_installed(
    site: Path, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "check_backbone" in block:  # runs the networks of the page, which are torch's
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    run(site, tmp_path, "-c", block)


def test_the_format_of_the_page_goes_through_the_command_line(site: Path, tmp_path: Path) -> None:
    rows = "\n".join(",".join(f"{row}.{column}" for column in range(8)) for row in range(40))
    (tmp_path / "a.csv").write_text(rows)
    run(site, tmp_path, "-m", "caufc.cli.main", "encode", "a.csv", "--lossless", "-o", "a.cauf")
    run(site, tmp_path, "-m", "caufc.cli.main", "decode", "a.cauf", "-o", "b.csv")
    assert len((tmp_path / "b.csv").read_text().splitlines()) == 40


USES = re.findall(r"```python\n(.*?)```", RECIPES + READING + SHOW, re.DOTALL)
NEIGHBOURS = ("torch", "fsspec")


@pytest.mark.parametrize("block", USES, ids=[str(number) for number in range(len(USES))])
def test_the_programs_of_recipes_reading_and_show_run(block: str, tmp_path: Path) -> None:
    for package in NEIGHBOURS:
        if f"import {package}" in block or f"from {package}" in block:
            pytest.importorskip(package)
    (tmp_path / "program.py").write_text(block, "utf-8")
    run(tmp_path, tmp_path, "program.py")


def test_the_page_has_every_hook_and_every_field() -> None:
    for name, hook in vars(hookspecs).items():
        if name.startswith("caufc_"):
            assert f"`{name}{inspect.signature(hook)}`".replace("'", "") in PLUGINS
    for described in ("Backbone", "Tap", "Profile", "FeatureFormat", "Task"):
        shown = re.search(rf"`{described}\(([^`]*)\)`", PLUGINS)
        assert shown is not None, described
        fields = [field.partition("=")[0] for field in shown[1].split(", ")]
        assert fields == list(inspect.signature(getattr(descriptors, described)).parameters)


def test_what_the_glossary_names_is_there() -> None:
    named = re.findall(r"`((?:caufc|tools|docs|spec)/[^`]*)`", GLOSSARY)
    assert len(named) > 60
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_what_the_recipes_name_is_there() -> None:
    """Files, tests and what is defined in them; words in capitals stand for a name to be chosen."""
    named = set(re.findall(r"`((?:caufc|tools|docs|spec|tests)/[^`]*)`", RECIPES))
    there = {path for path in named if "NAME" not in path}
    assert len(there) > 50
    assert [path for path in there if not (ROOT / path).exists()] == []
    text = "".join((ROOT / path).read_text("utf-8") for path in there if path.endswith(".py"))
    words = set(re.findall(r"`(?:[A-Za-z]+\.)?(_?[A-Za-z]+_[A-Za-z_]+|[A-Z][a-z]+[A-Z][A-Za-z]+)`", RECIPES))
    assert len(words) > 35
    assert [word for word in sorted(words) if not re.search(rf"\b{word}\b", text)] == []


def test_the_glossary_has_each_word_once() -> None:
    words = re.findall(r"^- \*\*(.+?)\*\*:", GLOSSARY, re.MULTILINE)
    assert len(words) > 60
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("name", ["house", "suite"])
def test_the_figures_of_the_architecture_are_those_that_were_measured(name: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    measured = (ROOT / "tools" / "results" / f"{name}.md").read_text("utf-8")
    table = re.search(r"(\|.*\n)+", measured)
    assert table and table.group() in page
