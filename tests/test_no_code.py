"""Opening a file runs nothing, imports no plugin, writes nothing and talks to nobody, as the audit events say."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc

ROOT = Path(caufc.__file__).parents[1]

WATCH = """
import os, sys
import numpy, caufc, caufc.api
seen = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def watch(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        seen.append(f"writes {arguments[0]}")
    elif event.split(".")[0] in ("subprocess", "socket", "shutil", "webbrowser", "urllib", "ctypes"):
        seen.append(event)
    elif event.startswith("os.") and event not in ("os.listdir", "os.scandir", "os.putenv", "os.unsetenv"):
        seen.append(event)
    elif event == "import" and arguments[0].startswith(("caufc.plugins", "timm", "transformers")):
        seen.append(f"imports {arguments[0]}")
    elif event in ("pickle.find_class", "marshal.loads") and "site-packages" not in str(arguments):
        seen.append(event) if event.startswith("pickle") else None
path = sys.argv[1]
caufc.load(path)  # modules that are loaded lazily are there now
sys.dont_write_bytecode = True
sys.addaudithook(watch)
for read in (caufc.load, caufc.verify, caufc.inspect, lambda p: caufc.verify(p, deep=True)):
    read(path)
with caufc.open(path) as reader:
    reader[0]
{more}
print(seen)
"""


def watched(path: Path, more: str = "") -> str:
    code = WATCH.replace("{more}", more)
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


@pytest.fixture
def encoded(tmp_path: Path) -> Path:
    """A file that names an architecture that a plugin knows."""
    path = tmp_path / "x.cauf"
    values = np.random.default_rng(0).standard_normal((4, 2048, 7, 7)).astype("f4")
    caufc.save(path, values, arch="timm/resnet50", tap="layer4", index=True, chunk=2)
    return path


def test_opening_a_file(encoded: Path) -> None:
    assert watched(encoded) == "[]"


def test_the_watch_sees(encoded: Path) -> None:
    seen = watched(encoded, "open(path + '.txt', 'w'); import caufc.plugins.timm_cnn; os.system('true')")
    assert "writes " in seen
    assert "imports caufc.plugins.timm_cnn" in seen
    assert "os.system" in seen


READ = """
import os, sys
import numpy, torch, caufc.features
from pathlib import Path
seen = []
paths = [Path(path) for path in sys.argv[1:]]
caufc.features.to_source(caufc.features.read(paths[0]))  # modules that are loaded lazily are there now
sys.dont_write_bytecode = True
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def watch(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        seen.append(f"writes {arguments[0]}")
    elif event.startswith("pickle.") or event in ("import", "exec", "compile", "marshal.loads"):
        seen.append(f"{event} {arguments[0]}")
    elif event.split(".")[0] in ("os", "subprocess", "socket", "shutil", "ctypes"):
        seen.append(event)
sys.addaudithook(watch)
for path in paths:
    try:
        caufc.features.to_source(caufc.features.read(path))
    except caufc.CaufError as err:
        print("never runs" in str(err))
print(seen)
"""


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, ("import this",)


def test_reading_pickles(tmp_path: Path) -> None:
    """Of all protocols, with arrays, in zip files, in files from before torch 1.6, and plain."""
    torch = pytest.importorskip("torch")
    good: dict[str, Any] = {"t": torch.ones(3, 2), "a": np.ones((3, 2)), "n": {"label": "P1", "epoch": 3}}
    paths = []
    for number, value in enumerate((good, {"x": Trap()})):
        for protocol in (2, 3, 4, 5):
            for zipped in (True, False):
                paths.append(tmp_path / f"{number}-{protocol}-{zipped}.pt")
                torch.save(value, paths[-1], pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
            paths.append(tmp_path / f"{number}-{protocol}.pkl")
            plain = {name: part for name, part in value.items() if name != "t"}
            paths[-1].write_bytes(pickle.dumps(plain, protocol))
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", READ, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == ["True"] * 12 + ["[]"]
