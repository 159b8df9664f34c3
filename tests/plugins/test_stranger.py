"""A stranger's package: built, installed in an environment of its own, used by name, uninstalled; its files stay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STRANGER = ROOT / "tests" / "stranger"


def test_the_whole_package_is_under_40_lines() -> None:
    assert sum(len(path.read_text().splitlines()) for path in STRANGER.iterdir() if path.is_file()) < 40


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment that sees this one's packages, and this checkout."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    interpreter = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run = [str(interpreter), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip())
    seen = dict.fromkeys([str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    (site / "seen.pth").write_text("\n".join(seen) + "\n")
    return interpreter


def call(*command: object, cwd: Path, ok: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, env=environment)
    assert not ok or done.returncode == 0, done.stdout + done.stderr
    return done


RUN_ALL = """
import json, sys
from caufc.cli.main import caufc
for words in json.loads(sys.argv[1]):
    try:
        caufc.main(words)
    except SystemExit as end:
        if end.code:
            sys.exit(f"{words}: {end.code}")
"""


def run_all(python: Path, commands: list[list[str]], cwd: Path) -> str:
    """Run command lines of caufc one after the other, in one process; what they print."""
    return call(python, "-c", RUN_ALL, json.dumps(commands), cwd=cwd).stdout


def build_wheel(folder: Path) -> Path:
    source = shutil.copytree(STRANGER, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    call(*pip, "--wheel-dir", folder / "wheels", source, cwd=folder)
    (wheel,) = (folder / "wheels").glob("*.whl")
    return wheel


def test_a_stranger_comes_and_goes(python: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    caufc = [python, "-m", "caufc.cli.main"]
    arch = ["--arch", "stranger/tiny", "--tap", "middle"]
    call(*pip, "install", "--no-deps", "--no-index", build_wheel(tmp_path), cwd=tmp_path)

    for name in ("one", "two"):
        (tmp_path / f"{name}.bin").write_bytes(name.encode() * 300)
    commands = [
        ["plugins", "--json"],
        ["extract", "one.bin", "two.bin", *arch, "-o", "f.safetensors"],
        ["encode", "f.safetensors", *arch, "-o", "f.cauf", "--quiet"],
        ["encode", "f.safetensors", *arch, "--lossless", "-o", "exact.cauf", "--quiet"],
        ["decode", "f.cauf", "-o", "before.safetensors", "--quiet"],
    ]
    listed = first_json(run_all(python, commands, tmp_path))["plugins"]
    (row,) = (row for row in listed if row["name"] == "stranger")
    assert (row["distribution"], row["version"], row["status"]) == ("caufc-stranger", "0.1.0", "ok")
    assert [backbone["id"] for backbone in row["backbones"]] == ["stranger/tiny"]
    call(python, "-c", "import caufc.testing; caufc.testing.check_backbone('stranger/tiny')", cwd=tmp_path)

    call(*pip, "uninstall", "--yes", "caufc-stranger", cwd=tmp_path)
    commands = [
        ["plugins", "--json"],
        ["decode", "f.cauf", "-o", "after.safetensors", "--quiet"],
        ["decode", "exact.cauf", "-o", "exact.safetensors", "--quiet"],
    ]
    listed = first_json(run_all(python, commands, tmp_path))["plugins"]
    assert "stranger" not in [row["name"] for row in listed]
    assert "unknown arch" in call(*caufc, "encode", "f.safetensors", *arch, "-o", "g", cwd=tmp_path, ok=False).stderr
    assert (tmp_path / "after.safetensors").read_bytes() == (tmp_path / "before.safetensors").read_bytes()
    assert tensors(tmp_path / "exact.safetensors") == tensors(tmp_path / "f.safetensors")


def first_json(printed: str) -> Any:
    return json.JSONDecoder().raw_decode(printed)[0]


def tensors(path: Path) -> dict[str, list[float]]:
    from safetensors.numpy import load_file

    return {name: values.tolist() for name, values in load_file(path).items()}
