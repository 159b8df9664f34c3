"""The same files decoded in every environment at hand: equal symbols, and floats within the specification's tolerance.

    python -m tools.measure.determinism [--python OTHER/bin/python ...] [--record]

Environments are each value of ATEN_CPU_CAPABILITY, OPENBLAS_CORETYPE and NPY_DISABLE_CPU_FEATURES that the machine
has, numbers of threads, constriction absent, and the other interpreters named, with whatever numpy they have. Every
vector is decoded, those of the learned codec where torch is missing to symbols alone; how far floats are from the
reference decoder's is given as a share of what requirements 0222 and 0423 allow.
The bytes that encoding gives must be equal for all numbers of threads and processes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.measure.machine import ROOT, plain_command, write_results

CORES = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "SkylakeX", "Cooperlake", "Sapphirerapids", "Zen")
CAPABILITIES = ("default", "avx2", "avx512")
QUICK = (
    "without kernels",
    "without constriction",
    "NPY_DISABLE_CPU_FEATURES, all",
    "OPENBLAS_CORETYPE=Prescott",
    "4 threads",
)

CHILD = "tools.measure.determinism_child"


@dataclass(frozen=True)
class Environment:
    """A name, an interpreter, and variables; ``without`` constriction or not."""

    name: str
    python: str
    variables: dict[str, str]
    without: bool = False

    def run(self, *arguments: str) -> str:
        """What the child prints."""
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **self.variables}
        command = [self.python, "-m", CHILD, *arguments]
        command += ["--without-constriction"] if self.without else []
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout


def features_of(python: str) -> list[str]:
    """CPU features that this numpy dispatches on and this machine has."""
    code = (
        "import json; from importlib import import_module as m\n"
        "try: u = m('numpy._core._multiarray_umath')\n"
        "except ImportError: u = m('numpy.core._multiarray_umath')\n"
        "print(json.dumps([f for f in u.__cpu_dispatch__ if u.__cpu_features__[f]]))"
    )
    found: list[str] = json.loads(
        subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    )
    return found


def environments(pythons: list[str]) -> Iterator[Environment]:
    """All that are tried."""
    for python in (sys.executable, *pythons):
        yield Environment("as it is", python, {})
        yield Environment("without kernels", python, {"CAUFC_KERNELS": "0"})
        yield Environment("without constriction", python, {"CAUFC_KERNELS": "0"}, without=True)
        features = features_of(python)
        for feature in features:
            yield Environment(f"NPY_DISABLE_CPU_FEATURES={feature}", python, {"NPY_DISABLE_CPU_FEATURES": feature})
        everything = " ".join(features)
        yield Environment("NPY_DISABLE_CPU_FEATURES, all", python, {"NPY_DISABLE_CPU_FEATURES": everything})
        for core in CORES:
            yield Environment(f"OPENBLAS_CORETYPE={core}", python, {"OPENBLAS_CORETYPE": core})
        for capability in CAPABILITIES:
            yield Environment(f"ATEN_CPU_CAPABILITY={capability}", python, {"ATEN_CPU_CAPABILITY": capability})
        for threads in ("2", "4"):
            yield Environment(
                f"{threads} threads", python, {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
            )


def same_bytes(python: str) -> dict[str, bool]:
    """Whether encoding gives the same bytes for several numbers of threads, and of processes."""
    found = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 0
    torch = ["--torch"] if found else []
    digests = set()
    for threads in ("1", "2", "4"):
        variables = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        digests.add(Environment("", python, variables).run("write", *torch))
    demo = ROOT / "caufc" / "data" / "demo" / "efficientnet_lite0_last.safetensors"
    files = []
    with tempfile.TemporaryDirectory() as folder:
        inputs = []
        for number in range(3):
            inputs.append(Path(folder) / f"{number}.safetensors")
            inputs[-1].write_bytes(demo.read_bytes())
        for jobs in ("1", "3"):
            out = Path(folder) / f"out{jobs}"
            command = [python, "-m", "caufc.cli.main", "encode", *map(str, inputs)]
            command += ["-o", str(out), "--jobs", jobs, "--quiet"]
            subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
            files.append([path.read_bytes() for path in sorted(out.iterdir())])
    return {"threads": len(digests) == 1, "processes": files[0] == files[1]}


def _failure(error: subprocess.CalledProcessError) -> list[str]:
    if error.returncode == -signal.SIGILL:
        return ["the processor lacks these instructions"]
    return str(error.stderr).strip().splitlines()[-1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", action="append", default=[], help="another interpreter that has numpy and msgpack")
    parser.add_argument("--record", action="store_true", help="write tools/results/determinism.*")
    parser.add_argument("--quick", action="store_true", help="few environments and vectors")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    tried = environments(options.python)
    for environment in tried if not options.quick else [found for found in tried if found.name in QUICK]:
        try:
            text = environment.run("read", *(["--quick"] if options.quick else []))
        except subprocess.CalledProcessError as err:
            rows.append({"name": environment.name, "version": "", "failed": _failure(err)})
            print(rows[-1], flush=True)
            continue
        version, found = json.loads(text)
        differing = [name for name, (same, _) in found.items() if not same]
        share = max(share for _, share in found.values())
        rows.append(
            {"name": environment.name, "version": version, "files": len(found), "differing": differing, "share": share}
        )
        print(rows[-1], flush=True)
    bytes_equal = {} if options.quick else same_bytes(sys.executable)
    bad = [row for row in rows if row.get("differing") or row.get("share", 0) > 1]
    table = [
        "| environment | versions | files | symbols differ | error, share of the tolerance |",
        "|---|---|---|---|---|",
    ]
    table += [
        f"| {row['name']} | {row['version']} | {row['files']} | {len(row['differing'])} | {row['share']:.3f} |"
        if "files" in row
        else f"| {row['name']} | could not run: {' '.join(row['failed'])} | | | |"
        for row in rows
    ]
    if bytes_equal:
        said = ", ".join(f"numbers of {what}: {'yes' if equal else 'no'}" for what, equal in bytes_equal.items())
        table += ["", f"Encoding gives equal bytes for all {said}."]
    print("\n".join(table))
    if options.record:
        command = plain_command(sys.argv)
        write_results("determinism", command, {"environments": rows, "same_bytes": bytes_equal}, "\n".join(table))
    return 1 if bad or not all(bytes_equal.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
