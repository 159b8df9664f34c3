"""``caufc extract --ray`` on a real local cluster: shards, workers and drivers that are killed, inputs that are bad."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import caufc
from caufc.cli.extract import command
from caufc.plugin_manager import PluginManager

from .drivers import Driver
from .neighbours import ROOT, neighbour

neighbour("ray")
neighbour("ray.data")

from caufc.integrations.ray import Extraction, Shard, cluster  # noqa: E402

COUNT, SIZE = 60, 5

PLUGIN = """
import os, time
from pathlib import Path
import numpy as np
from caufc import Backbone, InputError, Tap, hookimpl

class Runtime:
    def prepare(self, paths):
        Path(os.environ["WORKERS"], str(os.getpid())).touch()
        time.sleep(float(os.environ.get("SECONDS_EACH", 0)) * len(paths))
        while Path(os.environ.get("HOLD", "none")).exists():
            time.sleep(0.02)
        texts = [path.read_text() for path in paths]
        for path, text in zip(paths, texts):
            if not text.isdigit():
                raise InputError("is no number", file=str(path))
        return [int(text) for text in texts]
    def extract(self, inputs, taps):
        features = np.array([np.full((3, 4), value, np.float32) for value in inputs])
        if "few" in taps:
            features = features[1:]
        return {tap: features * (1 + number) for number, tap in enumerate(taps)}
    def resume(self, features, tap):
        return features

@hookimpl
def caufc_backbones():
    return [Backbone("numbers", [Tap(name, "b n c") for name in ("tap", "twice", "few")], load=lambda arch: Runtime())]
"""


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plugin that is installed for whoever has it on the path: texts of digits to features."""
    folder = tmp_path_factory.mktemp("plugged")
    (folder / "numbers_plugin.py").write_text(PLUGIN)
    about = folder / "numbers_plugin-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: numbers-plugin\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[caufc]\nnumbers = numbers_plugin\n")
    (folder / "workers").mkdir()
    return folder


@pytest.fixture(scope="module")
def running(plugged: Path) -> Iterator[None]:
    """A cluster of two processors whose workers have the plugin, as this process has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{plugged}{os.pathsep}{ROOT}")
        patch.setenv("WORKERS", str(plugged / "workers"))
        patch.syspath_prepend(str(plugged))
        manager = PluginManager([metadata.EntryPoint("numbers", "numbers_plugin", "caufc")])
        patch.setattr("caufc.default_manager", lambda: manager, raising=False)
        patch.setattr("caufc.cli.extract.default_manager", lambda: manager)
        with cluster(num_cpus=2, object_store_memory=100 << 20):
            yield


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder of numbered files, in two folders; caufc takes them for images by their names."""
    for number in range(COUNT):
        path = tmp_path / "in" / str(number % 2) / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    return tmp_path / "in"


def check(folder: Path, left_out: Sequence[int] = ()) -> None:
    """That every input is in one shard, once, with its features."""
    wanted = {f"{number % 2}/{number:03}.png": number for number in range(COUNT) if number not in left_out}
    with caufc.open(folder) as reader:
        keys = [str(key) for key in reader.keys()]  # noqa: SIM118
        assert sorted(keys) == sorted(wanted)
        for key, sample in zip(keys, reader, strict=True):
            np.testing.assert_array_equal(sample, np.full((3, 4), wanted[key], np.float32))


def run(*arguments: object) -> Any:
    given = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, given, catch_exceptions=False, standalone_mode=False)


def options(folder: Path) -> list[str]:
    told = ["--arch", "numbers", "--tap", "tap", "--lossless", "--shard-size", str(SIZE), "--batch-size", "2", "--ray"]
    return ["-o", str(folder), *told]


@pytest.mark.usefixtures("running")
def test_a_folder_becomes_shards_and_is_done_once(inputs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = json.loads(run(inputs, "--json", *options(out)).stdout)
    assert (first["shards"], first["samples"], first["failed"]) == (COUNT // SIZE, COUNT, [])
    check(out)
    shards = sorted(out.iterdir())
    assert len(shards) == COUNT // SIZE and first["bytes_out"] == sum(path.stat().st_size for path in shards)
    assert caufc.inspect(shards[0]).arch == "numbers"
    gone = shards[3].read_bytes()
    shards[3].unlink()
    before = [path.stat().st_mtime_ns for path in sorted(out.iterdir())]
    second = json.loads(run(inputs, "--json", *options(out)).stdout)
    assert (second["shards"], second["shards_that_were_there"]) == (1, COUNT // SIZE - 1)
    assert shards[3].read_bytes() == gone
    assert [path.stat().st_mtime_ns for path in shards[:3] + shards[4:]] == before
    assert f"0 samples in 0 shards, {COUNT // SIZE} were there" in run(inputs, *options(out)).stderr


@pytest.mark.usefixtures("running")
def test_bad_inputs_are_left_out_and_told(inputs: Path, tmp_path: Path) -> None:
    (inputs / "0" / "006.png").write_text("six")
    (inputs / "1" / "007.png").unlink()
    (inputs / "1" / "007.png").symlink_to("nowhere.png")
    result = run(inputs, *options(tmp_path / "out"))
    assert result.return_value == 2
    assert "006.png: is no number" in result.stderr and "007.png" in result.stderr
    assert f"{COUNT - 2} samples in {COUNT // SIZE} shards, 2 inputs left out" in result.stderr
    check(tmp_path / "out", left_out=(6, 7))
    texts = [caufc.inspect(path).metadata for path in (tmp_path / "out").iterdir()]
    told = [line for text in texts for line in json.loads(text.get("failed", "[]"))]
    assert sorted("006" in line for line in told) == [False, True]


@pytest.mark.usefixtures("running")
def test_what_ends_a_run_is_told(inputs: Path, tmp_path: Path) -> None:
    run(inputs / "0", *options(tmp_path / "out"))
    with pytest.raises(caufc.OutputExistsError, match="not of this extraction"):
        run(inputs / "1", *options(tmp_path / "out"))
    with pytest.raises(caufc.InputError, match="gave 0 features of 1 inputs"):
        list(extraction(inputs, tmp_path / "few", taps=["few"]).run(workers=1))
    for path in inputs.rglob("*.png"):
        path.write_text("no")
    with pytest.raises(caufc.InputError, match=r"\d\d\d\.png: is no number"):
        run(inputs, *options(tmp_path / "none"))
    with pytest.raises(caufc.UnknownNameError, match="unknown tap 'head'"):
        extraction(inputs, tmp_path, taps=["head"])
    with pytest.raises(caufc.OptionError, match="to 100"):
        extraction(inputs, tmp_path, quality=101)
    with pytest.raises(caufc.OptionError, match="size: 0"):
        extraction(inputs, tmp_path, size=0)


def extraction(inputs: Path, folder: Path, **given: Any) -> Extraction:
    files = {path.name: path for path in sorted(inputs.rglob("*.png"))}
    return Extraction(files, folder, **{"arch": "numbers", "taps": ["tap", "twice"], **given})


@pytest.mark.usefixtures("running")
def test_several_taps_are_tensors_of_a_sample(inputs: Path, tmp_path: Path) -> None:
    shards = list(extraction(inputs, tmp_path / "out", size=50, lossless=True).run(workers=1))
    assert sorted(shard.samples for shard in shards) == [10, 50] and isinstance(shards[0], Shard)
    with caufc.open(tmp_path / "out") as reader:
        sample = reader["007.png"]
        assert {name: float(tensor[0, 0]) for name, tensor in sample.items()} == {"tap": 7, "twice": 14}
        assert reader.info.tensors[1]["tap"] == "twice"


def test_a_worker_and_a_driver_that_are_killed_lose_and_repeat_nothing(
    inputs: Path, plugged: Path, tmp_path: Path
) -> None:
    out, seen, hold = tmp_path / "out", tmp_path / "workers", tmp_path / "hold"
    seen.mkdir()

    def shards() -> list[Path]:
        return sorted(out.glob("*.cauf"))

    def workers() -> list[Path]:
        return sorted(seen.iterdir())

    def started(seconds: float) -> Driver:
        environment = {"WORKERS": str(seen), "HOLD": str(hold), "SECONDS_EACH": str(seconds)}
        code = "from caufc.cli.main import main; main()"
        given = ["extract", str(inputs), *options(out), "--workers", "2"]
        return Driver(code, *given, folder=tmp_path, path=str(plugged), environment=environment)

    driver = started(0.1)
    driver.until(lambda: len(shards()) >= 2 and len(workers()) == 2)
    hold.touch()  # all workers wait
    os.kill(int(workers()[0].name), signal.SIGKILL)
    driver.until(lambda: len(workers()) == 3)  # another has taken its place
    there = len(shards())
    hold.unlink()
    driver.until(lambda: len(shards()) > there)
    driver.kill()
    before = {path: path.stat().st_mtime_ns for path in shards()}
    assert 3 <= len(before) < COUNT // SIZE
    (out / f".{shards()[0].name}.1.cauf-tmp").write_bytes(b"half a shard")
    assert started(0).ends_well()
    check(out)
    assert {path.suffix for path in out.iterdir()} == {".cauf"} and len(shards()) == COUNT // SIZE
    assert {path: path.stat().st_mtime_ns for path in before} == before
