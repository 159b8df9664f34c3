"""``--threads``: the same files for any number, and one a process in batches."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any
from unittest import mock

import numpy as np
import pytest

import caufc
from caufc.cli.batch import Batch

from .conftest import Run, names, wait_for


def test_the_same_files(run: Run, maps: Path) -> None:
    for threads in (1, 2, 5):
        assert run("encode", maps, "-o", f"{threads}.cauf", "--chunk", 1, "--threads", threads).code == 0
        assert run("decode", f"{threads}.cauf", "-o", f"{threads}.npy", "--threads", threads).code == 0
        assert Path(f"{threads}.cauf").read_bytes() == Path("1.cauf").read_bytes()
        assert Path(f"{threads}.npy").read_bytes() == Path("1.npy").read_bytes()


@pytest.mark.parametrize("verb", ["encode", "decode"])
@pytest.mark.parametrize("number", [0, -1, "many"])
def test_what_is_no_number_of_threads(run: Run, maps: Path, verb: str, number: object) -> None:
    ran = run(verb, maps, "--threads", number)
    assert ran.code == 2
    assert "--threads" in ran.err


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [([], None), (["--jobs", 2], 1), (["--jobs", 2, "--threads", 3], 3), (["--threads", 3], 3)],
)
def test_a_worker_of_a_batch_has_one(run: Run, maps: Path, arguments: list[Any], wanted: int | None) -> None:
    seen = []

    def kept(batch: Batch) -> int:
        seen.append(batch.template.options["threads"])
        return 0

    with mock.patch.object(Batch, "run", kept):
        assert run("encode", maps, maps, "-o", "out", *arguments).code == 0
    assert seen == [wanted]


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes a while to decode."""
    values = np.random.default_rng(0).standard_normal((20_000, 1000)).astype(np.float32)
    path = tmp_path_factory.mktemp("big") / "big.cauf"
    caufc.save(path, values, chunk=50, lossless=True)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_decoding(
    start: Callable[..., Popen[bytes]], folder: Path, big: Path, number: signal.Signals, code: int
) -> None:
    process = start("decode", big, "-o", "x.npy", "--threads", 3)
    wait_for(lambda: names(folder) != [])
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == code
    assert names(folder) == []
