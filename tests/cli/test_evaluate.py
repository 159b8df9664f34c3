"""``caufc evaluate``: reports, notes, resumption, errors."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import caufc
from caufc.evaluate.methods import CodecMethod
from caufc.evaluate.sweep import Sweep

from .conftest import Run

pytest.importorskip("torch")

CODEC_METHODS = (
    CodecMethod("blind", "caufc, blind", Sweep("quality", (10.0, 60.0))),
    CodecMethod("later", "a codec to come", Sweep("quality", (10.0, 60.0)), module="caufc.codec.never"),
)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few points, and a plugin with a task."""
    own = [metadata.EntryPoint("tiny", "evaluate.tiny_task", "caufc")]
    timm = [metadata.EntryPoint("timm-cnn", "caufc.plugins.timm_cnn", "caufc")]
    measuring = [metadata.EntryPoint("measuring", "caufc.plugins.measuring", "caufc")]
    manager = caufc.PluginManager([*own, *timm, *measuring])
    monkeypatch.setattr("caufc.cli.evaluate.default_manager", lambda: manager)
    monkeypatch.setattr("caufc.cli.evaluate.CODEC_METHODS", CODEC_METHODS)


def test_a_task_of_a_plugin(run: Run, folder: Path) -> None:
    options = ("--task", "tiny/maps", "--rivals", "fp16", "--jobs", "2", "-o", "out")
    ran = run("evaluate", *options)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("TAP")
    assert "caufc, blind" in ran.out and "out/results.html" in ran.out
    assert "note: later is left out: this version of caufc does not have it" in ran.err
    assert "left tiny/maps middle blind quality 60: " in ran.err, "progress tells the time left"

    results = json.loads((folder / "out" / "results.json").read_text())
    assert results["skipped"] == {"later": "this version of caufc does not have it"}
    assert results["machine"]["cores"] >= 1
    markdown = (folder / "out" / "results.md").read_text()
    assert "| fp16 + zstd |" in markdown and "## BPFP at 99 % agreement" in markdown and "- later: this" in markdown
    page = (folder / "out" / "results.html").read_text()
    assert page.startswith("<!doctype html>") and 'data-method="blind"' in page and "prefers-color-scheme:dark" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", ""), "the page needs no network"
    assert (folder / "out" / "results.svg").read_text().startswith("<svg xmlns=")

    (folder / "out" / "work" / "seconds").write_text("1000\n")
    again = run("evaluate", *options, "--json", "--quiet")
    assert json.loads(again.out)["taps"] == results["taps"], "a second run finds all points"
    assert again.err == ""
    assert json.loads(again.out)["seconds"] >= 1000, "all runs together"


def test_labelled_images_and_a_backbone(run: Run, folder: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("timm")
    generator = np.random.default_rng(0)
    for name in ("3", "5"):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(4):
            pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    arch = ("--arch", "timm/test_resnet?pretrained=false", "--tap", "layer4", "--data", "images")
    ran = run("evaluate", *arch, "--rivals", "fp16", "--json")
    assert ran.code == 0, ran.err
    assert ran.lines[0].startswith("caufc: warning: 'timm/test_resnet?pretrained=false' has random weights")
    (tap,) = json.loads(ran.out)["taps"]
    assert (tap["tap"], tap["samples"], tap["place"]) == ("layer4", 4, "read-out")
    assert tap["accuracy"] is not None
    assert [own["key"] for own in tap["methods"]] == ["blind", "fp16"]
    assert tap["methods"][1]["points"][0]["agreement"]["value"] == 1.0


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ((), 2, "there is no task; give --data DIR"),
        (("paper", "--both-halves"), 2, "the fit half has trained the paper's weights; leave --both-halves out"),
        (("--data", "absent"), 1, "absent: no such folder"),
        (("--data", "."), 1, "imagenet-sample: is missing; docs/evaluate.md says what the data folder holds"),
        (("--task", "tiny/map"), 2, "unknown task 'tiny/map'; did you mean 'tiny/maps'?"),
        (("--task", "tiny/maps", "--tap", "midle"), 2, "unknown tap 'midle'; did you mean 'middle'?"),
        (("--task", "tiny/maps", "--rivals", "zip"), 2, "unknown rival 'zip'; did you mean 'zfp'?"),
        (
            ("--task", "tiny/maps", "--rivals", "int", "--no-rivals"),
            2,
            "--rivals and --no-rivals contradict each other",
        ),
        (("--task", "tiny/maps", "--codecs", "later", "--no-rivals"), 2, "there is nothing to measure; later: this"),
        (("--task", "tiny/maps", "--anchor", "sz3", "--no-rivals"), 2, "unknown method 'sz3'"),
        (("--task", "tiny/broken", "--no-rivals"), 2, "no network here"),
        (("--arch", "timm/test_resnet", "--tap", "layer1"), 2, "there is no data; give --data DIR"),
        (("--arch", "timm/resnet18", "--tap", "layer1", "--data", "."), 2, "there are no classes"),
        (("--arch", "timm/nothing", "--tap", "layer1", "--data", "."), 2, "unknown arch 'timm/nothing'"),
        (("--weights", "."), 2, "--weights belongs to a preset"),
        (("paper", "--weights", "absent"), 1, "absent: no such folder; 'caufc train' makes weights"),
    ],
)
def test_what_is_wrong_is_one_line(run: Run, options: tuple[str, ...], code: int, text: str) -> None:
    ran = run("evaluate", *options)
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert text in ran.lines[-1]
