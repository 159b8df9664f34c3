"""``-``: pipes on both ends, terminals, and readers that go away."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import caufc

from .conftest import COMMAND, ENVIRONMENT, Run, names, wait_for

Start = Callable[..., "subprocess.Popen[bytes]"]


def test_both_ends(run: Run, maps: Path, folder: Path) -> None:
    encoded = run("encode", "-", "-o", "-", "--lossless", "--json", stdin=maps.read_bytes())
    assert encoded.code == 0
    report = json.loads(encoded.err)
    assert (report["input"], report["output"], report["bytes_out"]) == ("-", "-", len(encoded.out_bytes))
    assert (caufc.decode(encoded.out_bytes) == np.load(maps)).all()
    decoded = run("decode", "-", "--format", "npy", stdin=encoded.out_bytes)
    assert decoded.out_bytes == maps.read_bytes()
    assert decoded.err.startswith("- -> -: 6 samples of 1 tensor, ")
    assert names(folder) == ["maps.npy"]


def test_one_end(run: Run, maps: Path) -> None:
    assert run("encode", "-", "-o", "a.cauf", stdin=maps.read_bytes()).out.startswith("- -> a.cauf\n")
    data = run("encode", maps, "-o", "-", "--quiet").out_bytes
    assert data == Path("a.cauf").read_bytes()
    assert run("decode", "-", "-o", "b.npy", stdin=data).code == 0
    assert np.load("b.npy").shape == (6, 16, 5, 5)
    assert run("info", "-", stdin=data).out.startswith("-: version 1.0, transform, 6 samples in 1 chunk, ")
    assert run("verify", "-", "--deep", stdin=data).out.startswith("OK -: 6 samples, 1 tensor, 1 chunk, ")


def test_a_real_pipe_gets_what_a_file_gets(start: Start, run: Run, maps: Path) -> None:
    """Rate control needs several passes; a pipe cannot be rewound, and must see the last one only."""
    assert run("encode", maps, "-o", "a.cauf", "--snr", 25).code == 0
    process = start("encode", maps, "-o", "-", "--snr", 25, "--quiet")
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, Path("a.cauf").read_bytes(), b"")


def test_appending_keeps_what_is_there(start: Start, maps: Path) -> None:
    Path("log").write_bytes(b"before")
    with Path("log").open("ab") as log:
        process = start("encode", maps, "-o", "-", "--snr", 25, "--quiet", stdout=log)
        assert process.wait() == 0
    data = Path("log").read_bytes()
    assert data.startswith(b"before")
    assert caufc.decode(data[6:]).shape == (6, 16, 5, 5)


def test_a_device_takes_rate_control(run: Run, maps: Path) -> None:
    assert run("encode", maps, "-o", os.devnull, "--snr", 25).code == 0


def test_stdin_whose_format_is_unknown(run: Run, folder: Path) -> None:
    ran = run("encode", "-", "-o", "x.cauf", stdin=b"what is this?")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("caufc: -: not a feature file; name its format with --format: .npy, .npz")
    ran = run("encode", "-", "-o", "x.cauf", "--format", "npy", stdin=b"what is this?")
    assert ran.code == 3
    assert ran.err.startswith("caufc: -: ")
    ran = run("decode", "-", "-o", "x.pt", stdin=b"what is this?")
    assert ran.code == 3
    assert ran.err.startswith("caufc: -: malformed at byte 0: not a CAUF file: it has no signature")
    assert names(folder) == []


def test_arrays_come_to_stdout_as_arrays(run: Run, maps: Path) -> None:
    coded = run("encode", maps, "--lossless", "-o", "-").out_bytes
    decoded = run("decode", "-", "-o", "-", stdin=coded).out_bytes
    assert np.array_equal(np.load(io.BytesIO(decoded)), np.load(maps))


def test_no_spooled_file_stays(run: Run, maps: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "spool").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder / "spool"))
    assert run("encode", "-", "-o", "x.cauf", stdin=maps.read_bytes()).code == 0
    assert run("encode", "-", "-o", "y.cauf", stdin=b"junk").code == 3
    assert run("decode", "-", "-o", "y.pt", stdin=b"junk").code == 3
    assert names(folder / "spool") == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    ("arguments", "what"),
    [(["encode", "-"], ".cauf"), (["encode", "maps.npy", "-o", "-"], ".cauf"), (["decode", "-"], "feature")],
)
@pytest.mark.usefixtures("maps")
def test_a_terminal_gets_no_binary(start: Start, arguments: list[str], what: str) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = start(*arguments, stdout=theirs)
    err = process.communicate()[1].decode()
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 2
    assert err == f"caufc: -: a {what} file is binary, and stdout is a terminal; give -o FILE, or a pipe\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_progress_on_a_terminal_only(start: Start) -> None:
    import pty

    np.save("big.npy", np.random.default_rng(0).standard_normal((2000, 1000)).astype(np.float32))
    ours, theirs = pty.openpty()
    process = start("encode", "big.npy", "--chunk", 100, stderr=theirs)
    process.communicate()
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "%" in shown
    assert " MB/s" in shown
    assert " left" in shown
    assert shown.endswith("\r\x1b[K")
    assert start("encode", "big.npy", "-f", "--quiet").communicate() == (b"", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_that_goes_away() -> None:
    np.save("big.npy", np.random.default_rng(0).standard_normal((500, 1000)).astype(np.float32))
    reader, writer = os.pipe()
    os.close(reader)
    command = [*COMMAND, "encode", "big.npy", "-o", "-", "--quiet"]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert process.communicate()[1] == b""
    assert process.returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code", "message"), [(signal.SIGINT, 130, "\ncaufc: interrupted\n"), (signal.SIGTERM, 143, "")]
)
def test_a_signal_leaves_no_file(start: Start, folder: Path, number: signal.Signals, code: int, message: str) -> None:
    np.save("big.npy", np.random.default_rng(0).standard_normal((20_000, 1000)).astype(np.float32))
    process = start("encode", "big.npy", "-o", "x.cauf", "--chunk", 50, "--snr", 40, "--threads", 3)
    wait_for(lambda: any(name.endswith(".cauf-tmp") for name in names(folder)))
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out, err.decode()) == (code, b"", message)
    assert names(folder) == ["big.npy"]


INTERRUPTED_IN_EXEC = """
import os, signal, sys
from caufc.cli import main as console
code = f"import os, time; os.kill({os.getpid()}, {int(signal.SIGINT)}); time.sleep(9)"
console.caufc = lambda: sys.exit(console._guarded(lambda: exec(code)))
console.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_within_exec_exits_as_any_other() -> None:
    """Imports run ``exec``, by dataclasses for instance: the moment of Ctrl-C must not change the exit code."""
    process = subprocess.run([sys.executable, "-c", INTERRUPTED_IN_EXEC], env=ENVIRONMENT, capture_output=True)
    assert (process.returncode, process.stderr) == (130, b"caufc: interrupted\n")
