"""``caufc plugins``."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from caufc.cli.plugins import command
from caufc.plugin_manager import BUILT_IN, PluginManager

GOOD = """
from caufc import Backbone, FeatureFormat, Profile, Tap, hookimpl

@hookimpl
def caufc_backbones():
    return [
        Backbone("good/net", [Tap("a", "b c"), Tap("b", "b n c")], requires=["torch"]),
        Backbone("good/*", lambda arch: [], load=print),
    ]

@hookimpl
def caufc_profiles():
    return [Profile("good-profile", bytes)]

@hookimpl
def caufc_feature_formats():
    return [FeatureFormat(".mat", print, print)]
"""


@pytest.fixture
def two_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shown_good.py").write_text(GOOD)
    (tmp_path / "shown_bad.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [metadata.EntryPoint(name, f"shown_{name}", "caufc") for name in ("good", "bad")]
    manager = PluginManager(points)
    monkeypatch.setattr("caufc.cli.plugins.default_manager", lambda: manager)


@pytest.mark.usefixtures("two_plugins")
def test_the_table() -> None:
    result = CliRunner().invoke(command, [], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout == (
        "PLUGIN  FROM             STATUS  BRINGS                TAPS\n"
        "bad     no distribution  broken  -\n"
        "good    no distribution  ok      good/net              2\n"
        "                                 good/*                by name\n"
        "                                 profile good-profile\n"
        "                                 format .mat\n"
        "bad (no distribution): broken: ModuleNotFoundError: No module named 'no_such_package'\n"
    )


@pytest.mark.usefixtures("two_plugins")
def test_json() -> None:
    result = CliRunner().invoke(command, ["--json"], catch_exceptions=False)
    bad, good = json.loads(result.stdout)["plugins"]
    assert bad == {
        "name": "bad",
        "distribution": None,
        "version": None,
        "status": "broken",
        "reason": "ModuleNotFoundError: No module named 'no_such_package'",
        "backbones": [],
        "profiles": [],
        "feature_formats": [],
        "tasks": [],
    }
    assert good["status"] == "ok"
    assert good["backbones"] == [
        {"id": "good/net", "taps": ["a", "b"], "requires": ["torch"], "runs": False},
        {"id": "good/*", "taps": None, "requires": [], "runs": True},
    ]
    assert (good["profiles"], good["feature_formats"]) == (["good-profile"], [".mat"])


def test_built_in_families_are_listed() -> None:
    data = json.loads(CliRunner().invoke(command, ["--json"], catch_exceptions=False).stdout)
    assert set(BUILT_IN) <= {plugin["name"] for plugin in data["plugins"] if plugin["status"] == "ok"}
