"""Installs caufc with a C compiler, with one that fails, and without any, and checks what comes of it.

    python -m tools.measure.builds [--results builds]

Each time the tracked files are copied, a fresh environment is made, and README's command `pip install .` is run there,
or the wheel of `python -m build` is installed. With a compiler all kernels must be there, without none, and files must
be the same to the byte. Exits with 1 where that is not so. The network is needed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from caufc.codec.kernels import NAMES
from tools.measure.machine import ROOT, plain_command, write_results

CODE = """
import hashlib, numpy as np, caufc
from caufc.codec import kernels
values = np.random.default_rng(0).laplace(size=(40, 16, 9, 9)).astype("f4")
files = [caufc.encode(values), caufc.encode(values, lossless=True), caufc.encode(values.reshape(40, -1), snr=20)]
[caufc.decode(data) for data in files]
print(hashlib.sha256(b"".join(files)).hexdigest(), *kernels.built())
"""


class Place:
    """A copy of the checkout and an environment to install it into."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder, folder / "source"
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
        for name in filter(None, tracked.stdout.split("\0")):
            if name.startswith(("caufc/", "setup.py", "pyproject.toml", "README.md", "LICENSE")):
                target = self.source / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)
        subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
        self.programs = folder / "environment" / "bin"
        self.environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "CC")}

    def run(self, *command: str | Path) -> str:
        """Run a program of the environment, outside of the source."""
        done = subprocess.run(
            [self.programs / command[0], *command[1:]],
            cwd=self.folder,
            env=self.environment,
            check=False,
            stdout=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}")
        return done.stdout

    def install(self) -> None:
        self.run("python", "-m", "pip", "install", "--quiet", self.source)


def with_compiler(place: Place) -> None:
    """As on a machine with gcc or clang."""
    place.install()


def wheel(place: Place) -> None:
    """As a wheel of the source distribution, as `python -m build` makes both."""
    place.run("python", "-m", "pip", "install", "--quiet", "build")
    place.run("python", "-m", "build", "--outdir", place.folder / "dist", place.source)
    (found,) = (place.folder / "dist").glob("*.whl")
    place.run("python", "-m", "pip", "install", "--quiet", found)


def failing_compiler(place: Place) -> None:
    """As where a compiler is found that compiles nothing."""
    place.environment["CC"] = shutil.which("false") or "false"
    place.install()


def no_compiler(place: Place) -> None:
    """As where no program is in reach but Python's."""
    place.environment["PATH"] = str(place.programs)
    place.install()


WAYS: dict[str, tuple[Callable[[Place], None], tuple[str, ...]]] = {
    "compiler": (with_compiler, NAMES),
    "wheel of `python -m build`": (wheel, NAMES),
    "compiler that fails": (failing_compiler, ()),
    "no compiler": (no_compiler, ()),
}
"""How caufc is installed, and the kernels that must be there."""


def installed(way: str) -> dict[str, Any]:
    """Seconds, bytes of caufc, its kernels, and the digest of files.

    Raises:
        SystemExit: if an installation fails or has other kernels than it should.
    """
    install, wanted = WAYS[way]
    with tempfile.TemporaryDirectory() as temporary:
        place = Place(Path(temporary))
        started = time.perf_counter()
        install(place)
        seconds = time.perf_counter() - started
        digest, *found = place.run("python", "-c", CODE).split()
        if tuple(found) != wanted:
            raise SystemExit(f"{way}: kernels {found}, not {list(wanted)}")
        version = place.run("caufc", "--version").splitlines()[1]
        (package,) = (place.folder / "environment" / "lib").glob("python*/site-packages/caufc")
        kernels = list(package.rglob("*.so"))
        return {
            "seconds": seconds,
            "mb": sum(path.stat().st_size for path in package.rglob("*") if path.is_file()) / 1e6,
            "kernels_mb": sum(path.stat().st_size for path in kernels) / 1e6,
            "kernels": len(found),
            "says": version,
            "digest": digest,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    figures = {}
    for way in WAYS:
        figures[way] = installed(way)
        print(way, figures[way], flush=True)
    if len({own["digest"] for own in figures.values()}) > 1:
        raise SystemExit("files differ")
    rows = [
        "| installed with | seconds, dependencies too | MB of caufc | of these kernels | kernels | `caufc --version` |"
    ]
    rows += ["|---" * 6 + "|"]
    rows += [
        f"| {way} | {own['seconds']:.0f} | {own['mb']:.1f} | {own['kernels_mb']:.1f} | {own['kernels']} |"
        f" {own['says']} |"
        for way, own in figures.items()
    ]
    rows += ["", "All of them encode the same bytes."]
    print("\n".join(rows))
    if options.results:
        write_results(options.results, plain_command(sys.argv), figures, "\n".join(rows))


if __name__ == "__main__":
    main()
