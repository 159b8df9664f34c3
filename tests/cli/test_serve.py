"""``caufc serve``: a process that answers until it is asked to end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import caufc

pytest.importorskip("grpc_health")
ROOT = Path(__file__).resolve().parents[2]

MODULE = """
import numpy as np

def resume(features):
    return {"mean": features.mean(0), "label": "cat"}

nothing = None
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "network.py").write_text(MODULE)
    return tmp_path


def arguments(*options: str) -> list[str]:
    return [sys.executable, "-m", "caufc.cli.main", "serve", *options]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a server, and its process."""
    command = arguments("--listen", "127.0.0.1:0", *options)
    with subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"on (127\.0\.0\.1:\d+)(.*)", line)
            assert found, line + process.stderr.read()
            yield found[1], process
        finally:
            process.kill()


def test_it_answers_until_it_is_asked_to_end(folder: Path) -> None:
    from caufc.integrations.grpc import Client

    generator = np.random.default_rng(0)
    coder = caufc.Coder.fit(list(generator.standard_normal((30, 20, 8), np.float32)), layout="n c")
    (folder / "front.caufp").write_bytes(coder.profile)
    given = ("--resume", "network:resume", "--profile", "front.caufp", "--sent-profiles", "0")
    for number in (signal.SIGTERM, signal.SIGINT):
        with serving(folder, *given) as (address, process), Client(address, coder) as client:
            sent = generator.standard_normal((20, 8), np.float32)
            found = client.resume(sent)
            assert found["label"] == "cat"
            np.testing.assert_array_equal(found["mean"], coder.decode(coder.encode(sent)).mean(0))
            process.send_signal(number)
            assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ((), 2, "what goes on from the features; give --arch ID and --tap NAME, or --resume MODULE:NAME"),
        (("--resume", "network:resume", "--arch", "timm/resnet18"), 2, "what goes on from the features"),
        (("--resume", "nowhere:resume"), 2, "No module named 'nowhere'; give MODULE:NAME"),
        (("--resume", "network:other"), 2, "no attribute 'other'; give MODULE:NAME"),
        (("--resume", "network:nothing"), 2, "is no function"),
        (("--resume", "network"), 2, "give MODULE:NAME"),
        (("--resume", "network:resume", "--tls-key", "x"), 2, "TLS needs --tls-cert and --tls-key"),
        (("--resume", "network:resume", "--profile", "none.caufp"), 1, "none.caufp"),
        (("--resume", "network:resume", "--listen", "256.0.0.1:x"), 1, "256.0.0.1:x: cannot listen there"),
        (("--resume", "network:resume", "--limit", "outputs=1"), 2, "unknown limit 'outputs'"),
        (("--arch", "timm/nothing_here", "--tap", "x"), 2, ""),
    ],
)
def test_what_cannot_be_served(folder: Path, options: tuple[str, ...], code: int, told: str) -> None:
    done = subprocess.run(
        arguments(*options), cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    assert told in done.stderr and done.stderr.count("\n") == 1


def test_without_grpc_it_names_the_extra(folder: Path) -> None:
    (folder / "grpc.py").write_text("raise ImportError('gone')")
    done = subprocess.run(
        arguments("--resume", "network:resume"),
        cwd=folder,
        env={**environment(), "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.endswith("pip install 'caufc[grpc]'\n")
