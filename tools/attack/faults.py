"""What a machine may do to encode and decode: kill them, fill the disk, forbid the folder, change the input.

    python -m tools.attack.faults [--kills 200] [--record]

Commands run in forks of this process and are killed at random moments. Under the output's name there must be nothing,
the old file or the whole new one; whatever else is left must carry the name of temporary files, and the next run must
remove it. A full disk and a read-only folder are tmpfs mounts where that is allowed, else limits of the process.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import numpy as np

import caufc
import caufc.api
from caufc.cli.main import caufc as console
from caufc.features.atomic import _remove_unfinished
from tools.measure.machine import plain_command, write_results

TEMPORARY = re.compile(r"\..*\.[1-9][0-9]*(-[0-9]+)?\.cauf-tmp")
INTERRUPTED = 130
INTERRUPTIONS = {signal.SIGINT, signal.SIGTERM}


class FaultError(Exception):
    """Something is left that must not be."""


def invoke(*arguments: str) -> tuple[int, str]:
    """Run a command line in this process; exit code and stderr."""
    told = io.StringIO()
    try:
        with redirect_stderr(told), redirect_stdout(io.StringIO()):
            console.main(list(arguments))
    except SystemExit as err:
        return int(err.code or 0), told.getvalue()
    return 0, told.getvalue()


def forked(*arguments: str, before: Callable[[], object] = lambda: None) -> int:
    """Start a command line in a fork, which never returns into this program; its process ID."""
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)
        return pid
    code = 99
    try:
        try:
            code = interruptible(arguments, before)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    except KeyboardInterrupt:  # before the console guards the command, or after
        code = INTERRUPTED
    except SystemExit as err:
        code = int(err.code or 0)
    finally:
        _remove_unfinished()  # at the end of a process, which a fork's sudden end would skip
        os._exit(code)


def interruptible(arguments: tuple[str, ...], before: Callable[[], object]) -> int:
    """Run a command line with the signals of a terminal let through; exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)
    before()
    return invoke(*arguments)[0]


def ended(pid: int) -> int:
    """Exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def leftovers(folder: Path, known: set[str]) -> list[str]:
    """Names beside the known ones; all must be those of temporary files."""
    found = [path.name for path in folder.iterdir() if path.name not in known]
    for name in found:
        if not TEMPORARY.fullmatch(name):
            raise FaultError(f"{name} is left")
    return found


def killed(folder: Path, arguments: list[str], output: Path, kills: int, number: signal.Signals) -> Counter[str]:
    """Signal a command at random moments, with and without an old file under the output's name."""
    draw = random.Random(f"{arguments}{number}")
    known = {path.name for path in folder.iterdir()} | {output.name}
    started = time.perf_counter()
    if (code := ended(forked(*arguments))) != 0:
        raise FaultError(f"{arguments}: exit code {code}")
    whole, took = digest(output), time.perf_counter() - started
    seen: Counter[str] = Counter()
    for turn in range(kills):
        old = None
        output.unlink()
        if turn % 2:
            output.write_bytes(b"an old file")
            old = digest(output)
        pid = forked(*arguments)
        time.sleep(draw.uniform(0, took))
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        code = ended(pid)
        found = digest(output)
        if found not in (old, whole):
            raise FaultError(f"{arguments}, turn {turn}: neither the old file nor the new one")
        left = leftovers(folder, known)
        if number != signal.SIGKILL and left:
            raise FaultError(f"{left} left after {number.name}")
        if code not in (0, -number, 128 + number):
            raise FaultError(f"exit code {code} after {number.name}")
        seen["new" if found == whole else "old" if found else "nothing"] += 1
        seen["temporary files left"] += len(left)
        if left or not output.exists() or found == old:
            if ended(forked(*arguments)) != 0 or digest(output) != whole or leftovers(folder, known):
                raise FaultError(f"{arguments}, turn {turn}: the next run does not make it right")
            seen["made right by the next run"] += 1
    return seen


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path | None]:
    """A tmpfs; None where mounting is not allowed."""
    place = folder / "disk"
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
    )
    try:
        yield place if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(place)], check=True)


def full_disk(folder: Path, features: Path, encoded: Path, named: Path) -> Counter[str]:
    """Encode and decode where there is no room."""
    seen: Counter[str] = Counter()
    with small_disk(folder, "size=64k") as disk:
        place = folder if disk is None else disk

        def limit() -> None:
            if disk is None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))

        for suffix in (".cauf", ".npy", ".npz", ".pt", ".safetensors"):
            held = encoded if suffix == ".npy" else named
            command = ["encode", str(features), "--lossless"] if suffix == ".cauf" else ["decode", str(held)]
            code = ended(forked(*command, "-o", str(place / f"out{suffix}"), before=limit))
            if code != 1 or (place / f"out{suffix}").exists() or leftovers(place, {p.name for p in folder.iterdir()}):
                raise FaultError(f"{suffix} on a full disk: exit code {code}, {list(place.iterdir())}")
            seen[f"exit code {code}"] += 1
    return seen


def read_only(folder: Path, features: Path, encoded: Path) -> Counter[str]:
    """Encode and decode into a folder that may not be written."""
    seen: Counter[str] = Counter()
    with small_disk(folder, "ro") as disk:
        place = Path("/proc") if disk is None else disk
        for command, name in ((["encode", str(features)], "out.cauf"), (["decode", str(encoded)], "out.npy")):
            code = ended(forked(*command, "-o", str(place / name)))
            if code != 1 or (place / name).exists():
                raise FaultError(f"{command} into a read-only folder: exit code {code}")
            seen[f"exit code {code}"] += 1
    return seen


def two_writers(folder: Path, features: Path, turns: int) -> Counter[str]:
    """Two encodes of one output at a time: without --force one wins and one is told, with it the last one wins."""
    seen: Counter[str] = Counter()
    output = folder / "two.cauf"
    commands = [["encode", str(features), "-o", str(output), "--quality", quality] for quality in ("20", "60")]
    wholes = set()
    for command in commands:
        ended(forked(*command, "-f"))
        wholes.add(digest(output))
    known = {path.name for path in folder.iterdir()}
    for turn in range(turns):
        output.unlink()
        force = ["-f"] if turn % 2 else []
        codes = sorted(ended(pid) for pid in [forked(*command, *force) for command in commands])
        if codes != ([0, 0] if force else [0, 1]) or digest(output) not in wholes or leftovers(folder, known):
            raise FaultError(f"two writers: exit codes {codes}")
        seen["forced" if force else "one told"] += 1
    return seen


def changing_input(folder: Path, turns: int) -> Counter[str]:
    """The input is written to while it is read: told with exit code 1, or all was read before."""
    seen: Counter[str] = Counter()
    draw = random.Random(1)
    values = np.random.default_rng(1).standard_normal((4000, 200)).astype("f4")
    source, output = folder / "changing.npy", folder / "changing.cauf"
    np.save(source, values)
    started = time.perf_counter()
    ended(forked("encode", str(source), "-o", str(output), "--lossless", "--chunk", "100"))
    took = time.perf_counter() - started
    whole = digest(output)
    known = {path.name for path in folder.iterdir()}
    for turn in range(turns):
        np.save(source, values)
        output.unlink(missing_ok=True)
        pid = forked("encode", str(source), "-o", str(output), "--lossless", "--chunk", "100")
        time.sleep(draw.uniform(0, took))
        with source.open("r+b") as file:
            file.seek(0 if turn % 2 else 4000)
            file.write(b"other") if turn % 3 else file.truncate(10_000)
        code = ended(pid)
        if code not in (0, 1, 3) or (code and output.exists()) or leftovers(folder, known):
            raise FaultError(f"a changing input: exit code {code}")
        if code == 0 and digest(output) != whole:
            again = caufc.load(output)  # it was changed before it was opened
            if not np.array_equal(again, np.load(source)):
                raise FaultError("a mixture of the old and the new input")
        seen[f"exit code {code}"] += 1
    return seen


def resumed(folder: Path, kills: int) -> Counter[str]:
    """A list in two shards, killed again and again and resumed: nothing is lost, nothing is done twice."""
    seen: Counter[str] = Counter()
    draw = random.Random(2)
    names = []
    for number in range(12):
        np.save(folder / f"{number}.npy", np.random.default_rng(number).standard_normal((300, 60)).astype("f4"))
        names.append(f"{number}.npy")
    (folder / "list.txt").write_text("\n".join(names))
    base = ["encode", str(folder / "list.txt"), "--snr", "30", "--quiet"]
    started = time.perf_counter()
    ended(forked(*base, "-o", str(folder / "whole")))
    took = time.perf_counter() - started
    wanted = {path.name: digest(path) for path in (folder / "whole").iterdir()}
    for shard in ("1/2", "2/2"):
        for _ in range(kills // 2):
            before = {path: path.stat().st_mtime_ns for path in folder.glob("out/*.cauf")}
            pid = forked(*base, "-o", str(folder / "out"), "--shard", shard, "--skip-existing")
            time.sleep(draw.uniform(0, took / 4))
            os.kill(pid, signal.SIGKILL)
            ended(pid)
            if {path: path.stat().st_mtime_ns for path in before} != before:
                raise FaultError("a finished file was done again")
            for path in folder.glob("out/*.cauf"):
                if digest(path) != wanted[path.name]:
                    raise FaultError(f"{path.name} differs")
            seen["kills"] += 1
        if ended(forked(*base, "-o", str(folder / "out"), "--shard", shard, "--skip-existing")) != 0:
            raise FaultError("the last run of a shard")
    if {path.name: digest(path) for path in (folder / "out").iterdir()} != wanted:
        raise FaultError("files are lost, or temporary ones are left")
    return seen


def closed_pipe(features: Path) -> Counter[str]:
    """The reader of stdout goes away."""
    seen: Counter[str] = Counter()
    for taken in (0, 1, 5000):
        command = [sys.executable, "-m", "caufc.cli.main", "encode", str(features), "-o", "-", "--lossless", "--quiet"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(taken)
        process.stdout.close()
        told = process.stderr.read()
        if process.wait() != 1 or told:
            raise FaultError(f"a closed pipe: exit code {process.returncode}, {told!r}")
        seen["exit code 1, silent"] += 1
    return seen


def run_all(kills: int) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp())
    found: dict[str, Any] = {}
    try:
        work = folder / "work"
        work.mkdir()
        features = work / "features.npy"
        np.save(features, np.random.default_rng(0).standard_normal((400, 20, 32)).astype("f4"))
        encoded = work / "whole.cauf"
        caufc.save(encoded, np.load(features), lossless=True, chunk=20)
        named = work / "named.cauf"
        caufc.save(named, {"x": np.load(features)}, lossless=True, chunk=20)
        invoke("decode", str(encoded), "-o", str(folder / "warm.pt"))
        for name, number in (("kill -9", signal.SIGKILL), ("Ctrl-C", signal.SIGINT), ("SIGTERM", signal.SIGTERM)):
            turns = kills if number == signal.SIGKILL else max(2, kills // 8)
            encode = ["encode", str(features), "-o", str(work / "out.cauf"), "--snr", "30", "--chunk", "40", "-f"]
            found[f"{name}, encode"] = killed(work, encode, work / "out.cauf", turns, number)
            for suffix in (".npy", ".safetensors", ".npz", ".pt"):
                output = work / f"out{suffix}"
                held = encoded if suffix == ".npy" else named
                seen = killed(work, ["decode", str(held), "-o", str(output), "-f"], output, -(-turns // 4), number)
                found[f"{name}, decode"] = found.get(f"{name}, decode", Counter()) + seen
        found["full disk"] = full_disk(folder, features, encoded, named)
        found["read-only folder"] = read_only(folder, features, encoded)
        found["two writers"] = two_writers(work, features, max(2, kills // 4))
        found["changing input"] = changing_input(work, max(6, kills // 4))
        found["closed pipe"] = closed_pipe(features)
        found["resumed shards"] = resumed(work, max(2, kills // 4))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="kills of encode, and of decode")
    parser.add_argument("--record", action="store_true", help="write tools/results/faults.*")
    options = parser.parse_args()
    try:
        found = run_all(options.kills)
    except FaultError as err:
        print(f"FAULT: {err}")
        return 1
    table = ["| fault | what came of it |", "|---|---|"]
    table += [f"| {name} | {', '.join(f'{what}: {n}' for what, n in seen.items())} |" for name, seen in found.items()]
    table += ["", "Outputs that were neither old nor new: 0. Files left that the next run did not remove: 0."]
    print("\n".join(table))
    if options.record:
        command = plain_command(sys.argv)
        write_results("faults", command, {name: dict(seen) for name, seen in found.items()}, "\n".join(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
