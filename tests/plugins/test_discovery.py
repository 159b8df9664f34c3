"""Discovery: order, isolation of broken plugins, collisions."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from caufc import hookspecs
from caufc.cli.extract import command as extract
from caufc.errors import PluginError, UnknownNameError
from caufc.features.formats import find_format
from caufc.output_names import plugin_formats
from caufc.plugin_manager import BUILT_IN, PluginManager

from .conftest import Site

Source = Callable[..., str]


def test_built_in_families_are_plugins_like_any_other() -> None:
    rows = {row.name: row for row in PluginManager().report()}
    assert {name: rows[name].status for name in BUILT_IN} == dict.fromkeys(BUILT_IN, "ok")
    assert all(rows[name].backbones or rows[name].tasks or rows[name].feature_formats for name in BUILT_IN)


def test_built_in_names_are_those_of_the_project_file() -> None:
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8")
    assert tomllib.loads(text)["project"]["entry-points"]["caufc"] == BUILT_IN


def test_listing_plugins_imports_no_framework() -> None:
    code = (
        "import sys; from caufc.plugin_manager import default_manager as m; m().report(); m().taps('timm/resnet50');"
        "m().find_tap('hf/some/model', 'hidden6');"
        "print([name for name in ('torch', 'timm', 'transformers', 'PIL') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_hook_has_a_docstring() -> None:
    hooks = [hook for name, hook in vars(hookspecs).items() if name.startswith("caufc_")]
    assert hooks
    assert all(inspect.getdoc(hook) for hook in hooks)


def test_plugins_load_in_name_order(site: Site, backbone: Source) -> None:
    for name in ("c", "a", "b"):
        site.add(backbone(f"{name}/net"), name=name, distribution=f"dist-{name}")
    assert [row.name for row in site.manager().report()] == ["a", "b", "c"]
    assert [plugin for plugin, _ in site.manager().backbones()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            "@hookimpl\ndef caufc_backbone():\n    return []",
            "'caufc_backbone' is not a hook; did you mean 'caufc_backbones'?",
        ),
        ("def caufc_backbnes():\n    return []", "'caufc_backbnes' is not a hook; did you mean 'caufc_backbones'?"),
        ("@hookimpl\ndef backbones():\n    return []", "'backbones' is not a hook; did you mean 'caufc_backbones'?"),
        ("def caufc_backbones():\n    return []", "'caufc_backbones' is not marked with @caufc.hookimpl"),
        ("x = 1", "implements no hook; there are caufc_backbones, caufc_feature_formats, caufc_profiles, caufc_tasks"),
        ("@hookimpl\ndef caufc_backbones(extra):\n    return []", "PluginValidationError"),
        ("@hookimpl\ndef caufc_backbones():\n    1 / 0", "ZeroDivisionError: division by zero"),
        ("@hookimpl\ndef caufc_backbones():\n    yield 1", "a value of type int among its items, not a Backbone"),
        ("@hookimpl\ndef caufc_backbones():\n    pass", "caufc_backbones returns None, not an iterable of Backbone"),
        ("@hookimpl\ndef caufc_backbones():\n    return 'ab'", "returns a value of type str"),
        ("@hookimpl\ndef caufc_backbones():\n    return Backbone('x', [])", "returns a value of type Backbone"),
        ("@hookimpl\ndef caufc_backbones():\n    return [Backbone('', [])]", "the id of a backbone is '', not a name"),
        ("@hookimpl\ndef caufc_backbones():\n    return [Backbone(7, [])]", "the id of a backbone is 7, not a name"),
        ("@hookimpl\ndef caufc_backbones():\n    return [Backbone('x', ['mid'])]", "taps are not a sequence of Tap"),
        ("@hookimpl\ndef caufc_backbones():\n    return [Backbone('x', None)]", "taps are not a sequence of Tap"),
        (
            "@hookimpl\ndef caufc_backbones():\n    return [Backbone('x', [Tap('a', 'b c')] * 2)]",
            "backbone 'x': tap 'a' stands twice",
        ),
        (
            "@hookimpl\ndef caufc_backbones():\n    return [Backbone('x', [Tap('a', 'b q')])]",
            "LayoutError: layout 'b q': unknown 'q'",
        ),
        ("@hookimpl\ndef caufc_backbones():\n    return [Backbone('x', [], load=3)]", "load is a value of type int"),
        (
            "@hookimpl\ndef caufc_backbones():\n    return [Backbone('x', [], requires='torch')]",
            "requires is not a sequence of package names",
        ),
        ("@hookimpl\ndef caufc_backbones():\n    return [Backbone('x', [])] * 2", "caufc_backbones returns 'x' twice"),
        ("@hookimpl\ndef caufc_profiles():\n    return [Profile('x', b'')]", "read is a value of type bytes"),
        (
            "@hookimpl\ndef caufc_feature_formats():\n    return [FeatureFormat('mat', print, print)]",
            "feature format 'mat': a suffix starts with a dot",
        ),
        (
            "@hookimpl\ndef caufc_feature_formats():\n    return [FeatureFormat('.npy', print, print)]",
            "feature format '.npy': caufc reads and writes '.npy' itself",
        ),
        (
            "@hookimpl\ndef caufc_feature_formats():\n    return [FeatureFormat('.SafeTensors', print, print)]",
            "feature format '.SafeTensors': caufc reads and writes '.safetensors' itself",
        ),
        (
            "@hookimpl\ndef caufc_feature_formats():\n    return [FeatureFormat('.x', print, print, aliases=['.PTH'])]",
            "feature format '.x': caufc reads and writes '.pth' itself",
        ),
        (
            "@hookimpl\ndef caufc_feature_formats():\n    return [FeatureFormat(s, id, id) for s in ('.x', '.X')]",
            "caufc_feature_formats returns '.x' twice",
        ),
        (
            "@hookimpl\ndef caufc_feature_formats():\n    return [FeatureFormat('.x', print, print, aliases=['.X'])]",
            "caufc_feature_formats returns '.x' twice",
        ),
        ("@hookimpl\ndef caufc_tasks():\n    return [Task('x', [], print)]", "task 'x': there are no taps"),
        (
            "@hookimpl\ndef caufc_tasks():\n    return [Task('x', [Tap('a', 'b c')], 3)]",
            "task 'x': load is a value of type int",
        ),
    ],
)
def test_a_broken_plugin_is_named_and_stops_nobody(site: Site, backbone: Source, source: str, reason: str) -> None:
    site.add(source, name="bad", distribution="bad-dist", version="2.1")
    site.add(backbone("good/net"), name="good", distribution="good-dist")
    manager = site.manager()
    bad, good = manager.report()
    assert (bad.name, bad.distribution, bad.version, bad.status) == ("bad", "bad-dist", "2.1", "broken")
    assert bad.reason is not None
    assert reason in bad.reason
    assert bad.backbones == ()
    assert good.status == "ok"
    assert manager.find_backbone("good/net").id == "good/net"


def test_an_interrupt_is_not_a_broken_plugin(site: Site) -> None:
    site.add("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        site.manager()


def test_two_plugins_with_one_backbone_id(site: Site, backbone: Source) -> None:
    site.add(backbone("same/net", "first/net"), name="a", distribution="dist-a", version="1.0")
    site.add(backbone("same/net", "second/net"), name="b", distribution="dist-b", version="2.0")
    manager = site.manager()
    with pytest.raises(PluginError) as caught:
        manager.find_backbone("same/net")
    assert str(caught.value) == (
        "plugin 'a': brings the arch 'same/net' (dist-a 1.0), and so does plugin 'b' (dist-b 2.0); "
        "uninstall one of the two"
    )
    assert manager.find_backbone("first/net").id == "first/net"
    assert manager.find_backbone("second/net").id == "second/net"
    assert [item.id for _, item in manager.backbones()] == ["first/net", "second/net"]
    assert [(row.status, row.reason) for row in manager.report()] == [
        ("collision", "'same/net' also comes from plugin 'b' (dist-b 2.0)"),
        ("collision", "'same/net' also comes from plugin 'a' (dist-a 1.0)"),
    ]


def test_two_plugins_of_one_name(site: Site, backbone: Source) -> None:
    site.add(backbone("first/net"), name="same", distribution="dist-a")
    site.add(backbone("second/net"), name="same", distribution="dist-b")
    site.add(backbone("third/net"), name="third", distribution="dist-c")
    manager = site.manager()
    for arch in ("first/net", "second/net"):
        with pytest.raises(PluginError, match=r"\(dist-a 1\.0\), and so does plugin 'same' \(dist-b 1\.0\)"):
            manager.find_backbone(arch)
    assert manager.find_backbone("third/net").id == "third/net"
    assert [row.status for row in manager.report()] == ["collision", "collision", "ok"]
    assert manager.report()[0].reason == "its name is also that of a plugin of dist-b 1.0"


@pytest.mark.parametrize(
    ("hook", "item", "find"),
    [
        ("caufc_profiles", "Profile('same', bytes)", lambda manager: manager.find_profile("same")),
        ("caufc_feature_formats", "FeatureFormat('.mat', print, print)", lambda m: m.find_feature_format(".mat")),
        ("caufc_tasks", "Task('same', [Tap('a', 'b c')], print)", lambda m: m.find_task("same")),
    ],
)
def test_profiles_and_formats_collide_too(
    site: Site, hook: str, item: str, find: Callable[[PluginManager], object]
) -> None:
    source = f"@hookimpl\ndef {hook}():\n    yield {item}\n"
    site.add(source, name="a", distribution="dist-a")
    assert find(site.manager()) is not None
    site.add(source, name="b", distribution="dist-b")
    with pytest.raises(PluginError, match=r"dist-a.*dist-b"):
        find(site.manager())
    manager = site.manager()
    assert [*manager.profiles(), *manager.feature_formats(), *manager.tasks()] == []


FORMAT = "@hookimpl\ndef caufc_feature_formats():\n    yield FeatureFormat({0}, print, print, aliases={1})\n"


def test_suffixes_that_differ_in_case_collide(site: Site) -> None:
    site.add(FORMAT.format("'.csv'", []), name="a", distribution="dist-a")
    site.add(FORMAT.format("'.CSV'", []), name="b", distribution="dist-b")
    manager = site.manager()
    assert [(row.status, row.reason) for row in manager.report()] == [
        ("collision", "'.csv' also comes from plugin 'b' (dist-b 1.0)"),
        ("collision", "'.csv' also comes from plugin 'a' (dist-a 1.0)"),
    ]
    assert manager.feature_formats() == []
    for suffix in (".csv", ".CSV", "csv"):
        with pytest.raises(PluginError, match=r"the feature format '\.csv' \(dist-a 1\.0\), and so does plugin 'b'"):
            manager.find_feature_format(suffix)


def test_a_format_keeps_the_suffixes_that_it_does_not_share(site: Site) -> None:
    site.add(FORMAT.format("'.mat'", [".Same"]), name="a", distribution="dist-a")
    site.add(FORMAT.format("'.same'", [".hdf"]), name="b", distribution="dist-b")
    manager = site.manager()
    assert [row.status for row in manager.report()] == ["collision", "collision"]
    assert [(plugin, item.suffixes) for plugin, item in manager.feature_formats()] == [
        ("a", (".mat",)),
        ("b", (".hdf",)),
    ]
    assert manager.find_feature_format(".MAT").suffixes == (".mat", ".same")
    with pytest.raises(PluginError, match=r"dist-a.*dist-b"):
        manager.find_feature_format(".same")


def test_names_that_are_looked_up_in_their_case_do_not_collide(site: Site, backbone: Source) -> None:
    more = (
        "@hookimpl\ndef caufc_profiles():\n    yield Profile({0!r}, bytes)\n"
        "@hookimpl\ndef caufc_tasks():\n    yield Task({0!r}, [Tap('a', 'b c')], print)\n"
    )
    for name in ("net", "NET"):
        site.add(backbone(name) + more.format(name), name=f"p-{name}", distribution=f"dist-{name}")
    manager = site.manager()
    assert [row.status for row in manager.report()] == ["ok", "ok"]
    for name in ("net", "NET"):
        found = manager.find_backbone(name).id, manager.find_profile(name).name, manager.find_task(name).id
        assert found == (name, name, name)
    with pytest.raises(UnknownNameError, match=r"did you mean"):
        manager.find_task("Net")


@pytest.mark.parametrize("suffix", [".npy", ".NPY", ".mat"])
def test_a_plugin_that_takes_a_suffix_stops_no_command(
    site: Site, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that meet another suffix read and write as before; one that meets this suffix names both plugins."""
    site.add(FORMAT.format("'.raw'", []), name="good", distribution="good-dist")
    for name in ("a", "b"):
        site.add(FORMAT.format(repr(suffix), []), name=name, distribution=f"dist-{name}")
    manager = site.manager()
    monkeypatch.setattr("caufc.output_names.default_manager", lambda: manager)
    assert {row.name for row in manager.report() if row.status != "ok"} == {"a", "b"}
    for other in (".npy", ".NPY", ".pt", ".raw", ".RAW"):
        assert other.lower() in find_format(other, plugin_formats(other)).suffixes
    with pytest.raises(UnknownNameError, match=r"unknown format '\.zzz'.*known: \.npy, \.npz, .*\.raw$"):
        find_format(".zzz", plugin_formats(".zzz"))
    if suffix == ".mat":
        with pytest.raises(PluginError, match=r"dist-a.*dist-b"):
            plugin_formats(".MAT")


def test_extract_beside_a_plugin_that_takes_a_suffix(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add(FORMAT.format("'.NPY'", []), name="bad", distribution="bad-dist")
    site.add(
        "import numpy as np\n"
        "class Ones:\n"
        "    def prepare(self, paths): return paths\n"
        "    def extract(self, inputs, taps): return {'mid': np.ones((len(inputs), 3), 'f4')}\n"
        "    def resume(self, features, tap): return features\n"
        "@hookimpl\ndef caufc_backbones():\n"
        "    yield Backbone('ones', [Tap('mid', 'b c')], load=lambda arch: Ones())\n"
        "@hookimpl\ndef caufc_feature_formats():\n"
        "    yield FeatureFormat('.raw', id, lambda path, found: path.write_bytes(found['mid'].tobytes()))\n",
        name="good",
        distribution="good-dist",
    )
    manager = site.manager()
    for module in ("caufc.output_names", "caufc.cli.extract"):
        monkeypatch.setattr(f"{module}.default_manager", lambda: manager)
    (tmp_path / "one.txt").write_text("one")
    for name in ("x.npy", "x.raw"):
        arguments = ["--arch", "ones", "--tap", "mid", str(tmp_path / "one.txt"), "-o", str(tmp_path / name), "--quiet"]
        result = CliRunner().invoke(extract, arguments, catch_exceptions=False)
        assert (result.exit_code, result.stderr) == (0, "")
    assert np.load(tmp_path / "x.npy").tobytes() == (tmp_path / "x.raw").read_bytes() == np.ones(3, "f4").tobytes()
