"""Many inputs: names, shards, what is there already, worker processes, and runs that were stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import caufc

from .conftest import Run, names, wait_for

Start = Callable[..., "subprocess.Popen[bytes]"]


def make(*paths: str, size: int = 40) -> None:
    """Feature files that differ."""
    for number, path in enumerate(paths):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(number).standard_normal((size, 30)).astype(np.float32))


def test_goes_on_after_failures_and_exits_with_the_worst(run: Run, folder: Path) -> None:
    make("a.npy", "b.npy")
    Path("junk.npy").write_bytes(b"junk")
    ran = run("encode", "a.npy", "junk.npy", "missing.npy", "b.npy", "-o", "out")
    assert ran.code == 3
    assert [line.split(":")[:2] for line in ran.lines] == [["caufc", " junk.npy"], ["caufc", " missing.npy"]]
    lines = ran.out.splitlines()
    assert re.fullmatch(r"a\.npy -> out/a\.cauf: 4\.8 kB -> \d+ B, [\d.]+ BPFP, SNR [\d.]+ dB", lines[0])
    assert lines[1].startswith("b.npy -> out/b.cauf: ")
    summary = (
        r"4 files: 2 done, 0 skipped, 2 failed; 9,600 B \(9\.6 kB\) -> [\d,]+ B .*, ratio [\d.]+, [\d.]+ BPFP; .* s"
    )
    assert re.fullmatch(summary, lines[2])
    assert names(folder / "out") == ["a.cauf", "b.cauf"]
    ran = run("encode", "a.npy", "missing.npy", "-o", "quiet", "--quiet")
    assert (ran.code, ran.out, ran.err) == (1, "", "caufc: missing.npy: no such file; check the path\n")


def test_json(run: Run) -> None:
    make("a.npy", "b.npy", "c.npy")
    run("encode", "b.npy", "-o", "out/")
    ran = run("encode", "a.npy", "b.npy", "missing.npy", "c.npy", "-o", "out", "--skip-existing", "--json")
    data = json.loads(ran.out)
    assert [file["status"] for file in data["files"]] == ["done", "skipped", "failed", "done"]
    assert [file["input"] for file in data["files"]] == ["a.npy", "b.npy", "missing.npy", "c.npy"]
    assert data["files"][2]["error"] == "missing.npy: no such file; check the path"
    assert data["files"][2]["exit_code"] == 1
    totals = data["totals"]
    assert [totals[key] for key in ("files", "done", "skipped", "failed", "samples")] == [4, 2, 1, 1, 80]
    assert totals["bytes_out"] == sum(Path(f"out/{name}.cauf").stat().st_size for name in "ac")
    assert totals["bpfp"] == 8 * totals["bytes_out"] / totals["numel"]
    assert ran.code == totals["exit_code"] == 1


def test_an_output_that_exists_is_a_failure_of_its_file(run: Run) -> None:
    make("a.npy", "b.npy")
    run("encode", "a.npy", "-o", "out/")
    ran = run("encode", "a.npy", "b.npy", "-o", "out")
    assert (ran.code, ran.err) == (1, "caufc: out/a.cauf: exists already; use --force\n")
    assert run("encode", "a.npy", "b.npy", "-o", "out", "--force").code == 0


def test_names_of_outputs(run: Run, folder: Path) -> None:
    make("sub/a.npy", "sub/deep/b.npy", "c.npy", "lists/in/d.npy", "e.npy")
    Path("lists/list.txt").write_text(f"# a comment\nin/d.npy\n\n../c.npy\n{folder}/e.npy\n")
    ran = run("encode", "sub/a.npy", "sub/deep/b.npy", "lists/list.txt", "-o", "out/")
    assert (ran.code, ran.err) == (0, "")
    assert names(folder / "out") == ["c.cauf", "e.cauf", "in/d.cauf", "sub/a.cauf", "sub/deep/b.cauf"]
    assert run("encode", folder / "sub/a.npy", "sub/../c.npy", "-o", "flat").code == 0
    assert names(folder / "flat") == ["a.cauf", "c.cauf"]
    assert run("encode", "sub/a.npy", "c.npy").code == 0
    assert Path("sub/a.cauf").exists()
    assert Path("c.cauf").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/x/a.npy", "y/../a.npy", "-o", "out"], "y/../a.npy: would become out/a.cauf, and so would /x/a.npy; rename"),
        (["a.npy", "a.npz"], "a.npz: would become a.cauf, and so would a.npy; rename one, or give each a folder"),
        (["a.npy", "-", "-o", "out"], "-: stdin can only be the one input; leave the other inputs out"),
        (["a.npy", "b.npy", "-o", "-"], "-: is not a folder, and there are several inputs; give -o DIR"),
        (["a.npy", "b.npy", "-o", "file.cauf"], "file.cauf: is not a folder, and there are several inputs; give -o"),
        (["a.npy", "b.npy", "-o", "out", "--arch", "no/such"], "unknown arch 'no/such'; known: "),
        (["a.npy", "b.npy", "-o", "out", "--snr", "1", "--bpfp", "2"], "--snr and --bpfp are two rate controls; give"),
        (["a.npy", "b.npy", "-o", "out", "--shard", "3/2"], "shard '3/2' is not i/n with 1 <= i <= n; for example"),
        (["list.txt", "-o", "out"], "list.txt: line 2 repeats line 1; remove one of them"),
    ],
)  # fmt: skip
def test_refusals_before_any_work(run: Run, folder: Path, arguments: list[str], message: str) -> None:
    make("a.npy", "b.npy")
    Path("file.cauf").write_text("precious")
    Path("list.txt").write_text("a.npy\na.npy\n")
    before = names(folder)
    ran = run("encode", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.lines) == 1
    assert ran.err.startswith(f"caufc: {message}")
    assert names(folder) == before


def test_a_list_that_is_missing(run: Run, folder: Path) -> None:
    ran = run("encode", "list.txt", "-o", "out")
    assert (ran.code, ran.err) == (1, "caufc: list.txt: no such file; check the path\n")
    assert names(folder) == []


def test_a_list_that_names_nothing(run: Run) -> None:
    Path("empty.txt").write_text("# nothing yet\n\n")
    ran = run("encode", "empty.txt", "-o", "out")
    assert (ran.code, ran.err) == (0, "caufc: warning: empty.txt: names no file; one path a line\n")
    assert run("encode", "empty.txt", "-o", "out", "--quiet").err == ""


def test_shards_share_the_work(run: Run, folder: Path) -> None:
    inputs = [f"{number}.npy" for number in range(7)]
    make(*inputs)
    Path("list.txt").write_text("\n".join(inputs))
    parts = []
    for number in (1, 2, 3):
        data = json.loads(run("encode", "list.txt", "-o", "out", "--shard", f"{number}/3", "--json").out)
        parts.append([file["input"] for file in data["files"]])
    assert parts == [["0.npy", "3.npy", "6.npy"], ["1.npy", "4.npy"], ["2.npy", "5.npy"]]
    assert len(names(folder / "out")) == 7
    ran = run("encode", *inputs[:2], "-o", "other", "--shard", "3/3")
    assert (ran.code, ran.out.startswith("0 files: 0 done, 0 skipped, 0 failed; ")) == (0, True)


def test_processes_give_the_same_files_in_the_same_order(run: Run, folder: Path) -> None:
    make(*(f"{number}.npy" for number in range(6)))
    Path("3.npy").write_bytes(b"junk")
    inputs = [*(f"{number}.npy" for number in range(6)), "missing.npy"]
    one = run("encode", *inputs, "-o", "one", "--snr", 25)
    two = run("encode", *inputs, "-o", "two", "--snr", 25, "--jobs", 2)
    assert one.code == two.code == 3
    assert one.err == two.err
    assert one.out.replace("one/", "").splitlines()[:-1] == two.out.replace("two/", "").splitlines()[:-1]
    assert names(folder / "one") == names(folder / "two") == [f"{number}.cauf" for number in (0, 1, 2, 4, 5)]
    for name in names(folder / "one"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_run_goes_on_where_it_was(run: Run, start: Start, folder: Path) -> None:
    """Two files are small and soon done; the others take so long that the run is killed among them, on any machine."""
    inputs = [f"{number}.npy" for number in range(6)]
    make(*inputs[:2], size=100)
    make(*inputs[2:], size=30_000)
    Path("list.txt").write_text("\n".join(inputs))
    process = start("encode", "list.txt", "-o", "out", "--snr", 30, "--jobs", 2)
    wait_for(lambda: list(folder.glob("out/*.cauf")))
    process.kill()
    process.communicate()
    wait_for(lambda: not list(folder.glob("out/.*tmp")))  # its workers notice, and clean up
    done = {path: path.stat().st_mtime_ns for path in folder.glob("out/*.cauf")}
    assert 0 < len(done) < 6
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    Path(f"out/.5.cauf.{dead.pid}.cauf-tmp").write_bytes(b"left")
    data = json.loads(run("encode", "list.txt", "-o", "out", "--snr", 30, "--skip-existing", "--json").out)
    assert [data["totals"][key] for key in ("done", "skipped", "failed")] == [6 - len(done), len(done), 0]
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert f".5.cauf.{dead.pid}.cauf-tmp" not in names(folder / "out")
    assert [name for name in names(folder / "out") if name.endswith(".cauf")] == [f"{n}.cauf" for n in range(6)]
    for number in range(6):
        assert caufc.load(f"out/{number}.cauf").shape == (100 if number < 2 else 30_000, 30)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_worker_that_dies_costs_its_own_file(start: Start, folder: Path) -> None:
    make("a.npy", "c.npy")
    make("b.npy", size=200_000)
    process = start("encode", "b.npy", "a.npy", "c.npy", "-o", "out", "--snr", 30, "--jobs", 2)
    temporary = wait_for(lambda: list(folder.glob("out/.b.cauf.*tmp")))[0]
    os.kill(int(temporary.name.split(".")[3]), signal.SIGKILL)
    out, err = process.communicate()
    assert process.returncode == 1
    assert err.decode() == (
        "caufc: b.npy: its worker process died (killed by signal 9); if memory ran out, try fewer --jobs\n"
    )
    assert out.decode().splitlines()[-1].startswith("3 files: 2 done, 0 skipped, 1 failed; ")
    assert names(folder / "out") == ["a.cauf", "c.cauf"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupted_run_ends_its_workers(start: Start, folder: Path) -> None:
    make("a.npy", "b.npy", size=400_000)  # none is done before both have begun
    process = start("encode", "a.npy", "b.npy", "-o", "out", "--snr", 40, "--jobs", 2, start_new_session=True)
    temporaries = wait_for(lambda: (found := list(folder.glob("out/.*tmp"))) * (len(found) == 2))
    workers = [int(path.name.split(".")[3]) for path in temporaries]
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"\ncaufc: interrupted\n")
    assert names(folder / "out") == []
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
