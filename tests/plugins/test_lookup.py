"""Names looked up: backbones, taps, runtimes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from caufc.errors import PluginError, UnknownNameError
from caufc.plugin_manager import default_manager

from .conftest import Site

Source = Callable[..., str]


def test_the_exact_id_then_the_pattern_with_most_letters(site: Site, backbone: Source) -> None:
    site.add(backbone("net/*", "net/big_*", "net/big_one"))
    manager = site.manager()
    for arch, expected in {
        "net/small": "net/*",
        "net/big_two": "net/big_*",
        "net/big_one": "net/big_one",
        "net/big_one?pretrained=false": "net/big_one",
        "net/small?x=/big_": "net/*",
    }.items():
        assert manager.find_backbone(arch).id == expected


def test_patterns_match_case_sensitively(site: Site, backbone: Source) -> None:
    site.add(backbone("net/*"))
    with pytest.raises(UnknownNameError):
        site.manager().find_backbone("NET/x")


def test_two_patterns_as_good_as_each_other(site: Site, backbone: Source) -> None:
    site.add(backbone("net/a*"), name="a", distribution="dist-a")
    site.add(backbone("net/*b"), name="b", distribution="dist-b")
    with pytest.raises(
        PluginError, match=r"brings a pattern for the arch 'net/ab' \(dist-a 1\.0\), and so does plugin"
    ):
        site.manager().find_backbone("net/ab")
    assert site.manager().find_backbone("net/ac").id == "net/a*"


def test_unknown_names_list_what_there_is(site: Site, backbone: Source) -> None:
    site.add(backbone("net/one"))
    with pytest.raises(UnknownNameError) as caught:
        site.manager().find_backbone("net/once")
    assert str(caught.value) == "unknown arch 'net/once'; did you mean 'net/one'? known: net/one"
    with pytest.raises(UnknownNameError, match="unknown tap 'end'; known: mid"):
        site.manager().find_tap("net/one", "end")
    with pytest.raises(UnknownNameError, match="unknown profile 'x'; none is installed"):
        site.manager().find_profile("x")


def test_long_runs_of_taps_are_abridged() -> None:
    with pytest.raises(UnknownNameError) as caught:
        default_manager().find_tap("hf/no/such/model", "hidden999")
    assert caught.value.known[:4] == ("hidden0", "...", "hidden128", "key.0")


def test_a_resolver_that_fails_names_its_plugin(site: Site, backbone: Source) -> None:
    site.add(backbone("net/one", extra="taps=lambda arch: 1 / 0"))
    with pytest.raises(PluginError, match="plugin 'p': listing the taps of 'net/one' failed: ZeroDivisionError"):
        site.manager().taps("net/one")
    site.add(backbone("net/two", extra="taps=lambda arch: ['mid']"), name="q", distribution="q")
    with pytest.raises(PluginError, match=r"plugin 'q'.*taps are not a sequence of Tap"):
        site.manager().taps("net/two")


def test_a_resolver_sees_the_name_without_options(site: Site, backbone: Source) -> None:
    site.add(backbone("net/*", extra="taps=lambda arch: [Tap(arch, 'b c')]"))
    assert [tap.name for tap in site.manager().taps("net/x?pretrained=false")] == ["net/x"]


RUNTIME = """
class Runtime:
    def prepare(self, paths): raise ValueError("no")
    def extract(self, inputs, taps): return {}
    def resume(self, features, tap): return features
"""


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("taps=[]", "'x' only describes features and cannot be run"),
        ("[], print, ['no-such-package', 'numpy']", "'x' needs no-such-package; pip install no-such-package"),
        ("[], lambda arch: 1 / 0", "loading 'x' failed: ZeroDivisionError: division by zero"),
        ("[], lambda arch: 5", "load('x') gave no runtime: 'prepare' is missing"),
    ],
)
def test_a_runtime_that_cannot_be_had(site: Site, backbone: Source, extra: str, message: str) -> None:
    site.add(backbone("x", extra=extra))
    with pytest.raises(PluginError) as caught:
        site.manager().runtime("x")
    assert str(caught.value) == f"plugin 'p': {message}"


def test_a_missing_package_of_a_built_in_plugin_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caufc.plugin_runtime._installed", lambda package: False)
    for arch, extra in (("timm/resnet18", "timm"), ("hf/bert-base-uncased", "transformers")):
        with pytest.raises(PluginError) as caught:
            default_manager().runtime(arch)
        assert caught.value.remedy == f"pip install 'caufc[{extra}]'"


def test_what_a_runtime_raises_names_its_plugin(site: Site, backbone: Source) -> None:
    site.add(RUNTIME + backbone("x", extra="[], lambda arch: Runtime()"))
    runtime = site.manager().runtime("x")
    with pytest.raises(PluginError, match="plugin 'p': prepare failed: ValueError: no"):
        runtime.prepare([])
    with pytest.raises(PluginError, match="extract gave no features for tap 'mid'"):
        runtime.extract(None, ["mid"])
    assert runtime.resume(1, "mid") == 1
